"""Fewer sources than microphones: reduce the mixture to K channels by principal components."""

import torch
from torch import Tensor

NEW = 1e-6  # least share of a channel's power that no other channel predicts, for it to count


def reduction(X: Tensor, K: int, start: Tensor | None) -> tuple[Tensor, Tensor]:
    """T (..., F, K, M), which reduces X (..., M, F, T) to K channels, and the axes that it drops.

    In each bin `T = S E^H E`. E (K, M) are the K principal axes of X, and `E^H E` projects X on
    them. S (K, M) selects K microphones of the projection, the same in all bins, or is `start`
    (..., F, K, M), demixing matrices to begin with. The phases of the channels are hence consistent
    across bins. The dropped axes are (..., F, M - K, M). Both results are complex128.
    """
    wide = X.transpose(-3, -2).to(torch.complex128)
    powers, axes = torch.linalg.eigh(wide @ wide.mH / X.shape[-1])
    E = axes.flip(-1).mH
    kept = E[..., :K, :]
    heard = kept.mH @ (powers.flip(-1)[..., :K, None] * kept)
    eye = torch.eye(X.shape[-3], dtype=wide.dtype, device=X.device)
    first = eye[informative_channels(heard, K)][..., None, :, :]
    if start is not None:  # demixing matrices of silent bins are zero
        dead = (start == 0).all(-1).any(-1)[..., None, None]
        first = torch.where(dead, first, start.to(wide.dtype))
    return first @ kept.mH @ kept, E[..., K:, :]


def informative_channels(C: Tensor, K: int) -> Tensor:
    """Indices (..., K), ascending, of K channels with covariances C (..., F, M, M).

    These are the first K channels that the earlier ones do not predict. Silent channels and copies
    are taken only where there are too few others.
    """
    M, power = C.shape[-1], C.diagonal(dim1=-2, dim2=-1).real
    whole = power.sum(-2)
    least = torch.maximum(NEW * whole, torch.finfo(power.dtype).eps * whole.amax(-1, keepdim=True))
    count, late = torch.zeros_like(whole[..., 0]), []
    for m in range(M):
        own, column = C[..., m, m].real, C[..., m]  # the residual after the channels before
        tells = (own.sum(-1) > least[..., m]) & (count < K)
        count, late = count + tells, [*late, ~tells]
        used = tells[..., None] & (own > NEW * power[..., m])
        gain = torch.where(used, 1 / own, 0)[..., None, None]
        C = C - gain * column[..., :, None] * column[..., None, :].conj()
    order = torch.stack(late, -1) * M + torch.arange(M, device=C.device)
    return order.argsort(-1)[..., :K].sort(-1).values
