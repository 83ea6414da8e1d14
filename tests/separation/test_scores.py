"""SI-SDR and SDR: closed forms, the order of the outputs, and what is refused."""

import sys

import numpy as np
import pytest
import torch

import ssml
from ssml.files.errors import UserError
from tests.conftest import speechlike

both = pytest.mark.parametrize("score", [ssml.si_sdr, ssml.sdr])


@pytest.fixture(scope="module")
def ref():
    """Three sources (3, N)."""
    return speechlike(3)[1][:, 0]


@both
def test_the_order_is_of_the_outputs(score, ref):
    est = 2 * ref[[2, 0, 1]] + 1e-3 * ref
    values, order = score(est, ref)
    assert order.tolist() == [1, 2, 0] and (values > 40).all()
    tensors = score(torch.from_numpy(est), torch.from_numpy(ref))
    assert all(isinstance(x, torch.Tensor) for x in tensors)
    np.testing.assert_allclose(tensors[0], values)
    assert tensors[1].tolist() == order.tolist()
    batch = score(np.stack([est, ref]), np.stack([ref, ref]))
    np.testing.assert_allclose(batch[0][0], values, rtol=1e-6)
    assert batch[1].tolist() == [[1, 2, 0], [0, 1, 2]]


@both
def test_noise_of_a_known_level(score):
    """Noise that is independent of the reference, 10 dB below: both are 10 dB."""
    random = np.random.default_rng(0)
    ref = random.standard_normal((2, 80000))
    values = score(ref + 10**-0.5 * random.standard_normal(ref.shape), ref)[0]
    np.testing.assert_allclose(values, 10, atol=0.1)


def test_a_filter_of_the_reference_is_no_distortion_for_the_sdr_alone(ref):
    est = np.stack([np.convolve(x, [1, 0, 0.5, -0.3])[: ref.shape[-1]] for x in ref])
    assert (ssml.sdr(est, ref)[0] > 40).all() and (ssml.si_sdr(est, ref)[0] < 20).all()
    one_tap = ssml.sdr(est, ref, taps=1)[0]
    np.testing.assert_allclose(one_tap, ssml.si_sdr(est, ref)[0], atol=1e-6)


@both
def test_shapes_that_differ_are_refused(score):
    with pytest.raises(UserError, match=r"est \(2, 5\), ref \(3, 5\)"):
        score(np.ones((2, 5)), np.ones((3, 5)))


def test_what_has_no_sdr_is_refused(ref, monkeypatch):
    with pytest.raises(UserError, match="ref: a source is silent"):
        ssml.sdr(ref, ref * [[1], [0], [1]])
    with pytest.raises(UserError, match="ref: 500 samples; the SDR with 512 taps needs more"):
        ssml.sdr(ref[:, :500], ref[:, :500])
    monkeypatch.setitem(sys.modules, "fast_bss_eval", None)
    with pytest.raises(UserError, match=r"fast_bss_eval is not installed; pip install '.\[pipe"):
        ssml.sdr(ref, ref)
