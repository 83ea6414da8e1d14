"""What recordings have beside talkers: pauses, offsets, hum, wind, narrow bands, other noises.

Each is drawn for a share of the training mixtures. Levels are against the root mean square of the
talkers at the reference microphone.
"""

from collections.abc import Callable

import numpy as np
from scipy import fft

from ssml.config.mixtures import DisturbanceParams

HEARD = (0.15, 0.5)  # of the time, of a talker who pauses
OFFSET = (-10, 20)  # dB
HUM, TONES, MAINS = (-10, 10), (20.0, 60.0), (50.0, 60.0)  # dB, Hz, Hz
HARMONICS = 3  # at most; their amplitude falls by their number to the power of 1.5
WIND, CORNER, GUSTS = (-10, 10), (30.0, 80.0), 6  # dB, Hz, points of its envelope
HIGHEST, PHONE = (3400.0, 5500.0), (300.0, 3400.0)  # Hz, ends of narrow bands
PHONES = 1 / 3  # of the narrow bands: a telephone's
FLOOR = (-95, -60)  # dB, noise of the converter after a narrow band
PINK, POINT = (2, 6), (0, 6)  # dB an octave by which pink noise falls, and that of a loudspeaker
LOWEST = 100.0  # Hz, below which the power of noise that falls is constant

Shares = DisturbanceParams
Rng = np.random.Generator


def pause(dry: np.ndarray, first: int, rng: Rng) -> None:
    """Silence the last of the sources (K, N) but for a part of what follows sample `first`."""
    n = dry.shape[-1] - first
    heard = int(rng.uniform(*HEARD) * n)
    start = first + int(rng.integers(n - heard + 1))
    dry[-1, :start] = 0
    dry[-1, start + heard :] = 0


def noise(
    shares: Shares, spare: np.ndarray | None, fs: int, rng: Rng
) -> Callable[[np.ndarray, int], np.ndarray] | None:
    """A function that makes noise as long as speech (N,) at M microphones; None: `mix.noise`.

    spare (M, L): responses to a place where nobody talks, of a loudspeaker; None: there is none.
    """
    drawn, slope = rng.random(), rng.uniform
    ends = np.cumsum([shares.noises.get(kind, 0.0) for kind in ("white", "pink", "point")])
    if drawn < ends[0]:
        return lambda speech, M: falling((M, len(speech)), 0.0, fs, rng)
    if drawn < ends[1]:
        return lambda speech, M: falling((M, len(speech)), slope(*PINK), fs, rng)
    if drawn < ends[2] and spare is not None:
        return lambda speech, _: _from_one(spare, len(speech), slope(*POINT), fs, rng)
    return None


def _from_one(responses: np.ndarray, n: int, slope: float, fs: int, rng: Rng) -> np.ndarray:
    """Noise (M, n) of one loudspeaker with responses (M, L)."""
    before = responses.shape[-1] - 1
    source = falling((1, before + n), slope, fs, rng)
    size = int(fft.next_fast_len(before + n, real=True))  # type: ignore[arg-type]
    spectra = fft.rfft(source, size) * fft.rfft(responses, size)  # type: ignore[operator]
    return fft.irfft(spectra, size)[:, before : before + n]  # type: ignore[index]


def falling(shape: tuple[int, int], slope: float, fs: int, rng: Rng) -> np.ndarray:
    """Independent noises (M, n) whose power falls by `slope` dB an octave above `LOWEST`."""
    white = rng.standard_normal(shape, np.float32)
    if not slope:
        return white
    gains = (np.maximum(_frequencies(shape[-1], fs), LOWEST) / LOWEST) ** (-slope / 6.02)
    return _filtered(white, gains)


def disturb(
    mix: np.ndarray, ref: np.ndarray, level: float, shares: Shares, fs: int, rng: Rng
) -> tuple[np.ndarray, np.ndarray]:
    """Mixture (M, N) and references (K, N) with what is drawn; `level`: of the talkers, linear.

    A narrow band is that of the references too: nothing can bring back what lies outside.
    """
    offset, hum, wind, band = rng.random(4)
    M, N = mix.shape
    t = np.arange(N, dtype=np.float32) / fs
    if offset < shares.offset:
        mix = mix + level * _gain(OFFSET, rng) * rng.standard_normal((M, 1))
    if hum < shares.hum:
        tone = rng.choice([rng.uniform(*TONES), *MAINS])
        for harmonic in range(1, int(rng.integers(1, HARMONICS + 1)) + 1):
            size = level * _gain(HUM, rng) / harmonic**1.5
            phase = rng.uniform(0, 2 * np.pi) + 0.3 * rng.standard_normal((M, 1))
            mix = mix + size * np.cos(2 * np.pi * tone * harmonic * t + phase)
    if wind < shares.wind:
        corner = rng.uniform(*CORNER)
        rumble = _filtered(
            rng.standard_normal((M, N), np.float32), 1 / (1 + (_frequencies(N, fs) / corner) ** 2)
        )
        gusts = np.interp(t, np.linspace(0, t[-1], GUSTS), rng.uniform(0.1, 1, GUSTS))
        mix = mix + level * _gain(WIND, rng) * rumble / max(rumble.std(), 1e-9) * gusts
    if band < shares.band:
        gains = _band(N, fs, rng)
        floor = level * _gain(FLOOR, rng) * rng.standard_normal((M, N), np.float32)
        mix, ref = _filtered(mix, gains) + floor, _filtered(ref, gains)
    return mix, ref


def _gain(decibels: tuple[float, float], rng: Rng) -> float:
    return float(10 ** (rng.uniform(*decibels) / 20))


def _band(n: int, fs: int, rng: Rng) -> np.ndarray:
    """Gains at the bins of a transform of n samples: a band whose ends are some 100 Hz wide."""
    low, high = PHONE if rng.random() < PHONES else (0.0, rng.uniform(*HIGHEST))
    f = _frequencies(n, fs)
    gains = 1 / (1 + np.exp(np.clip((f - high) / 40, -60, 60)))
    return gains / (1 + np.exp(np.clip((low - f) / 20, -60, 60))) if low else gains


def _frequencies(n: int, fs: int) -> np.ndarray:
    return fft.rfftfreq(n, 1 / fs)


def _filtered(x: np.ndarray, gains: np.ndarray) -> np.ndarray:
    """x (..., n) with gains at the bins of its transform; the ends meet. float32."""
    spectra = fft.rfft(x) * gains  # type: ignore[operator]
    return fft.irfft(spectra, x.shape[-1]).astype(np.float32)  # type: ignore[union-attr]
