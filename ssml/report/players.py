"""Players of a page: sounds at one loudness as MP3, and their spectrograms as WebP."""

import base64
import io
import math

import numpy as np
from numpy.typing import NDArray

Audio = NDArray[np.floating]
LEVEL = -26.0  # dB of full scale, the mean power of the blocks that are not silent
BLOCK = 0.4  # s
GATE = 10.0  # dB below the mean of all blocks: silence, by ITU-R BS.1770's relative gate
PEAK = 0.98
COMPRESSION = 0.8  # from 0, large, to 1, small
SPAN = 60.0  # dB of level that a spectrogram shows
FRAME = 0.016  # s
WIDTH = 320  # pixels, until a picture is loaded
RATES = (8000, 11025, 12000, 16000, 22050, 24000, 32000, 44100, 48000)  # Hz, of MP3


def mp3(audio: Audio, fs: int) -> bytes:
    """`audio` (N,) at `fs` Hz, compressed."""
    import soundfile
    import soxr

    rate = next((known for known in RATES if known >= fs), RATES[-1])
    if rate != fs:
        audio, fs = soxr.resample(audio, fs, rate), rate
    buffer = io.BytesIO()
    # not Ogg: its streams have random serial numbers, and not every browser plays them
    soundfile.write(buffer, audio, fs, format="MP3", compression_level=COMPRESSION)
    return buffer.getvalue()


def picture(audio: Audio, fs: int) -> bytes:
    """The spectrogram of `audio` (N,) as WebP, for sounds of `match_level`: one scale for all."""
    from PIL import Image
    from scipy.signal import stft

    n_fft = 2 * round(FRAME * fs / 2)
    padded = np.pad(audio, (0, max(0, n_fft - len(audio))))
    spectrum = stft(padded, fs, nperseg=n_fft, noverlap=0)[2]
    level = 20 * np.log10(np.abs(spectrum[::-1]) + 1e-9)
    shade = np.clip((level - LEVEL) / SPAN + 1, 0, 1)
    buffer = io.BytesIO()
    Image.fromarray(cubehelix(shade)).save(buffer, "WEBP", quality=50, method=4)
    return buffer.getvalue()


def cubehelix(shade: Audio) -> NDArray[np.uint8]:
    """Colours (..., 3) of shades in [0, 1], whose lightness rises with the shade.

    The scheme of D. A. Green 2011 (start 0.5, rotations -1.5, hue 1), readable without colour
    vision and in print.
    """
    angle = 2 * np.pi * (0.5 / 3 + 1 - 1.5 * shade)
    swing = shade * (1 - shade) / 2
    turn = np.array([[-0.14861, 1.78277], [-0.29227, -0.90649], [1.97294, 0.0]])
    axes = np.stack([np.cos(angle), np.sin(angle)], -1)
    colour = shade[..., None] + swing[..., None] * (axes @ turn.T)
    return (255 * np.clip(colour, 0, 1)).round().astype(np.uint8)


def data_uri(data: bytes, kind: str) -> str:
    """`data` of the media type `kind` as an address, for a page that is one file."""
    return f"data:{kind};base64,{base64.b64encode(data).decode()}"


def match_level(audio: Audio, fs: int) -> Audio:
    """`audio` (N,) scaled to `LEVEL` where it is not silent, below `PEAK`; 0 stays 0."""
    loud = loudness(audio, fs)
    peak = float(np.abs(audio).max(initial=0))
    if not math.isfinite(loud) or peak == 0:
        return np.zeros_like(audio)
    return audio * min(10 ** ((LEVEL - loud) / 20), PEAK / peak)


def loudness(audio: Audio, fs: int) -> float:
    """Mean power in dB of the blocks of `audio` (N,) that are not silent; -inf: all are."""
    size = int(BLOCK * fs)
    padded = np.pad(audio.astype(np.float64), (0, max(0, size - len(audio))))
    starts = range(0, len(padded) - size + 1, size // 4)
    power = np.array([np.square(padded[i : i + size]).mean() for i in starts])
    mean = power.mean()
    if not mean > 0:
        return -math.inf
    return float(10 * np.log10(power[power > mean * 10 ** (-GATE / 10)].mean()))
