"""Spherical source models: a frame's bins share one variance."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor


@dataclass(frozen=True)
class Spherical:
    """Weights of a frame, the same in all its bins, from its power over all bins.

    law: from `norm(Y[k,:,t])^2` (..., K, T), F and the floor to weights (..., K, T). floor: least
    power of a frame over the mean of all frames.
    """

    law: Callable[[Tensor, int, float], Tensor]
    floor: float

    def of_frames(self, total: Tensor, bins: int) -> Tensor:
        """Weights (..., K, T) of frames with power `total` (..., K, T) in all `bins`."""
        return self.law(total, bins, self.floor)

    def __call__(self, power: Tensor, memory: Any = None) -> tuple[Tensor, Any]:
        U = self.of_frames(power.sum(-2), power.shape[-2])
        return U[..., None, :].expand_as(power), memory


class Laplace(Spherical):
    """Spherical Laplace: `U = 1 / (2 norm(Y[k,:,t]))` (Ono 2011)."""

    def __init__(self, floor: float = 1e-10) -> None:
        super().__init__(_laplace, floor)


class Gauss(Spherical):
    """Time-varying Gauss: `U = F / norm(Y[k,:,t])^2` (Ono 2012).

    Its likelihood is unbounded: where the demixing matrices cancel one frame, its weight grows
    until a covariance in float32 holds only that frame. With a floor below 1e-4, one or two in a
    hundred short mixtures of four sources came to that within 100 iterations.
    """

    def __init__(self, floor: float = 1e-4) -> None:
        super().__init__(_gauss, floor)


def _laplace(total: Tensor, bins: int, floor: float) -> Tensor:
    return 0.5 * _floored(total, floor).rsqrt()


def _gauss(total: Tensor, bins: int, floor: float) -> Tensor:
    floored = _floored(total, floor)
    # silent frames add nothing to the weighted power; without this correction every iteration would
    # amplify the outputs to make up for them
    kept = (total / floored).mean(-1, keepdim=True)
    return bins / (floored * torch.where(kept > 0, kept, 1))


def _floored(total: Tensor, share: float) -> Tensor:
    floor = share * total.mean(-1, keepdim=True)
    return torch.maximum(total, floor) + torch.finfo(total.dtype).tiny ** 0.5
