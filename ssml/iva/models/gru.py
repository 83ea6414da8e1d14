"""A recurrent network, which reads a source's frames forwards and backwards."""

from torch import Tensor, nn

from .surrogate import Surrogate


class Gru(Surrogate):
    def __init__(self, bins: int, hidden: int = 96, layers: int = 1, rivals: bool = False) -> None:
        """`bins` frequencies, `hidden` channels, half of them for each direction of time."""
        if hidden % 2:
            raise ValueError(f"hidden {hidden} must be even: half of it is for each direction")
        super().__init__(bins, hidden, rivals)
        self.recur = nn.GRU(hidden, hidden // 2, layers, batch_first=True, bidirectional=True)

    def body(self, h: Tensor) -> Tensor:
        return h + self.recur(h.mT)[0].mT
