"""How long a room echoes, from a recording alone, and how many past frames that is worth."""

import numpy as np
from torch import Tensor

BANDS = (500, 1000, 2000)  # Hz, lower edges of the octaves whose decays are measured
STEP, RUN = 0.016, 5  # s between energies; number of energies in a decay
FEW = 10  # decays below which there is no estimate of T60
ECHOING = 0.42  # s, rough T60 from which past frames are worth while
REACH = 0.2  # s that they go back
EACH = 8  # frames of a mixture for each filter coefficient of an output, at least


def past_frames(x: Tensor, fs: int, hop: float) -> int:
    """How many past frames, `hop` s apart, to filter in a mixture at fs Hz: 0 where none help.

    x (..., M, N): the first of a batch counts. Few where it is short, for they would cancel the
    talkers.
    """
    mix = x.detach().reshape(-1, *x.shape[-2:])[0].cpu().numpy()
    rough = t60(decays(mix[0], fs))
    if rough is None or rough < ECHOING:
        return 0
    most = int(mix.shape[-1] / (fs * hop)) // (EACH * len(mix)) - 1
    return max(0, min(round(REACH / hop), most))


def decays(x: np.ndarray, fs: int) -> np.ndarray:
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


def t60(decays: np.ndarray) -> float | None:
    """A rough T60 in s, low for echoic rooms: 0.3 s gave 0.3-0.4, 0.5 s gave 0.5, 0.7 s 0.5-0.6."""
    return round(float(np.quantile(decays, 0.25)), 2) if len(decays) >= FEW else None
