"""Past frames and a background in `Separator` and `Blocks`: shapes, filters, echo, errors."""

import numpy as np
import pytest
import torch

import ssml
from ssml.files.errors import UserError
from ssml.iva import auxiva, checkpoint, demixing
from ssml.iva.models import CLASSICAL
from ssml.iva.stft import Stft
from ssml.separation import export
from tests.conftest import speechlike, tiny_model

QUICK = {"model": "laplace", "rule": "iss", "n_fft": 256, "hop": 64, "iterations": 5}
FORMS = [
    {"taps": 2},
    {"taps": 2, "delay": 3},
    {"sources": 2},
    {"sources": 2, "taps": 2},
    {"sources": 2, "reduce": "background"},
    {"sources": 2, "reduce": "background", "taps": 2, "delay": 2},
]


def test_it_is_the_loop():
    mix = torch.from_numpy(speechlike(2)[0])
    loop = auxiva.separate(mix, CLASSICAL["laplace"](), "iss", 5, Stft(256, 64), 1, 2, 3)
    found = ssml.separate(mix, **QUICK, mic=1, taps=2, delay=3)
    torch.testing.assert_close(found, loop, atol=1e-6, rtol=0)


@pytest.mark.parametrize("form", FORMS)
def test_outputs_are_the_filters_times_the_mixture(form):
    mix = torch.from_numpy(speechlike(3)[0])
    separator = ssml.Separator(**QUICK, **form)
    W, K = separator.filters(mix), form.get("sources", 3)
    assert W.shape == (129, K, 3 * (1 + form.get("taps", 0)))
    Y = demixing.apply(W, separator.stft.forward(mix), separator.delay)
    est = separator.stft.inverse(Y, mix.shape[-1])
    torch.testing.assert_close(separator(mix), est, atol=1e-9, rtol=0)
    *_, last = separator.states(mix)
    torch.testing.assert_close(last.Y, Y)


@pytest.mark.parametrize("form", FORMS)
def test_single_precision_and_batches_separate_alike(form):
    mix = np.stack([speechlike(3, seed=seed)[0] for seed in (0, 1)])
    separator = ssml.Separator(**QUICK, **form)
    both = separator(mix)
    for est, x in zip(both, mix, strict=True):
        np.testing.assert_allclose(est, separator(x), atol=1e-9)
        np.testing.assert_allclose(est, separator(x.astype(np.float32)), atol=1e-3)


def test_past_frames_take_echo_away():
    """Two talkers in a decay of 0.4 s: outputs are nearer to what arrives in the first 16 ms."""
    random, n = np.random.default_rng(0), 64000
    dry = random.standard_normal((2, n)) * random.random((2, 40)).repeat(n // 40, -1) ** 4
    response = random.standard_normal((2, 2, 6400)) * 10 ** (-3 * np.arange(6400) / 6400)
    response[..., 0] += 24 * np.eye(2) + 8

    def images(h):
        padded = np.fft.rfft(dry, 2 * n)[:, None] * np.fft.rfft(h, 2 * n)
        return np.fft.irfft(padded)[..., :n]

    near, mix = images(response[..., :256])[:, 0], images(response).sum(0)
    options = {"model": "gauss", "rule": "ip2", "n_fft": 512, "iterations": 30, "delay": 3}
    score = [
        ssml.si_sdr(ssml.separate(mix, **options, taps=taps), near)[0].mean() for taps in (0, 6)
    ]
    assert score[1] > score[0] + 1.5


def test_what_hears_nothing_is_no_background():
    mix = speechlike(3)[0]
    mix[2] = 0
    est = ssml.separate(mix, **QUICK, reduce="background")
    np.testing.assert_allclose(est[:2], ssml.separate(mix[:2], **QUICK), atol=1e-6)
    two = ssml.separate(mix, **QUICK, reduce="background", sources=2)
    assert np.isfinite(two).all() and two.any(-1).all()


@pytest.mark.parametrize("form", FORMS)
def test_filters_go_on_over_blocks(form):
    mix = speechlike(3, seconds=2)[0]
    stream = ssml.Blocks(ssml.Separator(**QUICK, **form, fs=16000), block=0.8)
    est = np.concatenate([stream.push(mix), stream.flush()], -1)
    assert est.shape == (form.get("sources", 3), mix.shape[-1]) and np.isfinite(est).all()
    assert stream.blocks > 2


@pytest.mark.parametrize("form", FORMS)
def test_silence_stays_silent(form):
    est = ssml.separate(np.zeros((3, 8000)), **QUICK, **form)
    assert not est.any()


def test_a_gradient_flows_to_mixture_and_network():
    mix = torch.from_numpy(speechlike(3, seconds=0.3)[0]).requires_grad_()
    network = torch.nn.Module()
    network.slope = torch.nn.Parameter(torch.tensor(0.5, dtype=torch.float64))
    network.forward = lambda power: (power + 1e-6) ** -network.slope
    for form in FORMS:
        est = ssml.separate(mix, **{**QUICK, "model": network}, **form)
        found = torch.autograd.grad(est.square().sum(), (mix, network.slope))
        assert all(torch.isfinite(g).all() and g.any() for g in found)


def test_a_gradient_flows_to_the_filters_that_a_background_starts_from():
    mix = torch.from_numpy(speechlike(3, seconds=0.3)[0])
    start = torch.eye(2, 3, dtype=torch.complex128).repeat(129, 1, 1).requires_grad_()
    est = ssml.separate(mix, **QUICK, sources=2, reduce="background", start=start)
    (found,) = torch.autograd.grad(est.square().sum(), start)
    assert torch.isfinite(torch.view_as_real(found)).all() and found.any()


def test_a_trained_model_brings_its_past_frames(tmp_path):
    path = tiny_model(tmp_path / "m.safetensors")
    trained = checkpoint.load(path)
    card = {**trained.card, "taps": 2, "delay": 3}
    checkpoint.save(path, trained.network.state_dict(), card)
    separator = ssml.Separator(path, fs=16000)
    assert (separator.taps, separator.delay) == (2, 3)
    assert ssml.Separator(path, fs=16000, taps=0).taps == 0
    with pytest.raises(UserError, match="^taps: 2 on the model's card; past frames are not"):
        export.export(checkpoint.load(path), tmp_path / "m.onnx")
    assert not (tmp_path / "m.onnx").exists()


@pytest.mark.parametrize(
    "form, words",
    [
        ({"taps": -1}, "^taps: -1 is below 0"),
        ({"taps": 1.5}, "^taps: 1.5 is not a whole number"),
        ({"taps": "few"}, "^taps: .few. is not a whole number"),
        ({"taps": 1, "delay": 0}, "^delay: 0 is below 1"),
        ({"reduce": "drop"}, "^reduce: no 'drop' among pca, background"),
        ({"taps": 60}, "^mix: too short for 2 sources and 60 past frames, which need 122 frames"),
    ],
)
def test_errors_are_one_line(form, words):
    with pytest.raises(UserError, match=words) as error:
        ssml.separate(speechlike(2, seconds=0.3)[0], **QUICK, **form)
    assert "\n" not in str(error.value)
