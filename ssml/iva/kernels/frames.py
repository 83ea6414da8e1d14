"""Compiled passes over the bins where something is only subtracted, see `regression`.

The covariances of frames and their past need only the products of channels at distinct lags, since
both frames of a product may be `l` frames ago: `sum_t u[t] z_i[t-l] z_j[t-l-d]*` is the product
`z_i[s] z_j[s-d]*` weighted by `u[s+l]`. Each is formed once in a pass over a bin, and none is kept.

Layouts: Z (F, M, T) complex, the sphered mixture; V (F, K, D) complex128, D = M (1 + taps); weights
U and powers (K, F, T), or both (K, 1, T) as in `bins`. delay: from a frame to the first of its past
frames.
"""

import numpy as np

from ..compiled import compiled, inner


@compiled
def outputs(Z, V, power, delay, first, last):
    """Write the power of the outputs of some bins, (K, F, T), or add it to a sum (K, 1, T)."""
    re, im, one, other = frames_of(Z, V, delay)
    for f in range(first, last):
        fill(Z[f], re, im)
        write_power(V[f], re, im, one, other, delay, power, f)


@inner
def frames_of(Z, V, delay):
    """Working memory: channels (M, silence + T) as real and imaginary parts, and two rows."""
    _, M, T = Z.shape
    taps = V.shape[2] // M - 1
    before = delay + taps - 1 if taps > 0 else 0
    re, im = np.zeros((M, before + T), Z.real.dtype), np.zeros((M, before + T), Z.real.dtype)
    return re, im, np.empty(T, re.dtype), np.empty(T, re.dtype)


@inner
def fill(Z, re, im):
    """re, im <- the channels of one bin, behind the silence before them."""
    M, T = Z.shape
    for m in range(M):
        a, b = re[m, re.shape[1] - T :], im[m, re.shape[1] - T :]
        for t in range(T):
            a[t], b[t] = Z[m, t].real, Z[m, t].imag


@inner
def output(v, re, im, real, imag, delay):
    """real, imag <- the output of the filters v (D) over channels and their past."""
    M, T = re.shape[0], real.shape[0]
    for t in range(T):
        real[t], imag[t] = 0, 0
    for n in range(v.shape[0]):
        lag = lag_of(n // M, delay)
        begin = re.shape[1] - T - lag
        a, b = re[n % M, begin : begin + T], im[n % M, begin : begin + T]
        x, y = re.dtype.type(v[n].real), re.dtype.type(v[n].imag)
        for t in range(T):
            real[t] += x * a[t] - y * b[t]
            imag[t] += x * b[t] + y * a[t]


@inner
def lag_of(block, delay):
    return 0 if block == 0 else delay + block - 1


@inner
def write_power(V, re, im, real, imag, delay, power, f):
    summed = power.shape[1] == 1
    for k in range(V.shape[0]):
        output(V[k], re, im, real, imag, delay)
        out = power[k, 0] if summed else power[k, f]
        for t in range(out.shape[0]):
            square = real[t] * real[t] + imag[t] * imag[t]
            out[t] = out[t] + square if summed else square


@inner
def product(re, im, i, j, lag, real, imag):
    """real, imag <- `z_i[s] z_j[s - lag]*` over frames s."""
    T = real.shape[0]
    begin = re.shape[1] - T
    a, b = re[i, begin:], im[i, begin:]
    c, d = re[j, begin - lag : begin - lag + T], im[j, begin - lag : begin - lag + T]
    for t in range(T):
        real[t] = a[t] * c[t] + b[t] * d[t]
        imag[t] = b[t] * c[t] - a[t] * d[t]


@inner
def partner(block, lag, taps, delay):
    """The block that is `lag` frames before `block`; -1 where there is none."""
    if lag == 0:
        return block
    found = lag_of(block, delay) + lag - delay + 1
    return found if 1 <= found <= taps else -1


@inner
def covariances(re, im, U, f, real, imag, delay, C):
    """C[k] <- `mean_t U[k] z z^H`, Hermitian (D, D), over channels and their past."""
    K, T = U.shape[0], U.shape[2]
    M, g = re.shape[0], 0 if U.shape[1] == 1 else f
    taps = C.shape[1] // M - 1
    for lag in range(re.shape[1] - T + 1):
        if lag >= taps and 0 < lag < delay:
            continue
        for i in range(M):
            for j in range(i if lag == 0 else 0, M):
                product(re, im, i, j, lag, real, imag)
                for block in range(taps + 1):
                    behind = partner(block, lag, taps, delay)
                    if behind < 0:
                        continue
                    since = lag_of(block, delay)
                    if since >= T:
                        since = T
                    p, q = real[: T - since], imag[: T - since]
                    row, column = block * M + i, behind * M + j
                    for k in range(0, K, 2):
                        m = min(k + 1, K - 1)  # an odd last source is its own partner
                        a, b, c, d = _weighted(U[k, g, since:], U[m, g, since:], p, q)
                        first, second = complex(a / T, b / T), complex(c / T, d / T)
                        C[k, row, column], C[m, row, column] = first, second
                        C[k, column, row], C[m, column, row] = np.conj(first), np.conj(second)


@inner
def _weighted(u, v, p, q):
    """Sums over frames of u p, u q, v p and v q."""
    zero = p.dtype.type(0)
    a, b, c, d = zero, zero, zero, zero
    for t in range(p.shape[0]):
        a += u[t] * p[t]
        b += u[t] * q[t]
        c += v[t] * p[t]
        d += v[t] * q[t]
    return a, b, c, d
