"""What the learned surrogates share: their input, their output, and where they start."""

import itertools
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

    With `rivals` a network also sees how active a source is in each bin against its strongest rival
    (`activity`), whose part in `g` starts at zero: still one network for any number of sources.

    Networks differ in `body`, which maps channels over time (batch, hidden, T) to as many.
    """

    def __init__(self, bins: int, hidden: int, rivals: bool = False) -> None:
        super().__init__()
        self.encode = nn.Conv1d(bins + 1, 2 * hidden, 1)
        self.decode = nn.Conv1d(hidden, bins, 1)
        nn.init.zeros_(self.decode.weight)
        nn.init.zeros_(self.decode.bias)  # type: ignore[arg-type]
        self.own = nn.Parameter(torch.zeros(bins, 1))
        self.frame = nn.Parameter(torch.full((bins, 1), 0.5))
        self.rivals = nn.Conv1d(bins, 2 * hidden, 1, bias=False) if rivals else None
        if self.rivals is not None:
            nn.init.zeros_(self.rivals.weight)
            self.share = nn.Parameter(torch.zeros(bins, 1))

    def body(self, h: Tensor) -> Tensor:
        raise NotImplementedError

    def forward(self, power: Tensor, memory: Any = None) -> tuple[Tensor, Any]:
        """(..., K, F, T) >= 0 -> weights > 0 of that shape."""
        scale = power.mean((-2, -1), keepdim=True) + torch.finfo(power.dtype).tiny ** 0.5
        p = (power / scale).flatten(0, -3)  # (batch K, F, T)
        own = (p + FLOOR).log()
        frame = (p.mean(-2, keepdim=True) + 10 * FLOOR).log()
        seen = self.encode(torch.cat([own / 4 + 1.5, frame / 3], -2))
        active = None if self.rivals is None else activity(power).flatten(0, -3)
        if self.rivals is not None:
            seen = seen + self.rivals(active)
        h = self.body(nn.functional.glu(seen, -2))
        g = self.decode(h) + self.own * own + self.frame * frame
        if active is not None:
            g = g + self.share * active
        u = torch.sigmoid(-g).clamp_min(RANGE)
        u = u / ((u * p).mean(-1, keepdim=True) + 0.1 * FLOOR)
        return u.reshape(power.shape) / scale, memory


def activity(power: Tensor) -> Tensor:
    """Log-power against the mean of the source's own and its strongest rival's; as `power`.

    (..., K, F, T), each at unit mean power in a bin: no scale of an output in a bin, which is
    arbitrary, changes it. One rival, for a network that was trained on two sources knows no more:
    against the mean of all it lost a dB on three, and drifted away in many iterations.
    """
    level = power / (power.mean(-1, keepdim=True) + torch.finfo(power.dtype).tiny ** 0.5)
    if power.shape[-3] < 3:
        both = level.mean(-3, keepdim=True)
    else:
        both = (level + _strongest_rival(level)) / 2
    return ((level + 1e-3) / (both + 1e-3)).log()


def _strongest_rival(level: Tensor) -> Tensor:
    """The largest of the other sources, as `level`; from the largest of those before and after."""
    before = list(itertools.accumulate(level.unbind(-3), torch.maximum))
    after = list(itertools.accumulate(reversed(level.unbind(-3)), torch.maximum))[::-1]
    between = [torch.maximum(a, b) for a, b in zip(before[:-2], after[2:], strict=True)]
    return torch.stack([after[1], *between, before[-2]], -3)
