"""What the listening page plays: chosen mixtures, every method's outputs, words and numbers."""

import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from ssml.config import layout
from ssml.config.layout import MIXTURE, REFERENCE
from ssml.evaluation.asr import words
from ssml.evaluation.outcomes import outcomes

from .players import LEVEL, WIDTH, match_level, mp3, picture
from .results import Results
from .templates import environment
from .transcripts import Text

Audio = NDArray[np.floating]


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
            sound = match_level(signal, fs)
            files |= {f"{track.name}.mp3": mp3(sound, fs), f"{track.name}.webp": picture(sound, fs)}
    return Piece(one, info["transcripts"], info["t60_measured"], rows), files


def render(results: Results, pieces: Sequence[Piece]) -> str:
    """The page; the same inputs give the same bytes."""
    params = results.params
    return (
        environment()
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
