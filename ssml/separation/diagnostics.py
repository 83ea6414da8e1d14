"""Figures on a separation that need no reference, and hints at what may have gone wrong.

No figure says how good the outputs are. Each points at a likely cause where they are bad.
"""

from collections.abc import Iterable, Iterator
from typing import Any

import numpy as np
import torch
from torch import Tensor

from ssml.iva.auxiva import Demixing

STILL = 0.01  # change by the last iteration above which more iterations are worth while
ALIKE = 0.4  # correlation of envelopes that few pairs of talkers exceed
FAINT = -30.0  # dB, level of an output against the loudest output
SINGULAR = 50.0  # condition number, median over bins
WINDOWS = 3.5  # T60 over the window's length above which the window misses much of the echoes
SAME = 1 - 1e-5  # correlation of two channels above which they are copies
CLIPPED = 1e-4  # share of samples that repeat the one before at the peak level
BRIEF = 2.0  # s, length of a recording below which separation is poor
BANDS = (500, 1000, 2000)  # Hz, lower edges of the octaves whose decays are measured
STEP, RUN = 0.016, 5  # s between energies; number of energies in a decay
FEW = 10  # decays below which there is no estimate of T60


def record_changes(states: Iterable[Demixing], changes: list[float]) -> Iterator[Demixing]:
    """Yield the states of a separation, and append the `change` by each iteration to `changes`."""
    before, C = None, None
    for state in states:
        if before is None or C is None:
            X = state.X.transpose(-3, -2)
            C = X @ X.mH
        else:
            changes.append(change(before, state.W, C))
        before = state.W
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

    def __init__(self, fs: int, window: float, model_fs: int | None = None) -> None:
        """Rate of the recording in Hz, window of the STFT in s, rate of a trained model in Hz."""
        self.fs, self.window = fs, window
        self.lost_above = model_fs / 2 if model_fs and model_fs < fs else None
        self.curve: list[float] = []  # of the first block
        self._peaks = self._gram = self._energy = np.zeros(1)
        self._flat, self._samples = np.zeros(1), 0
        self._last: list[float] = []  # changes of each block's last iteration
        self._conditions: list[float] = []
        self._likeness: list[float] = []
        self._decays: list[np.ndarray] = []

    def __call__(
        self, block: np.ndarray, est: np.ndarray, W: np.ndarray, changes: list[float]
    ) -> None:
        """Add a block: samples (M, n), outputs (K, m), demixing matrices (F, K, M), changes."""
        peaks = np.abs(block).max(-1)
        self.curve = self.curve or changes
        self._peaks = np.maximum(self._peaks, peaks)
        self._gram = self._gram + block.astype(np.float64) @ block.T
        self._energy = self._energy + np.square(est, dtype=np.float64).sum(-1)
        still = np.abs(block[:, 1:]) > 0.999 * peaks[:, None]
        still &= (np.diff(block) == 0) & (peaks[:, None] > 2e-3)
        self._flat, self._samples = self._flat + still.sum(-1), self._samples + block.shape[1]
        self._last += changes[-1:]
        self._conditions.append(_condition(W))
        self._likeness.append(_likeness(est, self.fs))
        self._decays.append(_decays(block[0], self.fs))

    def report(self) -> dict[str, Any]:
        """The figures as plain data, None where one is unknown, and `hints`, one line each."""
        level = np.sqrt(self._gram.diagonal())
        correlation = self._gram / np.maximum(np.outer(level, level), 1e-30)
        same = np.argwhere(np.triu(correlation > SAME, 1))
        energy = np.maximum(self._energy, 1e-30)
        figures: dict[str, Any] = {
            "silent": not self._peaks.any(),
            "silent_channels": [m + 1 for m in np.flatnonzero(self._peaks == 0).tolist()],
            "identical_channels": [[i + 1, j + 1] for i, j in same.tolist()],
            "clipped_channels": [
                m + 1 for m in np.flatnonzero(self._flat > CLIPPED * self._samples).tolist()
            ],
            "last_change": float(np.mean(self._last)) if self._last else None,
            "changes": self.curve,
            "condition": float(np.median(self._conditions)),
            "t60": _t60(np.concatenate(self._decays)),
            "window": self.window,
            "lost_above": self.lost_above,  # Hz
            "likeness": float(np.median(self._likeness)),
            "levels": (10 * np.log10(energy / energy.max())).round(1).tolist(),
        }
        seconds = self._samples / self.fs
        return {**figures, "hints": hints(figures, seconds)}


def hints(figures: dict[str, Any], seconds: float) -> list[str]:
    """What may be wrong, and what to try, for a recording of `seconds` s."""
    found: list[str] = []

    def hint(true: Any, text: str) -> None:
        if true:
            found.append(text)

    def listed(channels: list[Any]) -> str:
        return ", ".join(str(m) if isinstance(m, int) else f"{m[0]} = {m[1]}" for m in channels)

    def which(channels: list[int], one: str, more: str) -> str:
        some = len(channels) > 1
        return f"channel{'s' if some else ''} {listed(channels)} {more if some else one}"

    silent, same, clipped = (
        figures[f"{key}_channels"] for key in ("silent", "identical", "clipped")
    )
    if figures["silent"]:
        return ["the recording is silent"]
    hint(silent, which(silent, "is silent: leave it out", "are silent: leave them out"))
    hint(same, f"channels are identical ({listed(same)}): a mono recording cannot be separated")
    hint(clipped, which(clipped, "clips", "clip") + ": record at a lower level")
    if figures["lost_above"]:
        limit = f"{figures['lost_above'] / 1000:g} kHz"
        found.append(f"this model removes everything above {limit}: other models keep it")
    hint(seconds < BRIEF, f"only {seconds:.1f} s long, too little to separate: give 5 s or more")
    moving = figures["last_change"] is not None and figures["last_change"] > STILL
    hint(moving, "the outputs were still changing: more --iterations, or --rule ip2")
    hint(
        figures["condition"] > SINGULAR and not same,
        "the filters are nearly singular: microphones too close, or more of them than sources "
        "(--sources)",
    )
    t60 = figures["t60"]
    hint(
        t60 is not None and t60 > WINDOWS * figures["window"],
        "the room echoes longer than the window can hold: a larger --n-fft (not with a trained "
        "model) if the recording is long, or microphones nearer to the speakers",
    )
    hint(
        figures["likeness"] > ALIKE,
        "the outputs rise and fall together: they may share a source; "
        "try another --model or --rule",
    )
    faint = [k + 1 for k, level in enumerate(figures["levels"]) if level < FAINT]
    hint(faint, f"output {listed(faint)} is faint: perhaps fewer sources; try --sources")
    return found


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


def _decays(x: np.ndarray, fs: int) -> np.ndarray:
    """T60 in s of every free decay in the octaves `BANDS` of x (n,).

    A free decay falls in a straight line (in dB) and stays above the noise. Speech may decay more
    slowly than the room, but never faster: the fast decays are the room's.
    """
    hop = round(STEP * fs)
    if len(x) < (RUN + 2) * hop:
        return np.zeros(0)
    frames = np.lib.stride_tricks.sliding_window_view(x, 2 * hop)[::hop]
    power = np.abs(np.fft.rfft(frames * np.hanning(2 * hop), axis=-1)) ** 2
    frequency = np.fft.rfftfreq(2 * hop, 1 / fs)
    time = (np.arange(RUN) - (RUN - 1) / 2) * STEP
    found = []
    for low in BANDS:
        energy = power[:, (frequency >= low) & (frequency < 2 * low)].sum(-1)
        level = 10 * np.log10(energy + 1e-12 * energy.max() + 1e-30)
        runs = np.lib.stride_tricks.sliding_window_view(level, RUN)
        slope = runs @ time / (time @ time)
        rest = (runs - runs.mean(-1, keepdims=True) - slope[:, None] * time).std(-1)
        free = (rest < 1) & (np.diff(runs).max(-1) < 0) & (runs[:, 0] > level.max() - 20)
        free &= (slope * STEP * (RUN - 1) < -4) & (runs[:, -1] > np.quantile(level, 0.02) + 6)
        found.append(-60 / slope[free])
    return np.concatenate(found)


def _t60(decays: np.ndarray) -> float | None:
    """A rough T60 in s, low for echoic rooms: 0.3 s gave 0.3-0.4, 0.5 s gave 0.5, 0.7 s 0.5-0.6."""
    return round(float(np.quantile(decays, 0.25)), 2) if len(decays) >= FEW else None


def sentence(figures: dict[str, Any]) -> str:
    """The figures in one line."""
    last, t60 = figures["last_change"], figures["t60"]
    words = [] if last is None else [f"last iteration changed {100 * last:.2g} %"]
    words.append(f"condition {figures['condition']:.2g}")
    echo = "T60 unknown" if t60 is None else f"T60 roughly {t60:.1f} s"
    words.append(f"{echo} (window {figures['window']:.2g} s)")
    words.append(f"likeness of outputs {figures['likeness']:.2f}")
    return ", ".join(words)
