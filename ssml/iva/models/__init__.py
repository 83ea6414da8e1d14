"""MODELS: source models, maps from the outputs' power `|Y|^2` to the weights `U`.

A source model reads only the power of the outputs, (..., K, F, T) >= 0. It returns weights of that
shape, and a memory that it receives again in the next iteration.
"""

from collections.abc import Callable
from typing import Any, Protocol

from torch import Tensor, nn

from .banded import Banded
from .dilated import Dilated
from .glu import Glu
from .gru import Gru
from .nmf import Nmf
from .spherical import Gauss, Laplace
from .spherical import Spherical as Spherical


class SourceModel(Protocol):
    """Weights (..., K, F, T) > 0 for the power (..., K, F, T), and the memory to hand back next."""

    def __call__(self, power: Tensor, memory: Any = None) -> tuple[Tensor, Any]: ...


CLASSICAL: dict[str, Callable[..., SourceModel]] = {
    "laplace": Laplace,
    "gauss": Gauss,
    "nmf": Nmf,
}
NETWORKS: dict[str, Callable[..., nn.Module]] = {
    "glu": Glu,
    "gru": Gru,
    "dilated": Dilated,
    "banded": Banded,
}
