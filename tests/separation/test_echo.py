"""How many past frames a mixture is given: by its echo and its length."""

import numpy as np
import pytest
import torch

import ssml
from ssml.separation import echo
from tests.separation.test_past_frames import QUICK

FS, HOP = 16000, 0.032


def talk(t60, seconds=8.0, seed=0):
    """Bursts of noise in a decay, at two microphones, (2, N)."""
    random, n = np.random.default_rng(seed), int(FS * seconds)
    bursts = (np.arange(n) % FS < FS // 4) * random.standard_normal(n)
    length = int(FS * max(t60, 0.05))
    response = random.standard_normal((2, length)) * 10 ** (-3 * np.arange(length) / FS / t60)
    padded = np.fft.rfft(bursts, 2 * n) * np.fft.rfft(response, 2 * n)
    mix = np.fft.irfft(padded)[:, :n]
    return mix / np.abs(mix).max() + 1e-4 * random.standard_normal((2, n))


def frames(mix, hop=HOP):
    return echo.past_frames(torch.from_numpy(mix), FS, hop)


def test_rooms_that_echo_are_given_some_and_dry_rooms_none():
    assert frames(talk(0.2)) == frames(talk(0.3)) == 0
    assert frames(talk(0.8)) == round(echo.REACH / HOP)
    assert frames(talk(0.8), 2 * HOP) == round(echo.REACH / HOP / 2)


def test_a_short_mixture_is_given_fewer():
    whole = talk(0.8)
    found = [frames(whole[:, : int(FS * seconds)]) for seconds in (2, 3.2, 8)]
    assert found == sorted(found) and found[0] < found[-1]
    assert frames(np.concatenate([whole, whole, whole])) < found[-1]


def test_noise_and_silence_are_given_none():
    assert frames(np.random.default_rng(0).standard_normal((2, 80000))) == 0
    assert frames(np.zeros((2, 80000))) == 0


@pytest.mark.parametrize("t60", [0.2, 0.8])
def test_a_separator_decides_for_each_mixture(t60):
    mix = talk(t60)
    separator = ssml.Separator(**QUICK, fs=FS, taps="auto")
    assert separator.is_auto
    chosen = separator.for_mixture(mix)
    taps = echo.past_frames(torch.from_numpy(mix), FS, 64 / FS)
    assert chosen.taps == taps and (taps > 0) == (t60 > 0.5) and not chosen.is_auto
    expected = ssml.separate(mix, **QUICK, fs=FS, taps=taps)
    np.testing.assert_array_equal(separator(mix), expected)
    assert separator.for_mixture(np.zeros_like(mix)).taps == 0
