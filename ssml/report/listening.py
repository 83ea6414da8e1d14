"""What the listening page plays: chosen mixtures, every method's outputs, words and numbers."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from ssml.config import layout
from ssml.config.layout import MIXTURE
from ssml.evaluation.asr import words
from ssml.evaluation.outcomes import outcomes

from .chosen import Chosen, first_methods, stem
from .focus import learned
from .headline import talkers
from .players import LEVEL, WIDTH, match_level, mp3, picture
from .results import Results
from .templates import environment

Audio = NDArray[np.floating]


class Take(NamedTuple):
    """What a method made of a talker: `name` is its files' stem; a number and words if any."""

    method: str
    name: str
    si_sdr: float | None  # dB
    steps: list[words.Step] | None  # what was heard against what was said
    first: bool  # whether it is offered at once, not among the folded ones


class Talker(NamedTuple):
    """A player: what was said, and the takes that it can play, `start` first."""

    said: str
    takes: list[Take]
    start: str  # method

    @property
    def first(self) -> list[Take]:
        return [take for take in self.takes if take.first]

    @property
    def folded(self) -> list[Take]:
        return [take for take in self.takes if not take.first]


class Piece(NamedTuple):
    """A mixture as it is shown: a player for each of its talkers."""

    chosen: Chosen
    t60: float  # s
    seconds: float
    talkers: list[Talker]


def piece(results: Results, one: Chosen) -> tuple[Piece, dict[str, bytes]]:
    """A chosen mixture, and the files of its players by name, made from the stored audio."""
    files, takes, info, fs, samples = {}, [], {}, results.params.fs, 0
    first = first_methods(results, one.test_set)
    for method in [*first, *(m for m in results.on(one.test_set) if m not in first)]:
        (outcome,) = outcomes(results.params, method, one.test_set, only=[one.id])
        info, samples = outcome.info, outcome.est.shape[1]
        # the mixture is the same for every source
        for k, signal in enumerate(outcome.est[:1] if method == MIXTURE else outcome.est):
            name, sound = stem(one.id, method, k), match_level(signal, fs)
            files |= {f"{name}.mp3": mp3(sound, fs), f"{name}.webp": picture(sound, fs)}
        takes.append(_takes(results, method, one, len(outcome.est), method in first))
    start = learned(results) or first[-2 if len(first) > 2 else 0]
    talkers = [
        Talker(said, list(own), start)
        for said, *own in zip(info["transcripts"], *takes, strict=True)
    ]
    return Piece(one, info["t60_measured"], samples / fs, talkers), files


def render(results: Results, pieces: Sequence[Piece]) -> str:
    """The page; the same inputs give the same bytes."""
    params = results.params
    sets = {
        test_set: [piece for piece in pieces if piece.chosen.test_set == test_set]
        for test_set in results.sets
    }
    return (
        environment()
        .get_template("listen.html.j2")
        .render(
            title=params.report.title,
            learned=params.report.learned_sdr,
            transcribed=bool(results.transcripts),
            sets=[(talkers(results, name), found) for name, found in sets.items() if found],
            back=layout.REPORT.name,
            audio=layout.AUDIO.name,
            level=LEVEL,
            top=params.fs / 2000,
            width=WIDTH,
        )
    )


def _takes(results: Results, method: str, one: Chosen, count: int, first: bool) -> list[Take]:
    """A method's takes of the `count` talkers of a mixture."""
    found = results.scores.get((method, one.test_set))
    scores = found.sources[one.id] if found else [None] * count
    heard = results.transcripts.get((method, one.test_set))
    texts = heard.texts.get(one.id, []) if heard and method != MIXTURE else []
    steps = [words.align(text.hyp, text.ref) for text in texts] or [None] * count
    return [Take(method, stem(one.id, method, k), scores[k], steps[k], first) for k in range(count)]
