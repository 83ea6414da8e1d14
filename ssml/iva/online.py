"""AuxIVA on frames as they come: the loop of `auxiva` on the last frames and a digest of the rest.

Update rules read the frames only through weighted covariances. Those of the frames that have left
the window are kept, one for each source and bin, and forgotten exponentially. They join the frames
of the window as a few more, whose weights are known: the columns of their Cholesky factors. So the
loop is that of the batch on all frames; only the weights before the window are not computed anew.
"""

import math
from typing import Any, NamedTuple

import torch
from torch import Tensor

from ssml.files.errors import UserError

from . import auxiva, demixing, linalg
from .models import SourceModel
from .reduction import reduction

QUIET = 1e-4  # power of new frames over the loudest of late, below which nothing is learned
SURE = 1.5  # times T^-1/2, of T frames: `disagreement` that talkers who stand still do not exceed
HASTE = 3.0  # by which the rate of forgetting, in 1 / frame, grows with the disagreement above


class Filters(NamedTuple):
    """Demixing matrices `W T` of the mixture, not projected back."""

    W: Tensor  # (F, K, K)
    T: Tensor | None  # (F, K, M), which reduces the mixture to K channels; None: I
    axes: Tensor  # (F, M - K, M), which T drops

    @property
    def whole(self) -> Tensor:
        """The product, (F, K, M)."""
        return self.W if self.T is None else (self.W.to(self.T.dtype) @ self.T).to(self.W.dtype)


class Online:
    """Demixing matrices that follow the frames of a mixture, the outputs in one order.

    K: sources, at most as many as microphones. window: frames whose weights are computed anew at
    each update. forget: a frame before them counts 1/e after so many further ones, and sooner where
    the window disagrees with it. Nothing is differentiated. Raises `UserError` for a source model
    with a memory: it would belong to frames that pass.
    """

    def __init__(self, model: SourceModel, rule: str, K: int, window: int, forget: float) -> None:
        self.model, self.rule, self.K, self.window, self.forget = model, rule, K, window, forget
        self.filters: Filters | None = None
        self.X: Tensor | None = None  # (M, F, T), the window
        self._U: Tensor | None = None  # (K, F, T), weights of its frames, at `_level`
        self._level: Any = 1.0  # of the window
        self._past: Tensor | None = None  # (F, K, M, M), sum of U X X^H before, at level 1
        self._count: Any = 0.0  # (K,), frames in it, as far as they are not forgotten
        self._rate: Any = 1 / forget  # (K,), at which the past is forgotten, in 1 / frame
        self._loudest = 0.0  # power of late

    @torch.no_grad()
    def update(self, X: Tensor, iterations: int) -> Filters:
        """The filters after `iterations` with the new frames X (M, F, T).

        Frames 40 dB below the loudest of late leave all as it was.
        """
        power = float(X.abs().square().mean())
        if self.filters is not None and power <= QUIET * self._loudest:
            return self.filters
        self._loudest = max(power, self._loudest * math.exp(-X.shape[-1] / self.forget))
        if self.X is not None:
            X = torch.cat([self.X, X], -1)
        self.X = self._leave(X)
        self._iterate(iterations)
        assert self.filters is not None
        return self.filters

    def _leave(self, X: Tensor) -> Tensor:
        """The window of frames X (M, F, T); those before it go to the past."""
        count = X.shape[-1] - self.window
        if count <= 0 or self._U is None:
            return X
        count = min(count, self._U.shape[-1])
        gone = (X[..., :count] / self._level).transpose(0, 1).to(torch.complex128)
        U = self._U[..., :count].transpose(0, 1)[..., None, :]  # (F, K, 1, n)
        new, kept = (U * gone[:, None]) @ gone.mH[:, None], torch.exp(-count * self._rate)
        self._past = new if self._past is None else kept[:, None, None] * self._past + new
        self._count = kept * self._count + count
        return X[..., count:]

    def _iterate(self, iterations: int) -> None:
        assert self.X is not None
        tiny = torch.finfo(self.X.real.dtype).tiny ** 0.5
        self._level = self.X.abs().square().mean().sqrt().clamp_min(tiny)
        X, start, T, axes = self.X / self._level, None, None, self.X.real.new_empty(0)
        before = None if self.filters is None else self.filters.whole
        if X.shape[0] > self.K:
            T, axes = reduction(X, self.K, before)
            Z = demixing.apply(T, X.to(T.dtype))
            scale = Z.abs().square().mean().sqrt().clamp_min(tiny)  # `demix` leaves it to others
            T, X = T / scale, (Z / scale).to(X.dtype)
        else:
            start = before
        model = Joined(self.model, X.shape[-1])
        if self._past is not None:
            past = self._past if T is None else T[:, None] @ self._past @ T.mH[:, None]
            X = model.join(X, past, self._count)
        W = auxiva.demix(X, model, self.rule, iterations, start=start).W
        assert model.U is not None
        self.filters, self._U = Filters(W, T, axes), model.U
        excess = disagreement(demixing.apply(W, X[..., : model.T]), model.U) - SURE * model.T**-0.5
        self._rate = 1 / self.forget + HASTE * excess.clamp_min(0).double()


def disagreement(Y: Tensor, U: Tensor) -> Tensor:
    """How far outputs Y (K, F, T) are from where the weights U would have them: (K,), 0 to 1.

    The mean over bins and m of the coherence `|G[k][m,k]| / sqrt(G[k][m,m] G[k][k,k])`. It is zero
    where no rule would change W: all of them solve `G[k][m,k] = 0` for m other than k.
    """
    K, F, _ = Y.shape
    Y = Y.transpose(0, 1)
    own = U.transpose(0, 1) * Y.conj()  # (F, K, T)
    cross = (own @ Y.mT).abs()  # [f, k, m] = |G[k][m,k]|
    power = U.transpose(0, 1) @ Y.abs().square().mT  # G[k][m,m]
    norm = (power * power.diagonal(dim1=-2, dim2=-1)[..., None]).sqrt()
    share = torch.where(norm > 0, cross / norm.clamp_min(torch.finfo(norm.dtype).tiny), 0)
    return (share.sum((0, -1)) - share.diagonal(dim1=-2, dim2=-1).sum(0)) / (F * max(1, K - 1))


class Joined:
    """A source model on a window of T frames that a digest of earlier ones follows."""

    def __init__(self, model: SourceModel, T: int) -> None:
        self.model, self.T = model, T
        self.U: Tensor | None = None  # (K, F, T), what the model gave last
        self._known: Tensor | None = None  # (K, F, n), weights of the digest
        self._mean: Any = 1.0  # turns means over all frames into means over those that are meant

    def join(self, X: Tensor, past: Tensor, count: Tensor) -> Tensor:
        """X (K, F, T) and the digest of `past` (F, K, K, K), sums over `count` (K,) frames."""
        K, F, T = X.shape
        trace = past.diagonal(dim1=-2, dim2=-1).real.mean(-1)
        share, floor = linalg.loading_of(X.dtype)
        eye = torch.eye(K, device=X.device)
        loaded = past + (share * trace + floor)[..., None, None] * eye
        # columns as loud as the window: the mixture that is sphered is then that of the window
        power = X.abs().square().mean((0, -1))[:, None]
        weight = torch.where((power > 0) & (trace > 0), trace / power, 1).to(X.real.dtype)
        L = torch.linalg.cholesky_ex(loaded / weight[..., None, None]).L
        columns = L.permute(2, 0, 1, 3).reshape(K, F, K * K).to(X.dtype)
        self._known = (weight.mT[..., None, None] * eye[:, None, :, None]).expand(K, F, K, K)
        self._known = self._known.reshape(K, F, K * K)
        self._mean = ((T + K * K) / (T + count))[:, None, None].to(X.real.dtype)
        return torch.cat([X, columns], -1)

    def __call__(self, power: Tensor, memory: Any = None) -> tuple[Tensor, Any]:
        U, memory = self.model(power[..., : self.T], memory)
        if memory is not None:
            raise UserError("model: has a memory between iterations, which no stream can keep")
        self.U = U
        if self._known is None:
            return U, None
        return self._mean * torch.cat([U, self._known], -1), None
