"""Compiled iterations for the CPU.

Each bin's covariances, update and new powers are computed while the bin is in the cache. The
kernels compute what `demixing` and `updates` define, and agree with them up to rounding.
"""

from collections.abc import Callable, Iterator
from typing import Any

import torch
from torch import Tensor

from ..models import SourceModel, Spherical
from .autograd import DERIVED, Iterate, Power
from .shares import Shares, flat

Sweep = Callable[..., Tensor]
RULES = ("iss", "iss-6-sweeps", "ip", "ip2")


def available(X: Tensor) -> bool:
    """Whether X is on the CPU and needs no gradient."""
    return X.device.type == "cpu" and not (torch.is_grad_enabled() and X.requires_grad)


def separates(X: Tensor, model: SourceModel, rule: str) -> bool:
    """Whether `iterate` can be used: neither X nor the source model needs a gradient."""
    derives = torch.is_grad_enabled() and not isinstance(model, Spherical)
    return available(X) and rule in RULES and not derives


def differentiates(X: Tensor, rule: str) -> bool:
    """Whether `step` can be used: it is differentiable by W and the weights, not by the mixture."""
    return available(X) and rule in DERIVED


def step(
    W: Tensor, P: Tensor, memory: Any, model: SourceModel, rule: str = "iss"
) -> tuple[Tensor, Any]:
    """One differentiable iteration with ISS: W (..., F, K, M), P (..., F, M * M, T).

    rule: of `DERIVED`.
    """
    W = W.to(torch.complex128)
    U, memory = model(Power.apply(W, P), memory)
    return Iterate.apply(W, U, P, rule), memory


def sphere(X: Tensor, scale: Tensor) -> tuple[Tensor, Tensor]:
    """Outer products P (..., F, M * M, T) of the sphered mixtures `scale X`, and L (..., F, M, M).

    X (..., M, F, T) complex, scale (...); see `demixing.sphere` and `demixing.outer_products`.
    """
    from . import bins  # numba takes a moment to import

    *batch, M, F, T = X.shape
    P = torch.empty(*batch, F, M * M, T, dtype=X.real.dtype)
    L = torch.zeros(*batch, F, M, M, dtype=torch.complex128)
    x, p, low, scales = flat(X, 3), flat(P, 3), flat(L, 3), scale.flatten().tolist()
    with Shares(len(x), F) as shares:
        shares.each(lambda b, _, *part: bins.prepare(x[b], scales[b], p[b], low[b], *part))
    return P, L


def iterate(
    P: Tensor, W: Tensor, model: SourceModel, rule: str, iterations: int
) -> Iterator[Tensor]:
    """Yield demixing matrices (..., F, K, M) `iterations + 1` times: one array, written anew.

    P (..., F, M * M, T) outer products; W (..., F, K, M) complex128, contiguous, the initial value.
    """
    yield W
    if iterations == 0:
        return
    memory = None
    with Shares(P[..., 0, 0, 0].numel(), P.shape[-3]) as shares:
        spherical = isinstance(model, Spherical)
        sweep = _sweeps(shares, P, W, rule, spherical)
        power = sweep(None)
        for i in range(iterations):
            if spherical:
                U = model.of_frames(power, P.shape[-3])
            else:
                U, memory = model(power, memory)
            power = sweep(U, powers=i + 1 < iterations)
            yield W


def _sweeps(shares: Shares, P: Tensor, W: Tensor, rule: str, shared: bool) -> Sweep:
    """A function `U -> power`, both (..., K, F, T), that runs one iteration; none where U is None.

    shared: U (..., K, 1, T) is the same for all bins, and the power is summed over bins.
    """
    from . import bins

    p, w, iterate = flat(P, 3), flat(W, 3), bins.SWEEPS[rule]
    K, F, T = w.shape[2], 1 if shared else w.shape[1], P.shape[-1]
    # shares of a mixture write to different bins; where powers are summed, each has its own sum
    power = P.new_empty(len(p), shares.per_mixture if shared else 1, K, F, T)
    out = [list(mixture) * (1 if shared else shares.per_mixture) for mixture in power.numpy()]

    def sweep(U: Tensor | None, powers: bool = True) -> Tensor:
        if shared:
            power.zero_()
        if U is None:
            shares.each(lambda b, i, *part: bins.outputs(p[b], w[b], out[b][i], *part))
        else:
            u = flat(U, 3)
            shares.each(lambda b, i, *part: iterate(p[b], w[b], u[b], out[b][i], powers, *part))
        # a copy: a model may remember its input, and the next sweep overwrites `power`
        total = power.sum(1) if shared else power[:, 0].clone()
        return total.reshape(*P.shape[:-3], K, F, T)

    return sweep
