"""AuxIVA: the only loop of source model, weighted covariances, update rule and transform."""

import math
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any, NamedTuple

import torch
from torch import Tensor

from . import demixing, kernels
from .models import SourceModel
from .recompute import iterate_and_recompute
from .stft import Stft
from .updates import UPDATES, Rule


class Demixing(NamedTuple):
    """The state after an iteration."""

    X: Tensor  # (..., M, F, T) complex, never modified
    W: Tensor  # (..., F, K, M) complex

    @property
    def Y(self) -> Tensor:
        """The outputs `W X`, (..., K, F, T)."""
        return demixing.apply(self.W, self.X)

    def projected_back(self, mic: int = 0) -> "Demixing":
        """The state whose outputs are the sources' images at microphone `mic` (projection back)."""
        return self._replace(W=demixing.project_back(self.W, mic))


def iterate(
    X: Tensor, model: SourceModel, rule: str, iterations: int, start: Tensor | None = None
) -> Iterator[Demixing]:
    """Yield the state before the first and after each of `iterations` iterations.

    X (..., M, F, T) complex. Its scale does not matter as long as its square neither underflows nor
    overflows. The scale of the outputs is arbitrary until `projected_back`. rule: a name in
    `UPDATES`. start: demixing matrices (..., F, K, M) before the first iteration; None: identity.
    """
    L, filters = _sphere(X, model, rule, iterations, start=start)
    inverse = torch.linalg.inv(L)
    for W in filters:
        yield Demixing(X, (W.to(inverse.dtype) @ inverse).to(X.dtype))


def demix(
    X: Tensor,
    model: SourceModel,
    rule: str,
    iterations: int,
    recompute: bool = False,
    start: Tensor | None = None,
) -> Demixing:
    """The state after `iterations` iterations, see `iterate`.

    recompute: store only the demixing matrices of each iteration, and compute the iteration again
    in the backward pass. Memory then does not grow with `iterations` (Saijo & Scheibler 2022).
    """
    L, filters = _sphere(X, model, rule, iterations, recompute, start)
    *_, W = filters
    return Demixing(X, (W.to(L.dtype) @ torch.linalg.inv(L)).to(X.dtype))


def _sphere(
    X: Tensor,
    model: SourceModel,
    rule: str,
    iterations: int,
    recompute: bool = False,
    start: Tensor | None = None,
) -> tuple[Tensor, Iterator[Tensor]]:
    """L (..., F, M, M) of `demixing.sphere`, and the demixing matrices of the sphered mixture.

    There is a matrix for each iteration, or with `recompute` only that of the last.
    """
    norm = torch.linalg.vector_norm(torch.view_as_real(X), dim=(-4, -3, -2, -1))
    level = norm / math.prod(X.shape[-3:]) ** 0.5
    scale = 1 / level.clamp_min(torch.finfo(level.dtype).tiny)
    if kernels.available(X):
        P, L = kernels.sphere(X, scale)
    else:
        Z, L = demixing.sphere(X * scale[..., None, None, None])
        P = demixing.outer_products(Z)
    first = L if start is None else start.to(L.dtype) @ L  # of the sphered mixture
    if kernels.separates(X, model, rule):
        return L, kernels.iterate(P, first.clone(), model, rule, iterations)
    if kernels.differentiates(X, rule):
        step = partial(kernels.step, rule=rule)
    else:
        step = partial(_step, rule=UPDATES[rule])
    W = first.to(X.dtype)
    if recompute and iterations and torch.is_grad_enabled():
        return L, iter([iterate_and_recompute(step, model, iterations, W, P)])
    return L, _filters(P, W, partial(step, model=model), iterations)


def _filters(P: Tensor, W: Tensor, step: Callable, iterations: int) -> Iterator[Tensor]:
    """The demixing matrices before the first and after each iteration."""
    memory = None
    yield W
    for _ in range(iterations):
        W, memory = step(W, P, memory)
        yield W


def _step(W: Tensor, P: Tensor, memory: Any, model: SourceModel, rule: Rule) -> tuple[Tensor, Any]:
    """One iteration in plain torch, on any device, differentiable: the kernels must match it."""
    U, memory = model(demixing.power(W, P), memory)
    A = rule(demixing.covariance(W, U, P))
    return (A[..., :, :, None] * W[..., None, :, :]).sum(-2), memory  # A W


def separate(
    x: Tensor, model: SourceModel, rule: str, iterations: int, stft: Stft, mic: int = 0
) -> Tensor:
    """Separate mixtures (..., M, N) real into the images at `mic` of their sources, (..., K, N)."""
    state = demix(stft.forward(x), model, rule, iterations)
    return stft.inverse(state.projected_back(mic).Y, x.shape[-1])
