"""Separation of a mixture as it comes, live: online AuxIVA with a stated latency.

A frame is demixed by filters that know the block of frames in which it comes. From block to block
they change linearly, frame by frame, and frames overlap: nothing clicks.
"""

from math import ceil, isfinite

import numpy as np
import torch
from torch import Tensor, nn

from ssml.files.errors import UserError
from ssml.iva.frames import Analysis, Synthesis
from ssml.iva.online import Online

from . import images
from .inputs import check_mixture, exponent, fit_length, listen
from .resampling import Resampler, lag
from .separator import Separator

LATENCY = 0.5  # s
WINDOW = 3.0  # s
FORGET = 10.0  # s
ITERATIONS = 2
FIRST, BEGIN = 2.0, 10  # s before the first iterations, and how many they are


class Stream:
    """Separates a mixture, NumPy arrays, while it comes in pieces of any length.

        stream = Stream(Separator(fs=16000), latency=0.5)
        while ...:
            est = stream.push(piece)  # (M, n) -> (K, m), the samples that are ready, maybe none
        est = stream.flush()  # the rest

    All outputs together are as long as all pieces, and do not depend on the lengths of the pieces.
    The filters follow the talkers. The outputs keep their order as long as they are separated. In
    the first 2 s of sound the first output is the reference microphone, and the others are silent.

    separator: gives the source model, the rule, the STFT, the reference microphone and the number
        of sources; its iterations are not read. "auto" is "learned", and below 8 kHz "gauss".
        Models with a memory between iterations, such as "nmf", cannot be used.
    latency: the most seconds by which an output may lag behind the input; at least the window of
        the STFT, 0.256 s, and a little more where the separator resamples. Blocks of frames fill
        what it leaves.
    iterations: after each block.
    window: the last seconds, whose weights are computed anew after each block.
    forget: s after which what was heard before the window counts 1/e.

    Raises `UserError` for samples that cannot be separated; the next piece starts a new stream.
    """

    def __init__(
        self,
        separator: Separator,
        latency: float = LATENCY,
        *,
        iterations: int = ITERATIONS,
        window: float = WINDOW,
        forget: float = FORGET,
    ) -> None:
        if not isinstance(separator, Separator):
            raise UserError(f"separator: give a Separator, not {separator!r}")
        for name, value in (("window", window), ("forget", forget)):
            if not (isfinite(value) and value > 0):
                raise UserError(f"{name}: {value} s is not above 0")
        self.separator, self.iterations = separator, iterations
        stft, rate, fs = separator.stft, separator.model_fs, separator.fs
        lags = lag(fs, rate) + lag(rate, fs)
        least = lags + stft.n_fft / rate
        if not least <= latency < float("inf"):
            raise UserError(f"latency: {latency} s is below {least:.3f} s, which the STFT needs")
        self.block = 1 + int((latency - least) * rate / stft.hop + 1e-9)  # frames
        self._latency = ceil(fs * (least + (self.block - 1) * stft.hop / rate) - 1e-9)
        second = rate / stft.hop  # frames
        self.window = max(self.block, round(window * second))  # frames
        self.forget = forget * second  # frames
        self.first = ceil(FIRST * second)  # frames
        self._run: _Run | None = None

    @property
    def latency(self) -> int:
        """The most samples by which an output lags behind the input."""
        return self._latency

    def push(self, piece: np.ndarray) -> np.ndarray:
        """Take samples (M, n); return the samples of the outputs that are ready, (K, m)."""
        if piece.ndim != 2:
            raise UserError(f"piece: {piece.ndim}-D; the shape must be (channels, samples)")
        run, self._run = self._run, None  # if this piece is refused, the next begins a new stream
        if run is None:
            run = _Run(self, len(piece), piece.dtype)
        ready = run.push(piece)
        self._run = run
        return ready

    def flush(self) -> np.ndarray:
        """End the stream; return the outputs (K, m) that have not come out yet."""
        if self._run is None:
            raise UserError("stream: nothing was pushed")
        run, self._run = self._run, None
        return run.flush()


class _Run:
    """A stream from its first sample to its last."""

    def __init__(self, stream: Stream, channels: int, dtype: np.dtype) -> None:
        self.stream, self.separator, self.channels = stream, stream.separator, channels
        empty = self.separator.tensor(np.zeros((channels, 1), dtype))[:, :0]  # checks the numbers
        self.outputs = self.separator.sources or channels
        fs, rate, stft = self.separator.fs, self.separator.model_fs, self.separator.stft
        self._there = Resampler(fs, rate, channels, dtype)
        self._back = Resampler(rate, fs, self.outputs, dtype)
        self._analysis, self._synthesis = Analysis(stft), Synthesis(stft)
        self._missing = 0  # samples that are taken and not given
        self._inside = 0  # the same at the model's rate, between both resamplers
        self._X = self._analysis.push(empty)  # (M, F, t), frames of the block that is not complete
        self._early: list[Tensor] = []  # blocks before the first iterations
        self._online: Online | None = None
        self._scale = empty.new_ones(1)  # brings the first sound to about [-1, 1]
        self._mic = self.separator.mic or 0
        self._W = self._X.new_zeros(self._X.shape[1], self.outputs, channels)
        self._W[:, 0, self._mic] = 1  # at the end of the block before

    def push(self, piece: np.ndarray) -> np.ndarray:
        if len(piece) != self.channels:
            raise UserError(f"piece: {len(piece)} channels after {self.channels}")
        step = self.stream.latency  # a piece may be an hour
        starts = range(0, piece.shape[1], step)
        ready = [self._separate(piece[:, i : i + step]) for i in starts]
        return np.concatenate([np.zeros((self.outputs, 0), piece.dtype), *ready], -1)

    def flush(self) -> np.ndarray:
        ready = self._advance(self._there.flush(), is_last=True)
        est = self._back.push(ready, last=True)
        return fit_length(torch.from_numpy(est), self._missing).numpy()

    def _separate(self, x: np.ndarray) -> np.ndarray:
        """The samples of the outputs (K, m) that the samples x (M, n) complete."""
        check_mixture(x)
        est = self._back.push(self._advance(self._there.push(x)))
        self._missing += x.shape[1] - est.shape[1]
        return est

    def _advance(self, x: np.ndarray, is_last: bool = False) -> np.ndarray:
        """The same at the rate of the model, through the STFT."""
        self._inside += x.shape[1]
        new = [self._analysis.push(torch.from_numpy(np.ascontiguousarray(x)).to(self._X.device))]
        if is_last:
            new.append(self._analysis.flush())
        X, size = torch.cat([self._X, *new], -1), self.stream.block
        whole = X.shape[-1] if is_last else X.shape[-1] // size * size
        self._X = X[..., whole:]
        blocks = [X[..., i : min(i + size, whole)] for i in range(0, whole, size)]
        ready = [self._synthesis.push(self._demix(block)) for block in blocks]
        if is_last:
            ready.append(self._synthesis.flush())
        if not ready:
            return np.zeros((self.outputs, 0), x.dtype)
        y = torch.cat(ready, -1)[:, : self._inside]
        self._inside -= y.shape[1]
        return y.cpu().numpy()

    @torch.no_grad()
    def _demix(self, X: Tensor) -> Tensor:
        """The outputs (K, F, T) of a block of frames X (M, F, T)."""
        before, self._W = self._W, self._follow(X)
        count = X.shape[-1]
        share = torch.arange(1, count + 1, device=X.device)[:, None, None, None] / count
        W = (1 - share) * before + share * self._W
        Y = torch.einsum("tfkm,mft->kft", W, X)
        if self._online is not None and self.channels == self._online.K:
            Y = Y + (X[self._mic] - Y.sum(0)) / self.outputs  # rounding of ill-conditioned W
        if not torch.isfinite(torch.view_as_real(Y)).all():
            raise UserError("piece: no finite outputs; push again, a new stream begins")
        return Y

    def _follow(self, X: Tensor) -> Tensor:
        """The demixing matrices (F, K, M) that know the block X (M, F, T), projected back."""
        iterations = self.stream.iterations
        if self._online is None:
            if X.abs().amax() > 0:
                if not self._early:
                    self._scale = exponent(torch.view_as_real(X).flatten(1))[0, 0]
                self._early.append(X)
            if sum(part.shape[-1] for part in self._early) < self.stream.first:
                return self._W
            X, iterations = torch.cat(self._early, -1), BEGIN
            self._begin(X)
            self._early = []
        assert self._online is not None
        filters = self._online.update(X * self._scale, iterations)
        assert self._online.X is not None
        W = images.scale(filters.W, filters.T, filters.axes, self._online.X, self._mic)
        return nn.functional.pad(W, (0, 0, 0, self.outputs - W.shape[1]))

    def _begin(self, X: Tensor) -> None:
        """Choose the microphones that hear, as `Separator` does; frames X (M, F, T)."""
        stream, separator = self.stream, self.separator
        heard, self._mic = listen(X.abs().flatten(1), separator.sources, separator.mic)
        K = separator.sources or heard
        self._online = Online(separator.model, separator.rule, K, stream.window, stream.forget)
