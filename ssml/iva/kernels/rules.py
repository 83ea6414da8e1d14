"""The update rules of `updates/` on one bin: G (K, K, K) complex128, loaded -> A (K, K) in place.

A is I at first. `G[m]` is the covariance of the outputs, weighted for source m. The equations are
those of `updates/`. spare (SPARE, K, K): working memory, since its allocation for each bin takes
longer than the rule. eps: of the mixture's precision. Complex numbers are multiplied by inverses:
numba's complex division is slow and branches.
"""

import numpy as np

from ..compiled import inner
from ..updates.iss import SWEEPS

TINY = np.finfo(np.float64).tiny ** 0.5
SPARE = 6


@inner
def iss(G, A, spare, eps):
    for k in range(A.shape[0]):
        steer(G, A, k, spare)


@inner
def iss_6_sweeps(G, A, spare, eps):
    for _ in range(SWEEPS):
        iss(G, A, spare, eps)


@inner
def steer(G, A, k, spare):
    """A <- (I - v e_k^T) A."""
    K = A.shape[0]
    v, c = spare[0, 0], spare[1, 0]
    for m in range(K):
        norm = column(G[m], A, k, c)
        if m == k:
            v[m] = 1 - 1 / np.sqrt(norm)
        else:
            cross = A[m, 0] * c[0]
            for j in range(1, K):
                cross += A[m, j] * c[j]
            v[m] = cross * (1 / norm)
    for j in range(K):
        here = A[k, j]
        for m in range(K):
            A[m, j] -= v[m] * here


@inner
def column(R, A, k, out):
    """out <- R A[k]^H; returns A[k] R A[k]^H."""
    K = A.shape[0]
    power = 0.0
    for i in range(K):
        total = R[i, 0] * np.conj(A[k, 0])
        for j in range(1, K):
            total += R[i, j] * np.conj(A[k, j])
        out[i] = total
        power += (A[k, i] * total).real
    return power


@inner
def ip(G, A, spare, eps):
    K = A.shape[0]
    low, w, row = spare[0], spare[1, 0], spare[2, 0]
    for k in range(K):
        _cholesky_of(G[k], A, low, row)
        for j in range(K):
            w[j] = 0
        w[k] = 1
        _solve(low, w)
        _row(w, 1 / np.sqrt(max(w[k].real, TINY)), A, row)
        for j in range(K):
            A[k, j] = row[j]


@inner
def ip2(G, A, spare, eps):
    K = A.shape[0]
    for m in range(K if K > 2 else 1):
        _pair(G, A, m, (m + 1) % K, spare, eps)


@inner
def _pair(G, A, m, n, spare, eps):
    """Rows m and n of A from the pencil of both covariances (Ono 2012)."""
    K = A.shape[0]
    low, P, C, h = spare[0], spare[1:3], spare[3:5], spare[5]  # P, C: first of m, then of n
    for i in range(2):
        _cholesky_of(G[m if i == 0 else n], A, low, h[0])
        for j in range(2):
            for a in range(K):
                P[i, j, a] = 0
            P[i, j, m if j == 0 else n] = 1
            _solve(low, P[i, j])
            C[i, 0, j], C[i, 1, j] = P[i, j, m], P[i, j, n]
    _pencil(C[0], C[1], eps, h)
    for i in range(2):
        norm, floor = 0.0, 0.0
        for a in range(2):
            floor += eps * square(h[i, a]) * C[i, a, a].real
            for b in range(2):
                norm += (np.conj(h[i, a]) * C[i, a, b] * h[i, b]).real
        for j in range(K):
            P[i, 0, j] = P[i, 0, j] * h[i, 0] + P[i, 1, j] * h[i, 1]
        _row(P[i, 0], 1 / np.sqrt(max(norm, floor)), A, P[i, 1])
    for j in range(K):
        A[m, j], A[n, j] = P[0, 1, j], P[1, 1, j]


@inner
def _pencil(A, B, eps, h):
    """h <- `linalg.pencil2` of one pair of 2 x 2 matrices, the vectors as rows."""
    own = B[1, 1].real
    l00 = np.sqrt(max(B[0, 0].real, TINY))
    i00 = 1 / l00  # the inverse of L has i00, i10, i11
    l10 = B[1, 0] * i00
    i11 = 1 / np.sqrt(max(own - square(l10), eps * own + TINY))
    i10 = -l10 * (i00 * i11)
    s00 = i00 * A[0, 0].real * i00
    s01 = i00 * (A[0, 0] * np.conj(i10) + A[0, 1] * i11)
    t0, t1 = i10 * A[0, 0] + i11 * A[1, 0], i10 * A[0, 1] + i11 * A[1, 1]
    s11 = (t0 * np.conj(i10) + t1 * i11).real
    half = (s00 - s11) / 2
    spread = np.sqrt(half**2 + square(s01) + TINY**2)
    first = s01 if half < 0 else s01 * 0 + spread + half
    second = np.conj(s01) if half >= 0 else s01 * 0 + spread - half
    norm = 1 / np.sqrt(square(first) + square(second))
    first, second = first * norm, second * norm
    h[0, 0], h[0, 1] = i00 * first + np.conj(i10) * second, i11 * second
    h[1, 0] = -i00 * np.conj(second) + np.conj(i10) * np.conj(first)
    h[1, 1] = i11 * np.conj(first)


@inner
def _cholesky_of(R, A, low, product):
    """low <- the lower Cholesky factor of `A R A^H`; product (K) is overwritten."""
    K = A.shape[0]
    for j in range(K):
        column(R, A, j, product)
        for i in range(j, K):
            total = A[i, 0] * product[0]
            for a in range(1, K):
                total += A[i, a] * product[a]
            low[i, j] = total
    factor(low, 0.0, TINY)


@inner
def factor(low, load, floor):
    """Cholesky in place of a lower triangle with `load` added to its diagonal; pivots >= floor."""
    K = low.shape[0]
    for j in range(K):
        pivot = low[j, j].real + load
        for a in range(j):
            pivot -= square(low[j, a])
        pivot = np.sqrt(max(pivot, floor))
        low[j, j], inverse = pivot, 1 / pivot
        for i in range(j + 1, K):
            total = low[i, j]
            for a in range(j):
                total -= low[i, a] * np.conj(low[j, a])
            low[i, j] = total * inverse


@inner
def square(z):
    """|z|^2, without the protection of `abs` against over- and underflow."""
    return z.real**2 + z.imag**2


@inner
def _solve(low, b):
    """b <- (L L^H)^-1 b."""
    K = b.shape[0]
    for i in range(K):
        for j in range(i):
            b[i] -= low[i, j] * b[j]
        b[i] *= 1 / low[i, i].real
    for i in range(K - 1, -1, -1):
        for j in range(i + 1, K):
            b[i] -= np.conj(low[j, i]) * b[j]
        b[i] *= 1 / low[i, i].real


@inner
def _row(w, norm, A, out):
    """out <- norm w^H A."""
    K = A.shape[0]
    for j in range(K):
        total = np.conj(w[0]) * A[0, j]
        for i in range(1, K):
            total += np.conj(w[i]) * A[i, j]
        out[j] = norm * total
