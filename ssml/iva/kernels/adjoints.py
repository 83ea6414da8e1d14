"""Compiled derivatives of `bins`: adjoints of an iteration with ISS and of the outputs' power.

ISS may sweep over the sources any number of times: `rules.iss` once, `rules.iss_6_sweeps` six.

The adjoint z' of a complex z is such that a real loss changes by `Re(conj(z') dz)`, as in torch.
"""

import numpy as np

from ..compiled import compiled, inner
from . import rules
from .bins import add_rows, covariances, identity, loading, moments, row_times


@compiled
def power(P, W, given, back_W, first, last):
    """Write the adjoint of W for that of the power (K, F, T): `2 w_k sum_t given X X^H`."""
    K, M = W.shape[1:]
    V = np.empty((K, M * M))
    for f in range(first, last):
        moments(P[f], given, f, V)
        for k in range(K):
            row_times(W[f, k], V[k], 2.0 * P.shape[2], back_W[f, k])


@compiled
def iterate(P, W, U, given, back_W, back_U, sweeps, first, last):
    """Write the adjoints of W and U for `given`, that of the W after an iteration with ISS."""
    K, M = W.shape[1:]
    V, back_V = np.empty((K, M * M)), np.empty((K, M * M))
    left = np.empty((K, K, M), W.dtype)
    G, back_G = np.empty((K, K, K), W.dtype), np.empty((K, K, K), W.dtype)
    states, back_A = np.empty((sweeps * K + 1, K, K), W.dtype), np.empty((K, K), W.dtype)
    spare = np.empty((rules.SPARE, K, K), W.dtype)
    eps = np.finfo(P.dtype).eps
    share, floor = loading(eps, np.finfo(P.dtype).tiny)
    for f in range(first, last):
        moments(P[f], U, f, V)
        covariances(V, W[f], left, G, share, floor)
        _steered(G, states, spare)
        _of_product(states[-1], W[f], given[f], back_A, back_W[f])
        _of_steering(G, states, back_A, spare, back_G)
        _of_covariances(V, W[f], left, back_G, share, back_V, back_W[f])
        for k in range(K):
            for t in range(P.shape[2]):
                back_U[k, f, t] = 0
            for r in range(M * M):
                back_V[k, r] /= P.shape[2]
            add_rows(back_V[k], P[f], back_U[k, f])


@inner
def _of_product(A, W, given, back_A, back_W):
    """Adjoints of A, W for that of `A W`; both are written."""
    K, M = W.shape
    for i in range(K):
        for j in range(K):
            total = given[i, 0] * np.conj(W[j, 0])
            for b in range(1, M):
                total += given[i, b] * np.conj(W[j, b])
            back_A[i, j] = total
    _adjoint_times(A, given, back_W)


@inner
def _adjoint_times(A, B, out):
    """out <- A^H B."""
    for i in range(out.shape[0]):
        for j in range(out.shape[1]):
            total = np.conj(A[0, i]) * B[0, j]
            for k in range(1, A.shape[0]):
                total += np.conj(A[k, i]) * B[k, j]
            out[i, j] = total


@inner
def _steered(G, states, spare):
    """states[i] <- the transform A after i of the steps of ISS, each of which steers one source."""
    K = G.shape[0]
    identity(states[0])
    for i in range(states.shape[0] - 1):
        for m in range(K):
            for j in range(K):
                states[i + 1, m, j] = states[i, m, j]
        rules.steer(G, states[i + 1], i % K, spare)


@inner
def _of_steering(G, states, back, spare, back_G):
    """Adjoint of G for `back`, that of the last of the `states` `_steered` makes; it is used up."""
    K = G.shape[0]
    c, back_c, own = spare[0, 0], spare[1, 0], spare[2, 0]
    for m in range(K):
        for i in range(K):
            for j in range(K):
                back_G[m, i, j] = 0
    for step in range(states.shape[0] - 2, -1, -1):
        k, A = step % K, states[step]
        for j in range(K):
            own[j] = 0  # what the adjoint of row k of A gains
        for m in range(K):
            norm = rules.column(G[m], A, k, c)
            back_v = back[m, 0] * np.conj(A[k, 0])
            for j in range(1, K):
                back_v += back[m, j] * np.conj(A[k, j])
            back_v = -back_v
            if m == k:
                v = complex(1 - 1 / np.sqrt(norm), 0.0)
                back_norm = 0.5 * back_v.real / (norm * np.sqrt(norm))
            else:
                cross = A[m, 0] * c[0]
                for j in range(1, K):
                    cross += A[m, j] * c[j]
                v = cross * (1 / norm)
                back_norm = -(np.conj(back_v) * v).real / norm
            for j in range(K):
                own[j] -= np.conj(v) * back[m, j]
                back_c[j] = back_norm * np.conj(A[k, j])
                own[j] += back_norm * np.conj(c[j])
            if m != k:
                back_cross = back_v * (1 / norm)
                for j in range(K):
                    back_c[j] += np.conj(A[m, j]) * back_cross
                    back[m, j] += back_cross * np.conj(c[j])
            for i in range(K):
                for j in range(K):
                    back_G[m, i, j] += back_c[i] * A[k, j]
                    own[j] += G[m, i, j] * np.conj(back_c[i])
        for j in range(K):
            back[k, j] += own[j]


@inner
def _of_covariances(V, W, left, back_G, share, back_V, back_W):
    """Adjoints of V (written) and W (added to) from that of the loaded `G[k] = W V[k] W^H`."""
    K, M = W.shape
    L = np.empty((K, M), W.dtype)
    row, full = np.empty(M, W.dtype), np.empty((M, M), W.dtype)
    for k in range(K):
        for i in range(K):
            back_G[k, i, i] += share * back_G[k, i, i].real
        for i in range(K):
            for b in range(M):
                total, other = back_G[k, i, 0] * W[0, b], np.conj(back_G[k, 0, i]) * left[k, 0, b]
                for j in range(1, K):
                    total += back_G[k, i, j] * W[j, b]
                    other += np.conj(back_G[k, j, i]) * left[k, j, b]
                L[i, b] = total
                back_W[i, b] += other
        for i in range(K):
            row_times(L[i], V[k], 1.0, row)
            for b in range(M):
                back_W[i, b] += row[b]
        _adjoint_times(W, L, full)
        for a in range(M):
            back_V[k, a * M + a] = full[a, a].real
            for b in range(a + 1, M):
                back_V[k, a * M + b] = full[a, b].real + full[b, a].real
                back_V[k, b * M + a] = full[a, b].imag - full[b, a].imag
