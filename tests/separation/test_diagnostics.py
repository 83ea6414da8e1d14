"""The word on a separation: closed forms, and each hint where it is due and nowhere else."""

import numpy as np
import pytest
import torch

from ssml.iva.auxiva import Demixing
from ssml.separation import diagnostics, echo
from ssml.separation.separator import Separator
from tests.conftest import spectrogram, speechlike


def watched(mix, fs=16000, **options):
    separator = Separator(fs=fs, **{"n_fft": 1024, "iterations": 20, "rule": "ip2", **options})
    watch, changes = diagnostics.Watch(fs, separator.window), []
    est, W = separator.separate_from(mix, None, changes)
    watch(mix, est, W, changes)
    return watch.report()


def test_change_is_the_coherence_of_outputs():
    X = spectrogram(2)
    random = torch.Generator().manual_seed(1)
    before, after = (torch.randn(33, 2, 2, dtype=X.dtype, generator=random) for _ in range(2))
    states = [Demixing(X, before), Demixing(X, after), Demixing(X, after * 3j)]
    changes = []
    assert list(diagnostics.record_changes(states, changes)) == states
    Y, Z = states[0].Y, states[1].Y
    coherence = (Y * Z.conj()).sum(-1).abs() / (Y.norm(dim=-1) * Z.norm(dim=-1))
    assert changes == pytest.approx([1 - float(coherence.mean()), 0], abs=1e-9)


def test_a_good_separation_has_no_hints():
    mix, _ = speechlike(2, seconds=12, noise=1e-4)
    report = watched(mix)
    assert report["hints"] == []
    assert report["likeness"] < 0.3 and report["last_change"] < 0.01
    assert len(report["changes"]) == 20 and max(report["levels"]) == 0


def test_the_last_change_tells_too_few_iterations():
    mix, _ = speechlike(2, seconds=6)
    report = watched(mix, iterations=1, rule="iss")
    assert any("--iterations" in hint for hint in report["hints"])


@pytest.mark.parametrize("t60", [0.3, 0.6])
def test_decays_of_known_slope(t60):
    """Bursts of noise that fade by 60 dB in T60."""
    time = np.arange(16000) / 16000
    noise = np.random.default_rng(0).standard_normal((8, 16000))
    x = (noise * 10 ** (-3 * time / t60)).ravel()
    assert echo.t60(echo.decays(x, 16000)) == pytest.approx(t60, rel=0.35)
    assert echo.t60(echo.decays(noise.ravel(), 16000)) is None


def hinted(change):
    mix, _ = speechlike(2, seconds=4, noise=1e-4)
    return watched(np.ascontiguousarray(change(mix)))


@pytest.mark.parametrize(
    "change, key, value, word",
    [
        (lambda x: x * [[1], [0]], "silent_channels", [2], "channel 2 is silent"),
        (
            lambda x: x[[0, 0]].astype(np.float32),
            "identical_channels",
            [[1, 2]],
            "identical (1 = 2)",
        ),
        (lambda x: x.clip(-0.1, 0.1), "clipped_channels", [1, 2], "channels 1, 2 clip:"),
        (lambda x: x[:, :16000], "silent_channels", [], "only 1.0 s long"),
    ],
)
def test_a_cause_is_named(change, key, value, word):
    report = hinted(change)
    assert report[key] == value
    assert any(word in hint for hint in report["hints"])


FINE = {
    **{f"{key}_channels": [] for key in ("silent", "identical", "clipped")},
    "silent": False,
    "last_change": 0.0,
    "condition": 2.0,
    "t60": 0.3,
    "window": 0.128,
    "likeness": 0.1,
    "lost_above": None,
    "levels": [0.0, -3.0],
}


@pytest.mark.parametrize(
    "change, word",
    [
        ({"condition": 500.0}, "nearly singular"),
        ({"t60": 0.6}, "--n-fft"),
        ({"likeness": 0.7}, "rise and fall together"),
        ({"levels": [0.0, -45.0]}, "output 2 is faint"),
        ({"lost_above": 8000.0}, "removes everything above 8 kHz"),
        ({"silent_channels": [2]}, "channel 2 is silent: leave it out"),
        ({"silent": True, "silent_channels": [1, 2]}, "the recording is silent"),
    ],
)
def test_each_hint_is_for_its_figure(change, word):
    assert diagnostics.hints(FINE, 10) == []
    (hint,) = diagnostics.hints(FINE | change, 10)
    assert word in hint


def test_silence_has_a_report():
    report = watched(np.zeros((2, 8000)))
    assert report["hints"] == ["the recording is silent"]
    assert report["silent_channels"] == [1, 2] and report["t60"] is None
    assert np.isfinite([report["condition"], report["likeness"], report["last_change"]]).all()
