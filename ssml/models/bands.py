"""What `views` computes, compiled, and its derivatives; and that of a depthwise convolution.

Layouts: power (N, K, F, T); seen (N, K, B, T, S + 2 S/2 + 1), of B bands of S bins from `low` on:
log-power, activity against the strongest rival and among all of a pair of bins each, level of the
frame; net (N, K, B, T, S + 2). The adjoint of x is `back_x`.
"""

import numpy as np

from ..compiled import compiled, inner


@compiled
def see(power, low, size, floor, tiny, seen, scale):
    """seen <- what the logarithm is taken of; scale (N, K) <- mean power of the bins seen."""
    N, K, _, T = power.shape
    B = seen.shape[2]
    kind = power.dtype.type
    one, floor, small = kind(1), kind(floor), kind(1e-3)
    level, rival = np.empty((K, T), power.dtype), np.empty((K, T), power.dtype)
    total, frame = np.empty(T, power.dtype), np.empty(T, power.dtype)
    for n in range(N):
        for k in range(K):
            _frames(power[n, k], low, B * size, frame)
            mean = 0.0
            for t in range(T):
                mean += frame[t]
            scale[n, k] = kind(mean / (B * size * T) + tiny)
            up = one / (scale[n, k] * kind(B * size))
            for b in range(B):
                for t in range(T):
                    seen[n, k, b, t, 2 * size] = frame[t] * up + kind(10) * floor
            up = one / scale[n, k]
            for b in range(B):
                for i in range(size):
                    x = power[n, k, low + b * size + i]
                    for t in range(T):
                        seen[n, k, b, t, i] = x[t] * up + floor
        for b in range(B):
            for i in range(size // 2):
                _levels(power[n], low + b * size + 2 * i, small, tiny, level)
                _rivals(level, rival, total)
                for k in range(K):
                    for t in range(T):
                        own = level[k, t]
                        seen[n, k, b, t, size + i] = (own + own) / (own + rival[k, t])
                        seen[n, k, b, t, size + size // 2 + i] = kind(K) * own / total[t]


@inner
def _frames(power, low, count, frame):
    """frame (T) <- sum over `count` bins of (F, T) from `low` on."""
    for t in range(frame.shape[0]):
        frame[t] = 0
    for f in range(low, low + count):
        for t in range(frame.shape[0]):
            frame[t] += power[f, t]


@inner
def _mean(x):
    total = x[0] * 0
    for t in range(x.shape[0]):
        total += x[t]
    return total / x.dtype.type(x.shape[0])


@inner
def _levels(power, f, small, tiny, level):
    """level (K, T) <- mean of bins f and f + 1 (K, F, T), each at unit mean power, and `small`."""
    kind = level.dtype.type
    for k in range(level.shape[0]):
        x, y = power[k, f], power[k, f + 1]
        a = kind(0.5) / (_mean(x) + kind(tiny))
        b = kind(0.5) / (_mean(y) + kind(tiny))
        for t in range(level.shape[1]):
            level[k, t] = a * x[t] + b * y[t] + small


@inner
def _rivals(level, rival, total):
    """rival (K, T) <- largest of the others of level (K, T); total (T) <- their sum with it."""
    K, T = level.shape
    for t in range(T):
        total[t] = level[0, t]
    for k in range(1, K):
        for t in range(T):
            total[t] += level[k, t]
    for k in range(K):
        for t in range(T):
            rival[k, t] = 0
        for j in range(K):
            if j != k:
                for t in range(T):
                    rival[k, t] = max(rival[k, t], level[j, t])


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
def ratios(seen, net, own, share, frame, low, size, out):
    """out (N, K, F, T) <- `-g`, the negative log-variance ratios of all bins."""
    N, K, F, T = out.shape
    B = net.shape[2]
    for n in range(N):
        for k in range(K):
            for f in range(F):
                y = out[n, k, f]
                for t in range(T):
                    y[t] = -frame[f] * seen[n, k, 0, t, 2 * size]
            for b in range(B):
                s, z = seen[n, k, b], net[n, k, b]
                for i in range(size):
                    place, pair = b * size + i, size + i // 2
                    y = out[n, k, low + place]
                    p, q = own[place], share[place]
                    for t in range(T):
                        y[t] -= (
                            z[t, i] + (p + z[t, size]) * s[t, i] + (q + z[t, size + 1]) * s[t, pair]
                        )


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
def weigh(power, scale, floor, least, sigmoid, out):
    """out <- weights, at least `least` before the weighted power of each bin is made one."""
    N, K, F, T = power.shape
    kind = power.dtype.type
    least = kind(least)
    for n in range(N):
        for k in range(K):
            for f in range(F):
                x, s, y = power[n, k, f], sigmoid[n, k, f], out[n, k, f]
                total = kind(0)
                for t in range(T):
                    y[t] = max(s[t], least)
                    total += y[t] * x[t]
                up = kind(1) / (total / kind(T) + kind(floor) * scale[n, k])
                for t in range(T):
                    y[t] *= up


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
