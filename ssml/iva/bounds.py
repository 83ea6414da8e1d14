"""Bounds from the references: a source model without references is not expected to exceed them."""

from typing import Any

import torch
from torch import Tensor

from . import demixing

FLOOR = 1e-2  # of a source's mean power: a lower floor gives all weight to its pauses


class TrueSource:
    """A source model that knows the sources: `U = 1 / (|S|^2 + floor)`, whatever the outputs are.

    Every iteration solves the same problem. The iterations converge to the demixing matrices that
    a perfect estimate of the variance in each bin and frame would give.
    """

    def __init__(self, S: Tensor) -> None:
        """S (..., K, F, T): the STFT of the references."""
        power = torch.view_as_real(S).square().sum(-1)
        self.weights = 1 / (power + FLOOR * power.mean((-2, -1), keepdim=True))

    def __call__(self, power: Tensor, memory: Any = None) -> tuple[Tensor, Any]:
        return self.weights, memory


def least_squares(X: Tensor, S: Tensor) -> Tensor:
    """The outputs `W X` (..., K, F, T) with least squared error against S: `W = C_SX C_XX^-1`.

    The matrices are solved in double precision. Their diagonal is loaded by 1e-9 of the channels'
    mean power, so that silent bins can be solved.
    """
    x, s = (A.transpose(-3, -2).to(torch.complex128) for A in (X, S))
    C = x @ x.mH
    trace = C.diagonal(dim1=-2, dim2=-1).real.mean(-1)[..., None, None]
    load = (1e-9 * trace + torch.finfo(torch.float64).tiny) * torch.eye(
        X.shape[-3], device=X.device
    )
    W = torch.linalg.solve(C + load, x @ s.mH).mH
    return demixing.apply(W.to(X.dtype), X)
