"""Pairwise iterative projection (Ono 2012): two rows from one 2 x 2 eigenproblem."""

import torch
from torch import Tensor

from .. import linalg


def ip2(G: Tensor) -> Tensor:
    """Project the pairs (0, 1), ..., (K - 1, 0) once; G (..., F, K, K, K) -> A (..., F, K, K).

    For a pair (m, n): `P_m = G[m]^-1 [e_m e_n]`; the vectors h of the pencil of the two
    `P^H G P = E^T G^-1 E` give the rows `P_m h_m`, `P_n h_n`, normalised to unit weighted power
    (Ono 2012). For two sources the one pair is solved exactly.
    """
    K = G.shape[-1]
    G = linalg.load(G)
    A = torch.eye(K, dtype=G.dtype, device=G.device).expand(*G.shape[:-3], K, K)
    pairs = [(k, (k + 1) % K) for k in range(K)] if K > 2 else [(0, 1)]
    for m, n in pairs:
        rows = _pair(A @ G[..., m, :, :] @ A.mH, A @ G[..., n, :, :] @ A.mH, m, n) @ A
        A = torch.stack(
            [rows[..., (m, n).index(k), :] if k in (m, n) else A[..., k, :] for k in range(K)],
            dim=-2,
        )
    return A


def _pair(G_m: Tensor, G_n: Tensor, m: int, n: int) -> Tensor:
    """The two rows (..., 2, K) for the outputs m and n from their covariances (..., K, K)."""
    E = torch.eye(G_m.shape[-1], dtype=G_m.dtype, device=G_m.device)[:, [m, n]]
    P_m = torch.linalg.solve_ex(G_m, E.expand(*G_m.shape[:-1], 2)).result
    P_n = torch.linalg.solve_ex(G_n, E.expand(*G_n.shape[:-1], 2)).result
    C_m, C_n = P_m[..., [m, n], :], P_n[..., [m, n], :]
    large, small = linalg.pencil2(C_m, C_n)
    rows = []
    for P, C, h in ((P_m, C_m, large), (P_n, C_n, small)):
        norm = (h.conj()[..., None, :] @ C @ h[..., None])[..., 0].real
        parts = h.abs().square() * C.diagonal(dim1=-2, dim2=-1).real
        floor = torch.finfo(norm.dtype).eps * parts.sum(-1, keepdim=True)
        h = h * torch.maximum(norm, floor).rsqrt()
        rows.append((P @ h[..., None])[..., 0].conj())
    return torch.stack(rows, dim=-2)
