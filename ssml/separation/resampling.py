"""Resampling of a signal that comes in pieces."""

from functools import cache

import numpy as np

from ssml.files.errors import UserError

STEP, LONG = 0.005, 2.0  # s, pieces and signal with which the lag is measured


class Resampler:
    """Samples (M, n) at `fs` Hz in, (M, m) at `to` Hz out; where both are equal, the same."""

    def __init__(self, fs: int, to: int, channels: int, dtype: np.dtype) -> None:
        self.is_equal, self._empty = fs == to, np.zeros((0, channels), dtype)
        if not self.is_equal:
            try:
                import soxr
            except ImportError:
                raise UserError(f"fs: {fs} Hz to {to} Hz needs soxr; install it") from None
            self._soxr = soxr.ResampleStream(fs, to, channels, dtype=str(dtype))

    def push(self, x: np.ndarray, last: bool = False) -> np.ndarray:
        """The samples that are ready with x; `last` ends the signal."""
        if self.is_equal:
            return x
        return self._soxr.resample_chunk(np.ascontiguousarray(x.T), last=last).T

    def flush(self) -> np.ndarray:
        return self.push(self._empty.T, last=True)


@cache
def lag(fs: int, to: int) -> float:
    """The longest time in s by which the output lags behind the input, as measured."""
    resampler, step, given, worst = (
        Resampler(fs, to, 1, np.dtype("float32")),
        round(STEP * fs),
        0,
        0.0,
    )
    if resampler.is_equal:
        return 0.0
    for i in range(1, round(LONG / STEP) + 1):
        given += resampler.push(np.zeros((1, step), np.float32)).shape[1]
        worst = max(worst, i * step / fs - given / to)
    return worst + STEP
