"""The STFT of a signal that comes in pieces, and its inverse: those of `Stft`, frame by frame."""

import torch
from torch import Tensor

from .stft import Stft


class Analysis:
    """Samples (M, n) in, frames (M, F, t) out: together, those of `Stft.forward`."""

    def __init__(self, stft: Stft) -> None:
        self.stft = stft
        self._held: Tensor | None = None  # samples from the first one of the next frame on

    def push(self, x: Tensor) -> Tensor:
        """The frames that are complete with further samples, maybe none."""
        n_fft, hop = self.stft.n_fft, self.stft.hop
        before = x.new_zeros(len(x), n_fft // 2) if self._held is None else self._held
        x = torch.cat([before, x], -1)
        count = max(0, 1 + (x.shape[-1] - n_fft) // hop)
        self._held = x[:, count * hop :]
        if not count:
            return x.new_empty(len(x), self.stft.bins, 0).to(x.dtype.to_complex())
        used = x[:, : (count - 1) * hop + n_fft]
        window = torch.hann_window(n_fft, dtype=x.dtype, device=x.device)
        return torch.stft(used, n_fft, hop, window=window, center=False, return_complex=True)

    def flush(self) -> Tensor:
        """The frames that end after the last sample, at least one."""
        assert self._held is not None, "nothing was pushed"
        beyond = self.stft.beyond + self.stft.n_fft // 2
        return self.push(self._held.new_zeros(len(self._held), beyond))


class Synthesis:
    """Frames (K, F, t) in, samples (K, n) out: together, those of `Stft.inverse`."""

    def __init__(self, stft: Stft) -> None:
        self.stft = stft
        self._sum: Tensor | None = None  # (K, n), what overlaps with the frames to come
        self._envelope: Tensor | None = None  # (n,)
        self._early = stft.n_fft // 2  # samples before the first one of the signal

    def push(self, Y: Tensor) -> Tensor:
        """The samples that no further frame will change."""
        n_fft, hop = self.stft.n_fft, self.stft.hop
        K, _, T = Y.shape
        window = torch.hann_window(n_fft, dtype=Y.real.dtype, device=Y.device)
        frames = torch.fft.irfft(Y.transpose(1, 2), n_fft) * window
        total = frames.new_zeros(K, n_fft + (T - 1) * hop + hop)
        envelope = total.new_zeros(total.shape[-1])
        if self._sum is not None and self._envelope is not None:
            total[:, : self._sum.shape[-1]] = self._sum
            envelope[: len(self._envelope)] = self._envelope
        for t in range(T):
            part = slice(t * hop, t * hop + n_fft)
            total[:, part] += frames[:, t]
            envelope[part] += window.square()
        done = T * hop
        self._sum, self._envelope = total[:, done:], envelope[done:]
        return self._cut(total[:, :done], envelope[:done])

    def flush(self) -> Tensor:
        """The samples that are left, and zeros: more than the signal has."""
        assert self._sum is not None and self._envelope is not None, "nothing was pushed"
        return self._cut(self._sum, self._envelope)

    def _cut(self, total: Tensor, envelope: Tensor) -> Tensor:
        early = min(self._early, total.shape[-1])
        self._early -= early
        total, envelope = total[:, early:], envelope[early:]
        heard = envelope > 1e-11  # as torch.istft asks
        return torch.where(heard, total / torch.where(heard, envelope, 1), 0)
