"""Mixtures with nothing, or too little, to separate: outputs are finite and add up to the channel.

With every model and every rule, compiled and in plain torch.
"""

import numpy as np
import pytest

from ssml.files.errors import UserError
from ssml.iva import kernels
from ssml.iva.models import CLASSICAL
from ssml.iva.updates import UPDATES
from ssml.separation.blocks import Blocks
from ssml.separation.inputs import WEAK
from ssml.separation.separator import Separator
from tests.conftest import speechlike, tiny_model

TALK = speechlike(2, seconds=0.4)[0]
MANY = speechlike(9, seconds=0.05)[0]


def with_channel(channel: int, value) -> np.ndarray:
    mix = TALK.copy()
    mix[channel] = value
    return mix


def impulse() -> np.ndarray:
    mix = np.zeros_like(TALK)
    mix[0, 3000] = 1
    return mix


MIXTURES = {
    "silence": 0 * TALK,
    "a silent channel": with_channel(1, 0),
    "a silent first channel": with_channel(0, 0),
    "a constant channel": with_channel(1, 0.1),
    "two identical channels": TALK[[0, 0]],
    "a channel upside down": TALK[[0, 0]] * [[1], [-1]],
    "a channel far below": TALK[[0, 0]] * [[1], [1e-6]],
    "nearly the same": TALK[[0, 0]] + 1e-7 * TALK[[0, 1]],
    "three channels of two sources": np.stack([TALK[0], TALK[1], TALK[0] + TALK[1]]),
    "four channels of one source": np.outer([1, 2, -1, 0.5], TALK[0]),
    "nine channels, few frames": MANY,
    "nothing but a constant": np.ones_like(TALK),
    "an impulse": impulse(),
    "clipped": np.sign(TALK),
    "silent from the middle": TALK * (np.arange(TALK.shape[1]) < 3000),
    "channels of very different levels": TALK * [[1e15], [1e-15]],
    "at 1e18": 1e18 * TALK,
    "near the largest float": 1e38 * TALK,
    "at 1e-18": 1e-18 * TALK,
    "near the smallest float": 1e-40 * TALK,
    "at 1e300": 1e300 * TALK,
    "at 1e-300": 1e-300 * TALK,
}


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    return tiny_model(tmp_path_factory.mktemp("model") / "m.safetensors")


@pytest.fixture(params=["compiled", "plain"])
def path(request, monkeypatch):
    if request.param == "plain":
        monkeypatch.setattr(kernels, "available", lambda X: False)


def check(separator: Separator, mix: np.ndarray) -> None:
    est = separator(mix)
    assert est.shape == (separator.sources or len(mix), mix.shape[1])
    assert np.isfinite(est).all()
    peaks = np.abs(mix.astype(float)).max(-1)
    reference = int((peaks >= WEAK * peaks.max()).argmax())  # the first microphone that hears
    with np.errstate(under="ignore"):
        gap = est.astype(float).sum(0) - mix[reference].astype(float)
        scaled = gap / max(peaks[reference], 1e-300)
        loudest = np.abs(est.astype(float)).max() / max(float(np.abs(mix).max()), 1e-300)
    assert np.abs(scaled).max(initial=0) < (1e-3 if mix.dtype == np.float32 else 1e-6)
    assert loudest < 100


@pytest.mark.parametrize("mix", [TALK[:, 3000:3001], TALK[:, :60], MANY[:, :200]])
def test_fewer_frames_than_sources_are_refused(mix):
    """Any filters would do for them: no output could be called separated."""
    with pytest.raises(UserError, match="too short for . sources"):
        Separator("laplace", n_fft=256, hop=64, rule="iss", iterations=20, fs=16000)(mix)


def combinations():
    """Every model with two rules, and every rule with a model; all but two are slow together.

    A rule sees the covariances alone and a model the powers alone, whatever the other one is.
    """
    pairs = {(name, rule) for name in (*CLASSICAL, "learned") for rule in ("iss", "ip2")}
    for name, rule in sorted(pairs | {("laplace", rule) for rule in UPDATES}):
        quick = (name, rule) in {("laplace", "iss"), ("learned", "ip2")}
        yield pytest.param(name, rule, marks=[] if quick else pytest.mark.slow)


@pytest.mark.parametrize("name, rule", combinations())
def test_outputs_are_finite_and_add_up(name, rule, model, path):
    for dtype in (np.float32, np.float64):
        if name == "learned":
            separator = Separator(model, rule=rule, iterations=8, fs=16000)
        else:
            separator = Separator(name, rule=rule, iterations=8, n_fft=256, hop=64, fs=16000)
        for words, mix in MIXTURES.items():
            with np.errstate(over="ignore", under="ignore"):
                given = mix.astype(dtype)
            if not np.isfinite(given).all():
                with pytest.raises(UserError, match="not finite"):
                    separator(given)
                continue
            try:
                check(separator, given)
            except (AssertionError, UserError) as error:
                raise AssertionError(f"{words}, {given.dtype}: {error}") from error


def test_a_stream_goes_on_after_silence(model):
    """Blocks of digital silence, from which nothing can be learned, harm no other block."""
    mix = np.concatenate([TALK, 0 * TALK, 0 * TALK, TALK], axis=-1)
    stream = Blocks(Separator(model, iterations=5, rule="iss", fs=16000), block=0.2)
    est = np.concatenate([stream.push(mix), stream.flush()], axis=-1)
    assert est.shape == mix.shape
    np.testing.assert_allclose(est.sum(0), mix[0], atol=1e-4)
