"""Compiled iterations for the CPU.

Each bin's covariances, update and new powers are computed while the bin is in the cache. The
kernels compute what `demixing` and `updates` define, and agree with them up to rounding.
"""

from collections.abc import Callable, Iterator
from typing import Any

import torch
from torch import Tensor

from .. import regression
from ..models import SourceModel, Spherical
from ..updates import UPDATES
from .autograd import DERIVED, Covariances, Iterate, OutputPower, Power
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


def regress(
    V: Tensor, Z: Tensor, memory: Any, model: SourceModel, rule: str, delay: int
) -> tuple[Tensor, Any]:
    """As `regression.step`, differentiable by V and the weights, not by the mixture Z.

    Only what goes over all frames is compiled.
    """
    U, memory = model(OutputPower.apply(V, Z, delay), memory)
    C = Covariances.apply(U, V, Z, delay)
    return regression.update(V, C, Z.shape[-2], UPDATES[rule], Z.dtype), memory


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
    data: Tensor,
    W: Tensor,
    model: SourceModel,
    rule: str,
    iterations: int,
    delay: int | None = None,
) -> Iterator[Tensor]:
    """Yield demixing matrices (..., F, K, M) `iterations + 1` times: one array, written anew.

    data: outer products (..., F, M * M, T), or with `delay` the sphered mixture (..., F, M, T) of
    `regression`. W: the initial value, complex128, contiguous.
    """
    yield W
    if iterations == 0:
        return
    memory, F = None, W.shape[-3]
    with Shares(W[..., 0, 0, 0].numel(), F) as shares:
        spherical = isinstance(model, Spherical)
        sweep = _sweeps(shares, data, W, rule, spherical, delay)
        power = sweep(None)
        for i in range(iterations):
            if spherical:
                U = model.of_frames(power, F)
            else:
                U, memory = model(power, memory)
            power = sweep(U, powers=i + 1 < iterations)
            yield W


def _sweeps(
    shares: Shares, data: Tensor, W: Tensor, rule: str, shared: bool, delay: int | None
) -> Sweep:
    """A function `U -> power`, both (..., K, F, T), that runs one iteration; none where U is None.

    shared: U (..., K, 1, T) is the same for all bins, and the power is summed over bins.
    """
    if delay is None:
        from . import bins

        outputs, iterate, ends = bins.outputs, bins.SWEEPS[rule], ((), ())
    else:
        from . import complements, frames

        outputs, iterate = frames.outputs, complements.SWEEPS[rule]
        ends = (delay,), (delay, regression.LOAD, regression.MORE)
    d, w = flat(data, 3), flat(W, 3)
    K, F, T = w.shape[2], 1 if shared else w.shape[1], data.shape[-1]
    # shares of a mixture write to different bins; where powers are summed, each has its own sum
    parts = shares.per_mixture if shared else 1
    power = torch.empty(len(d), parts, K, F, T, dtype=data.real.dtype)
    out = [list(mixture) * (1 if shared else shares.per_mixture) for mixture in power.numpy()]

    def sweep(U: Tensor | None, powers: bool = True) -> Tensor:
        if shared:
            power.zero_()
        if U is None:
            shares.each(lambda b, i, *part: outputs(d[b], w[b], out[b][i], *ends[0], *part))
        else:
            u = flat(U, 3)
            shares.each(
                lambda b, i, *part: iterate(d[b], w[b], u[b], out[b][i], powers, *ends[1], *part)
            )
        # a copy: a model may remember its input, and the next sweep overwrites `power`
        total = power.sum(1) if shared else power[:, 0].clone()
        return total.reshape(*W.shape[:-3], K, F, T)

    return sweep
