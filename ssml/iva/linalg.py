"""Small Hermitian and 2 x 2 matrices: batched, differentiable, in float32 as in float64."""

import torch
from torch import Tensor


def pack(R: Tensor) -> Tensor:
    """Hermitian (..., M, M) -> real (..., M, M): real parts on and above the diagonal, imaginary
    parts of the upper triangle mirrored below it."""
    return R.real.triu() + R.imag.triu(1).mT


def unpack(H: Tensor) -> Tensor:
    """The inverse of `pack`: real (..., M, M) -> Hermitian (..., M, M)."""
    upper, lower = H.triu(1), H.tril(-1)
    real = H.triu() + upper.mT
    return torch.complex(real, lower.mT - lower)


def loading(eps: float, tiny: float) -> tuple[float, float]:
    """The diagonal loading of a covariance: a share of its power, and a floor for silence.

    `eps` and `tiny` are those of the mixture's precision. The share is larger than rounding; the
    floor is a power whose inverse is finite. This is the only place that knows both numbers: the
    compiled kernels and the exported graph ask here too.
    """
    return 10 * eps, tiny**0.5


def loading_of(dtype: torch.dtype) -> tuple[float, float]:
    """The `loading` for mixtures of the precision `dtype`, real or complex."""
    precision = torch.finfo(dtype)
    return loading(precision.eps, precision.tiny)


def load(G: Tensor, given: tuple[float, float] | None = None) -> Tensor:
    """Load the diagonal of covariances (..., K, K): `G[k,k] <- G[k,k] + share G[k,k] + floor`.

    given: share and floor; None: the `loading` for G's precision.

    Each entry is loaded by a share of its own value. A share of the trace would exceed an output
    that is far weaker than the others in a bin, and each iteration would attenuate it further.
    """
    share, floor = given or loading_of(G.dtype)
    amount = share * G.diagonal(dim1=-2, dim2=-1).real + floor
    return G + torch.diag_embed(amount).to(G.dtype)


def outer_transform(G: Tensor, v: Tensor, k: int) -> Tensor:
    """`T G T^H` for `T = I - v e_k^T`; G (..., K, K) broadcast against v (..., K)."""
    G = G - v[..., :, None] * G[..., k : k + 1, :]
    return G - G[..., :, k : k + 1] * v[..., None, :].conj()


def pencil2(A: Tensor, B: Tensor) -> tuple[Tensor, Tensor]:
    """Vectors h (..., 2) of `A h = a B h` for the larger and the smaller a; A, B (..., 2, 2) > 0.

    With `B = L L^H`, the vectors are `L^-H` times the eigenvectors of `L^-1 A L^-H`. The second
    eigenvector is made orthogonal to the first: both stay far from parallel even where the two
    eigenvalues are equal up to rounding.
    """
    eps, tiny = torch.finfo(A.real.dtype).eps, torch.finfo(A.real.dtype).tiny ** 0.5
    l00 = B[..., 0, 0].real.clamp_min(tiny).sqrt()
    l10 = B[..., 1, 0] / l00
    own = B[..., 1, 1].real
    l11 = torch.maximum(own - l10.abs().square(), eps * own + tiny).sqrt()
    zero = torch.zeros_like(l10)
    rows = [1 / l00 + zero, zero, -l10 / (l00 * l11), 1 / l11 + zero]
    inverse = torch.stack(rows, dim=-1).unflatten(-1, (2, 2))  # of L
    S = inverse @ A @ inverse.mH
    half = (S[..., 0, 0] - S[..., 1, 1]).real / 2
    cross = S[..., 0, 1]
    spread = (half.square() + cross.abs().square() + tiny**2).sqrt()
    first = torch.where(half >= 0, spread + half + zero, cross)
    second = torch.where(half >= 0, cross.conj(), spread - half + zero)
    norm = (first.abs().square() + second.abs().square()).rsqrt()
    first, second = first * norm, second * norm
    large = torch.stack([first, second], dim=-1)
    small = torch.stack([-second.conj(), first.conj()], dim=-1)
    return tuple((inverse.mH @ v[..., None])[..., 0] for v in (large, small))  # type: ignore
