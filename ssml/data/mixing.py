"""Speech and room responses -> images at the microphones, levels and noise: a mixture."""

from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np
from scipy import fft

PEAK = 0.9  # of full scale, of the loudest sample of a mixture and its references
EARLY = 0.05  # s after the direct sound
ONSET = 20  # dB below the peak: where a response begins (ISO 3382-1)


class ImagesAndNoise(NamedTuple):
    """`mix = images.sum(0) + noise`, within full scale."""

    images: np.ndarray  # (K, M, N)
    noise: np.ndarray  # (M, N)
    gains: np.ndarray  # (K,), by which the images were multiplied


def convolve(dry: np.ndarray, responses: np.ndarray, before: int = 0) -> np.ndarray:
    """Images (K, M, N - before) of dry sources (K, N) by responses (K, M, L), in one batch of FFTs.

    before: samples at the start of `dry` that are left out of the images, and only contribute
    reverberation to the samples after them. The precision is that of the arguments.
    """
    N = dry.shape[-1]
    # circular convolution wraps only onto the samples that are left out
    n_fft = int(fft.next_fast_len(N + max(responses.shape[-1] - 1 - before, 0), real=True))  # type: ignore[arg-type]
    spectra = fft.rfft(dry, n_fft)[:, None] * fft.rfft(responses, n_fft)  # type: ignore[operator]
    return fft.irfft(spectra, n_fft)[..., before:N]  # type: ignore[index]


def early(response: np.ndarray, fs: int) -> np.ndarray:
    """The early part of responses (..., L) at `fs` Hz: to 50 ms after the direct sound, then zeros.

    The direct sound arrives where the level first comes within 20 dB of the response's peak.
    """
    level = np.abs(response)
    onset = (level >= level.max(-1, keepdims=True) * 10 ** (-ONSET / 20)).argmax(-1)
    kept = np.arange(response.shape[-1]) < onset[..., None] + int(EARLY * fs)
    return response * kept


def silent(images: np.ndarray) -> np.ndarray:
    """Indices of the images (K, M, N) without energy at the reference microphone."""
    return np.flatnonzero((images[:, 0] ** 2).sum(-1) <= 0)


def mix_at(
    images: np.ndarray,
    levels: Sequence[float],
    snr: float,
    noise: Callable[[np.ndarray], np.ndarray],
) -> ImagesAndNoise:
    """Images (K, M, N), none of them silent, at `levels` in dB against the first, with noise.

    Levels and `snr` in dB hold at the reference microphone. noise: what they sum to there (N,) ->
    a field (M, N) of any level.
    """
    energy = np.mean(images[:, 0] ** 2, axis=-1)
    gains = np.sqrt(energy[0] / energy) * 10 ** (np.asarray(levels) / 20)
    images = images * gains[:, None, None]
    speech = images.sum(0)
    field = noise(speech[0])
    wanted = np.mean(speech[0] ** 2) * 10 ** (-snr / 10)
    field = field * np.sqrt(wanted / max(np.mean(field[0] ** 2), 1e-30))
    scale = PEAK / max(np.abs(speech + field).max(), np.abs(images[:, 0]).max())
    return ImagesAndNoise(images * scale, field * scale, gains * scale)
