"""Spherical source models: a frame's bins share one variance."""

from typing import Any

import torch
from torch import Tensor


def _frame_power(power: Tensor) -> Tensor:
    """`norm(Y[k,:,t])^2`, floored far below the mean for silent frames; (..., K, 1, T)."""
    total = power.sum(-2, keepdim=True)
    tiny = torch.finfo(power.dtype).tiny ** 0.5
    return torch.maximum(total, 1e-10 * total.mean(-1, keepdim=True)) + tiny


def laplace(power: Tensor, memory: Any = None) -> tuple[Tensor, Any]:
    """Spherical Laplace: `U = 1 / (2 norm(Y[k,:,t]))` (Ono 2011); power (..., K, F, T)."""
    return (0.5 * _frame_power(power).rsqrt()).expand_as(power), memory


def gauss(power: Tensor, memory: Any = None) -> tuple[Tensor, Any]:
    """Time-varying Gauss: `U = F / norm(Y[k,:,t])^2` (Ono 2012); power (..., K, F, T)."""
    return (power.shape[-2] / _frame_power(power)).expand_as(power), memory
