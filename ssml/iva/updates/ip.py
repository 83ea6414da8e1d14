"""Iterative projection (Ono 2011): each row from one linear system."""

import torch
from torch import Tensor

from .. import linalg


def ip(G: Tensor) -> Tensor:
    """Project every source once; G (..., F, K, K, K) -> A (..., F, K, K).

    For each k: `w = G[k]^-1 e_k`, normalised to `w^H G[k] w = 1`, replaces row k (Ono 2011).
    """
    K = G.shape[-1]
    G = linalg.load(G)
    A = identity = torch.eye(K, dtype=G.dtype, device=G.device).expand(*G.shape[:-3], K, K)
    for k in range(K):
        # the covariance of the present outputs: the rows before k have been updated already
        V = A @ G[..., k, :, :] @ A.mH
        w = torch.linalg.solve_ex(V, identity[..., :, k, None]).result[..., 0]
        # w^H V w = w^H e_k
        w = w * w[..., k : k + 1].real.clamp_min(torch.finfo(w.real.dtype).tiny).rsqrt()
        row = (w.conj()[..., None, :] @ A)[..., 0, :]
        A = torch.cat([A[..., :k, :], row[..., None, :], A[..., k + 1 :, :]], dim=-2)
    return A
