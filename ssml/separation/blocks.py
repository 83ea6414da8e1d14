"""Separation block by block, live or from a file, with bounded memory.

All blocks have the same length and overlap by a quarter; the last block starts earlier, so that it
has that length too. The iterations of a block start from the demixing matrices of the block before.
Its outputs are put in the order that correlates best with the outputs before, in the overlap, and
there both are cross-faded.
"""

from collections.abc import Callable
from typing import Any, Protocol

import numpy as np

from ssml.files.errors import UserError

BLOCK = 60.0  # s
OVERLAP = 0.25  # of a block
LONGEST = 86400  # s


class Separates(Protocol):
    """What a `Blocks` needs of a `Separator`."""

    fs: int
    sources: int | None

    def for_mixture(self, mix: np.ndarray) -> "Separates": ...

    def separate_from(self, mix: np.ndarray, start: np.ndarray | None, changes: Any) -> Any: ...


class Blocks:
    """Separates a mixture, NumPy arrays, that comes in pieces of any length.

        blocks = Blocks(Separator(fs=16000), block=10)
        while ...:
            est = blocks.push(piece)  # (M, n) -> (K, m), the samples that are ready, maybe none
        est = blocks.flush()  # the rest

    All outputs together are as long as all pieces, and do not depend on the lengths of the pieces.
    A sample comes out after at most `latency` further samples have been pushed. `block` is in
    seconds: longer blocks separate better as long as the speakers do not move.
    `watch(block, outputs, W, changes)` is called for every block with its samples (M, n), the
    outputs (K, m) at its end, the demixing matrices (F, K, M), and the change by each iteration.
    Raises `UserError` for samples that cannot be separated; the next piece starts a new stream.
    """

    def __init__(
        self,
        separator: Separates,
        block: float = BLOCK,
        watch: Callable[[np.ndarray, np.ndarray, np.ndarray, list[float]], None] | None = None,
    ) -> None:
        if not hasattr(separator, "separate_from"):
            raise UserError(f"separator: give a Separator, not {separator!r}")
        if not 0 < block <= LONGEST or round(block * separator.fs) < 4:
            raise UserError(f"block: {block} s is not within 0..{LONGEST}")
        self.separator, self.watch = separator, watch
        self.length = round(block * separator.fs)
        self.overlap = round(self.length * OVERLAP)
        self.blocks = 0  # separated so far
        self._chosen = separator
        self._restart()

    def _restart(self) -> None:
        self._last: np.ndarray | None = None  # the block before, (M, n)
        self._new: list[np.ndarray] = []  # samples that are in no block yet
        self._tail: np.ndarray | None = None  # (K, n), outputs to be faded into the next block's
        self._W: np.ndarray | None = None  # (F, K, M) of the last block, in the outputs' order

    @property
    def latency(self) -> int:
        """The most samples by which an output lags behind the input: the length of a block."""
        return self.length

    def push(self, piece: np.ndarray) -> np.ndarray:
        """Take samples (M, n); return the samples of the outputs that are ready, (K, m)."""
        if piece.ndim != 2:
            raise UserError(f"piece: {piece.ndim}-D; the shape must be (channels, samples)")
        if self._new and len(self._new[0]) != len(piece):
            raise UserError(f"piece: {len(piece)} channels after {len(self._new[0])}")
        ready = [np.zeros((self.separator.sources or len(piece), 0), piece.dtype)]
        self._new.append(piece[:, :0])
        while piece.shape[1]:
            # the first block needs its whole length, each later one its length less the overlap
            step = self.length - (0 if self._tail is None else self.overlap)
            missing = step - sum(part.shape[1] for part in self._new)
            self._new.append(piece[:, :missing].copy())
            if piece.shape[1] >= missing:
                ready.append(self._separate_block())
            piece = piece[:, missing:]
        return np.concatenate(ready, -1)

    def flush(self) -> np.ndarray:
        """End the stream; return the outputs (K, m) that have not come out yet."""
        if not self._new:
            raise UserError("stream: nothing was pushed")
        complete = self._tail is not None and not any(part.shape[1] for part in self._new)
        parts = [] if complete else [self._separate_block()]
        assert self._tail is not None
        parts.append(self._tail)
        self._restart()
        return np.concatenate(parts, -1)

    def _separate_block(self) -> np.ndarray:
        """Separate the block that ends with the new samples; its outputs, without the tail."""
        new = np.concatenate(self._new, -1)
        block = new if self._last is None else np.concatenate([self._last, new], -1)
        block, changes = block[:, -self.length :], []
        tail, W_before = self._tail, self._W
        self._restart()  # if this block is refused, the next piece begins a new stream
        if W_before is None:  # one model for all of a stream: its filters go on
            self._chosen = self.separator.for_mixture(block)
        est, W = self._chosen.separate_from(block, W_before, changes)
        if tail is not None:
            n = tail.shape[-1]
            est = est[:, -n - new.shape[-1] :]  # the last block reaches back further
            found = order(tail, est[:, :n])
            est, W = est[found], W[:, found]
            fade = (np.arange(n, dtype=est.dtype) + 0.5) / n
            est[:, :n] = (1 - fade) * tail + fade * est[:, :n]
        if self.watch is not None:
            self.watch(block, est, W, changes)
        ready = max(0, est.shape[-1] - self.overlap)
        self._last, self._W, self._new, self._tail = block, W, [block[:, :0]], est[:, ready:]
        self.blocks += 1
        return est[:, :ready]


def order(before: np.ndarray, after: np.ndarray) -> np.ndarray:
    """The order of `after` (K, n) whose correlation coefficients with `before` sum highest."""
    from scipy.optimize import linear_sum_assignment  # takes half a second

    norms = [np.linalg.norm(x, axis=-1).clip(min=1e-12) for x in (before, after)]
    correlation = (before @ after.T) / (norms[0][:, None] * norms[1])
    return linear_sum_assignment(correlation, maximize=True)[1]
