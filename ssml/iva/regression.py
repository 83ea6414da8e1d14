"""Past frames and a background: what is only subtracted from the outputs, and has no source model.

For M microphones, let z hold `taps` past frames of all of them and, with fewer sources than
microphones, a background of M - K channels: the part of the present frame that is uncorrelated with
the outputs. An iteration gives each output k the filter over z that suits its weights best, a
weighted regression. Eliminated, it leaves the cost of AuxIVA in the outputs alone, with Schur
complements in place of covariances. With `G[k] = mean_t U[k,t] [y; z] [y; z]^H`

    B[k] = G_yz G_zz^-1        S[k] = G_yy - B[k] G_zy        A = rule(S)
    row k of [W | H] <- A[k] ([W | H] - B[k] Z),              Z: the rows that make z

for every rule of `updates`. With past frames this is joint dereverberation and separation
(Nakashima et al. 2021), with a background OverIVA (Scheibler & Ono 2019). The cost never rises,
whatever the loading of `G_zz`: the loaded surrogate is above the other one, and touches it where
nothing is subtracted yet.

Layouts: Z (..., F, M, T) complex, the sphered mixture; filters V = [W | H] (..., F, K,
M (1 + taps)) complex128.
"""

from typing import Any

import torch
from torch import Tensor

from . import demixing, linalg
from .models import SourceModel
from .updates import Rule

LOAD = 1e-4  # share of the power of each channel of z by which its covariance is loaded
MORE = 10  # times the usual loading for the outputs: the complement is a difference


def begin(X: Tensor, L: Tensor, start: Tensor | None, taps: int) -> tuple[Tensor, Tensor, Tensor]:
    """Z (..., F, M, T), L (..., F, M, M) and V to start from, where `demixing.sphere` gave X and L.

    start (..., F, K, M) or (..., F, K, M (1 + taps)), filters of the mixture; None: identity. With
    K < M, Z is rotated such that at first the background has the last M - K channels.
    """
    M = L.shape[-1]
    Z = X.transpose(-3, -2).contiguous()
    V = L if start is None else demixing.change_channels(start.to(L.dtype), L)
    if V.shape[-2] < M:
        Q = torch.linalg.qr(V[..., :M].detach().mH, mode="complete").Q
        Z, L, V = Q.mH.to(Z.dtype) @ Z, L @ Q, demixing.change_channels(V, Q)
    return Z, L, torch.nn.functional.pad(V, (0, M * (1 + taps) - V.shape[-1]))


def step(
    V: Tensor, Z: Tensor, memory: Any, model: SourceModel, rule: Rule, delay: int
) -> tuple[Tensor, Any]:
    """One iteration in plain torch, on any device, differentiable: the kernels must match it."""
    M = Z.shape[-2]
    frames = demixing.with_past(Z, V.shape[-1] // M - 1, delay, axis=-2)
    power = torch.view_as_real(V.to(Z.dtype) @ frames).square().sum(-1)
    U, memory = model(power.transpose(-3, -2), memory)
    return update(V, covariances(U, frames), M, rule, Z.dtype), memory


def covariances(U: Tensor, frames: Tensor) -> Tensor:
    """Weighted covariances of all frames, `mean_t U[k,f,t] z z^H`, in double precision.

    U (..., K, F, T), frames (..., F, D, T) -> (..., F, K, D, D).
    """
    adjoint = frames.mH
    found = [(frames * u[..., None, :]) @ adjoint for u in U.unbind(-3)]
    return torch.stack(found, -3).to(torch.complex128) / U.shape[-1]


def update(V: Tensor, C: Tensor, M: int, rule: Rule, dtype: torch.dtype) -> Tensor:
    """The filters V (..., F, K, D) after an iteration with covariances C (..., F, K, D, D) of all
    frames; dtype: the mixture's precision, by which is loaded."""
    K = V.shape[-2]
    behind = background(V[..., :M])
    rows = torch.cat([V, torch.nn.functional.pad(behind, (0, V.shape[-1] - M))], -2)
    left = rows[..., None, :, :] @ C  # with the background, then also with all past frames
    own = left @ rows[..., None, :, :].mH
    across, past = left[..., M:], C[..., M:, M:]
    G_yy = own[..., :K, :K]
    G_yz = torch.cat([own[..., :K, K:], across[..., :K, :]], -1)
    top = torch.cat([own[..., K:, K:], across[..., K:, :]], -1)
    G_zz = torch.cat([top, torch.cat([across[..., K:, :].mH, past], -1)], -2)
    least, floor = linalg.loading_of(dtype)
    factor = torch.linalg.cholesky_ex(linalg.load(G_zz, (max(LOAD, least), floor))).L
    E = torch.linalg.solve_triangular(factor, G_yz.mH, upper=False)
    S = linalg.load(G_yy, (MORE * least, floor)) - E.mH @ E
    A = rule(S)
    # the rows of A B: `a_k B[k] = (factor^-H E a_k^H)^H`
    seen = E @ A.conj()[..., :, :, None]
    B = torch.linalg.solve_triangular(factor.mH, seen, upper=True)[..., 0].conj()
    taken = torch.cat([B[..., : M - K] @ behind, B[..., M - K :]], -1)
    return A @ V - taken


def background(W: Tensor) -> Tensor:
    """The rows (..., M - K, M) of the background for the sphered mixture: orthogonal to W's.

    `[J, -I]` with `W_1 J^H = W_2`, W = [W_1 | W_2] (..., K, M) (Scheibler & Ono 2019). J is zero
    where W_1 is singular, as in silence.
    """
    K, M = W.shape[-2:]
    first, rest = W[..., :K], W[..., K:]
    singular = (torch.linalg.inv_ex(first.detach()).info > 0)[..., None, None]
    first = torch.where(singular, torch.eye(K, dtype=W.dtype, device=W.device), first)
    J = torch.linalg.solve_ex(first, torch.where(singular, 0, rest)).result.mH
    eye = torch.eye(M - K, dtype=W.dtype, device=W.device)
    return torch.cat([J, -eye.expand(*J.shape[:-2], M - K, M - K)], -1)
