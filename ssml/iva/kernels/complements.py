"""Compiled iterations where something is only subtracted: Schur complements, see `regression`.

Layouts are those of `frames`; C (D, D) are the covariances of all frames, weighted for one source.
"""

import numpy as np

from .. import linalg
from ..compiled import compiled, inner
from . import rules
from .frames import covariances, fill, frames_of, write_power

loading = inner(linalg.loading)
TINY = np.finfo(np.float64).tiny ** 0.5


@inner
def background(W, square, rows):
    """rows[K:] <- `regression.background` of W (K, D), in its first M columns; `square` is used."""
    K, M = W.shape[0], rows.shape[0]
    for i in range(K):
        for j in range(M):
            square[i, j] = W[i, j]
    singular = False
    for i in range(K):  # Gauss and Jordan, with pivots
        best = i
        for r in range(i + 1, K):
            if rules.square(square[r, i]) > rules.square(square[best, i]):
                best = r
        for j in range(M):
            square[i, j], square[best, j] = square[best, j], square[i, j]
        size = rules.square(square[i, i])
        singular = singular or size == 0
        inverse = np.conj(square[i, i]) * (1 / max(size, TINY))
        for j in range(M):
            square[i, j] *= inverse
        for r in range(K):
            if r != i:
                factor = square[r, i]
                for j in range(M):
                    square[r, j] -= factor * square[i, j]
    for r in range(K, M):
        for j in range(rows.shape[1]):
            rows[r, j] = np.conj(square[j, r]) if j < K and not singular else complex(0, 0)
        rows[r, r] = -1


@inner
def _eliminate(C, rows, behind, across, loads, low, E, S):
    """S <- the loaded Schur complement of z for one source; low, E <- its factor and regression.

    behind: channels of the background, M - K. loads: of z, of the outputs, and the floor. across
    (M, D) is overwritten.
    """
    M, D = rows.shape
    K, (share, least, floor) = S.shape[0], loads
    for r in range(M):
        width = D if r < K else M
        for c in range(D):
            total = rows[r, 0] * C[0, c]
            for a in range(1, width):
                total += rows[r, a] * C[a, c]
            across[r, c] = total
    for n in range(behind):
        for m in range(n + 1):
            low[n, m] = _inner(across[K + n], rows[K + m])
        for j in range(K):
            E[n, j] = np.conj(_inner(across[j], rows[K + n]))
    for n in range(behind, low.shape[0]):
        c = M + n - behind
        for m in range(behind):
            low[n, m] = np.conj(across[K + m, c])
        for m in range(behind, n + 1):
            low[n, m] = C[c, M + m - behind]
        for j in range(K):
            E[n, j] = np.conj(across[j, c])
    for n in range(low.shape[0]):
        low[n, n] = low[n, n].real * (1 + share) + floor
    rules.factor(low, 0.0, TINY)
    for n in range(low.shape[0]):
        inverse = 1 / low[n, n].real
        for j in range(K):
            total = E[n, j]
            for m in range(n):
                total -= low[n, m] * E[m, j]
            E[n, j] = total * inverse
    for i in range(K):
        for j in range(i + 1):
            total = _inner(across[i], rows[j])
            own = total.real
            for n in range(low.shape[0]):
                total -= np.conj(E[n, i]) * E[n, j]
            if i == j:
                S[i, i] = total.real + least * own + floor
            else:
                S[i, j], S[j, i] = total, np.conj(total)


@inner
def _inner(a, b):
    """`a b^H`."""
    total = a[0] * np.conj(b[0])
    for i in range(1, a.shape[0]):
        total += a[i] * np.conj(b[i])
    return total


@inner
def _subtract(A, rows, behind, low, E, seen, V):
    """V <- `A ([W | H] - B Z)`, row after row; rows holds V before and the background."""
    K, M = V.shape[0], rows.shape[0]
    N = low.shape[1]
    for k in range(K):
        for n in range(N):
            total = complex(0, 0)
            for j in range(K):
                total += E[k, n, j] * np.conj(A[k, j])
            seen[n] = total
        for n in range(N - 1, -1, -1):
            total = seen[n]
            for m in range(n + 1, N):
                total -= np.conj(low[k, m, n]) * seen[m]
            seen[n] = total * (1 / low[k, n, n].real)
        for c in range(V.shape[1]):
            total = complex(0, 0)
            for j in range(K):
                total += A[k, j] * rows[j, c]
            if c < M:
                for n in range(behind):
                    total -= np.conj(seen[n]) * rows[K + n, c]
            else:
                total -= np.conj(seen[behind + c - M])
            V[k, c] = total


@inner
def _sweep(Z, V, U, power, rule, powers, delay, share, more, first, last):
    """One iteration on some bins: V in place and, if `powers`, `power` as `outputs` does.

    share, more: `regression.LOAD` and `regression.MORE`.
    """
    M, (K, D) = Z.shape[1], V.shape[1:]
    N, behind = D - K, M - K
    re, im, real, imag = frames_of(Z, V, delay)
    C, S, A = np.empty((K, D, D), V.dtype), np.empty((K, K, K), V.dtype), np.empty((K, K), V.dtype)
    rows, across = np.zeros((M, D), V.dtype), np.empty((M, D), V.dtype)
    square = np.empty((K, M), V.dtype)
    low, E, seen = np.empty((K, N, N), V.dtype), np.empty((K, N, K), V.dtype), np.empty(N, V.dtype)
    spare = np.empty((rules.SPARE, K, K), V.dtype)
    eps = np.finfo(re.dtype).eps
    least, floor = loading(eps, np.finfo(re.dtype).tiny)
    loads = max(share, least), more * least, floor
    for f in range(first, last):
        fill(Z[f], re, im)
        covariances(re, im, U, f, real, imag, delay, C)
        for i in range(K):
            for c in range(D):
                rows[i, c] = V[f, i, c]
        if behind:
            background(V[f], square, rows)
        for k in range(K):
            _eliminate(C[k], rows, behind, across, loads, low[k], E[k], S[k])
        for i in range(K):
            for j in range(K):
                A[i, j] = i == j
        rule(S, A, spare, eps)
        _subtract(A, rows, behind, low, E, seen, V[f])
        if powers:
            write_power(V[f], re, im, real, imag, delay, power, f)


# One function for each rule: numba does not keep code on disk whose argument is a function.


@compiled
def _iss(Z, V, U, power, powers, delay, share, more, first, last):
    _sweep(Z, V, U, power, rules.iss, powers, delay, share, more, first, last)


@compiled
def _iss_6_sweeps(Z, V, U, power, powers, delay, share, more, first, last):
    _sweep(Z, V, U, power, rules.iss_6_sweeps, powers, delay, share, more, first, last)


@compiled
def _ip(Z, V, U, power, powers, delay, share, more, first, last):
    _sweep(Z, V, U, power, rules.ip, powers, delay, share, more, first, last)


@compiled
def _ip2(Z, V, U, power, powers, delay, share, more, first, last):
    _sweep(Z, V, U, power, rules.ip2, powers, delay, share, more, first, last)


SWEEPS = {"iss": _iss, "iss-6-sweeps": _iss_6_sweeps, "ip": _ip, "ip2": _ip2}
