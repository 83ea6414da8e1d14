"""The compiled power and iteration (ISS, of one sweep or six) as functions torch can differentiate.

W (..., F, K, M) complex128; P (..., F, M * M, T) outer products, for which there is no gradient.
"""

from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

from ..updates.iss import SWEEPS
from .shares import Shares, flat

DERIVED = {"iss": 1, "iss-6-sweeps": SWEEPS}  # rules with a compiled derivative, by their sweeps


class Power(torch.autograd.Function):
    """`power(W, P)`: (..., K, F, T), as `demixing.power`."""

    @staticmethod
    def forward(ctx: Any, W: Tensor, P: Tensor) -> Tensor:  # type: ignore[override]
        from . import bins

        ctx.save_for_backward(W, P)
        power = P.new_empty(*W.shape[:-3], W.shape[-2], W.shape[-3], P.shape[-1])
        p, w, out = flat(P, 3), flat(W, 3), flat(power, 3)
        with Shares(*w.shape[:2]) as shares:
            shares.each(lambda b, _, *part: bins.outputs(p[b], w[b], out[b], *part))
        return power

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, given: Tensor) -> tuple[Tensor, None]:  # type: ignore[override]
        from . import adjoints

        W, P = ctx.saved_tensors
        back = torch.empty(W.shape, dtype=W.dtype)
        p, w, g, out = flat(P, 3), flat(W, 3), flat(given, 3), flat(back, 3)
        with Shares(*w.shape[:2]) as shares:
            shares.each(lambda b, _, *part: adjoints.power(p[b], w[b], g[b], out[b], *part))
        return back, None


class Iterate(torch.autograd.Function):
    """`iterate(W, U, P, rule)`: W after an iteration with weights U (..., K, F, T)."""

    @staticmethod
    def forward(  # type: ignore[override]
        ctx: Any, W: Tensor, U: Tensor, P: Tensor, rule: str = "iss"
    ) -> Tensor:
        from . import bins

        ctx.save_for_backward(W, U, P)
        ctx.sweeps = DERIVED[rule]
        after = W.clone(memory_format=torch.contiguous_format)
        p, w, u, sweep = flat(P, 3), flat(after, 3), flat(U, 3), bins.SWEEPS[rule]
        with Shares(*w.shape[:2]) as shares:
            shares.each(lambda b, _, *part: sweep(p[b], w[b], u[b], u[b], False, *part))
        return after

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, given: Tensor) -> tuple[Tensor | None, ...]:  # type: ignore[override]
        from . import adjoints

        W, U, P = ctx.saved_tensors
        back_W = torch.empty(W.shape, dtype=W.dtype)
        back_U = torch.empty(U.shape, dtype=U.dtype)
        p, w, u, g = flat(P, 3), flat(W, 3), flat(U, 3), flat(given, 3)
        x, y, sweeps = flat(back_W, 3), flat(back_U, 3), ctx.sweeps
        with Shares(*w.shape[:2]) as shares:
            shares.each(
                lambda b, _, *part: adjoints.iterate(
                    p[b], w[b], u[b], g[b], x[b], y[b], sweeps, *part
                )
            )
        return back_W, back_U, None, None


class OutputPower(torch.autograd.Function):
    """The power (..., K, F, T) of outputs `V z`, z the channels of Z (..., F, M, T) and their past.

    V (..., F, K, D) complex128. There is no gradient for Z.
    """

    @staticmethod
    def forward(ctx: Any, V: Tensor, Z: Tensor, delay: int) -> Tensor:  # type: ignore[override]
        from . import frames

        ctx.save_for_backward(V, Z)
        ctx.delay = delay
        shape = (*V.shape[:-3], V.shape[-2], V.shape[-3], Z.shape[-1])
        power = torch.empty(shape, dtype=Z.real.dtype)
        z, v, out = flat(Z, 3), flat(V, 3), flat(power, 3)
        with Shares(*v.shape[:2]) as shares:
            shares.each(lambda b, _, *part: frames.outputs(z[b], v[b], out[b], delay, *part))
        return power

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, given: Tensor) -> tuple[Tensor | None, ...]:  # type: ignore[override]
        from . import frames_adjoints

        V, Z = ctx.saved_tensors
        back = torch.empty(V.shape, dtype=V.dtype)
        z, v, g, out = flat(Z, 3), flat(V, 3), flat(given, 3), flat(back, 3)
        derive, delay = frames_adjoints.power, ctx.delay
        with Shares(*v.shape[:2]) as shares:
            shares.each(lambda b, _, *part: derive(z[b], v[b], g[b], out[b], delay, *part))
        return back, None, None


class Covariances(torch.autograd.Function):
    """`regression.covariances` (..., F, K, D, D) by weights U, of filters V (..., F, K, D).

    There is no gradient for V, of which only the shape counts, and for Z.
    """

    @staticmethod
    def forward(  # type: ignore[override]
        ctx: Any, U: Tensor, V: Tensor, Z: Tensor, delay: int
    ) -> Tensor:
        from . import frames_adjoints

        ctx.save_for_backward(U, V, Z)
        ctx.delay = delay
        C = torch.empty(*V.shape, V.shape[-1], dtype=V.dtype)
        u, v, z, c = flat(U, 3), flat(V, 3), flat(Z, 3), flat(C, 4)
        weigh = frames_adjoints.every_covariance
        with Shares(*v.shape[:2]) as shares:
            shares.each(lambda b, _, *part: weigh(z[b], u[b], c[b], v[b], delay, *part))
        return C

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, given: Tensor) -> tuple[Tensor | None, ...]:  # type: ignore[override]
        from . import frames_adjoints

        U, V, Z = ctx.saved_tensors
        back = torch.empty(U.shape, dtype=U.dtype)
        v, z, g, out = flat(V, 3), flat(Z, 3), flat(given, 4), flat(back, 3)
        derive, delay = frames_adjoints.weights, ctx.delay
        with Shares(*v.shape[:2]) as shares:
            shares.each(lambda b, _, *part: derive(z[b], g[b], out[b], v[b], delay, *part))
        return back, None, None, None
