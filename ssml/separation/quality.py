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

COEFFICIENTS = Path(__file__).with_suffix(".json")
WINDOW = 0.064  # s
LOWEST, HIGHEST = 150.0, 7000.0  # Hz
BANDS = 12  # in which envelopes are compared, of equal width on a logarithmic scale
FLOOR = 1e-4  # of an output's mean power
FIGURES = (
    *("weaker", "log_weaker", "sparsity", "sparser"),
    *("likeness_of_bands", "likeness_of_bins"),
)
WORDS = FAILED, DOUBTFUL, GOOD = "failed", "doubtful", "probably good"
TINY = 1e-30


class Quality(NamedTuple):
    """What is thought of a separation."""

    gain: float  # dB, by which the SI-SDR rose, a mean over the sources
    verdict: str  # of `WORDS`


def quality(est: np.ndarray, mix: np.ndarray, fs: int) -> Quality:
    """The estimated gain in SI-SDR of outputs est (K, N) over the microphone's signal mix (N,).

    At fs Hz, of real or simulated talkers; see docs/evaluation.md for its errors. Raises
    `UserError` for other shapes, and for less than two outputs.
    """
    if est.ndim != 2 or len(est) < 2 or mix.shape != est.shape[1:]:
        raise UserError(
            f"est {est.shape}, mix {mix.shape}: give (sources, samples) and (samples,), two or more"
        )
    return verdict(gain(figures(est, mix, fs), len(est)))


def verdict(gain: float) -> Quality:
    """The estimate, and its word."""
    return Quality(gain, WORDS[int(np.searchsorted(coefficients()["limits"], gain))])


def gain(found: dict[str, float], K: int) -> float:
    """The gain in dB that the `figures` of K outputs suggest."""
    known = coefficients()
    place = min(K, 2 + len(known["intercepts"]) - 1) - 2
    return known["intercepts"][place] + sum(known["slopes"][key] * found[key] for key in FIGURES)


@cache
def coefficients() -> dict[str, Any]:
    """The slopes of `FIGURES`, the intercepts of two sources and more, the limits of the words."""
    return json.loads(COEFFICIENTS.read_text())


def figures(est: np.ndarray, mix: np.ndarray, fs: int) -> dict[str, float]:
    """The `FIGURES` of outputs est (K, N) and the microphone's signal mix (N,)."""
    P = _powers(np.concatenate([est, mix[None]]), fs)
    L, P, heard = _logarithms(P), P[:-1], P[-1:]
    L, H = L[:-1], L[-1:]
    strongest = P.max(0)
    weaker = np.where(strongest > P, P, 0).sum((1, 2)) / np.maximum(P.sum((1, 2)), TINY)
    share = 1 - strongest.sum() / max(P.sum(), TINY)
    bands = np.stack([part.mean(1) for part in np.split(L, _edges(P.shape[1]), 1)], 1)
    sparsity = _sparsity(P, L)
    return {
        "weaker": float(weaker.mean()),
        "log_weaker": float(np.log(share + 1e-3)),
        "sparsity": sparsity,
        "sparser": sparsity - _sparsity(heard, H),
        "likeness_of_bands": _likeness(bands),
        "likeness_of_bins": _likeness(L),
    }


def _powers(x: np.ndarray, fs: int) -> np.ndarray:
    """Powers (K + 1, F, T) of outputs and, last, the mixture, all as loud as each other.

    Each bin has one gain: high bins are faint, and tell as much.
    """
    n_fft = nearest_power(WINDOW * fs)
    X = Stft(n_fft, n_fft // 2).forward(torch.from_numpy(np.ascontiguousarray(x, np.float32)))
    P = X.abs().square().double().numpy()
    first = int(np.ceil(LOWEST * n_fft / fs))
    P = P[:, first : 1 + int(min(HIGHEST, 0.45 * fs) * n_fft / fs)]
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
