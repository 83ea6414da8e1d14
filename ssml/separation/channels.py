"""Fewer sources than microphones: which channels the loop of AuxIVA is given."""

from typing import NamedTuple

from torch import Tensor

from ssml.config.names import BACKGROUND
from ssml.iva import demixing
from ssml.iva.reduction import reduction


class Reduced(NamedTuple):
    """The mixture `Z = T X` that is separated, and from where."""

    Z: Tensor  # (..., K, F, T), or X itself
    T: Tensor | None  # (..., F, K, M); None: I
    axes: Tensor  # (..., F, M - K, M) that T drops
    start: Tensor | None  # (..., F, K, M), where the other channels are a background


def reduce_channels(X: Tensor, K: int, start: Tensor | None, form: str) -> Reduced:
    """X (..., M, F, T) as K channels, or with its background; `form` is a `ReductionName`.

    start (..., F, K, M): demixing matrices to begin with; None: K principal components, as K of the
    microphones hear them. See `reduction`.
    """
    if X.shape[-3] == K and start is None:
        return Reduced(X, None, X.new_empty(0), None)
    T, rest = reduction(X.detach(), K, start)
    if form == BACKGROUND and X.shape[-3] > K:
        return Reduced(X, None, X.new_empty(0), T)
    return Reduced(demixing.apply(T, X.to(T.dtype)).to(X.dtype), T, rest, None)
