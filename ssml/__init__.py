"""Surrogate source model learning for determined source separation.

Axes: `K` sources, `M = K` microphones, `F` frequency bins, `T` frames, `N` samples; `...` is batch.

| symbol | shape                | meaning                                                  |
|--------|----------------------|----------------------------------------------------------|
| `X`    | (..., M, F, T)       | STFT of the mixture                                      |
| `W`    | (..., F, K, M)       | demixing matrices                                        |
| `Y`    | (..., K, F, T)       | outputs `W X`                                            |
| `U`    | (..., K, F, T) > 0   | weights that a source model gives for `|Y|^2`            |
| `G`    | (..., F, K, K, K)    | weighted covariances of the outputs, `[f, source, i, j]` |
| `A`    | (..., F, K, K)       | transform that a rule makes of `G`: `W <- A W`           |

    from ssml import CLASSICAL, UPDATES, Stft, separate
    est = separate(mix, CLASSICAL["laplace"](), UPDATES["iss"], 20, Stft(2048, 512))

`load("models/learned-sdr.safetensors")` gives a trained source model and its STFT.
"""

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .checkpoint import load
    from .iva import demix, iterate, separate
    from .losses import LOSSES, pit
    from .models import CLASSICAL, NETWORKS
    from .stft import Stft
    from .updates import UPDATES

__version__ = "0.1.0"
__all__ = [
    "CLASSICAL",
    "LOSSES",
    "NETWORKS",
    "UPDATES",
    "Stft",
    "demix",
    "iterate",
    "load",
    "pit",
    "separate",
]

_HOMES = {
    "CLASSICAL": "models",
    "LOSSES": "losses",
    "NETWORKS": "models",
    "UPDATES": "updates",
    "Stft": "stft",
    "demix": "iva",
    "iterate": "iva",
    "load": "checkpoint",
    "pit": "losses",
    "separate": "iva",
}


def __getattr__(name: str) -> Any:
    """Import a public name when it is first used: most stages need no torch."""
    if name not in _HOMES:
        raise AttributeError(f"module 'ssml' has no attribute '{name}'")
    return getattr(importlib.import_module(f".{_HOMES[name]}", __name__), name)
