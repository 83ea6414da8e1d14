"""What is below the voice, such as a constant, hum or wind, is kept from a trained model.

It says nothing of who talks, and a network judges by levels: a tone of 40 Hz, 20 dB above two
talkers, cost the shipped `learned-sdr` 2 dB. Steps at both ends of a loud rumble sound in every
bin, so the mixture is filtered before its STFT.
"""

import math
from functools import lru_cache, partial
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.functional import conv1d

FADE = 0.25  # of the lowest frequency that is heard, over which the filter fades
ENDS = 2  # periods of that frequency, over which the ends of a signal fade
HIGHEST = 15 / 16  # of that frequency, of the waves at the ends
LOADING = 1e-4  # power of what they do not explain, over theirs
ATTENUATION = 70.0  # dB


def lowest(hertz: float, n_fft: int, fs: int) -> int:
    """The first bin at or over `hertz`."""
    return math.ceil(hertz * n_fft / fs)


def hide(network: nn.Module, low: int) -> nn.Module:
    """Let `network` see the mean power of the next `low` bins in the first `low` of (..., F, T).

    There is only rounding noise where `below` was taken out. `low` 0 changes nothing.
    """
    if low:
        network.register_forward_pre_hook(partial(_hidden, low))
    return network


def below(x: Tensor, low: int, n_fft: int) -> Tensor:
    """What signals (..., N) hold below the bin `low` of an FFT of `n_fft`.

    A low-pass of linear phase, without delay, and at both ends, where it lacks half of what it
    needs, the sum of low waves that fits best.
    """
    y = _filtered(x, low, n_fft)
    N = x.shape[-1]
    if n_fft > N:
        return y
    waves, fit, share = (torch.tensor(a, dtype=x.dtype, device=x.device) for a in _ends(low, n_fft))
    first = torch.arange(n_fft // 2, device=x.device)
    for order in (first, N - 1 - first):  # by index: see `_filtered`
        part, known = (z.index_select(-1, order) for z in (x, y))
        better = share * (part @ fit.mT @ waves.mT - known)
        y = y.index_add(-1, order, better)
    return y


def _filtered(x: Tensor, low: int, n_fft: int) -> Tensor:
    """The low-pass alone, for signals that go on as their odd mirror images.

    It is sampled at a fraction of the rate, which is all that is needed there, and interpolated by
    the same filter.
    """
    taps, half = _filter(low, n_fft)
    h = torch.tensor(taps, dtype=x.dtype, device=x.device)
    step, length, N = h.shape[0], h.shape[1], x.shape[-1]
    blocks = (N + 2 * half) // step + length + 1
    flat = x.reshape(-1, N)
    # sample i of the longer signal, at row i % step and column i // step: a column is a block
    rows, columns = torch.arange(step, device=x.device), torch.arange(blocks, device=x.device)
    i = (rows[:, None] + step * columns).flatten() - 2 * half
    nearest = i.clamp(0, N - 1)
    mirrored = (2 * nearest - i).clamp(0, N - 1)
    longer = 2 * flat.index_select(-1, nearest) - flat.index_select(-1, mirrored)
    slow = conv1d(longer.unflatten(-1, (step, -1)), h[None])
    y = conv1d(slow, step * h.flip(-1)[:, None], padding=length - 1).flatten(-2)
    # by index: torch.export cannot prove that a slice fits for any length
    inside = torch.arange(N, device=x.device) + 2 * half
    at = inside % step * blocks + inside // step
    return y.index_select(-1, at).reshape(x.shape)


def faded(x: Tensor, low: int, n_fft: int) -> Tensor:
    """Signals (..., N) that come and go over 2 periods of the bin `low`, at most an eighth of N.

    A recording that begins or ends in the middle of a sound sounds in every bin there. Where the
    rest of a bin is empty, as above a narrow band, that would decide its filters.
    """
    t = torch.arange(x.shape[-1], device=x.device, dtype=x.dtype) + 0.5
    left = torch.minimum(t, t.flip(0))
    length = (left.max() / 4).clamp(max=ENDS * n_fft / low)
    return x * (0.5 - 0.5 * torch.cos(torch.pi * (left / length).clamp(max=1)))


@lru_cache
def _filter(low: int, n_fft: int) -> tuple[np.ndarray, int]:
    """The low-pass, and its middle. Column q of it is what meets block q of a signal.

    A block has as many samples as there are for one of the filter's output.
    """
    edge = low / n_fft  # in cycles a sample
    # Kaiser's design, as in scipy.signal, whose import would take longer than a separation
    half = math.ceil((ATTENUATION - 7.95) / (4.57 * math.pi * FADE * edge) / 2)
    beta = 0.1102 * (ATTENUATION - 8.7)
    h = np.kaiser(2 * half + 1, beta) * np.sinc((2 - FADE) * edge * np.arange(-half, half + 1))
    step = max(1, 2 ** math.floor(math.log2(0.45 / edge)))
    padded = np.pad(h / h.sum(), (0, -len(h) % step))
    return np.ascontiguousarray(padded.reshape(-1, step).T), half


@lru_cache
def _ends(low: int, n_fft: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """For the first n_fft / 2 samples: waves, what fits them to a signal, and their share there."""
    n = n_fft // 2
    turns = 2 * np.pi * np.arange(0, HIGHEST * low, 0.5) / n_fft * np.arange(n)[:, None]
    waves = np.concatenate([np.cos(turns), np.sin(turns[:, 1:])], 1)
    gram = waves.T @ waves + LOADING * n * np.eye(waves.shape[1])
    share = np.clip((0.625 - np.arange(n) / n) / 0.3125, 0, 1)
    return waves, np.linalg.solve(gram, waves.T), share


def _hidden(low: int, network: nn.Module, given: tuple[Any, ...]) -> tuple[Any, ...]:
    power, *rest = given
    others = power[..., low:, :]
    mean = others[..., :low, :].mean(-2, keepdim=True)
    return torch.cat([mean.expand_as(power[..., :low, :]), others], -2), *rest
