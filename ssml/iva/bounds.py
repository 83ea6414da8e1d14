"""What the references allow: bounds that no source model without them can be expected to pass."""

from typing import Any

import torch
from torch import Tensor

from . import demixing

FLOOR = 1e-2  # of a source's mean power: less weighs its pauses alone


class TrueSource:
    """A source model that knows the sources: `U = 1 / (|S|^2 + floor)`, whatever the outputs are.

    With it an iteration solves the same problem each time: it converges to the filters that the
    best surrogate of a variance for each bin and frame would give.
    """

    def __init__(self, S: Tensor) -> None:
        """S (..., K, F, T): the references' spectra."""
        power = torch.view_as_real(S).square().sum(-1)
        self.weights = 1 / (power + FLOOR * power.mean((-2, -1), keepdim=True))

    def __call__(self, power: Tensor, memory: Any = None) -> tuple[Tensor, Any]:
        return self.weights, memory


def least_squares(X: Tensor, S: Tensor) -> Tensor:
    """The outputs `W X` (..., K, F, T) nearest to the references S, by any W: `C_SX C_XX^-1`.

    Computed in double precision; a trace of 1e-9 keeps silent bins solvable.
    """
    x, s = (A.transpose(-3, -2).to(torch.complex128) for A in (X, S))
    C = x @ x.mH
    trace = C.diagonal(dim1=-2, dim2=-1).real.mean(-1)[..., None, None]
    load = (1e-9 * trace + torch.finfo(torch.float64).tiny) * torch.eye(
        X.shape[-3], device=X.device
    )
    W = torch.linalg.solve(C + load, x @ s.mH).mH
    return demixing.apply(W.to(X.dtype), X)
