"""Gated convolutions over a few frames: a network of the paper's kind."""

from torch import Tensor, nn

from .surrogate import Surrogate


class Glu(Surrogate):
    def __init__(
        self, bins: int, hidden: int = 96, layers: int = 2, kernel: int = 3, rivals: bool = False
    ) -> None:
        """`bins` frequencies, `hidden` channels in `layers` convolutions of `kernel` frames."""
        super().__init__(bins, hidden, rivals)
        if kernel % 2 == 0:
            raise ValueError(f"kernel {kernel} must be odd: it is centred on its frame")
        self.mix = nn.ModuleList(
            nn.Conv1d(hidden, 2 * hidden, kernel, padding=kernel // 2) for _ in range(layers)
        )

    def body(self, h: Tensor) -> Tensor:
        for layer in self.mix:
            h = h + nn.functional.glu(layer(h), -2)
        return h
