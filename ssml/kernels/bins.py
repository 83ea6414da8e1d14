"""Compiled passes over the bins: each reads a bin's outer products once.

Layouts: X (M, F, T) complex; P (F, M * M, T) real, the outer products as `linalg.pack` orders them;
W (F, K, M) complex128; weights and powers (K, F, T), or (K, T) for models that see frames only.
"""

import numpy as np

from . import rules
from .compiled import compiled, inner


@compiled
def prepare(X, scale, P, L, first, last):
    """P, L <- outer products of the sphered mixture `scale X`, `L Z = scale X`; of some bins.

    See `demixing.sphere`.
    """
    M, _, T = X.shape
    re, im = np.empty((M, T), P.dtype), np.empty((M, T), P.dtype)
    eps, tiny = np.finfo(P.dtype).eps, np.sqrt(np.finfo(P.dtype).tiny)
    for f in range(first, last):
        for m in range(M):
            for t in range(T):
                re[m, t] = X[m, f, t].real * scale
                im[m, t] = X[m, f, t].imag * scale
        low = L[f]
        trace = 0.0
        for i in range(M):
            for j in range(i + 1):
                a, b = _inner(re[i], im[i], re[j], im[j])
                low[i, j] = complex(a, b) / T
            trace += low[i, i].real / M
        _factor(low, 10 * eps * trace + tiny)
        for i in range(M):
            for j in range(i):
                _subtract(re[i], im[i], low[i, j], re[j], im[j])
            inverse = 1 / low[i, i].real
            for t in range(T):
                re[i, t] *= inverse
                im[i, t] *= inverse
        for i in range(M):
            for j in range(i, M):
                upper, lower = P[f, i * M + j], P[f, j * M + i]
                for t in range(T):
                    lower[t] = im[i, t] * re[j, t] - re[i, t] * im[j, t]
                    upper[t] = re[i, t] * re[j, t] + im[i, t] * im[j, t]


@inner
def _inner(a, b, c, d):
    """Sum over frames of (a + ib)(c - id), in double precision."""
    real, imag = 0.0, 0.0
    for t in range(a.shape[0]):
        real += np.float64(a[t]) * c[t] + np.float64(b[t]) * d[t]
        imag += np.float64(b[t]) * c[t] - np.float64(a[t]) * d[t]
    return real, imag


@inner
def _subtract(a, b, factor, c, d):
    """(a + ib) -= factor (c + id)."""
    x, y = a.dtype.type(factor.real), a.dtype.type(factor.imag)
    for t in range(a.shape[0]):
        a[t] -= x * c[t] - y * d[t]
        b[t] -= x * d[t] + y * c[t]


@inner
def _factor(low, floor):
    """Cholesky in place, of the lower triangle and `floor` on its diagonal."""
    M = low.shape[0]
    for j in range(M):
        pivot = low[j, j].real + floor
        for a in range(j):
            pivot -= abs(low[j, a]) ** 2
        pivot = np.sqrt(max(pivot, floor))
        low[j, j] = pivot
        for i in range(j + 1, M):
            for a in range(j):
                low[i, j] -= low[i, a] * np.conj(low[j, a])
            low[i, j] /= pivot


@inner
def _frames(P, W, U, power, rule, powers, first, last):
    """One iteration on some bins for weights U (K, T), which all bins share.

    W is updated in place; if `powers`, the outputs' power of these bins is added to `power` (K, T).
    """
    K, M = W.shape[1:]
    V = np.empty((K, M * M))
    eps, tiny = np.finfo(P.dtype).eps, np.sqrt(np.finfo(P.dtype).tiny)
    for f in range(first, last):
        for k in range(K):
            moments(P[f], U[k], V[k])
        _transform(V, W[f], rule, eps, tiny)
        if powers:
            for k in range(K):
                _add_power(W[f, k], P[f], power[k])


@inner
def _bins(P, W, U, power, rule, powers, first, last):
    """One iteration on some bins for weights U (K, F, T); `power` (K, F, T) is written."""
    K, M = W.shape[1:]
    V = np.empty((K, M * M))
    eps, tiny = np.finfo(P.dtype).eps, np.sqrt(np.finfo(P.dtype).tiny)
    for f in range(first, last):
        for k in range(K):
            moments(P[f], U[k, f], V[k])
        _transform(V, W[f], rule, eps, tiny)
        if powers:
            for k in range(K):
                _power(W[f, k], P[f], power[k, f])


@compiled
def frame_power(P, W, power, first, last):
    """Add the power of the outputs of some bins to `power` (K, T)."""
    for f in range(first, last):
        for k in range(W.shape[1]):
            _add_power(W[f, k], P[f], power[k])


@compiled
def bin_power(P, W, power, first, last):
    """Write the power of the outputs of some bins, (K, F, T)."""
    for f in range(first, last):
        for k in range(W.shape[1]):
            _power(W[f, k], P[f], power[k, f])


@inner
def moments(P, u, out):
    """out[r] <- mean_t u[t] P[r, t]; four rows at a time, for one reading of u."""
    R, T = P.shape
    zero = u.dtype.type(0)
    for r in range(0, R - 3, 4):
        p, q, s, v = P[r], P[r + 1], P[r + 2], P[r + 3]
        a, b, c, d = zero, zero, zero, zero
        for t in range(T):
            a += u[t] * p[t]
            b += u[t] * q[t]
            c += u[t] * s[t]
            d += u[t] * v[t]
        out[r], out[r + 1], out[r + 2], out[r + 3] = a / T, b / T, c / T, d / T
    for r in range(R - R % 4, R):
        p, a = P[r], zero
        for t in range(T):
            a += u[t] * p[t]
        out[r] = a / T


@inner
def _add_power(w, P, out):
    """out[t] += |w X|^2 from outer products: see `demixing.power`."""
    M = w.shape[0]
    c = np.empty(M * M)
    for i in range(M):
        for j in range(i, M):
            product = w[i] * np.conj(w[j])
            c[j * M + i] = -2 * product.imag
            c[i * M + j] = product.real if i == j else 2 * product.real
    add_rows(c, P, out)


@inner
def add_rows(c, P, out):
    """out[t] += sum_r c[r] P[r, t]; four rows at a time, for one reading of out."""
    R, T = P.shape
    kind = P.dtype.type
    for r in range(0, R - 3, 4):
        p, q, s, v = P[r], P[r + 1], P[r + 2], P[r + 3]
        e, f, g, h = kind(c[r]), kind(c[r + 1]), kind(c[r + 2]), kind(c[r + 3])
        for t in range(T):
            out[t] += (e * p[t] + f * q[t]) + (g * s[t] + h * v[t])
    for r in range(R - R % 4, R):
        p, e = P[r], kind(c[r])
        for t in range(T):
            out[t] += e * p[t]


@inner
def _power(w, P, out):
    """out[t] <- |w X|^2, which rounding must not make negative."""
    for t in range(out.shape[0]):
        out[t] = 0
    _add_power(w, P, out)
    for t in range(out.shape[0]):
        out[t] = max(out[t], 0)


@inner
def _transform(V, W, rule, eps, tiny):
    """W <- A W, with the rule's A from the covariances of the outputs."""
    K, M = W.shape
    left = np.empty((K, K, M), W.dtype)
    G, A = np.empty((K, K, K), W.dtype), np.empty((K, K), W.dtype)
    covariances(V, W, left, G, eps, tiny)
    identity(A)
    rule(G, A, eps)
    before = left[0]
    for i in range(K):
        for b in range(M):
            before[i, b] = W[i, b]
    for i in range(K):
        for b in range(M):
            total = A[i, 0] * before[0, b]
            for j in range(1, K):
                total += A[i, j] * before[j, b]
            W[i, b] = total


@inner
def covariances(V, W, left, G, eps, tiny):
    """left[k] <- W V[k], G[k] <- W V[k] W^H, loaded as `linalg.load` does."""
    K, M = W.shape
    for k in range(K):
        trace = 0.0
        for i in range(K):
            row_times(W[i], V[k], 1.0, left[k, i])
            for j in range(i + 1):
                total = left[k, i, 0] * np.conj(W[j, 0])
                for b in range(1, M):
                    total += left[k, i, b] * np.conj(W[j, b])
                G[k, i, j], G[k, j, i] = total, np.conj(total)
            trace += G[k, i, i].real / K
        for i in range(K):
            G[k, i, i] = G[k, i, i].real + 10 * eps * trace + tiny


@inner
def row_times(w, v, factor, out):
    """out <- factor w V, for the Hermitian V packed in v."""
    M = w.shape[0]
    for b in range(M):
        total = w[b] * v[b * M + b]
        for a in range(b):
            total += w[a] * complex(v[a * M + b], v[b * M + a])
        for a in range(b + 1, M):
            total += w[a] * complex(v[b * M + a], -v[a * M + b])
        out[b] = factor * total


@inner
def identity(A):
    for i in range(A.shape[0]):
        for j in range(A.shape[0]):
            A[i, j] = i == j


# One function for each rule: what is compiled for a function as an argument is not kept on disk.


@compiled
def _frames_iss(P, W, U, power, powers, first, last):
    _frames(P, W, U, power, rules.iss, powers, first, last)


@compiled
def _frames_ip(P, W, U, power, powers, first, last):
    _frames(P, W, U, power, rules.ip, powers, first, last)


@compiled
def _frames_ip2(P, W, U, power, powers, first, last):
    _frames(P, W, U, power, rules.ip2, powers, first, last)


@compiled
def _bins_iss(P, W, U, power, powers, first, last):
    _bins(P, W, U, power, rules.iss, powers, first, last)


@compiled
def _bins_ip(P, W, U, power, powers, first, last):
    _bins(P, W, U, power, rules.ip, powers, first, last)


@compiled
def _bins_ip2(P, W, U, power, powers, first, last):
    _bins(P, W, U, power, rules.ip2, powers, first, last)


FRAMES = {"iss": _frames_iss, "ip": _frames_ip, "ip2": _frames_ip2}
BINS = {"iss": _bins_iss, "ip": _bins_ip, "ip2": _bins_ip2}
