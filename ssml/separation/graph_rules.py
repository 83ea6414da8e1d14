"""RULES: the rules of `updates` in real tensors, written out for a fixed K.

Each maps loaded covariances G (F, K, K, K) of the outputs to A (F, K, K), both float64.
"""

from collections.abc import Callable
from functools import partial

import torch
from torch import Tensor

from ssml.iva.updates.iss import SWEEPS

from .pairs import Complex, eye, lower_inverse, stack

EPS = torch.finfo(torch.float32).eps  # the sums in G are rounded to float32
TINY = torch.finfo(torch.float64).tiny ** 0.5


def identity(G: Complex) -> Complex:
    """I for each bin, (F, K, K)."""
    K = G.re.shape[-1]
    return Complex(eye(K).expand(G.re.shape[0], K, K), torch.zeros_like(G.re[:, 0]))


def steer(G: Complex, sweeps: int) -> Complex:
    """`sweeps` of `updates.iss`."""
    K, A = G.re.shape[-1], identity(G)
    for k in [*range(K)] * sweeps:
        norm = G.re[..., k, k]  # G[m][k,k] over m
        own = [G[:, m, m, k].scaled(1 / norm[:, m]) for m in range(K)]
        own[k] = Complex(1 - norm[:, k].rsqrt(), torch.zeros_like(norm[:, k]))
        v = Complex(torch.stack([x.re for x in own], -1), torch.stack([x.im for x in own], -1))
        A = A.minus(v[..., :, None].times(A[..., k : k + 1, :]))
        v = v[:, None]
        G = G.minus(v[..., :, None].times(G[..., k : k + 1, :]))
        G = G.minus(G[..., :, k : k + 1].times(v[..., None, :].conj))
    return A


def ip(G: Complex) -> Complex:
    """`updates.ip`: row k of A becomes `x^H G[k]^-1`, normalised, where `A x = e_k`.

    `A^-1` is updated with each row, so that only the inverses of G are needed.
    """
    inverses, A = inverse(G), identity(G)
    B, unit = A, A  # A^-1, I
    for k in range(G.re.shape[-1]):
        x = B[..., :, k : k + 1]
        row = x.mH.dot(inverses[:, k])
        norm = row.dot(x).re.clamp_min(torch.finfo(torch.float64).tiny)
        row = row.scaled(norm.rsqrt())
        B = B.minus(x.scaled(norm.rsqrt()).dot(row.dot(B).minus(unit[..., k : k + 1, :])))
        A = replaced(A, {k: row})
    return A


def ip2(G: Complex) -> Complex:
    """`updates.ip2`: the rows of a pair (m, n) become `h^H X^H G^-1`, where `A X = [e_m e_n]`."""
    K, inverses, A = G.re.shape[-1], inverse(G), identity(G)
    B, unit = A, A  # A^-1, I
    for m in range(K if K > 2 else 1):
        pair = [m, (m + 1) % K]
        X = columns(B, pair)
        halves = [X.mH.dot(inverses[:, k]) for k in pair]
        C = [half.dot(X) for half in halves]
        rows = []
        for h, half, c in zip(pencil(*C), halves, C, strict=True):
            norm = h.mH.dot(c).dot(h).re
            parts = h.power * (c.re * eye(2)).sum(-1, keepdim=True)
            h = h.scaled(torch.maximum(norm, EPS * parts.sum(-2, keepdim=True)).rsqrt())
            rows.append(h.mH.dot(half))
        R = Complex(torch.cat([r.re for r in rows], -2), torch.cat([r.im for r in rows], -2))
        B = B.minus(X.dot(inverse2(R.dot(X))).dot(R.dot(B).minus(columns(unit, pair).mH)))
        A = replaced(A, dict(zip(pair, rows, strict=True)))
    return A


def inverse(C: Complex) -> Complex:
    """The inverses of Hermitian C > 0, (..., K, K)."""
    _, low = lower_inverse(C, TINY)
    return low.mH.dot(low)


def inverse2(C: Complex) -> Complex:
    """The inverses of (..., 2, 2)."""
    a, b, c, d = (C[..., i, j] for i in range(2) for j in range(2))
    minus = Complex(-b.re, -b.im), Complex(-c.re, -c.im)
    determinant = a.times(d).minus(b.times(c))
    adjugate = [[d, minus[0]], [minus[1], a]]
    return stack([[x.over(determinant) for x in row] for row in adjugate])


def pencil(A: Complex, B: Complex) -> tuple[Complex, Complex]:
    """As `linalg.pencil2`: (F, 2, 2), (F, 2, 2) -> vectors (F, 2, 1) of the larger, the smaller."""
    l00 = B.re[..., 0, 0].clamp_min(TINY).sqrt()
    l10, own = B[..., 1, 0].scaled(1 / l00), B.re[..., 1, 1]
    l11 = torch.maximum(own - l10.power, EPS * own + TINY).sqrt()
    zero = real(0 * l00)
    below = l10.scaled(-1 / (l00 * l11))
    low = stack([[real(1 / l00), zero], [below, real(1 / l11)]])  # L^-1
    S = low.dot(A).dot(low.mH)
    half, cross = (S.re[..., 0, 0] - S.re[..., 1, 1]) / 2, S[..., 0, 1]
    spread = (half.square() + cross.power + TINY**2).sqrt()
    leads = half >= 0
    first = choose(leads, real(spread + half), cross)
    second = choose(leads, cross.conj, real(spread - half))
    norm = (first.power + second.power).rsqrt()
    first, second = first.scaled(norm), second.scaled(norm)
    large = stack([[first], [second]])
    small = stack([[zero.minus(second.conj)], [first.conj]])
    return low.mH.dot(large), low.mH.dot(small)


def real(x: Tensor) -> Complex:
    return Complex(x, torch.zeros_like(x))


def choose(first: Tensor, a: Complex, b: Complex) -> Complex:
    """a where `first` is true, else b."""
    return Complex(torch.where(first, a.re, b.re), torch.where(first, a.im, b.im))


def columns(C: Complex, chosen: list[int]) -> Complex:
    """Columns of (..., K, K)."""
    parts = ([x[..., :, k] for k in chosen] for x in (C.re, C.im))
    re, im = (torch.stack(part, -1) for part in parts)
    return Complex(re, im)


def replaced(A: Complex, rows: dict[int, Complex]) -> Complex:
    """A (..., K, K) with other rows (..., 1, K)."""
    whole = [rows.get(k, A[..., k : k + 1, :]) for k in range(A.re.shape[-2])]
    re, im = (torch.cat([getattr(row, part) for row in whole], -2) for part in ("re", "im"))
    return Complex(re, im)


RULES: dict[str, Callable[[Complex], Complex]] = {
    "iss": partial(steer, sweeps=1),
    "iss-6-sweeps": partial(steer, sweeps=SWEEPS),
    "ip": ip,
    "ip2": ip2,
}
