"""Spherical source models: a frame's bins share one variance."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor


@dataclass(frozen=True)
class Spherical:
    """Weights of a frame, the same in all its bins, from its power over all bins."""

    weights: Callable[[Tensor, int], Tensor]  # norm(Y[k,:,t])^2 (..., K, T), and F -> (..., K, T)

    def __call__(self, power: Tensor, memory: Any = None) -> tuple[Tensor, Any]:
        U = self.of_frames(power.sum(-2), power.shape[-2])
        return U[..., None, :].expand_as(power), memory

    def of_frames(self, total: Tensor, bins: int) -> Tensor:
        """(..., T) -> (..., T); silent frames are floored far below the mean."""
        floor = 1e-10 * total.mean(-1, keepdim=True)
        return self.weights(
            torch.maximum(total, floor) + torch.finfo(total.dtype).tiny ** 0.5, bins
        )


def laplace(total: Tensor, bins: int) -> Tensor:
    """Spherical Laplace: `U = 1 / (2 norm(Y[k,:,t]))` (Ono 2011)."""
    return 0.5 * total.rsqrt()


def gauss(total: Tensor, bins: int) -> Tensor:
    """Time-varying Gauss: `U = F / norm(Y[k,:,t])^2` (Ono 2012)."""
    return bins / total
