"""Delays between the channels of a recording, constant and growing, and their removal.

A delay is measured by the generalised cross-correlation with phase transform (GCC-PHAT: Knapp and
Carter 1976) of segments spread over the whole recording. The segments whose delays lie on one line
give the constant delay and the drift of the other clock.
"""

import tempfile
from contextlib import ExitStack
from typing import NamedTuple

import numpy as np

from ssml.files.errors import UserError

from .reading import PIECE, Recording, Spool

SEGMENT = 1.0  # s, roughly
SEGMENTS = 120  # at most
LONGEST = 0.45  # s, delay that is looked for
STEEPEST = 150e-6  # drift that is looked for
BAND = (150.0, 7000.0)  # Hz
NEAR = 0.5e-3  # s around a line within which a segment's delay lies on it
FEWEST, SHARE = 4, 0.15  # segments on the line, for it to count
FINE = 8  # steps between two lags
TRAVEL = 5e-3  # s, delay up to which sound may just travel between microphones
LATE = 10e-3  # s, delay above which separation suffers
DRIFT, GROWN = 3e-6, 0.3e-3  # drift that counts, and s by which it must have grown


class Delay(NamedTuple):
    """By how many s a channel is late at the recording's beginning, and its growth in s per s."""

    start: float
    drift: float

    def drifts(self, seconds: float) -> bool:
        """Whether the clocks of the two channels differ, in a recording of `seconds` s."""
        return abs(self.drift) > DRIFT and abs(self.drift) * seconds > GROWN


def estimate(recording: Recording, reference: int = 0) -> list[Delay | None]:
    """The delay of each channel against channel `reference`; None where there is none to be seen.

    A recording below 4 s has too little for an estimate.
    """
    fs, M = recording.fs, recording.channels
    L = 2 ** round(np.log2(SEGMENT * fs))
    if recording.frames < FEWEST * L:
        return [None] * M
    count = min(SEGMENTS, 2 * recording.frames // L)
    starts = np.linspace(0, recording.frames - L, count).astype(int)
    # above 7 kHz nothing is used: half the rate is enough from 32 kHz on
    decimated = 2 ** max(0, int(np.log2(fs / 16000)))
    rate = fs / decimated
    most = min(round(LONGEST * rate), L // decimated - 1)
    frequency = np.fft.rfftfreq(2 * L, 1 / fs)
    used = (frequency >= BAND[0]) & (frequency < min(BAND[1], 0.45 * fs))
    found = np.empty((M, count, 2 * most + 1), np.float32)
    levels = np.empty(count)
    for i, start in enumerate(starts):
        x = recording.read(start, start + L).astype(np.float64)
        X = np.fft.rfft(x, 2 * L) * used
        levels[i] = np.abs(X[reference]).mean()
        cross = X * X[reference].conj()
        cross /= np.abs(cross) + 1e-30
        gcc = np.fft.irfft(cross[:, : L // decimated + 1], 2 * L // decimated)
        found[:, i] = np.roll(gcc, most, -1)[:, : 2 * most + 1]
    loud = levels > 1e-2 * levels.max()
    if not loud.any():  # silence has no delays
        return [None] * M
    return [_line(found[m][loud], starts[loud] / fs, rate) for m in range(M)]


def _line(gcc: np.ndarray, times: np.ndarray, rate: float) -> Delay | None:
    """The delay and its growth on which most segments agree; gcc (segments, lags) at `rate` Hz."""
    lags = (gcc.argmax(-1) - gcc.shape[-1] // 2) / rate
    i, j = np.triu_indices(len(lags), 1)
    apart = times[j] - times[i] > 0.2 * (times[-1] - times[0])
    i, j = i[apart], j[apart]
    slopes = (lags[j] - lags[i]) / (times[j] - times[i])
    possible = np.abs(slopes) < STEEPEST
    slopes = np.concatenate([np.zeros(len(lags)), slopes[possible]])
    offsets = np.concatenate([lags, lags[i[possible]] - slopes[len(lags) :] * times[i[possible]]])
    if not len(offsets):
        return None
    near = [
        (np.abs(lags - a - b * times) < NEAR).sum() for a, b in zip(offsets, slopes, strict=True)
    ]
    best = int(np.argmax(near))
    if near[best] < max(FEWEST, SHARE * len(lags)):
        return None
    return _sharpened(gcc, times, rate, offsets[best], slopes[best])


def _sharpened(gcc: np.ndarray, times: np.ndarray, rate: float, a: float, b: float) -> Delay:
    """The line near `a + b t` along which the segments add up to the sharpest correlation."""
    a, b = _steered(gcc, times, rate, a, b, round(2 * NEAR * rate), 129)
    # once more around that line, between the samples
    half, middle = round(2 * NEAR * rate), gcc.shape[-1] // 2
    centre = np.rint((a + b * times) * rate).astype(int)
    places = (centre[:, None] + middle + np.arange(-2 * half, 2 * half + 1)).clip(0, 2 * middle)
    coarse = np.fft.rfft(np.take_along_axis(gcc, places, -1))
    fine = np.fft.irfft(coarse, FINE * places.shape[-1])
    fine = fine[:, : 4 * half * FINE + 1]
    rest = a + b * times - centre / rate
    return Delay(*_steered(fine, times, rate * FINE, a, b, half * FINE // 4, 65, rest))


def _steered(
    gcc: np.ndarray,
    times: np.ndarray,
    rate: float,
    a: float,
    b: float,
    half: int,
    steps: int,
    at: np.ndarray | None = None,
) -> tuple[float, float]:
    """The best line at most `half` lags from `a + b t`, of `steps` slopes.

    at: where that line is in `gcc` (segments, lags), in s from its middle lag; None: at itself.
    """
    middle, around = gcc.shape[-1] // 2, np.arange(-half, half + 1)
    at = a + b * times if at is None else at
    best, found = -1.0, (a, b)
    for more in np.linspace(-half, half, steps) / rate / max(float(times[-1]), 1e-9):
        shift = np.rint((at + more * times) * rate).astype(int) + middle
        places = (shift[:, None] + around).clip(0, gcc.shape[-1] - 1)
        total = np.take_along_axis(gcc, places, -1).sum(0)
        sharp = float(np.square(total.clip(0)).sum())
        if sharp > best:
            best, found = sharp, (float(a + around[total.argmax()] / rate), float(b + more))
    return found


def align(recording: Recording, delays: list[Delay | None], stack: ExitStack) -> Recording:
    """The recording without the delays that are longer than sound travels, and without drifts.

    It is silent where a channel has not begun, or has ended: what the others hear there cannot be
    separated. Its samples lie in a temporary file until `stack` is closed.
    """
    spool = stack.enter_context(tempfile.TemporaryFile())  # noqa: SIM115
    M, step = recording.channels, PIECE // recording.channels
    tracks = [_Track(recording, m, delay) for m, delay in enumerate(delays)]
    first = max(track.ends[0] for track in tracks)
    last = min(track.ends[1] for track in tracks)
    for start in range(0, recording.frames, step):
        n = min(step, recording.frames - start)
        samples = np.stack([track.next(n) for track in tracks], -1)
        at = np.arange(start, start + n)
        samples[(at < first) | (at >= last)] = 0
        spool.write(samples.astype(np.float32).tobytes())
    reader = Spool(spool, recording.fs, M, recording.frames)
    return Recording([reader], recording.notes)


class _Track:
    """One channel, which is read from its delay on, at the rate of the reference's clock."""

    def __init__(self, recording: Recording, channel: int, delay: Delay | None) -> None:
        self._recording, self._channel = recording, channel
        delay = delay or Delay(0, 0)
        drifts = delay.drifts(recording.seconds)
        late = abs(delay.start) > TRAVEL
        self._at = round(delay.start * recording.fs) if late else 0
        self._clock = _clock(delay.drift) if drifts else None
        self._ready = np.zeros(0, np.float32)
        rate = 1 + delay.drift if drifts else 1
        self.ends = (-self._at / rate, (recording.frames - self._at) / rate)  # of what there is

    def next(self, n: int) -> np.ndarray:
        """The next n samples; zeros before the beginning and behind the end."""
        while len(self._ready) < n:
            new = self._raw(n)
            if self._clock is not None:
                new = self._clock.resample_chunk(new)
            self._ready = np.concatenate([self._ready, new])
        out, self._ready = self._ready[:n], self._ready[n:]
        return out

    def _raw(self, n: int) -> np.ndarray:
        start, end = self._at, self._at + n
        self._at = end
        inside = slice(*np.clip((start, end), 0, self._recording.frames))
        x = np.zeros(n, np.float32)
        if inside.stop > inside.start:
            audio = self._recording.read(inside.start, inside.stop)[self._channel]
            x[inside.start - start : inside.stop - start] = audio
        return x


def _clock(drift: float):
    """Resamples what a clock took that is faster by `drift`."""
    try:
        import soxr
    except ImportError:
        raise UserError("align: clocks that differ need soxr; install it") from None
    return soxr.ResampleStream(1 + drift, 1.0, 1, dtype="float32")
