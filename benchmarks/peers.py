"""AuxIVA as other packages have it: functions X (M, F, T) complex64 -> outputs, by update rule."""

import sys
import types
from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from torch import Tensor

Call = Callable[[Tensor, int], Any]


def torchiva() -> Any:
    """The package, with a stand-in for torchaudio, which the parts used here do not need."""
    if "torchaudio" not in sys.modules:
        transforms = types.ModuleType("torchaudio.transforms")
        transforms.MelScale = None  # type: ignore[attr-defined]
        stand_in = types.ModuleType("torchaudio")
        stand_in.transforms = transforms  # type: ignore[attr-defined]
        sys.modules |= {"torchaudio": stand_in, "torchaudio.transforms": transforms}
    import torchiva  # pyright: ignore[reportMissingImports]

    return torchiva


def laplace(rule: str, K: int) -> dict[str, Call]:
    """The peers that are installed and have Laplace-IVA with `rule` for K channels."""
    found: dict[str, Call] = {}
    if rule == "iss-6-sweeps":  # nobody has it
        return found
    for name, make in (("torchiva", _torchiva), ("ssspy", _ssspy), ("pyroomacoustics", _pra)):
        try:
            call = make(rule, K)
        except ImportError:
            print(f"{name}: not installed, left out", file=sys.stderr)
            continue
        if call is not None:
            found[name] = call
    return found


def _torchiva(rule: str, K: int) -> Call | None:
    if rule == "ip2" and K > 2:  # it has none
        return None
    package = torchiva()
    kind = {"iss": "T_ISS", "ip": "AuxIVA_IP", "ip2": "AuxIVA_IP2"}[rule]

    def call(X: Tensor, iterations: int) -> Tensor:
        with torch.no_grad():
            separator = getattr(package, kind)(n_iter=iterations, model=package.LaplaceModel())
            return separator(X, n_src=K) if rule == "ip" else separator(X)

    return call


def _ssspy(rule: str, K: int) -> Call:
    from ssspy.bss.iva import AuxLaplaceIVA

    def call(X: Tensor, iterations: int) -> np.ndarray:
        separator = AuxLaplaceIVA(
            spatial_algorithm=rule.upper(),
            scale_restoration="projection_back",
            record_loss=False,
        )
        return separator(X.numpy(), n_iter=iterations)

    return call


def _pra(rule: str, K: int) -> Call | None:
    from pyroomacoustics.bss import auxiva

    if rule != "ip":  # the only one it has
        return None

    def call(X: Tensor, iterations: int) -> np.ndarray:
        est = auxiva(X.numpy().transpose(2, 1, 0), n_iter=iterations, proj_back=True)
        return np.asarray(est)  # a tuple only where the filters are asked for

    return call
