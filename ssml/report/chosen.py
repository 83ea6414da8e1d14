"""Which mixtures are played, and which of their sounds first."""

import math
from typing import NamedTuple

from ssml.config.layout import MIXTURE, REFERENCE

from .focus import learned, main_set
from .results import Results
from .rivals import best_classical


class Chosen(NamedTuple):
    """A mixture, and by which rule it was chosen: best, median, or worst."""

    test_set: str
    id: str
    why: str


class Sound(NamedTuple):
    """A sound of the report's first screen: what it is, its file's stem, its SI-SDR in dB."""

    title: str
    method: str
    name: str
    si_sdr: float


def choose(results: Results) -> list[Chosen]:
    """Of each set the mixtures with the best, median and worst SI-SDR of `report.learned_sdr`.

    Among those that every method has, and that were transcribed, where some were; one that failed
    is the worst.
    """
    found = []
    method = results.params.report.learned_sdr
    for test_set in results.sets:
        scores = results.scores[method, test_set].values("si_sdr")
        texts = results.transcripts.get((MIXTURE, test_set))
        everywhere = (set(results.scores[n, test_set].ids) for n in results.on(test_set))
        ids = set.intersection(*everywhere, set(texts.texts) if texts else set(scores))
        order = sorted(
            sorted(ids),
            key=lambda id: scores[id] if math.isfinite(scores[id]) else -math.inf,
            reverse=True,
        )
        places = {"best": 0, "median": (len(order) - 1) // 2, "worst": len(order) - 1}
        taken: dict[int, str] = {}
        for why, place in places.items():
            taken.setdefault(place, why)
        found += [Chosen(test_set, order[place], why) for place, why in taken.items()]
    return found


def typical(results: Results) -> Chosen:
    """The median mixture of the main set, or what there is of it."""
    found = [one for one in choose(results) if one.test_set == main_set(results)]
    return next((one for one in found if one.why == "median"), found[0])


def first_methods(results: Results, test_set: str) -> list[str]:
    """What a player offers at once: the mixture, the best classical, the learned, the clean."""
    named = [MIXTURE, best_classical(results, test_set), learned(results), REFERENCE]
    return [name for name in named if name]


def first_sounds(results: Results) -> list[Sound]:
    """The typical mixture, and what the best classical and the learned method give of a talker."""
    one = typical(results)
    titles = {best_classical(results, one.test_set): "Best classical", learned(results): "Learned"}
    methods = [m for m in first_methods(results, one.test_set) if m != REFERENCE]
    return [
        Sound(
            titles.get(method, "Mixture"),
            "" if method == MIXTURE else method,
            stem(one.id, method, 0),
            results.scores[method, one.test_set].sources[one.id][0],
        )
        for method in methods
    ]


def stem(id: str, method: str, source: int) -> str:
    """The name of a sound's files; the mixture is the same for every source."""
    return f"{id}-{method}-{1 if method == MIXTURE else source + 1}"
