"""Small Hermitian and 2 x 2 matrices: batched, differentiable, in float32 as in float64."""

import torch
from torch import Tensor


def pack(R: Tensor) -> Tensor:
    """Hermitian (..., M, M) -> real (..., M, M): real parts on and above the diagonal, imaginary
    parts of the upper triangle mirrored below it."""
    return R.real.triu() + R.imag.triu(1).mT


def unpack(H: Tensor) -> Tensor:
    """The Hermitian matrices (..., M, M) that `pack` gave as real ones."""
    upper, lower = H.triu(1), H.tril(-1)
    real = H.triu() + upper.mT
    return torch.complex(real, lower.mT - lower)


def load(G: Tensor) -> Tensor:
    """Add to each (..., K, K) a multiple of I: rounding of its trace, and a floor for silence."""
    epsilon = torch.finfo(G.dtype).eps
    trace = G.diagonal(dim1=-2, dim2=-1).real.mean(-1)
    amount = 10 * epsilon * trace + torch.finfo(G.dtype).tiny ** 0.5
    return G + amount[..., None, None] * torch.eye(G.shape[-1], dtype=G.dtype, device=G.device)


def outer_transform(G: Tensor, v: Tensor, k: int) -> Tensor:
    """`T G T^H` for `T = I - v e_k^T`; G (..., K, K) broadcast against v (..., K)."""
    G = G - v[..., :, None] * G[..., k : k + 1, :]
    return G - G[..., :, k : k + 1] * v[..., None, :].conj()


def eigenvectors2(C: Tensor) -> tuple[Tensor, Tensor]:
    """Unit eigenvectors (..., 2) of C (..., 2, 2) for its larger and its smaller real eigenvalue.

    By Cayley-Hamilton the columns of `C - b I` are eigenvectors for the other eigenvalue `a`; the
    longer column is taken. Where the eigenvalues are equal to rounding, any vectors are
    eigenvectors: the unit vectors are.
    """
    half = (C[..., 0, 0] + C[..., 1, 1]).real / 2
    det = (C[..., 0, 0] * C[..., 1, 1] - C[..., 0, 1] * C[..., 1, 0]).real
    spread = (half.square() - det).clamp_min(torch.finfo(half.dtype).tiny).sqrt()
    identity = torch.eye(2, dtype=C.dtype, device=C.device)
    rounding = 16 * torch.finfo(half.dtype).eps
    smallest = (rounding**2 * C.abs().square().sum((-2, -1))).clamp_min(rounding**4)

    def vector(other: Tensor, k: int) -> Tensor:
        columns = C - other[..., None, None] * identity
        norms = columns.abs().square().sum(-2)
        second = norms[..., 1] > norms[..., 0]
        longer = torch.where(second[..., None], columns[..., :, 1], columns[..., :, 0])
        square = torch.where(second, norms[..., 1], norms[..., 0])
        unit = longer * torch.maximum(square, smallest).rsqrt()[..., None]
        return torch.where((square > smallest)[..., None], unit, identity[k])

    return vector(half - spread, 0), vector(half + spread, 1)
