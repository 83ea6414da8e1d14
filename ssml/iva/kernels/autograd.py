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
