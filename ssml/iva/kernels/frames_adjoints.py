"""Compiled derivatives of `frames`: adjoints of the outputs' power and of the covariances.

The adjoint z' of a complex z is such that a real loss changes by `Re(conj(z') dz)`, as in torch.
"""

from ..compiled import compiled, inner
from .frames import covariances, fill, frames_of, lag_of, output, partner, product


@compiled
def every_covariance(Z, U, C, V, delay, first, last):
    """Write `covariances` of some bins to C (F, K, D, D); of V only the shape is read."""
    re, im, real, imag = frames_of(Z, V, delay)
    for f in range(first, last):
        fill(Z[f], re, im)
        covariances(re, im, U, f, real, imag, delay, C[f])


@compiled
def power(Z, V, given, back_V, delay, first, last):
    """Write the adjoint of V for that of the power (K, F, T): `2 sum_t given y z^H`."""
    M = Z.shape[1]
    re, im, real, imag = frames_of(Z, V, delay)
    T = real.shape[0]
    for f in range(first, last):
        fill(Z[f], re, im)
        for k in range(V.shape[1]):
            output(V[f, k], re, im, real, imag, delay)
            for t in range(T):
                real[t] *= given[k, f, t]
                imag[t] *= given[k, f, t]
            for n in range(V.shape[2]):
                begin = re.shape[1] - T - lag_of(n // M, delay)
                a, b = re[n % M, begin : begin + T], im[n % M, begin : begin + T]
                back_V[f, k, n] = 2 * _against(real, imag, a, b)


@inner
def _against(a, b, c, d):
    """Sum over frames of (a + ib)(c - id)."""
    x, y = a.dtype.type(0), a.dtype.type(0)
    for t in range(a.shape[0]):
        x += a[t] * c[t] + b[t] * d[t]
        y += b[t] * c[t] - a[t] * d[t]
    return complex(x, y)


@compiled
def weights(Z, back_C, back_U, V, delay, first, last):
    """Write the adjoint of U (K, F, T) for that of the covariances, back_C (F, K, D, D).

    Of V (F, K, D) only the shape is read.
    """
    M = Z.shape[1]
    taps = V.shape[2] // M - 1
    re, im, real, imag = frames_of(Z, V, delay)
    T = real.shape[0]
    for f in range(first, last):
        fill(Z[f], re, im)
        for k in range(back_U.shape[0]):
            for t in range(T):
                back_U[k, f, t] = 0
        for lag in range(re.shape[1] - T + 1):
            if lag >= taps and 0 < lag < delay:
                continue
            for i in range(M):
                for j in range(i if lag == 0 else 0, M):
                    product(re, im, i, j, lag, real, imag)
                    for block in range(taps + 1):
                        behind = partner(block, lag, taps, delay)
                        since = min(lag_of(block, delay), T)
                        if behind < 0:
                            continue
                        row, column = block * M + i, behind * M + j
                        p, q = real[: T - since], imag[: T - since]
                        for k in range(back_U.shape[0]):
                            a, b = back_C[f, k, row, column], back_C[f, k, column, row]
                            if row == column:
                                b = complex(0, 0)
                            x = re.dtype.type((a.real + b.real) / T)
                            y = re.dtype.type((a.imag - b.imag) / T)
                            _add(x, p, y, q, back_U[k, f, since:])


@inner
def _add(x, p, y, q, out):
    """out += x p + y q."""
    for t in range(p.shape[0]):
        out[t] += x * p[t] + y * q[t]
