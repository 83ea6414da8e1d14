"""What the learned surrogates share: their input, their output, and where they start."""

from typing import Any

import torch
from torch import Tensor, nn

RANGE = 1e-4  # least weight, against the largest: keeps the covariances well-conditioned
FLOOR = 1e-5  # of the power, against its mean: what log-power calls silence


class Surrogate(nn.Module):
    """Weights from the power of one source: `U = sigmoid(-g)`, with `g` a log-variance ratio.

    `g` is the sum of what the network makes of all bins and frames around, and of a learned share
    of the bin's own log-power and of its frame's. It starts with the frame's alone, that is, near
    the spherical models, and learns to do better. Weights are in (0, 1] up to a scale for each
    source and bin, which no update's direction depends on: it is chosen so that the weighted power
    is one, which keeps the outputs at their level for any number of iterations.

    Networks differ in `body`, which maps channels over time (batch, hidden, T) to as many.
    """

    def __init__(self, bins: int, hidden: int) -> None:
        super().__init__()
        self.encode = nn.Conv1d(bins + 1, 2 * hidden, 1)
        self.decode = nn.Conv1d(hidden, bins, 1)
        nn.init.zeros_(self.decode.weight)
        nn.init.zeros_(self.decode.bias)  # type: ignore[arg-type]
        self.own = nn.Parameter(torch.zeros(bins, 1))
        self.frame = nn.Parameter(torch.full((bins, 1), 0.5))

    def body(self, h: Tensor) -> Tensor:
        raise NotImplementedError

    def forward(self, power: Tensor, memory: Any = None) -> tuple[Tensor, Any]:
        """(..., K, F, T) >= 0 -> weights > 0 of that shape."""
        scale = power.mean((-2, -1), keepdim=True) + torch.finfo(power.dtype).tiny ** 0.5
        p = (power / scale).flatten(0, -3)  # (batch K, F, T)
        own = (p + FLOOR).log()
        frame = (p.mean(-2, keepdim=True) + 10 * FLOOR).log()
        h = nn.functional.glu(self.encode(torch.cat([own / 4 + 1.5, frame / 3], -2)), -2)
        g = self.decode(self.body(h)) + self.own * own + self.frame * frame
        u = torch.sigmoid(-g).clamp_min(RANGE)
        u = u / ((u * p).mean(-1, keepdim=True) + 0.1 * FLOOR)
        return u.reshape(power.shape) / scale, memory
