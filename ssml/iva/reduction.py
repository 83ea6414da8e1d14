"""Fewer sources than microphones: to as many channels first, by principal components."""

import torch
from torch import Tensor

NEW = 1e-6  # share of a channel's power that other channels cannot tell, if it is to count


def reduction(X: Tensor, K: int, start: Tensor | None) -> tuple[Tensor, Tensor]:
    """T (..., F, K, M), which leaves K channels of X (..., M, F, T), and the axes that it drops.

    In each bin `T = first E^H E` with the K principal axes E (K, M) of X: what of them some K
    microphones receive, or, if `start` (..., F, K, M) is given, what its filters let through.
    Iterations start from channels whose phases belong together across bins. The axes are
    (..., F, M - K, M); both are complex128.
    """
    wide = X.transpose(-3, -2).to(torch.complex128)
    powers, axes = torch.linalg.eigh(wide @ wide.mH / X.shape[-1])
    E = axes.flip(-1).mH
    kept = E[..., :K, :]
    heard = kept.mH @ (powers.flip(-1)[..., :K, None] * kept)
    eye = torch.eye(X.shape[-3], dtype=wide.dtype, device=X.device)
    first = eye[informative_channels(heard, K)][..., None, :, :]
    if start is not None:  # filters of silence are zero
        dead = (start == 0).all(-1).any(-1)[..., None, None]
        first = torch.where(dead, first, start.to(wide.dtype))
    return first @ kept.mH @ kept, E[..., K:, :]


def informative_channels(C: Tensor, K: int) -> Tensor:
    """K of the channels with covariances C (..., F, M, M), ascending: (..., K).

    The first K that each tell something new: a dead one, or a copy, comes after all others.
    """
    M, power = C.shape[-1], C.diagonal(dim1=-2, dim2=-1).real
    whole = power.sum(-2)
    least = torch.maximum(NEW * whole, torch.finfo(power.dtype).eps * whole.amax(-1, keepdim=True))
    count, late = torch.zeros_like(whole[..., 0]), []
    for m in range(M):
        own, column = C[..., m, m].real, C[..., m]  # what the channels before leave of it
        tells = (own.sum(-1) > least[..., m]) & (count < K)
        count, late = count + tells, [*late, ~tells]
        used = tells[..., None] & (own > NEW * power[..., m])
        gain = torch.where(used, 1 / own, 0)[..., None, None]
        C = C - gain * column[..., :, None] * column[..., None, :].conj()
    order = torch.stack(late, -1) * M + torch.arange(M, device=C.device)
    return order.argsort(-1)[..., :K].sort(-1).values
