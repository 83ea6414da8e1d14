"""What the listening page plays: chosen mixtures, every method's outputs, words and numbers."""

import io
import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.signal import stft

from ssml.config import layout
from ssml.config.layout import MIXTURE, REFERENCE
from ssml.evaluation.asr import words
from ssml.evaluation.outcomes import outcomes

from . import page, spectrograms
from .results import Results, Text

Audio = NDArray[np.floating]
LEVEL = -26.0  # dB of full scale, the mean power of the blocks that are not silent
BLOCK = 0.4  # s
GATE = 10.0  # dB below the mean of all blocks: silence, by ITU-R BS.1770's relative gate
PEAK = 0.98
COMPRESSION = 0.8  # from 0, large, to 1, small
N_FFT, HOP = 256, 256
WIDTH = 320  # pixels, until a picture is loaded


class Chosen(NamedTuple):
    """A mixture, and by which rule it was chosen: best, median, or worst."""

    test_set: str
    id: str
    why: str


class Track(NamedTuple):
    """One player: `name` is its files' stem; numbers and words where there are any."""

    name: str
    title: str
    seconds: float
    si_sdr: float | None  # dB
    steps: list[words.Step] | None  # what was heard against what was said


class Row(NamedTuple):
    """A method's players, one for each source (of the mixture, one)."""

    method: str
    si_sdr: float | None  # dB, mean
    tracks: list[Track]


class Piece(NamedTuple):
    """A mixture as it is shown: what was said, and a row for each method."""

    chosen: Chosen
    said: list[str]
    t60: float
    rows: list[Row]


def choose(results: Results) -> list[Chosen]:
    """Of each set the mixtures with the best, median and worst SI-SDR of `report.learned_sdr`.

    Among those that were transcribed, where some were; one that failed is the worst.
    """
    found = []
    method = results.params.report.learned_sdr
    for test_set in results.sets:
        scores = results.scores[method, test_set].values("si_sdr")
        texts = results.transcripts.get((MIXTURE, test_set))
        ids = [id for id in scores if not texts or id in texts.texts]
        order = sorted(
            ids, key=lambda id: scores[id] if math.isfinite(scores[id]) else -math.inf, reverse=True
        )
        places = {"best": 0, "median": (len(order) - 1) // 2, "worst": len(order) - 1}
        taken: dict[int, str] = {}
        for why, place in places.items():
            taken.setdefault(place, why)
        found += [Chosen(test_set, order[place], why) for place, why in taken.items()]
    return found


def piece(results: Results, one: Chosen) -> tuple[Piece, dict[str, bytes]]:
    """A chosen mixture, and the files of its players by name, made from the stored audio."""
    rows, files, info, fs = [], {}, {}, results.params.fs
    for method in (MIXTURE, REFERENCE, *results.methods):
        (outcome,) = outcomes(results.params, method, one.test_set, only=[one.id])
        info, audio = outcome.info, outcome.est
        if method == MIXTURE:  # the same for every source
            audio = audio[:1]
        row = _row(results, method, one, audio)
        rows.append(row)
        for track, signal in zip(row.tracks, audio, strict=True):
            sound = at_level(signal, fs)
            files |= {f"{track.name}.mp3": mp3(sound, fs), f"{track.name}.webp": picture(sound, fs)}
    return Piece(one, info["transcripts"], info["t60_measured"], rows), files


def render(results: Results, pieces: Sequence[Piece]) -> str:
    """The page; the same inputs give the same bytes."""
    params = results.params
    return (
        page.environment()
        .get_template("listen.html.j2")
        .render(
            title=params.report.title,
            learned=params.report.learned_sdr,
            transcribed=bool(results.transcripts),
            pieces=pieces,
            back=layout.REPORT.name,
            audio=layout.AUDIO.name,
            level=LEVEL,
            top=params.fs / 2000,
            width=WIDTH,
        )
    )


def _row(results: Results, method: str, one: Chosen, audio: Audio) -> Row:
    found = results.scores.get((method, one.test_set))
    scores = found.sources[one.id] if found else []
    transcripts = results.transcripts.get((method, one.test_set))
    texts: list[Text] = transcripts.texts.get(one.id, []) if transcripts else []
    tracks = []
    for k in range(len(audio)):
        title = "mixture" if method == MIXTURE else f"{method}, speaker {k + 1}"
        heard = words.align(texts[k].hyp, texts[k].ref) if texts and method != MIXTURE else None
        score = scores[k] if scores and method != MIXTURE else None
        seconds = audio.shape[1] / results.params.fs
        tracks.append(Track(f"{one.id}-{method}-{k + 1}", title, seconds, score, heard))
    mean = found.values("si_sdr")[one.id] if found else None
    return Row(method, mean, tracks)


def mp3(audio: Audio, fs: int) -> bytes:
    """`audio` (samples,) compressed."""
    import soundfile

    buffer = io.BytesIO()
    # not Ogg: its streams have random serial numbers, and not every browser plays them
    soundfile.write(buffer, audio, fs, format="MP3", compression_level=COMPRESSION)
    return buffer.getvalue()


def picture(audio: Audio, fs: int) -> bytes:
    """The spectrogram of `audio` (samples,) as WebP; one scale for all, as all are equally loud."""
    spectrum = stft(audio, fs, nperseg=N_FFT, noverlap=N_FFT - HOP)[2]
    return spectrograms.spectrogram(20 * np.log10(np.abs(spectrum) + 1e-9), top=LEVEL)


def at_level(audio: Audio, fs: int) -> Audio:
    """`audio` (samples,) scaled to `LEVEL` where it is not silent, below `PEAK`; 0 stays 0."""
    loud = loudness(audio, fs)
    peak = float(np.abs(audio).max(initial=0))
    if not math.isfinite(loud) or peak == 0:
        return np.zeros_like(audio)
    return audio * min(10 ** ((LEVEL - loud) / 20), PEAK / peak)


def loudness(audio: Audio, fs: int) -> float:
    """Mean power in dB of the blocks of `audio` (samples,) that are not silent; -inf: all are."""
    size = int(BLOCK * fs)
    padded = np.pad(audio.astype(np.float64), (0, max(0, size - len(audio))))
    starts = range(0, len(padded) - size + 1, size // 4)
    power = np.array([np.square(padded[i : i + size]).mean() for i in starts])
    mean = power.mean()
    if not mean > 0:
        return -math.inf
    return float(10 * np.log10(power[power > mean * 10 ** (-GATE / 10)].mean()))
