"""What all learned surrogates share: input, output and initial values."""

import itertools
from typing import Any

import torch
from torch import Tensor, nn

RANGE = 1e-4  # smallest weight over the largest: keeps the covariances well-conditioned
FLOOR = 1e-5  # added to the power, over its mean, before the logarithm


class Surrogate(nn.Module):
    """Weights from the power of one source: `U = sigmoid(-g)`, with `g` a log-variance ratio.

    `g` is a sum of three terms: the network's output, which depends on all bins and the frames
    around; a learned multiple of the bin's own log-power; and one of its frame's log-power. At
    first only the frame's term is not zero, so that training starts near the spherical models.
    Weights are in (0, 1] up to a scale for each source and bin, which changes no update's
    direction. The scale makes the weighted power one, which keeps the level of the outputs over any
    number of iterations.

    With `rivals` a network also reads the `activity` of a source in each bin against its strongest
    rival. The rivals' part in `g` is zero at first. One network serves any number of sources.

    Subclasses differ in `body`, which maps channels over time (batch, hidden, T) to as many.
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

    (..., K, F, T). Every source is first scaled to unit mean power in each bin, since the scale of
    an output in a bin is arbitrary. The comparison is with one rival, since a network is trained on
    two sources: against the mean of all others it lost 1 dB on three sources, and diverged over
    many iterations.
    """
    level = power / (power.mean(-1, keepdim=True) + torch.finfo(power.dtype).tiny ** 0.5)
    if power.shape[-3] < 3:
        both = level.mean(-3, keepdim=True)
    else:
        both = (level + _strongest_rival(level)) / 2
    return ((level + 1e-3) / (both + 1e-3)).log()


def _strongest_rival(level: Tensor) -> Tensor:
    """The largest level of the other sources, in the shape of `level`."""
    before = list(itertools.accumulate(level.unbind(-3), torch.maximum))
    after = list(itertools.accumulate(reversed(level.unbind(-3)), torch.maximum))[::-1]
    between = [torch.maximum(a, b) for a, b in zip(before[:-2], after[2:], strict=True)]
    return torch.stack([after[1], *between, before[-2]], -3)
