"""The picture of a separation: spectrograms, and the change by each iteration."""

import io
from collections.abc import Mapping, Sequence

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.ticker import MaxNLocator

from .figures import SETTINGS, WIDTH, Array


def separation(signals: Mapping[str, Array], fs: int, changes: Sequence[float]) -> bytes:
    """A PNG of the spectrograms of `signals` (N,), and the change by each iteration below them."""
    rows = [*signals, "convergence"] if changes else list(signals)
    with plt.rc_context({**SETTINGS, "axes.grid": False}):
        figure, grid = plt.subplots(
            *(len(rows), 1), figsize=(2 * WIDTH, 1.7 * len(rows)), layout="constrained"
        )
        top = max(float(np.abs(x).max(initial=0)) for x in signals.values()) + 1e-9
        n_fft = 2 ** round(np.log2(0.064 * fs))
        for axes, (name, x) in zip(grid, signals.items(), strict=False):
            if len(x) >= n_fft:
                axes.specgram(x / top + 1e-9, n_fft, fs, noverlap=n_fft // 2, vmin=-140, vmax=-40)
            axes.set(title=name, ylabel="Hz")
        if changes:
            grid[-1].semilogy(range(1, len(changes) + 1), np.maximum(changes, 1e-6))
            grid[-1].xaxis.set_major_locator(MaxNLocator(integer=True))
            grid[-1].set(title="Change of the outputs", xlabel="Iteration", ylabel="1 - coherence")
        grid[len(signals) - 1].set_xlabel("s")
        buffer = io.BytesIO()
        figure.savefig(buffer, format="png", dpi=110)
        plt.close(figure)
        return buffer.getvalue()
