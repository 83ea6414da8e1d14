"""Convolutions over bands and frames, each channel by itself."""

import torch
from torch import Tensor, nn

from .derived import Depthwise as Derived
from .derived import convolve, usable


class Depthwise(nn.Module):
    """Kernels of 3 x 3 over (B, T), frames `dilation` apart: (N, B, T, C) -> the same."""

    def __init__(self, channels: int, dilation: int = 1) -> None:
        super().__init__()
        self.dilation = dilation
        self.weight = nn.Parameter((torch.rand(channels, 1, 3, 3) - 0.5) * 2 / 3)
        self.bias = nn.Parameter(torch.zeros(channels))

    def forward(self, x: Tensor) -> Tensor:
        function = Derived.apply if usable(x) else convolve
        return function(x, self.weight, self.dilation) + self.bias
