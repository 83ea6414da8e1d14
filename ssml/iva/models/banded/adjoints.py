"""Derivatives of `bands`, and that of a depthwise convolution, compiled.

Layouts are those of `bands`. The adjoint of x is `back_x`.
"""

import numpy as np

from ...compiled import compiled
from .bands import _frames, _levels, _mean, _rivals


@compiled
def of_see(power, low, size, floor, tiny, scale, given, back_scale, back_power):
    """back_power <- adjoint for `given`, that of the logarithms of `see`; back_scale is used up."""
    N, K, F, T = power.shape
    B = given.shape[2]
    kind = power.dtype.type
    one, floor, small = kind(1), kind(floor), kind(1e-3)
    level, rival = np.empty((K, T), power.dtype), np.empty((K, T), power.dtype)
    total, frame = np.empty(T, power.dtype), np.empty(T, power.dtype)
    back, shared = np.empty((K, T), power.dtype), np.empty(T, power.dtype)
    every = np.empty((K, T), power.dtype)
    for n in range(N):
        for k in range(K):
            _frames(power[n, k], low, B * size, frame)
            up = one / (scale[n, k] * kind(B * size))
            used = kind(0)
            for t in range(T):
                every[k, t] = 0
            for b in range(B):
                for t in range(T):
                    every[k, t] += given[n, k, b, t, 2 * size]
            for t in range(T):
                value = every[k, t] / (frame[t] * up + kind(10) * floor)
                used += value * frame[t] * up
                every[k, t] = value * up
            up = one / scale[n, k]
            for f in range(F):
                for t in range(T):
                    back_power[n, k, f, t] = 0
            for b in range(B):
                for i in range(size):
                    x, y = power[n, k, low + b * size + i], back_power[n, k, low + b * size + i]
                    for t in range(T):
                        p = x[t] * up
                        value = given[n, k, b, t, i] / (p + floor)
                        used += value * p
                        y[t] = value * up
            to_all = (back_scale[n, k] - used * up) / kind(B * size * T)
            for t in range(T):
                every[k, t] += to_all
        for b in range(B):
            for i in range(size // 2):
                f = low + b * size + 2 * i
                _levels(power[n], f, small, tiny, level)
                _rivals(level, rival, total)
                for t in range(T):
                    shared[t] = 0
                for k in range(K):
                    for t in range(T):
                        among = given[n, k, b, t, size + size // 2 + i]
                        against = given[n, k, b, t, size + i]
                        own, other = level[k, t], rival[k, t]
                        shared[t] += among
                        back[k, t] = among / own + against * other / (own * (own + other))
                for k in range(K):
                    for t in range(T):
                        back[k, t] -= shared[t] / total[t]
                for k in range(K):
                    for j in range(K):
                        if j != k:
                            for t in range(T):
                                strongest = level[j, t] == rival[k, t]
                                lost = given[n, k, b, t, size + i] / (level[k, t] + rival[k, t])
                                back[j, t] -= lost if strongest else kind(0)
                for k in range(K):
                    for g in range(f, f + 2):
                        x, y = power[n, k, g], back_power[n, k, g]
                        mean = _mean(x) + kind(tiny)
                        up, lost = kind(0.5) / mean, kind(0)
                        for t in range(T):
                            lost += back[k, t] * x[t]
                        lost *= up / (mean * kind(T))
                        for t in range(T):
                            y[t] += back[k, t] * up - lost + every[k, t]


@compiled
def of_ratios(
    seen, net, own, share, frame, low, size, given, back_seen, back_net, back_own, back_share,
    back_frame,
):  # fmt: skip
    """Write the adjoints of `ratios` for `given`, that of its result; sums are over all (N, K)."""
    N, K, F, T = given.shape
    B = net.shape[2]
    kind = given.dtype.type
    level = np.empty(T, given.dtype)
    for i in range(B * size):
        back_own[i], back_share[i] = 0, 0
    for f in range(F):
        back_frame[f] = 0
    for n in range(N):
        for k in range(K):
            for t in range(T):
                level[t] = 0
            for f in range(F):
                y = given[n, k, f]
                lost = kind(0)
                for t in range(T):
                    lost += y[t] * seen[n, k, 0, t, 2 * size]
                    level[t] -= y[t] * frame[f]
                back_frame[f] -= lost
            for b in range(B):
                s, z = seen[n, k, b], net[n, k, b]
                r, c = back_seen[n, k, b], back_net[n, k, b]
                for t in range(T):
                    for i in range(r.shape[1]):
                        r[t, i] = 0
                    c[t, size] = 0
                    c[t, size + 1] = 0
                for i in range(size):
                    place, pair = b * size + i, size + i // 2
                    y = given[n, k, low + place]
                    p, q, of_p, of_q = own[place], share[place], kind(0), kind(0)
                    for t in range(T):
                        g = -y[t]
                        c[t, i] = g
                        c[t, size] += g * s[t, i]
                        c[t, size + 1] += g * s[t, pair]
                        r[t, i] = g * (p + z[t, size])
                        r[t, pair] += g * (q + z[t, size + 1])
                        of_p += g * s[t, i]
                        of_q += g * s[t, pair]
                    back_own[place] += of_p
                    back_share[place] += of_q
            for t in range(T):
                back_seen[n, k, 0, t, 2 * size] += level[t]


@compiled
def of_weigh(power, scale, floor, least, sigmoid, given, back_ratio, back_power, back_scale):
    """Adjoints of the sigmoid's argument, of the power and of the scale for that of weights."""
    N, K, F, T = power.shape
    kind = power.dtype.type
    one, least = kind(1), kind(least)
    for n in range(N):
        for k in range(K):
            back_scale[n, k] = 0
            for f in range(F):
                x, s, g = power[n, k, f], sigmoid[n, k, f], given[n, k, f]
                back, y = back_ratio[n, k, f], back_power[n, k, f]
                total, met = kind(0), kind(0)
                for t in range(T):
                    u = max(s[t], least)
                    total += u * x[t]
                    met += u * g[t]
                up = one / (total / kind(T) + kind(floor) * scale[n, k])
                lost = -met * up * up
                back_scale[n, k] += lost * kind(floor)
                lost /= kind(T)
                for t in range(T):
                    u = max(s[t], least)
                    y[t] = lost * u
                    gain = g[t] * up + lost * x[t]
                    back[t] = gain * s[t] * (one - s[t]) if s[t] >= least else kind(0)


@compiled
def of_taps(x, given, dilation, out):
    """out (3, 3, C) <- sum over n, b, t of `x[n, b + i - 1, t + (j - 1) dilation] given[n, b, t]`.

    x, given (N, B, T, C); nothing lies outside of x.
    """
    N, B, T, C = x.shape
    total = np.zeros((3, C), x.dtype)
    for i in range(3):
        for j in range(3):
            for c in range(C):
                out[i, j, c] = 0
    for n in range(N):
        for b in range(B):
            for i in range(max(0, 1 - b), min(3, B + 1 - b)):
                for j in range(3):
                    for c in range(C):
                        total[j, c] = 0
                row, met = x[n, b + i - 1], given[n, b]
                for j in range(3):
                    shift = (j - 1) * dilation
                    for t in range(max(0, -shift), min(T, T - shift)):
                        for c in range(C):
                            total[j, c] += row[t + shift, c] * met[t, c]
                for j in range(3):
                    for c in range(C):
                        out[i, j, c] += total[j, c]
