"""Conditions of a mixture from its references; STOI, PESQ and failures from its estimates."""

import sys
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from ssml.evaluation import metrics, outcomes
from ssml.files.errors import UserError

FS = 16000


def speech(seconds=2.0, seed=0):
    """Noise that comes and goes like syllables, (samples,)."""
    random = np.random.default_rng(seed)
    n = int(seconds * FS)
    return random.standard_normal(n) * np.sin(2 * np.pi * 4 * np.arange(n) / FS) ** 2


@pytest.mark.parametrize("start, expected", [(0, 1.0), (1, 1 / 3), (2, 0.0)])
def test_overlap_of_two_who_each_talk_for_two_seconds(start, expected):
    ref = np.zeros((2, 4 * FS))
    ref[0, : 2 * FS] = np.random.default_rng(0).standard_normal(2 * FS)
    ref[1, start * FS : (start + 2) * FS] = 0.01 * np.random.default_rng(1).standard_normal(2 * FS)
    assert outcomes.overlap(ref, FS) == pytest.approx(expected, abs=0.03)


def test_overlap_of_silence_is_none():
    assert outcomes.overlap(np.zeros((2, FS)), FS) == 0


def test_conditions_are_those_of_the_source():
    info = {
        "t60": 0.25,
        "t60_measured": 0.3,
        "mics": [[0, 0, 1], [9, 9, 9]],
        "speakers": [[3, 4, 1], [0, 0, 2]],
        "levels": [0.0, -2.0],
        "snr": 20,
        "speaker_ids": ["a", "b"],
        "sexes": ["F", "M"],
    }
    ref = np.stack([speech(seed=0), speech(seed=1)])
    outcome = outcomes.Outcome(info, ref, ref, ref, {}, False)
    first, second = (outcomes.conditions(outcome, k, FS) for k in range(2))
    assert tuple(first) == outcomes.CONDITIONS
    assert (first["distance"], second["distance"]) == (5.0, 1.0)
    assert (second["level"], second["speaker"], second["sex"]) == (-2.0, "b", "M")
    assert (first["t60"], first["t60_nominal"]) == (0.3, 0.25)
    measured = outcome._replace(info=info | {"t60": None, "speakers": []})
    found = outcomes.conditions(measured, 1, FS)
    assert found["t60"] == 0.3 and np.isnan([found["t60_nominal"], found["distance"]]).all()


def test_the_early_image_has_a_si_sdr_of_its_own():
    early = np.stack([speech(seed=0), speech(seed=1)])
    late = np.roll(early, FS // 10, axis=1)
    ref = early + 0.5 * late
    (first, *_) = metrics.measure(ref, ref, FS, 32, early=early)
    assert first["si_sdr"] > 60
    assert first["si_sdr_early"] == pytest.approx(20 * np.log10(2), abs=0.5)
    assert np.isnan(metrics.measure(ref, ref, FS, 32)[0]["si_sdr_early"])


def test_stoi_is_one_for_the_reference_and_falls_with_noise():
    ref = np.stack([speech(seed=0), speech(seed=1)])
    noise = np.stack([speech(seed=2), speech(seed=3)])
    clean = metrics.stoi(ref, ref, FS, 0)["stoi"]
    assert clean == pytest.approx(1, abs=1e-6)
    found = [metrics.stoi(ref + gain * noise, ref, FS, 0)["stoi"] for gain in (0.1, 1, 10)]
    assert (np.diff([clean, *found], axis=0) < 0).all()


def test_stoi_of_too_little_speech_is_unknown_and_no_failure():
    ref = speech(0.2)[None]
    assert np.isnan(metrics.stoi(ref, ref, FS, 0)["stoi"]).all()


def test_pesq_is_highest_for_the_reference_and_falls_with_noise():
    pytest.importorskip("pesq", reason="the extra pesq is not installed")
    ref = np.stack([speech(1, seed=0), speech(1, seed=1)])
    noise = np.stack([speech(1, seed=2), speech(1, seed=3)])
    found = [metrics.pesq(ref + gain * noise, ref, FS, 0)["pesq"] for gain in (0, 0.1, 1)]
    assert found[0] == pytest.approx(4.64, abs=0.01)
    assert (np.diff(found, axis=0) < 0).all()
    assert np.isnan(metrics.pesq(ref, 0 * ref, FS, 0)["pesq"]).all()
    with pytest.raises(UserError, match="score.pesq: 44100 Hz"):
        metrics.pesq(ref, ref, 44100, 0)


def test_pesq_is_measured_where_it_is_asked_for_and_says_what_it_needs(monkeypatch):
    ref = np.stack([speech(seed=0), speech(seed=1)])
    assert all(np.isnan(row["pesq"]) for row in metrics.measure(ref, ref, FS, 32))
    monkeypatch.setitem(sys.modules, "pesq", None)
    with pytest.raises(UserError, match=r"pesq is not installed; pip install '\.\[pesq\]'"):
        metrics.measure(ref, ref, FS, 32, pesq=True)
    found: Any = type(sys)("pesq")
    found.PesqError = SimpleNamespace(RETURN_VALUES=1)

    def answer(fs, first, second, band, on_error):  # the reference first; -1 is an unknown
        known = np.array_equal(first, ref[0]) and not np.array_equal(second, ref[0])
        return 3.5 if known else -1

    found.pesq = answer
    monkeypatch.setitem(sys.modules, "pesq", found)
    first, second = metrics.pesq(ref + 1, ref, FS, 0)["pesq"]
    assert first == 3.5 and np.isnan(second)


def test_failures_have_a_name():
    est = np.ones((2, 10))
    assert metrics.failure(est) == ""
    assert metrics.failure(est * [[1], [0]]) == "silent"
    assert metrics.failure(est * [[1], [np.nan]]) == "not finite"
    assert metrics.failure(est * [[0], [np.inf]]) == "not finite"
