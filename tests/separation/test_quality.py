"""The estimate of how good a separation is, without references."""

import csv

import numpy as np
import pytest

import ssml
from ssml.files.errors import UserError
from ssml.files.io import read_audio
from ssml.samples import MIXTURE, REFERENCES
from ssml.separation import quality
from tests.conftest import ROOT

FS = 16000


@pytest.fixture(scope="module")
def sample():
    mix, ref = (read_audio(path)[0] for path in (MIXTURE, REFERENCES))
    return mix, ref


def leaking(ref, share):
    """Outputs that hold `share` of the power of the other talker."""
    return np.sqrt(1 - share) * ref + np.sqrt(share) * ref[::-1]


def test_the_estimate_falls_as_talkers_leak_into_each_other(sample):
    mix, ref = sample
    gains = [ssml.quality(leaking(ref, s), mix[0], FS).gain for s in (0.01, 0.03, 0.1, 0.3)]
    assert gains == sorted(gains, reverse=True)
    assert ssml.quality(leaking(ref, 0.0), mix[0], FS).verdict == quality.GOOD
    assert ssml.quality(leaking(ref, 0.3), mix[0], FS).verdict == quality.FAILED


def test_neither_scale_nor_order_nor_sign_counts(sample):
    mix, ref = sample
    first = ssml.quality(ref, mix[0], FS).gain
    for other in (1e-3 * ref, ref[::-1], -ref, ref * [[1], [0.2]]):
        assert ssml.quality(other, 7 * mix[0], FS).gain == pytest.approx(first, abs=0.02)


def test_real_separations_are_told_apart(sample):
    mix, ref = sample
    before = ssml.si_sdr(np.stack([mix[0]] * 2), ref)[0].mean()
    for given, word in (({}, quality.GOOD), ({"model": "laplace"}, quality.FAILED)):
        est = ssml.separate(mix, fs=FS, iterations=20, **given)
        gain = ssml.si_sdr(est, ref)[0].mean() - before
        assert (gain > 5) == (word == quality.GOOD)
        assert ssml.quality(est, mix[0], FS).verdict == word


@pytest.mark.parametrize("est, mix", [((1, 8), (8,)), ((2, 8), (2, 8)), ((2, 8), (9,))])
def test_other_shapes_are_refused(est, mix):
    with pytest.raises(UserError, match="two or more"):
        ssml.quality(np.zeros(est), np.zeros(mix), FS)


@pytest.mark.parametrize("fs", [8000, 48000])
def test_silence_and_other_rates_are_finite(fs):
    est = np.zeros((2, fs))
    est[0] = np.random.default_rng(1).standard_normal(fs)
    assert np.isfinite(ssml.quality(est, est[0], fs).gain)
    assert np.isfinite(ssml.quality(0 * est, 0 * est[0], fs).gain)


def test_errors_in_the_docs_keep_what_is_promised():
    """Failed separations and good ones are taken for each other in at most a tenth of the cases."""
    with (ROOT / "docs/results/quality.csv").open() as file:
        *_, both = csv.DictReader(file)
    wrong = [
        float(x) for name, x in both.items() if name.startswith(("good called", "failed called"))
    ]
    halves = [float(x) for name, x in both.items() if "estimated" in name]
    assert len(wrong) == len(halves) == 2
    assert max(wrong + halves) <= 10
