"""How good a separation probably is, from its outputs alone.

Talkers are sparse in time and frequency and take turns, so where they are separated, one output
holds nearly all of the power in most places. A linear function of such figures estimates the gain
in SI-SDR. `python -m benchmarks.quality` finds its coefficients and its errors.
"""

import json
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch

from ssml.files.errors import UserError
from ssml.iva.stft import Stft

from .choice import nearest_power
from .inputs import as_tensor, check_integer, check_samples

COEFFICIENTS = Path(__file__).with_suffix(".json")
WINDOW = 0.064  # s
LOWEST, HIGHEST = 150.0, 7000.0  # Hz
SLOWEST = 4000  # Hz, lowest sampling rate
BANDS = 12  # in which envelopes are compared, of equal width on a logarithmic scale
FLOOR = 1e-4  # of an output's mean power
QUIET = 1e-2  # power of a frame against the loudest twentieth's, below which it says nothing
SHORTEST = 2.0  # s of frames that are not quiet, below which an estimate means little
FAINT = 1e-3  # power of an output against the loudest: it holds no talker
RANGE = (-2.0, 12.0)  # dB of gain that are told apart
WORDS = FAILED, DOUBTFUL, GOOD = "failed", "doubtful", "probably good"
FIGURES = (
    *("weaker", "log_weaker", "sparsity", "sparser"),
    *("likeness_of_bands", "likeness_of_bins"),
)
TINY = 1e-30


class Quality(NamedTuple):
    """What is thought of a separation."""

    gain: float  # dB, by which the SI-SDR rose, a mean over the sources, within `RANGE`
    verdict: str  # of `WORDS`


class Figures(NamedTuple):
    """What the estimate rests on."""

    values: dict[str, float]  # of `FIGURES`
    seconds: float  # of sound
    has_faint: bool  # an output with next to nothing in it


def quality(est: Any, mix: Any, fs: int) -> Quality:
    """The estimated gain in SI-SDR of outputs est (K, N) over the microphone's signal mix (N,).

    NumPy or torch, single or double precision, at fs Hz: speech of as many talkers as outputs. It
    means nothing for other sounds; see docs/evaluation.md for its errors. Raises `UserError` for
    other shapes, fewer than two outputs, silence, samples that are not finite, and less than 2 s of
    sound.
    """
    e, x = _array("est", est), _array("mix", mix)
    if e.ndim != 2 or len(e) < 2 or x.shape != e.shape[1:]:
        raise UserError(
            f"est {e.shape}, mix {x.shape}: give (sources, samples) and (samples,), two or more"
        )
    for name, signals in (("mix", x[None]), ("est", e)):
        if not signals.any(-1).all():
            raise UserError(f"{name}: a signal is silent")
    found = figures(e, x, check_integer("fs", fs, SLOWEST))
    if found.seconds < SHORTEST:
        raise UserError(f"mix: {found.seconds:.1f} s of sound; an estimate needs {SHORTEST:g} s")
    return verdict(gain(found, len(e)))


def _array(name: str, x: Any) -> np.ndarray:
    check_samples(name, x)
    return as_tensor(name, x).detach().cpu().numpy()


def verdict(gain: float) -> Quality:
    """The estimate, and its word."""
    return Quality(gain, WORDS[int(np.searchsorted(coefficients()["limits"], gain, "right"))])


def gain(found: Figures, K: int) -> float:
    """The gain in dB that the `figures` of K outputs suggest."""
    if found.has_faint:
        return RANGE[0]
    known = coefficients()
    place = min(K, 2 + len(known["intercepts"]) - 1) - 2
    slopes = (known["slopes"][key] * found.values[key] for key in FIGURES)
    return float(np.clip(known["intercepts"][place] + sum(slopes), *RANGE))


@cache
def coefficients() -> dict[str, Any]:
    """The slopes of `FIGURES`, the intercepts of two sources and more, the limits of the words."""
    return json.loads(COEFFICIENTS.read_text())


def figures(est: np.ndarray, mix: np.ndarray, fs: int) -> Figures:
    """The figures of outputs est (K, N) and the microphone's signal mix (N,), in its loud frames.

    At 4 kHz or more.
    """
    n_fft = nearest_power(WINDOW * fs)
    P = _powers(np.concatenate([est, mix[None]]), fs, n_fft)
    of_frame = P[-1].sum(0)
    P = P[..., of_frame > QUIET * np.quantile(of_frame, 0.95)]
    seconds = P.shape[-1] * (n_fft // 2) / fs
    if P.shape[-1] < 2:
        return Figures(dict.fromkeys(FIGURES, 0.0), seconds, True)
    of_output = P[:-1].mean((1, 2))
    has_faint = bool(of_output.min() <= FAINT * of_output.max())
    P = _equal(P)
    L, P, heard = _logarithms(P), P[:-1], P[-1:]
    L, H = L[:-1], L[-1:]
    strongest = P.max(0)
    weaker = np.where(strongest > P, P, 0).sum((1, 2)) / np.maximum(P.sum((1, 2)), TINY)
    share = 1 - strongest.sum() / max(P.sum(), TINY)
    bands = np.stack([part.mean(1) for part in np.split(L, _edges(P.shape[1]), 1)], 1)
    sparsity = _sparsity(P, L)
    values = {
        "weaker": float(weaker.mean()),
        "log_weaker": float(np.log(share + 1e-3)),
        "sparsity": sparsity,
        "sparser": sparsity - _sparsity(heard, H),
        "likeness_of_bands": _likeness(bands),
        "likeness_of_bins": _likeness(L),
    }
    return Figures(values, seconds, has_faint)


def _powers(x: np.ndarray, fs: int, n_fft: int) -> np.ndarray:
    """Powers (K + 1, F, T) of outputs and, last, the mixture, in the bins that are looked at."""
    x = x / max(np.abs(x[-1]).max(), TINY)  # any level: float32 holds few
    X = Stft(n_fft, n_fft // 2).forward(torch.from_numpy(x.astype(np.float32)))
    first = int(np.ceil(LOWEST * n_fft / fs))
    last = int(min(HIGHEST, 0.45 * fs) * n_fft / fs)
    return X[:, first : 1 + last].abs().square().double().numpy()


def _equal(P: np.ndarray) -> np.ndarray:
    """The powers, all signals as loud as each other; each bin has one gain.

    High bins are faint, and tell as much.
    """
    P = P / np.maximum(P.mean((1, 2), keepdims=True), TINY)
    of_bin = P[:-1].mean((0, 2))
    return P / np.sqrt(of_bin + 1e-6 * of_bin.mean() + TINY)[:, None]


def _logarithms(P: np.ndarray) -> np.ndarray:
    return np.log(P + FLOOR * P.mean((1, 2), keepdims=True) + TINY)


def _sparsity(P: np.ndarray, L: np.ndarray) -> float:
    """Arithmetic over geometric mean in time, in nats, a mean over outputs and bins."""
    return float((np.log(P.mean(-1) + TINY) - L.mean(-1)).mean())


def _edges(bins: int) -> np.ndarray:
    """Where `BANDS` bands of bins begin, but for the first."""
    return np.unique(np.round(np.geomspace(1, bins, BANDS + 1)).astype(int))[1:-1]


def _likeness(L: np.ndarray) -> float:
    """Correlation coefficient over time of two of (K, B, T), a mean over pairs and B."""
    L = L - L.mean(-1, keepdims=True)
    L = L / (np.linalg.norm(L, axis=-1, keepdims=True) + 1e-12)
    pairs = np.triu_indices(len(L), 1)
    return float(np.einsum("kft,jft->kj", L, L)[pairs].mean() / L.shape[1])
