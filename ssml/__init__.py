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

More microphones than sources are reduced to K channels first.

    import ssml
    est = ssml.separate(mix, model="laplace", rule="iss", n_iter=20)  # (..., M, N) -> (..., K, N)

`Separator` is the same to use many times, `Stream` takes audio as it comes; `demix` and `iterate`
are the loop on STFTs that both call. `load("learned-sdr")` gives a trained source model and its
STFT, by name or path.
"""

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .iva import demix, iterate
    from .losses import LOSSES, pit
    from .models import CLASSICAL, NETWORKS
    from .separation import Separator, load, separate
    from .stft import Stft
    from .stream import Stream
    from .updates import UPDATES

__version__ = "0.1.0"
__all__ = [
    "CLASSICAL",
    "LOSSES",
    "NETWORKS",
    "UPDATES",
    "Separator",
    "Stft",
    "Stream",
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
    "Separator": "separation",
    "UPDATES": "updates",
    "Stft": "stft",
    "Stream": "stream",
    "demix": "iva",
    "iterate": "iva",
    "load": "separation",
    "pit": "losses",
    "separate": "separation",
}


def __getattr__(name: str) -> Any:
    """Import a public name when it is first used: most stages need no torch."""
    if name not in _HOMES:
        raise AttributeError(f"module 'ssml' has no attribute '{name}'")
    return getattr(importlib.import_module(f".{_HOMES[name]}", __name__), name)
