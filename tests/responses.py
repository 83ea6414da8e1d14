"""Measured responses that a test makes itself: what they hold is known."""

from pathlib import Path

import numpy as np
import soundfile

FS = 16000
T60 = 0.4  # s
CHANNELS = 32


def response(source: int, channels: int, floor: float, fs: int = FS) -> np.ndarray:
    """Direct sound after 10 samples a source and one a channel, a decay of T60, and a floor."""
    random = np.random.default_rng(source)
    time = np.arange(int(0.5 * fs)) / fs
    late = 0.05 * random.standard_normal((channels, len(time))) * 10 ** (-3 * time / T60)
    for channel in range(channels):
        start = 10 * source + channel
        late[channel, :start] = 0
        late[channel, start] = 1
    return 0.5 * (late + floor * random.standard_normal(late.shape))


def write_response(folder: Path, source: int, channels=CHANNELS, floor=0.0, fs=FS) -> None:
    name = folder / f"source{source}.wav"
    soundfile.write(name, response(source, channels, floor, fs).T, fs, "PCM_24")
