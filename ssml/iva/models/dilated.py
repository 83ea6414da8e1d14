"""Dilated convolutions of each channel by itself: a long context for few multiplications."""

from torch import Tensor, nn

from .surrogate import Surrogate


class Dilated(Surrogate):
    """Residual blocks: a gated mix of channels, then a convolution of frames 1, 2, 4 ... apart."""

    def __init__(
        self, bins: int, hidden: int = 96, layers: int = 5, kernel: int = 3, rivals: bool = False
    ) -> None:
        """`bins` frequencies, `hidden` channels; `layers` double the reach of `kernel` frames."""
        super().__init__(bins, hidden, rivals)
        if kernel % 2 == 0:
            raise ValueError(f"kernel {kernel} must be odd: it is centred on its frame")
        self.mix = nn.ModuleList(nn.Conv1d(hidden, 2 * hidden, 1) for _ in range(layers))
        self.over = nn.ModuleList(
            nn.Conv1d(
                hidden, hidden, kernel, padding=2**i * (kernel // 2), dilation=2**i, groups=hidden
            )
            for i in range(layers)
        )

    def body(self, h: Tensor) -> Tensor:
        for mix, over in zip(self.mix, self.over, strict=True):
            h = h + over(nn.functional.glu(mix(h), -2))
        return h
