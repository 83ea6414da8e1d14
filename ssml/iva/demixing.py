"""Demixing as linear algebra on the mixture's outer products: the only code on (F, T) data.

Source models read the outputs only through `|Y|^2`, and the weighted covariances depend on the
mixture only through `X X^H`. Both are linear in `X X^H`, which no iteration changes. It is formed
once, as M x M real numbers for each bin and frame, and an iteration is two real matrix products:

    |Y[k]|^2 = sum_ij W[k,i] conj(W[k,j]) (X X^H)[i,j]        (a quadratic form)
    V[k]     = mean_t U[k,t] (X X^H)[t]                        (weighted covariance)

The covariance of the outputs, which update rules read, is `G[k] = W V[k] W^H`. The mixture is
sphered first: in quadratic forms of nearly equal channels all digits of float32 would cancel.
"""

import torch
from torch import Tensor

from . import linalg

DELAY = 2  # frames: neighbours share most of a window, and past ones must not predict the talker


def sphere(X: Tensor) -> tuple[Tensor, Tensor]:
    """Mixtures with covariance I in each bin, (..., M, F, T), and L (..., F, M, M) with `X = L Z`.

    L is the Cholesky factor of the covariance, in double precision, whose diagonal is first loaded
    by `linalg.loading` of the channels' mean power.
    """
    wide = X.transpose(-3, -2).to(torch.complex128)
    C = wide @ wide.mH / X.shape[-1]
    trace = C.diagonal(dim1=-2, dim2=-1).real.mean(-1)
    share, floor = linalg.loading_of(X.dtype)
    load = share * trace + floor
    C = C + load[..., None, None] * torch.eye(X.shape[-3], device=X.device)
    L = torch.linalg.cholesky_ex(C).L
    Z = torch.linalg.solve_triangular(L.to(X.dtype), X.transpose(-3, -2), upper=False)
    return Z.transpose(-3, -2), L


def outer_products(X: Tensor) -> Tensor:
    """`X X^H` of each bin: (..., M, F, T) complex -> (..., F, M * M, T) real, as `linalg.pack`."""
    M = X.shape[-3]
    re, im = X.real, X.imag
    rows = []
    for i in range(M):
        for j in range(M):
            a, b = (i, j) if i <= j else (j, i)  # below the diagonal: imaginary part of (j, i)
            if i <= j:
                row = re[..., a, :, :] * re[..., b, :, :] + im[..., a, :, :] * im[..., b, :, :]
            else:
                row = im[..., a, :, :] * re[..., b, :, :] - re[..., a, :, :] * im[..., b, :, :]
            rows.append(row)
    return torch.stack(rows, dim=-2)


def power(W: Tensor, P: Tensor) -> Tensor:
    """`|W X|^2` from outer products: (..., F, K, M), (..., F, M * M, T) -> (..., K, F, T) >= 0."""
    Q = W[..., :, None] * W[..., None, :].conj()  # (..., F, K, M, M)
    coefficients = 2 * (Q.real.triu(1) - Q.imag.triu(1).mT)
    coefficients = coefficients + torch.diag_embed(Q.diagonal(dim1=-2, dim2=-1).real)
    return (coefficients.flatten(-2) @ P).clamp_min(0).transpose(-3, -2)


def covariance(W: Tensor, U: Tensor, P: Tensor) -> Tensor:
    """Weighted covariances of the outputs, `G[f,k] = mean_t U[k,f,t] Y[:,f,t] Y[:,f,t]^H`.

    W (..., F, K, M), U (..., K, F, T), P (..., F, M * M, T) -> (..., F, K, K, K).
    """
    V = U.transpose(-3, -2) @ P.mT / P.shape[-1]  # (..., F, K, M * M)
    V = linalg.unpack(V.unflatten(-1, (W.shape[-1], W.shape[-1])))
    W = W[..., None, :, :]
    # sums of products: batched matrix products of this size are slower
    left = (W[..., :, :, None] * V[..., None, :, :]).sum(-2)  # W V
    return (left[..., :, None, :] * W[..., None, :, :].conj()).sum(-1)


def with_past(X: Tensor, taps: int, delay: int, axis: int = -3) -> Tensor:
    """The channels of X, then those of its `taps` past frames: M on `axis` becomes M (1 + taps).

    The first of the past frames is `delay` frames ago, each further one a frame more. Frames are
    the last axis; before the first there is silence.
    """
    T = X.shape[-1]
    lags = range(delay, delay + taps)
    past = [torch.nn.functional.pad(X, (lag, 0))[..., :T] for lag in lags]
    return torch.cat([X, *past], axis) if taps else X


def apply(W: Tensor, X: Tensor, delay: int = DELAY) -> Tensor:
    """`Y = W X`: (..., F, K, M), (..., M, F, T) -> (..., K, F, T).

    W (..., F, K, M (1 + taps)) has filters over past frames behind those of the present one, see
    `with_past`.
    """
    M, T = X.shape[-3], X.shape[-1]
    present, *past = W.split(M, -1)
    Y = torch.einsum("...fkm,...mft->...kft", present, X)
    for lag, H in enumerate(past, delay):
        if lag < T:
            heard = torch.einsum("...fkm,...mft->...kft", H, X[..., : T - lag])
            Y = Y + torch.nn.functional.pad(heard, (lag, 0))
    return Y


def change_channels(W: Tensor, T: Tensor) -> Tensor:
    """Filters `W T` for the mixture X of filters W for `T X`; of past frames likewise.

    W (..., F, K, L (1 + taps)), T (..., F, L, M) -> (..., F, K, M (1 + taps)).
    """
    if W.shape[-1] == T.shape[-2]:
        return W @ T
    return (W.unflatten(-1, (-1, T.shape[-2])) @ T[..., None, :, :]).flatten(-2)


def project_back(W: Tensor, mic: int = 0, X: Tensor | None = None) -> Tensor:
    """Projection back: scale W (..., F, K, M) so that outputs are the sources' images at `mic`.

    `W[k] <- (W^-1)[mic, k] W[k]`, in double precision, as W may be ill-conditioned. Where W has no
    inverse (silence, identical channels), the rows that cannot be scaled become zero.

    X (..., M, F, T), the mixture, is needed where W is not square. Filters over past frames,
    further columns of W, are scaled alike. With K < M the regression of X on `W X` takes the place
    of the inverse, `C W^H (W C W^H)^-1` with C the covariance of X: the inverse where K = M.
    """
    M = W.shape[-1] if X is None else X.shape[-3]
    norms = W[..., :M].abs().square().sum(-1, keepdim=True).sqrt()
    unit = (W / norms.clamp_min(torch.finfo(norms.dtype).tiny)).to(torch.complex128)
    present = unit[..., :M]
    if X is None or W.shape[-2] == M:
        inverse = torch.linalg.inv_ex(present).inverse
    else:
        x = X.transpose(-3, -2).to(torch.complex128)
        heard = x @ (x.mH @ present.mH)  # C W^H, times the number of frames
        inverse = heard @ torch.linalg.inv_ex(present @ heard).inverse
    scaled = inverse[..., mic, :, None] * unit
    finite = torch.isfinite(torch.view_as_real(scaled)).all(-1).all(-1, keepdim=True)
    return torch.where(finite, scaled, 0).to(W.dtype)
