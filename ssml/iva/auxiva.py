"""AuxIVA: the only loop of source model, weighted covariances, update rule and transform."""

import math
from collections.abc import Iterator
from functools import partial
from typing import Any, NamedTuple

import torch
from torch import Tensor

from . import demixing, kernels, regression
from .models import SourceModel
from .recompute import Step, iterate_and_recompute
from .stft import Stft
from .updates import UPDATES, Rule


class Demixing(NamedTuple):
    """The state after an iteration."""

    X: Tensor  # (..., M, F, T) complex, never modified
    W: Tensor  # (..., F, K, M (1 + taps)) complex: filters of the present frame, then of past ones
    delay: int = demixing.DELAY  # from the present frame to the first past one, frames

    @property
    def Y(self) -> Tensor:
        """The outputs `W X`, (..., K, F, T), see `demixing.apply`."""
        return demixing.apply(self.W, self.X, self.delay)

    def projected_back(self, mic: int = 0) -> "Demixing":
        """The state whose outputs are the sources' images at microphone `mic` (projection back)."""
        return self._replace(W=demixing.project_back(self.W, mic, self.X))


def iterate(
    X: Tensor,
    model: SourceModel,
    rule: str,
    iterations: int,
    start: Tensor | None = None,
    taps: int = 0,
    delay: int = demixing.DELAY,
) -> Iterator[Demixing]:
    """Yield the state before the first and after each of `iterations` iterations.

    X (..., M, F, T) complex. Its scale does not matter as long as its square neither underflows nor
    overflows. The scale of the outputs is arbitrary until `projected_back`. rule: a name in
    `UPDATES`. start: demixing matrices (..., F, K, M) before the first iteration; None: identity.
    With K < M the other channels are a background, see `regression`. taps: past frames that are
    filtered too, from the one `delay` frames ago on; `start` may have columns for them.
    """
    L, filters = _sphere(X, model, rule, iterations, False, start, taps, delay)
    inverse = torch.linalg.inv(L)
    for W in filters:
        yield Demixing(X, _of_mixture(W, inverse).to(X.dtype), delay)


def demix(
    X: Tensor,
    model: SourceModel,
    rule: str,
    iterations: int,
    recompute: bool = False,
    start: Tensor | None = None,
    taps: int = 0,
    delay: int = demixing.DELAY,
) -> Demixing:
    """The state after `iterations` iterations, see `iterate`.

    recompute: store only the demixing matrices of each iteration, and compute the iteration again
    in the backward pass. Memory then does not grow with `iterations` (Saijo & Scheibler 2022).
    """
    L, filters = _sphere(X, model, rule, iterations, recompute, start, taps, delay)
    *_, W = filters
    return Demixing(X, _of_mixture(W, torch.linalg.inv(L)).to(X.dtype), delay)


def _sphere(
    X: Tensor,
    model: SourceModel,
    rule: str,
    iterations: int,
    recompute: bool,
    start: Tensor | None,
    taps: int,
    delay: int,
) -> tuple[Tensor, Iterator[Tensor]]:
    """L (..., F, M, M) of `demixing.sphere`, and the demixing matrices of the sphered mixture.

    There is a matrix for each iteration, or with `recompute` only that of the last. Where something
    is only subtracted, L may be rotated.
    """
    norm = torch.linalg.vector_norm(torch.view_as_real(X), dim=(-4, -3, -2, -1))
    level = norm / math.prod(X.shape[-3:]) ** 0.5
    scale = 1 / level.clamp_min(torch.finfo(level.dtype).tiny)
    if taps or (start is not None and start.shape[-2] < X.shape[-3]):
        sphered = demixing.sphere(X * scale[..., None, None, None])
        data, L, W = regression.begin(*sphered, start, taps)
        derived = torch.is_grad_enabled() and W.requires_grad
        if kernels.separates(X, model, rule) and not derived:
            return L, kernels.iterate(data, W.contiguous(), model, rule, iterations, delay)
        if kernels.available(X):
            step = partial(kernels.regress, rule=rule, delay=delay)
        else:
            step = partial(regression.step, rule=UPDATES[rule], delay=delay)
        return L, _iterated(data, W, step, model, iterations, recompute)
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
    return L, _iterated(P, first.to(X.dtype), step, model, iterations, recompute)


def _iterated(
    data: Tensor, W: Tensor, step: Step, model: SourceModel, iterations: int, recompute: bool
) -> Iterator[Tensor]:
    """The filters before the first and after each iteration; with `recompute` only the last."""
    if recompute and iterations and torch.is_grad_enabled():
        return iter([iterate_and_recompute(step, model, iterations, W, data)])
    return _filters(data, W, partial(step, model=model), iterations)


def _filters(data: Tensor, W: Tensor, step: Step, iterations: int) -> Iterator[Tensor]:
    memory = None
    yield W
    for _ in range(iterations):
        W, memory = step(W, data, memory)
        yield W


def _of_mixture(W: Tensor, inverse: Tensor) -> Tensor:
    """The filters of the mixture, from those of the sphered one and the inverse of L."""
    return demixing.change_channels(W.to(inverse.dtype), inverse)


def _step(W: Tensor, P: Tensor, memory: Any, model: SourceModel, rule: Rule) -> tuple[Tensor, Any]:
    """One iteration in plain torch, on any device, differentiable: the kernels must match it."""
    U, memory = model(demixing.power(W, P), memory)
    A = rule(demixing.covariance(W, U, P))
    return (A[..., :, :, None] * W[..., None, :, :]).sum(-2), memory  # A W


def separate(
    x: Tensor,
    model: SourceModel,
    rule: str,
    iterations: int,
    stft: Stft,
    mic: int = 0,
    taps: int = 0,
    delay: int = demixing.DELAY,
) -> Tensor:
    """Separate mixtures (..., M, N) real into the images at `mic` of their sources, (..., K, N)."""
    X, seen = stft.pair(x)
    state = demix(seen, model, rule, iterations, taps=taps, delay=delay)._replace(X=X)
    est = stft.inverse(state.projected_back(mic).Y, x.shape[-1])
    return with_rumble(est, x[..., mic, :], stft, taps)


def with_rumble(est: Tensor, heard: Tensor, stft: Stft, taps: int = 0) -> Tensor:
    """Outputs (..., K, N) that share what `stft` took out of a microphone's signal (..., N).

    Without past frames they add up to that signal, as they do where nothing is taken out.
    """
    if not stft.low:
        return est
    lost = stft.below(heard) if taps else heard - est.sum(-2)
    return est + lost[..., None, :] / est.shape[-2]
