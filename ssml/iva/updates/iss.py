"""Iterative source steering (Scheibler & Ono 2020): rank-1 steps without an inverse."""

import torch
from torch import Tensor

from .. import linalg

SWEEPS = 6  # of iss-6-sweeps


def iss(G: Tensor) -> Tensor:
    """Steer every source once; G (..., F, K, K, K) -> A (..., F, K, K).

    For each k: `v_m = G[m][m,k] / G[m][k,k]` (m != k), `v_k = 1 - G[k][k,k]^(-1/2)`, then the
    transform `I - v e_k^T` (Scheibler & Ono 2020, eq. 8).
    """
    return _sweep(G, 1)


def iss_6_sweeps(G: Tensor) -> Tensor:
    """Steer every source six times, with G and A as for `iss`: near the minimum of the cost for G.

    The sweeps read only G, no data, so they are cheap, and fewer iterations are needed.
    """
    return _sweep(G, SWEEPS)


def _sweep(G: Tensor, sweeps: int) -> Tensor:
    K = G.shape[-1]
    G = linalg.load(G)
    A = torch.eye(K, dtype=G.dtype, device=G.device).expand(*G.shape[:-3], K, K)
    for k in [*range(K)] * sweeps:
        own = G.diagonal(dim1=-3, dim2=-2)[..., k, :]  # G[m][m,k] over m
        norm = G[..., k, k].real  # G[m][k,k] over m
        steer = own / norm
        scale = (1 - norm[..., k].rsqrt()).to(G.dtype)
        here = torch.arange(K, device=G.device) == k
        v = torch.where(here, scale[..., None], steer)
        A = A - v[..., :, None] * A[..., k : k + 1, :]
        G = linalg.outer_transform(G, v[..., None, :], k)
    return A
