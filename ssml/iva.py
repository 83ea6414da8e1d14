"""AuxIVA: the only loop of source model, weighted covariances, update rule and transform."""

from collections.abc import Iterator
from typing import NamedTuple

import torch
from torch import Tensor

from . import demixing
from .models import SourceModel
from .stft import Stft
from .updates import Rule


class Demixing(NamedTuple):
    """The state after an iteration."""

    X: Tensor  # (..., M, F, T) complex, never modified
    W: Tensor  # (..., F, K, M) complex

    @property
    def Y(self) -> Tensor:
        """The outputs `W X`, (..., K, F, T)."""
        return demixing.apply(self.W, self.X)

    def projected_back(self, mic: int = 0) -> "Demixing":
        """The same with outputs that are the sources' images at microphone `mic`."""
        return self._replace(W=demixing.project_back(self.W, mic))


def iterate(X: Tensor, model: SourceModel, rule: Rule, n_iter: int) -> Iterator[Demixing]:
    """Yield the state before the first and after each of `n_iter` iterations.

    X (..., M, F, T) complex. Scale of X does not matter: the outputs' scale is arbitrary until
    `projected_back`.
    """
    level = X.abs().square().mean((-3, -2, -1), keepdim=True).sqrt()
    Z, L = demixing.sphere(X / level.clamp_min(torch.finfo(level.dtype).tiny))
    P = demixing.outer_products(Z)
    inverse = torch.linalg.inv(L)
    W, memory = L.to(X.dtype), None  # of Z: at first the outputs are the microphones
    for i in range(n_iter + 1):
        yield Demixing(X, (W.to(inverse.dtype) @ inverse).to(X.dtype))
        if i < n_iter:
            U, memory = model(demixing.power(W, P), memory)
            A = rule(demixing.covariance(W, U, P))
            W = (A[..., :, :, None] * W[..., None, :, :]).sum(-2)  # A W


def demix(X: Tensor, model: SourceModel, rule: Rule, n_iter: int) -> Demixing:
    """The state after `n_iter` iterations, see `iterate`."""
    *_, last = iterate(X, model, rule, n_iter)
    return last


def separate(
    x: Tensor, model: SourceModel, rule: Rule, n_iter: int, stft: Stft, mic: int = 0
) -> Tensor:
    """Separate mixtures (..., M, N) real into the images at `mic` of their sources, (..., K, N)."""
    state = demix(stft.forward(x), model, rule, n_iter)
    return stft.inverse(state.projected_back(mic).Y, x.shape[-1])
