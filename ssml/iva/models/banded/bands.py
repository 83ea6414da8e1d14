"""What `views` computes, compiled.

Layouts: power (N, K, F, T); seen (N, K, B, T, S + 2 S/2 + 1), of B bands of S bins from `low` on:
log-power, activity against the strongest rival and among all of a pair of bins each, level of the
frame; net (N, K, B, T, S + 2).
"""

import numpy as np

from ...compiled import compiled, inner


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
