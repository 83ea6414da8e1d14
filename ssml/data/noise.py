"""Noise at the microphones, of arbitrary level.

There are two fields, for any number of microphones. White noise is independent at each microphone.
All other noise, speech-shaped or recorded, is spherically isotropic (diffuse).
"""

import numpy as np
from scipy import fft

from ssml.config.layout import recordings
from ssml.files.errors import UserError
from ssml.files.io import read_audio

SPEED_OF_SOUND = 343.0  # m / s
LEAST = 1  # s of a recording, for each microphone
FREQUENCIES = 1025  # at which coherence is computed: it is smooth for arrays of a few decimetres


def at_microphones(
    kind: str,
    split: str,
    mics: np.ndarray,
    speech: np.ndarray,
    rng: np.random.Generator,
    fs: int,
) -> np.ndarray:
    """Noise of `kind` at microphones (M, 3) in m, as long as `speech` (N,): (M, N).

    kind: `white`, `diffuse` with the spectrum of `speech`, or a folder of recordings, of which
    those of `split` are used. Raises `UserError` where the folder holds too few recordings, or one
    that is too short.
    """
    M, N = len(mics), len(speech)
    if kind == "white":
        return rng.standard_normal((M, N))
    n_fft = int(fft.next_fast_len(N, real=True))  # type: ignore[arg-type]
    if kind == "diffuse":
        bins = n_fft // 2 + 1
        spectra = rng.standard_normal((M, bins, 2), np.float32).view(np.complex64)[..., 0]
        spectra *= _at_bins(_spectrum(speech), bins)
    else:
        spectra = fft.rfft(_recorded(kind, split, M, N, rng, fs), n_fft)
    return fft.irfft(_diffuse(spectra, mics, fs), n_fft)[:, :N]  # type: ignore[index]


def _diffuse(spectra: np.ndarray, mics: np.ndarray, fs: int) -> np.ndarray:
    """Spectra (M, bins) of independent noises, mixed to a spherically isotropic field at `mics`.

    Microphones at distance d get the coherence `sinc(2 f d / c)` of that field (Habets et al.
    2008).
    """
    factors = _mixing(mics, fs)
    field = np.empty_like(spectra)
    for i in range(len(mics)):
        parts = (_at_bins(factors[:, i, j], spectra.shape[1]) * spectra[j] for j in range(i + 1))
        field[i] = sum(parts)
    return field


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


def _recorded(
    folder: str, split: str, M: int, N: int, rng: np.random.Generator, fs: int
) -> np.ndarray:
    """M cuts (M, N) of equal power of the first channel of a random recording, float32.

    They are as far apart as the recording allows, so as to be independent. A recording shorter than
    N samples is repeated.
    """
    files = recordings(folder, split)
    path = files[rng.integers(len(files))]
    audio = read_audio(path, fs)[0][0]
    if len(audio) < M * LEAST * fs:
        raise UserError(
            f"{path}: lasts {len(audio) / fs:.1f} s where {M * LEAST} s are needed, {LEAST} s for "
            "each microphone; replace it by a longer recording"
        )
    starts = int(rng.integers(len(audio))) + np.arange(M) * len(audio) // M
    cuts = audio[(starts[:, None] + np.arange(N)) % len(audio)]
    return cuts / np.maximum(np.sqrt(np.mean(cuts**2, axis=1, keepdims=True)), 1e-9)
