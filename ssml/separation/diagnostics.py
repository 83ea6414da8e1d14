"""Figures on a separation that need no reference, and hints at what may have gone wrong."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor

from ssml.iva.auxiva import Demixing

from . import echo, quality
from .hints import hints

SAME = 1 - 1e-5  # correlation of two channels above which they are copies
EQUAL = 0.998  # correlation of two channels, or of one with the other inverted: nearly copies
CLIPPED = 1e-4  # share of samples that repeat the one before at the peak level


def record_changes(states: Iterable[Demixing], changes: list[float]) -> Iterator[Demixing]:
    """Yield the states of a separation, and append the `change` by each iteration to `changes`."""
    before, C = None, None
    for state in states:
        W = state.W[..., : state.X.shape[-3]]  # of the present frame
        if before is None or C is None:
            X = state.X.transpose(-3, -2)
            C = X @ X.mH
        else:
            changes.append(change(before, W, C))
        before = W
        yield state


def change(before: Tensor, after: Tensor, C: Tensor) -> float:
    """How much the outputs changed: 1 - the coherence of outputs before and after, in [0, 1].

    The mean over bins and sources; it does not depend on scale. `before` and `after` are demixing
    matrices (..., F, K, M); C (..., F, M, M) is the covariance of the mixture.
    """
    old, new = before @ C, after @ C
    cross = (new * before.conj()).sum(-1).abs()
    power = (old * before.conj()).sum(-1).real * (new * after.conj()).sum(-1).real
    tiny = torch.finfo(power.dtype).tiny
    coherence = (cross / power.clamp_min(tiny).sqrt()).clamp_max(1)
    return 1 - float(torch.where(power > tiny, coherence, 1).mean())


class Watch:
    """Collects the figures of `report` block by block, in memory that hardly grows with blocks."""

    def __init__(self, fs: int, window: float, model_fs: int | None = None, mic: int = 0) -> None:
        """Rate of the recording in Hz, window of the STFT in s, rate of a trained model in Hz.

        mic: the reference microphone, from 0.
        """
        self.fs, self.window, self.mic = fs, window, mic
        self.lost_above = model_fs / 2 if model_fs and model_fs < fs else None
        self.curve: list[float] = []  # of the first block
        self._peaks = self._gram = self._energy = np.zeros(1)
        self._flat, self._samples = np.zeros(1), 0
        self._last: list[float] = []  # changes of each block's last iteration
        self._conditions: list[float] = []
        self._likeness: list[float] = []
        self._gains: list[tuple[float, float]] = []  # dB, and s that it was estimated on
        self._decays: list[np.ndarray] = []

    def __call__(
        self, block: np.ndarray, est: np.ndarray, W: np.ndarray, changes: list[float]
    ) -> None:
        """Add a block: samples (M, n), outputs (K, m), demixing matrices (F, K, M), changes.

        Of W, further columns are those of past frames, which have no figures.
        """
        peaks = np.abs(block).max(-1)
        self.curve = self.curve or changes
        self._peaks = np.maximum(self._peaks, peaks)
        edges = np.diff(block)  # without DC and hum, in which channels may be equal
        self._gram = self._gram + edges.astype(np.float64) @ edges.T
        self._energy = self._energy + np.square(est, dtype=np.float64).sum(-1)
        still = np.abs(block[:, 1:]) > 0.999 * peaks[:, None]
        still &= (edges == 0) & (peaks[:, None] > 2e-3)
        self._flat, self._samples = self._flat + still.sum(-1), self._samples + block.shape[1]
        self._last += changes[-1:]
        self._conditions.append(_condition(W[..., : len(block)]))
        self._likeness.append(_likeness(est, self.fs))
        self._gains += self._gain(block[self.mic], est)
        self._decays.append(echo.decays(block[0], self.fs))

    def _gain(self, mix: np.ndarray, est: np.ndarray) -> list[tuple[float, float]]:
        """The estimated gain of a block, where there is sound enough and two outputs sound."""
        est = est[est.any(-1)]
        if len(est) < 2 or self.fs < quality.SLOWEST or not mix.any():
            return []
        found = quality.figures(est, mix[-est.shape[1] :], self.fs)
        is_long = found.seconds >= quality.SHORTEST
        return [(quality.gain(found, len(est)), found.seconds)] if is_long else []

    def report(
        self,
        late: Mapping[str, Any] | None = None,
        names: Sequence[int] | None = None,
        command: str = "ssml separate IN OUT --force",
    ) -> dict[str, Any]:
        """The figures as plain data, None where one is unknown, and `hints`, one line each.

        late: further figures, those of `survey.late_channels`. names: numbers of the channels,
        from 1. command: what the hints repeat with other options.
        """
        names = names or range(1, len(self._peaks) + 1)
        level = np.sqrt(self._gram.diagonal())
        correlation = self._gram / np.maximum(np.outer(level, level), 1e-30)

        def pairs(found: np.ndarray) -> list[list[int]]:
            return [[names[i], names[j]] for i, j in np.argwhere(np.triu(found, 1)).tolist()]

        energy = np.maximum(self._energy, 1e-30)
        is_one = pairs(np.abs(correlation) > EQUAL)  # signal, in two channels
        found = quality.verdict(_mean(self._gains)) if self._gains and not is_one else None
        figures: dict[str, Any] = {
            "silent": not self._peaks.any(),
            "silent_channels": [names[m] for m in np.flatnonzero(self._peaks == 0).tolist()],
            "identical_channels": pairs(correlation > SAME),
            "equal_channels": pairs((correlation > EQUAL) & (correlation <= SAME)),
            "opposite_channels": pairs(correlation < -EQUAL),
            "clipped_channels": [
                names[m] for m in np.flatnonzero(self._flat > CLIPPED * self._samples).tolist()
            ],
            "last_change": float(np.mean(self._last)) if self._last else None,
            "changes": self.curve,
            "condition": float(np.median(self._conditions)),
            "t60": echo.t60(np.concatenate(self._decays)),
            "window": self.window,
            "lost_above": self.lost_above,  # Hz
            "likeness": float(np.median(self._likeness)),
            "quality": found and found.verdict,
            "estimated_gain": found and round(found.gain, 1),  # dB
            "levels": (10 * np.log10(energy / energy.max())).round(1).tolist(),
        }
        figures |= {"fs": self.fs, "seconds": self._samples / self.fs, **(late or {})}
        return {**figures, "hints": hints(figures, figures["seconds"], command)}


def _mean(weighted: Sequence[tuple[float, float]]) -> float:
    values, weights = zip(*weighted, strict=True)
    return float(np.average(values, weights=weights))


def _condition(W: np.ndarray) -> float:
    """Median condition number over bins of the filters (F, K, M), rows of unit length."""
    norms = np.linalg.norm(W, axis=-1, keepdims=True)
    heard = (norms > 0).all((-2, -1))
    if not heard.any():
        return 1.0
    values = np.linalg.svd(W[heard] / norms[heard], compute_uv=False)
    return float(np.median(values[:, 0] / np.maximum(values[:, -1], 1e-9)))


def _likeness(est: np.ndarray, fs: int) -> float:
    """The largest correlation coefficient between envelopes (32 ms) of two outputs (K, n)."""
    n = round(0.032 * fs)
    frames = est[:, : est.shape[1] // n * n].reshape(len(est), -1, n)
    envelopes = np.sqrt(np.square(frames, dtype=np.float64).mean(-1))
    envelopes = envelopes - envelopes.mean(-1, keepdims=True) if frames.size else np.zeros((2, 1))
    norms = np.linalg.norm(envelopes, axis=-1)
    correlation = envelopes @ envelopes.T / np.maximum(np.outer(norms, norms), 1e-30)
    return float(correlation[np.triu_indices(len(correlation), 1)].max())


def sentence(figures: dict[str, Any]) -> str:
    """The figures in one line."""
    t60, words = figures["t60"], [f"condition {figures['condition']:.2g}"]
    if figures["quality"]:
        words.insert(0, f"{figures['quality']} (SI-SDR raised by {gain_words(figures)})")
    echo = "T60 unknown" if t60 is None else f"T60 roughly {t60:.1f} s"
    words.append(f"{echo} (window {figures['window']:.2g} s)")
    words.append(f"likeness of outputs {figures['likeness']:.2f}")
    return ", ".join(words)


def gain_words(figures: dict[str, Any]) -> str:
    """The estimated gain, in words."""
    gain = figures["estimated_gain"]
    if gain <= quality.RANGE[0]:
        return "nothing"
    return f"about {round(gain)} dB" + " or more" * (gain >= quality.RANGE[1])
