"""Separators of other packages as methods of `params.yaml`: `model: peer:...`.

Each is a function from X (M, F, T) complex128, the update rule, the number of iterations and the
method's options to the outputs (M, F, T) at microphone 0. Options are the package's own arguments.
A rule and a package are imported only where they are used: `pip install '.[peers]'`.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ssml.config.names import PEER_RULES
from ssml.files.errors import UserError

Spectra = NDArray[np.complex128]


@dataclass(frozen=True)
class Peer:
    """The separator `name` with its options; called with a mixture, it returns the outputs."""

    name: str
    options: Mapping[str, Any]

    def __call__(self, X: Tensor, rule: str, iterations: int) -> Tensor:
        """X (M, F, T) complex -> outputs of that shape; nan where the package's algebra fails."""
        given: Spectra = X.to(torch.complex128).cpu().numpy()
        try:
            Y = PEERS[self.name](given, rule, iterations, self.options)
        except np.linalg.LinAlgError:
            Y = np.full_like(given, np.nan)
        return torch.from_numpy(np.ascontiguousarray(Y)).to(X.dtype)


def build(name: str, options: Mapping[str, Any]) -> Peer:
    """The peer `name`; a `UserError` where its package is not installed or refuses the options."""
    try:
        mixture = np.random.default_rng(0).standard_normal((2, 3, 40)).astype(np.complex128)
        PEERS[name](mixture, PEER_RULES[name][0], 1, options)
    except ImportError as error:
        package = name.removeprefix("peer:").partition("-")[0]
        raise UserError(f"{name}: {package} is missing ({error}): pip install '.[peers]'") from None
    except TypeError as error:
        raise UserError(f"{name}: options: {error}") from None
    return Peer(name, options)


def ssspy_laplace(X: Spectra, rule: str, iterations: int, options: Mapping[str, Any]) -> Spectra:
    """AuxIVA with a Laplace model; option spatial_algorithm: also ISS2 or IPA, for `rule`."""
    from ssspy.bss.iva import AuxLaplaceIVA

    given: dict[str, Any] = {
        "spatial_algorithm": rule.upper(),
        "scale_restoration": "projection_back",
        **options,
    }
    return AuxLaplaceIVA(record_loss=False, **given)(X, n_iter=iterations)


def ssspy_ilrma(X: Spectra, rule: str, iterations: int, options: Mapping[str, Any]) -> Spectra:
    """ILRMA with `n_basis` spectra a source, from a fixed random start."""
    from ssspy.bss.ilrma import GaussILRMA

    given: dict[str, Any] = {"spatial_algorithm": rule.upper(), "n_basis": 2, **options}
    start = np.random.default_rng(0)
    return GaussILRMA(record_loss=False, rng=start, **given)(X, n_iter=iterations)


def pyroomacoustics_auxiva(
    X: Spectra, rule: str, iterations: int, options: Mapping[str, Any]
) -> Spectra:
    """AuxIVA; option model: laplace or gauss."""
    from pyroomacoustics.bss import auxiva

    return _turned(auxiva(_turned(X), n_iter=iterations, **options))


def pyroomacoustics_ilrma(
    X: Spectra, rule: str, iterations: int, options: Mapping[str, Any]
) -> Spectra:
    """ILRMA with `n_components` spectra a source, from a fixed random start."""
    from pyroomacoustics.bss import ilrma

    with _Seeded():
        return _turned(ilrma(_turned(X), n_iter=iterations, **options))


def pyroomacoustics_fastmnmf2(
    X: Spectra, rule: str, iterations: int, options: Mapping[str, Any]
) -> Spectra:
    """FastMNMF2, from a fixed random start. It is no demixing: its filters vary over time."""
    from pyroomacoustics.bss import fastmnmf2

    with _Seeded():
        return _turned(fastmnmf2(_turned(X), n_iter=iterations, **options))


PEERS: dict[str, Callable[[Spectra, str, int, Mapping[str, Any]], Spectra]] = {
    "peer:ssspy-laplace": ssspy_laplace,
    "peer:ssspy-ilrma": ssspy_ilrma,
    "peer:pyroomacoustics-auxiva": pyroomacoustics_auxiva,
    "peer:pyroomacoustics-ilrma": pyroomacoustics_ilrma,
    "peer:pyroomacoustics-fastmnmf2": pyroomacoustics_fastmnmf2,
}


def _turned(X: Any) -> Spectra:
    """(M, F, T) <-> (T, F, M), the order of pyroomacoustics."""
    return np.asarray(X).transpose(2, 1, 0)


class _Seeded:
    """pyroomacoustics draws from NumPy's global generator: the same each time, then as before."""

    def __enter__(self) -> None:
        self.state = np.random.get_state()
        np.random.seed(0)

    def __exit__(self, *_: Any) -> None:
        np.random.set_state(self.state)
