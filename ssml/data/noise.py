"""Noise at the microphones, of arbitrary level: diffuse, white, or recorded."""

import numpy as np
from scipy import fft

from ssml.config.layout import recordings
from ssml.files.io import read_audio

SPEED_OF_SOUND = 343.0  # m / s
FREQUENCIES = 1025  # at which coherence is computed: it is smooth for arrays of a few decimetres


def at_microphones(
    kind: str, mics: np.ndarray, speech: np.ndarray, rng: np.random.Generator, fs: int
) -> np.ndarray:
    """Noise of `kind` at microphones (M, 3) in m, as long as `speech` (N,): (M, N).

    kind: `white`, `diffuse` with the spectrum of `speech`, or a folder of recordings. Raises
    `UserError` where the folder holds no recordings.
    """
    if kind == "white":
        return rng.standard_normal((len(mics), len(speech)))
    if kind == "diffuse":
        return diffuse(mics, speech, rng, fs)
    return _recorded(kind, len(mics), len(speech), rng, fs)


def diffuse(mics: np.ndarray, speech: np.ndarray, rng: np.random.Generator, fs: int) -> np.ndarray:
    """Spherically isotropic noise with the long-term spectrum of `speech`, (M, N) float32.

    Independent noises are mixed in each bin so that microphones at distance d have the coherence
    `sinc(2 f d / c)` of that field (Habets et al. 2008).
    """
    M, N = len(mics), len(speech)
    n_fft = int(fft.next_fast_len(N, real=True))  # type: ignore[arg-type]
    bins = n_fft // 2 + 1
    white = rng.standard_normal((M, bins, 2), np.float32).view(np.complex64)[..., 0]
    white *= _at_bins(_spectrum(speech), bins)
    mixing = _mixing(mics, fs)
    field = np.empty_like(white)
    for i in range(M):
        field[i] = sum(_at_bins(mixing[:, i, j], bins) * white[j] for j in range(i + 1))
    return fft.irfft(field, n_fft)[:, :N]  # type: ignore[index]


def _mixing(mics: np.ndarray, fs: int) -> np.ndarray:
    """Cholesky factors (frequencies, M, M) of the coherence of a spherical field."""
    distance = np.linalg.norm(mics[:, None] - mics[None], axis=-1)
    frequency = np.linspace(0, fs / 2, FREQUENCIES)[:, None, None]
    coherence = np.sinc(2 * frequency * distance / SPEED_OF_SOUND)
    # at 0 Hz the coherence of all microphones is 1: singular without loading
    return np.linalg.cholesky(coherence + 1e-6 * np.eye(len(mics)))


def _spectrum(speech: np.ndarray) -> np.ndarray:
    """Long-term magnitude spectrum of `speech` (N,)."""
    frame = 512
    frames = speech[: len(speech) // frame * frame].reshape(-1, frame) * np.hanning(frame)
    return np.sqrt(np.mean(np.abs(np.fft.rfft(frames)) ** 2, axis=0))


def _at_bins(values: np.ndarray, bins: int) -> np.ndarray:
    """Values at equal steps from 0 to half the rate, interpolated to `bins` points; float32."""
    places = np.linspace(0, 1, bins), np.linspace(0, 1, len(values))
    return np.interp(*places, values).astype(np.float32)


def _recorded(kind: str, M: int, N: int, rng: np.random.Generator, fs: int) -> np.ndarray:
    """A random cut (M, N) of a random recording; of a mono recording, M independent cuts."""
    files = recordings(kind)
    audio, _ = read_audio(files[rng.integers(len(files))], fs)
    repeats = int(np.ceil(2 * N / audio.shape[1]))
    audio = np.tile(audio, repeats).astype(np.float64)
    starts = np.full(M, rng.integers(audio.shape[1] - N)) if len(audio) >= M else None
    if starts is None:
        starts, audio = rng.integers(audio.shape[1] - N, size=M), np.repeat(audio[:1], M, axis=0)
    return np.stack([audio[m, start : start + N] for m, start in enumerate(starts)])
