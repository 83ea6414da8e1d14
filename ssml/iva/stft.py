"""Short-time Fourier transform with a Hann window, and its inverse."""

from dataclasses import dataclass

import torch
from torch import Tensor

from ssml.files.errors import UserError

from . import rumble


@dataclass(frozen=True)
class Stft:
    """Frames of `n_fft` samples every `hop` samples, Hann window, centred.

    `forward` takes what is below the bin `low` out of a signal first. In the bins `empty` nothing
    is left but rounding noise, and `inverse` leaves them out.
    """

    n_fft: int = 2048
    hop: int = 512
    low: int = 0

    def __post_init__(self) -> None:
        if self.n_fft % 2 or not 0 < self.hop <= self.n_fft // 2:
            raise UserError(
                f"n_fft: {self.n_fft} must be even, and hop {self.hop} within 1..n_fft / 2"
            )

    @property
    def beyond(self) -> int:
        """Zeros appended to the signal: at large hops only a window's edge would cover its end."""
        return self.hop - 1 if self.hop > self.n_fft // 4 else 0

    @property
    def bins(self) -> int:
        return self.n_fft // 2 + 1

    @property
    def empty(self) -> int:
        """How many bins, the lowest, hold nothing that is heard."""
        return int((1 - rumble.FADE) * self.low)

    def forward(self, x: Tensor) -> Tensor:
        """(..., N) real -> (..., F, T) complex; short signals are padded with zeros to a frame."""
        return self._frames(x - self.below(x) if self.low else x)

    def pair(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """`forward`, and that by which filters are found, whose ends fade if there is a `low`."""
        if not self.low:
            return (X := self.forward(x)), X
        high = x - self.below(x)
        return self._frames(high), self._frames(rumble.faded(high, self.low, self.n_fft))

    def _frames(self, x: Tensor) -> Tensor:
        flat = torch.nn.functional.pad(x.reshape(-1, x.shape[-1]), (0, self.beyond))
        window = torch.hann_window(self.n_fft, dtype=x.dtype, device=x.device)
        X = torch.stft(
            flat, self.n_fft, self.hop, window=window, pad_mode="constant", return_complex=True
        )
        return X.reshape(*x.shape[:-1], *X.shape[-2:])

    def below(self, x: Tensor) -> Tensor:
        """What `forward` takes out of signals (..., N)."""
        return rumble.below(x, self.low, self.n_fft) if self.low else torch.zeros_like(x)

    def inverse(self, X: Tensor, length: int) -> Tensor:
        """(..., F, T) complex -> (..., length) real."""
        flat = X.reshape(-1, *X.shape[-2:])
        if self.empty:
            flat = torch.nn.functional.pad(flat[:, self.empty :], (0, 0, self.empty, 0))
        window = torch.hann_window(self.n_fft, dtype=X.real.dtype, device=X.device)
        x = torch.istft(flat, self.n_fft, self.hop, window=window, length=length)
        return x.reshape(*X.shape[:-2], length)
