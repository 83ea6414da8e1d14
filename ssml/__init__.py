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

More microphones than sources are reduced to K channels first, or the rest is a background. With
`taps` past frames, W has as many further blocks of M columns.

    import ssml
    # (..., M, N) -> (..., K, N)
    est = ssml.separate(mix, model="laplace", rule="iss", iterations=20)

`Separator` is the same to use many times, as a torch module; `Stream` separates audio as it comes,
and `Blocks` long recordings in bounded memory.
`demix` and `iterate` are the loop on STFTs that both call. `load("learned-sdr")` gives a trained
source model and its STFT, by name or path. `si_sdr` and `sdr` compare outputs with known sources,
and `quality` estimates how good outputs are where none are known.
Arguments and mixtures that cannot be used raise `UserError`.
"""

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .files.errors import UserError
    from .iva.auxiva import demix, iterate
    from .iva.losses import LOSSES, pit
    from .iva.models import CLASSICAL, NETWORKS
    from .iva.stft import Stft
    from .iva.updates import UPDATES
    from .separation.blocks import Blocks
    from .separation.models import load
    from .separation.quality import quality
    from .separation.scores import sdr, si_sdr
    from .separation.separator import Separator, separate
    from .separation.stream import Stream

__version__ = "0.1.0"
__all__ = [
    "CLASSICAL",
    "LOSSES",
    "NETWORKS",
    "UPDATES",
    "Blocks",
    "Separator",
    "Stft",
    "Stream",
    "UserError",
    "demix",
    "iterate",
    "load",
    "pit",
    "quality",
    "sdr",
    "separate",
    "si_sdr",
]

_HOMES = {
    "CLASSICAL": "iva.models",
    "LOSSES": "iva.losses",
    "NETWORKS": "iva.models",
    "Separator": "separation.separator",
    "UPDATES": "iva.updates",
    "Stft": "iva.stft",
    "Blocks": "separation.blocks",
    "Stream": "separation.stream",
    "UserError": "files.errors",
    "demix": "iva.auxiva",
    "iterate": "iva.auxiva",
    "load": "separation.models",
    "pit": "iva.losses",
    "quality": "separation.quality",
    "sdr": "separation.scores",
    "separate": "separation.separator",
    "si_sdr": "separation.scores",
}


def __getattr__(name: str) -> Any:
    """Import a public name when it is first used: most stages need no torch."""
    if name not in _HOMES:
        raise AttributeError(f"module 'ssml' has no attribute '{name}'")
    return getattr(importlib.import_module(f".{_HOMES[name]}", __name__), name)


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
