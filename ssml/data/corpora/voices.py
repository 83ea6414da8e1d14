"""The choice of espeak-ng's voices: candidates are measured, and the most different ones are taken.

A voice is a language, a variant (espeak-ng's word for a timbre), a pitch and a rate. Many variants
sound alike. The distance of two voices is computed from their median F0 and long-term spectra.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from ssml.files import provenance
from ssml.files.errors import UserError

SENTENCE = "The boy saw two huge fishing boats at noon"
PITCHES = (30, 70)
RATES = (145, 150, 160, 170)  # words a minute
LANGUAGES = ("en-us", "en", "en-gb-x-rp", "en-gb-scotland")
SEMITONES, DECIBELS = 3.0, 3.0  # of F0 and of spectrum that count as one unit of distance
PERIODIC = 0.75  # normalised autocorrelation of a voiced frame, at least
VOICED = 0.2  # share of frames; less is a whisper
BANDS, FRAME, HOP = 24, 512, 256


@dataclass(frozen=True)
class Voice:
    language: str
    variant: str
    pitch: int  # 0 to 99
    rate: int  # words a minute

    def request(self, text: str) -> dict[str, Any]:
        """The request to `ssml.data.corpora.espeak` that speaks `text`."""
        name = f"{self.language}+{self.variant}"
        return {"voice": name, "pitch": self.pitch, "rate": self.rate, "text": text}

    def record(self) -> dict[str, Any]:
        return asdict(self)


@dataclass(frozen=True)
class Measure:
    """The median F0 in Hz, the share of voiced frames, and the mean spectrum ((BANDS,), dB)."""

    f0: float
    voiced: float
    spectrum: np.ndarray

    def distance(self, other: "Measure") -> float:
        """How different two voices are; 1 is about 3 semitones or 3 dB."""
        pitch = 12 * np.log2(self.f0 / other.f0) / SEMITONES
        timbre = np.sqrt(np.mean((self.spectrum - other.spectrum) ** 2)) / DECIBELS
        return float(np.hypot(pitch, timbre))


def candidates(variants: Sequence[str]) -> list[Voice]:
    """Voices for training: each variant at some pitches, with one language and rate each."""
    voices = []
    for variant in variants:
        for pitch in PITCHES:
            random = provenance.generator(0, "voice", variant, pitch)
            language = LANGUAGES[random.integers(len(LANGUAGES))]
            voices.append(Voice(language, variant, pitch, int(random.choice(RATES))))
    return voices


def _bands(fs: int) -> np.ndarray:
    """Triangles on the mel scale, (BANDS, FRAME // 2 + 1), from 100 Hz to 7 kHz."""
    mel = np.linspace(np.log1p(100 / 700), np.log1p(7000 / 700), BANDS + 2)
    edges = 700 * np.expm1(mel)
    low, middle, high = edges[:-2, None], edges[1:-1, None], edges[2:, None]
    f = np.fft.rfftfreq(FRAME, 1 / fs)
    return np.maximum(0, np.minimum((f - low) / (middle - low), (high - f) / (high - middle)))


def _pitch(frames: np.ndarray, fs: int) -> np.ndarray:
    """F0 in Hz of the voiced `frames` (T, samples), by the autocorrelation's first high peak."""
    spectrum = np.abs(np.fft.rfft(frames, 2 * frames.shape[1], axis=1)) ** 2
    correlation = np.fft.irfft(spectrum, axis=1)
    window = np.fft.irfft(
        np.abs(np.fft.rfft(np.hanning(frames.shape[1]), 2 * frames.shape[1])) ** 2
    )
    shortest, longest = int(fs / 400), int(fs / 60)
    # the window's own decay would favour short lags
    correlation = (
        correlation[:, : longest + 1] / correlation[:, :1] / window[: longest + 1] * window[0]
    )
    lags = correlation[:, shortest:]
    best = lags.max(axis=1)
    first = np.argmax(lags >= 0.9 * best[:, None], axis=1)  # not an octave below
    # from where the height is reached, up to the peak itself
    rising = np.lib.stride_tricks.sliding_window_view(
        np.pad(lags, ((0, 0), (0, 31)), constant_values=-1), 32, axis=1
    )[np.arange(len(lags)), first]
    lag = shortest + first + rising.argmax(axis=1)
    return (fs / lag)[best > PERIODIC]


def measure(audio: np.ndarray, fs: int) -> Measure:
    """Measure a voice on `audio` (samples,), at `fs` Hz, at least a second long."""
    long = int(0.04 * fs)
    frames = np.lib.stride_tricks.sliding_window_view(audio, max(long, FRAME))[::HOP]
    power = np.sum(frames**2, axis=1)
    frames = frames[power > 1e-2 * power.max()]
    f0 = _pitch(frames[:, :long] * np.hanning(long), fs)
    power = np.abs(np.fft.rfft(frames[:, :FRAME] * np.hanning(FRAME), axis=1)) ** 2
    spectrum = 10 * np.log10(_bands(fs) @ power.mean(axis=0) + 1e-12)
    median = float(np.median(f0)) if len(f0) else 1.0
    return Measure(median, len(f0) / len(frames), spectrum - spectrum.mean())


def farthest(
    measures: Mapping[Voice, Measure], count: int, apart_from: Sequence[Measure] = ()
) -> list[Voice]:
    """A greedy choice of `count` voices, each as far as possible from the voices before.

    The first is farthest from all `apart_from`, or has the lowest F0 where that is empty. No
    variant comes twice before each has come once. Raises `UserError` for too few voices.
    """
    if count > len(measures):
        raise UserError(f"corpus.synthetic.voices: {count} asked, at most {len(measures)} differ")
    chosen: list[Voice] = []
    far = {
        voice: min((here.distance(other) for other in apart_from), default=np.inf)
        for voice, here in measures.items()
    }
    while len(chosen) < count:
        taken = Counter(voice.variant for voice in chosen)
        best = max(far, key=lambda v: (-taken[v.variant], far[v], -measures[v].f0))
        chosen.append(best)
        del far[best]
        far = {v: min(d, measures[v].distance(measures[best])) for v, d in far.items()}
    return chosen
