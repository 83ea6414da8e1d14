"""Compiled passes over the bins. Each pass reads the outer products of a bin once.

Layouts: X (M, F, T) complex; P (F, M * M, T) real, the outer products as `linalg.pack` orders them;
W (F, K, M) complex128; weights U and powers (K, F, T), or both (K, 1, T): weights that all bins
share, powers summed over bins.
"""

import numpy as np

from .. import linalg
from ..compiled import compiled, inner
from . import rules

loading = inner(linalg.loading)


@compiled
def prepare(X, scale, P, L, first, last):
    """P, L <- outer products of the sphered mixture `scale X`, `L Z = scale X`; of some bins.

    See `demixing.sphere`.
    """
    M, _, T = X.shape
    re, im = np.empty((M, T), P.dtype), np.empty((M, T), P.dtype)
    share, floor = loading(np.finfo(P.dtype).eps, np.finfo(P.dtype).tiny)
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
                low[i, j] = complex(a / T, b / T)
            trace += low[i, i].real / M
        load = share * trace + floor
        rules.factor(low, load, load)
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
def _sweep(P, W, U, power, rule, powers, first, last):
    """One iteration on some bins: W in place and, if `powers`, `power` as `outputs` does."""
    K, M = W.shape[1:]
    V, G = np.empty((K, M * M)), np.empty((K, K, K), W.dtype)
    left, A = np.empty((K, K, M), W.dtype), np.empty((K, K), W.dtype)
    spare, c = np.empty((rules.SPARE, K, K), W.dtype), np.empty(M * M)
    eps = np.finfo(P.dtype).eps
    share, floor = loading(eps, np.finfo(P.dtype).tiny)
    for f in range(first, last):
        moments(P[f], U, f, V)
        covariances(V, W[f], left, G, share, floor)
        identity(A)
        rule(G, A, spare, eps)
        _transform(A, W[f], left[0])
        if powers:
            _power(P[f], W[f], c, power, f)


@compiled
def outputs(P, W, power, first, last):
    """Write the power of the outputs of some bins, (K, F, T), or add it to a sum (K, 1, T)."""
    c = np.empty(P.shape[1])
    for f in range(first, last):
        _power(P[f], W[f], c, power, f)


@inner
def _power(P, W, c, power, f):
    """`|W X|^2` of bin f from outer products, see `demixing.power`; c (M * M) is overwritten."""
    K, M = W.shape
    summed = power.shape[1] == 1
    for k in range(K):
        for i in range(M):
            c[i * M + i] = W[k, i].real ** 2 + W[k, i].imag ** 2
            for j in range(i + 1, M):
                product = W[k, i] * np.conj(W[k, j])
                c[j * M + i] = -2 * product.imag
                c[i * M + j] = 2 * product.real
        if summed:
            add_rows(c, P, power[k, 0])
            continue
        out = power[k, f]
        for t in range(out.shape[0]):
            out[t] = 0
        add_rows(c, P, out)
        for t in range(out.shape[0]):
            out[t] = max(out[t], 0)  # rounding must not make a power negative


@inner
def moments(P, U, f, out):
    """out[k, r] <- mean_t U[k, f, t] P[r, t]; for two sources and four rows at a time."""
    K, _, T = U.shape
    R = P.shape[0]
    g = 0 if U.shape[1] == 1 else f
    zero = P.dtype.type(0)
    for k in range(0, K, 2):
        m = min(k + 1, K - 1)  # an odd last source is its own partner
        u, v = U[k, g], U[m, g]
        for r in range(0, R - 3, 4):
            p, q, x, y = P[r], P[r + 1], P[r + 2], P[r + 3]
            a, b, c, d = zero, zero, zero, zero
            h, i, j, n = zero, zero, zero, zero
            for t in range(T):
                a += u[t] * p[t]
                b += u[t] * q[t]
                c += u[t] * x[t]
                d += u[t] * y[t]
                h += v[t] * p[t]
                i += v[t] * q[t]
                j += v[t] * x[t]
                n += v[t] * y[t]
            out[k, r], out[k, r + 1], out[k, r + 2], out[k, r + 3] = a / T, b / T, c / T, d / T
            out[m, r], out[m, r + 1], out[m, r + 2], out[m, r + 3] = h / T, i / T, j / T, n / T
        for r in range(R - R % 4, R):
            p, a, h = P[r], zero, zero
            for t in range(T):
                a += u[t] * p[t]
                h += v[t] * p[t]
            out[k, r], out[m, r] = a / T, h / T


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
def _transform(A, W, before):
    """W <- A W; `before` (K, M) is overwritten."""
    K, M = W.shape
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
def covariances(V, W, left, G, share, floor):
    """left[k] <- W V[k], G[k] <- W V[k] W^H, loaded as `linalg.load` does."""
    K, M = W.shape
    for k in range(K):
        for i in range(K):
            row_times(W[i], V[k], 1.0, left[k, i])
            for j in range(i + 1):
                total = left[k, i, 0] * np.conj(W[j, 0])
                for b in range(1, M):
                    total += left[k, i, b] * np.conj(W[j, b])
                G[k, i, j], G[k, j, i] = total, np.conj(total)
            G[k, i, i] = G[k, i, i].real * (1 + share) + floor


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


# One function for each rule: numba does not keep code on disk whose argument is a function.


@compiled
def _iss(P, W, U, power, powers, first, last):
    _sweep(P, W, U, power, rules.iss, powers, first, last)


@compiled
def _iss_6_sweeps(P, W, U, power, powers, first, last):
    _sweep(P, W, U, power, rules.iss_6_sweeps, powers, first, last)


@compiled
def _ip(P, W, U, power, powers, first, last):
    _sweep(P, W, U, power, rules.ip, powers, first, last)


@compiled
def _ip2(P, W, U, power, powers, first, last):
    _sweep(P, W, U, power, rules.ip2, powers, first, last)


SWEEPS = {"iss": _iss, "iss-6-sweeps": _iss_6_sweeps, "ip": _ip, "ip2": _ip2}
