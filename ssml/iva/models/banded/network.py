"""A network whose weights are shared over frequency, with a thin layer that sees all of it."""

from typing import Any

import torch
from torch import Tensor, nn

from ..surrogate import FLOOR, RANGE
from .depthwise import Depthwise
from .derived import See, Weigh, usable
from .views import PAIR, belonging, rivals, see, weigh


class Banded(nn.Module):
    """Weights `U = sigmoid(-g)` as of `Surrogate`, from bands of bins that share one network.

    A band sees its bins' log-power, their activity against the strongest rival and among all
    sources, the frame's level, and whether its activity goes with the whole source's over time or
    with a rival's. Layers mix its channels, and each of them with its neighbours in time and
    frequency; half way a few channels of all bands meet, and meet those of the rivals.

    Bins below `low` and those beyond the last whole band are neither seen nor count for a level:
    their weights are those of the frame.
    """

    gains: Tensor

    def __init__(
        self,
        bins: int,
        low: int = 21,
        band: int = 16,
        width: int = 32,
        hidden: int = 96,
        thin: int = 6,
        layers: int = 3,
        full: int = 2,
    ) -> None:
        """`bins` frequencies in bands of `band`, `width` channels each in `layers`.

        `thin` channels of each band meet in `hidden` channels and `full` layers.
        """
        super().__init__()
        if band % PAIR:
            raise ValueError(f"band {band} must be even: two bins are seen as one")
        if layers < 2:
            raise ValueError(f"layers {layers}: two at least, before and after the bands meet")
        self.low, self.band, self.count = low, band, (bins - low) // band
        if self.count < 1:
            raise ValueError(f"band {band} is wider than the {bins - low} bins from {low} on")
        gains = torch.ones(2 * band + 1)
        gains[:band], gains[-1] = 1 / 4, 1 / 3
        self.register_buffer("gains", gains, persistent=False)
        self.encode = nn.Linear(2 * band + 1, width)
        self.place = nn.Parameter(0.1 * torch.randn(self.count, 1, width))
        self.belong = nn.Linear(2, width, bias=False)
        self.mix = nn.ModuleList(nn.Linear(width, width) for _ in range(layers))
        self.over = nn.ModuleList(Depthwise(width, 2**i) for i in range(layers))
        self.thin = nn.Linear(width, thin)
        self.meet = nn.Linear(self.count * thin, 2 * hidden)
        self.rivals = nn.ModuleList(nn.Linear(3 * hidden, 2 * hidden) for _ in range(full))
        self.time = nn.ModuleList(
            nn.Conv1d(hidden, 2 * hidden, 3, padding=3**i, dilation=3**i) for i in range(full)
        )
        self.part = nn.Linear(hidden, self.count * thin)
        self.thick = nn.Linear(thin, width, bias=False)
        self.decode = nn.Linear(width, band + 2)
        nn.init.zeros_(self.decode.weight)
        nn.init.zeros_(self.decode.bias)
        self.own = nn.Parameter(torch.zeros(self.count * band))
        self.share = nn.Parameter(torch.zeros(self.count * band))
        self.frame = nn.Parameter(torch.full((bins,), 0.5))

    def forward(self, power: Tensor, memory: Any = None) -> tuple[Tensor, Any]:
        """(..., K, F, T) >= 0 -> weights > 0 of that shape."""
        x = power.reshape(-1, *power.shape[-3:]).contiguous()
        seeing, weighing = (See.apply, Weigh.apply) if usable(x) else (see, weigh)
        seen, scale = seeing(x, self.low, self.band, self.count, FLOOR)
        first = nn.functional.linear(seen, self.encode.weight * self.gains)
        belongs = belonging(seen[..., -1 - self.band // PAIR : -1].mean(-1))
        first = first + (self.belong(belongs)[..., None, :] + self.place + self.encode.bias)
        net = self.decode(self._body(torch.relu_(first)))
        u = weighing(
            x, scale, seen, net, self.own, self.share, self.frame, self.low, 0.1 * FLOOR, RANGE
        )
        return u.reshape(power.shape), memory

    def _body(self, h: Tensor) -> Tensor:
        """(N, K, bands, T, width) -> the same."""
        half = (len(self.mix) + 1) // 2
        for i, (mix, over) in enumerate(zip(self.mix, self.over, strict=True)):
            if i == half:
                h = h + self._whole(h)
            h = h + over(torch.relu_(mix(h)).flatten(0, 1)).unflatten(0, h.shape[:2])
        return h

    def _whole(self, h: Tensor) -> Tensor:
        """What all bands of a source, and those of its rivals, tell each band; as `h`."""
        z = self.thin(h).transpose(-3, -2).flatten(-2)  # (N, K, T, bands thin)
        z = nn.functional.glu(self.meet(z), -1)
        for mix, over in zip(self.rivals, self.time, strict=True):
            z = z + nn.functional.glu(mix(torch.cat([z, *rivals(z)], -1)), -1)
            z = z + nn.functional.glu(over(z.flatten(0, 1).mT), -2).mT.unflatten(0, z.shape[:2])
        z = self.part(z).unflatten(-1, (self.count, -1)).transpose(-3, -2)
        return self.thick(z)
