"""How much each method gains under which conditions."""

from typing import NamedTuple

import numpy as np

from ssml.config.layout import MIXTURE
from ssml.evaluation.statistics import Interval, paired_interval

from . import compare
from .results import Results, Scores

BINS = 3  # as equally filled as can be


class Split(NamedTuple):
    """The mixtures of a set that fall into one bin."""

    label: str
    ids: list[str]


class Table(NamedTuple):
    """SI-SDR improvement in dB of each method (rows) in each bin (columns) on one set."""

    test_set: str
    splits: list[Split]
    rows: list[tuple[str, list[Interval]]]


class Condition(NamedTuple):
    """A condition, what it means, and its table for each set where it varies."""

    key: str
    title: str
    meaning: str
    tables: list[Table]


# column -> title, meaning, unit, digits
CONTINUOUS = {
    "t60": ("Reverberation", "T60 as measured on the responses of the room", "s", 2),
    "overlap": (
        "Overlap",
        "of the time in which anyone talks, the part in which two or more do",
        "%",
        0,
    ),
    "distance": ("Distance", "from the first microphone, mean over the speakers", "m", 2),
    "level": ("Level difference", "between the loudest and the softest speaker", "dB", 1),
}
SCALE = {"overlap": 100.0}


def conditions(results: Results) -> list[Condition]:
    """All conditions; a set in which one does not vary is left out of it."""
    found, mixtures = [], {test_set: results.scores[MIXTURE, test_set] for test_set in results.sets}
    for key, (title, meaning, unit, digits) in CONTINUOUS.items():
        splits = {test_set: _bins(of, key, unit, digits) for test_set, of in mixtures.items()}
        found.append(Condition(key, title, meaning, _tables(results, key, splits)))
    splits = {test_set: _sexes(of) for test_set, of in mixtures.items()}
    meaning = "whether all speakers of a mixture are of one sex"
    found.append(Condition("sex", "Speakers' sexes", meaning, _tables(results, "sex", splits)))
    return [condition for condition in found if condition.tables]


def _tables(results: Results, key: str, splits: dict[str, list[Split]]) -> list[Table]:
    return [
        Table(
            test_set,
            found,
            [
                (method, [_improvement(results, test_set, method, s.ids) for s in found])
                for method in results.on(test_set)
            ],
        )
        for test_set, found in splits.items()
        if len(found) > 1
    ]


def _improvement(results: Results, test_set: str, method: str, ids: list[str]) -> Interval:
    after, before = (compare.values(results, "si_sdr", test_set, m) for m in (method, MIXTURE))
    chosen = [{id: found[id] for id in ids if id in found} for found in after]
    return paired_interval(chosen, before, results.talkers(test_set))


def _bins(scores: Scores, key: str, unit: str, digits: int) -> list[Split]:
    """Mixtures of equal values share a bin, whose label is its range; none where one is unknown."""
    values = SCALE.get(key, 1.0) * scores.columns[key]
    if not np.isfinite(values).all():
        return []
    edges = np.quantile(values, np.arange(1, BINS) / BINS)
    place = np.searchsorted(edges, values, side="left")
    splits = []
    for chosen in (np.flatnonzero(place == b) for b in range(BINS)):
        if len(chosen):
            low, high = values[chosen].min(), values[chosen].max()
            label = f"{low:.{digits}f} to {high:.{digits}f} {unit}"
            splits.append(Split(label, [scores.ids[i] for i in chosen]))
    return splits


def _sexes(scores: Scores) -> list[Split]:
    kinds: dict[str, list[str]] = {"one sex": [], "both sexes": []}
    for id, sexes in zip(scores.ids, scores.sexes, strict=True):
        kinds["one sex" if len(set(sexes)) == 1 else "both sexes"].append(id)
    return [Split(label, ids) for label, ids in kinds.items() if ids]
