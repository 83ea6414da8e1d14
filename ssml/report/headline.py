"""The report's first sentence: the result, whatever it is, with its interval."""

import math
from collections import Counter
from typing import NamedTuple

from ssml.config.layout import MIXTURE
from ssml.evaluation.statistics import Interval

from . import compare
from .cells import bound
from .focus import learned, main_set
from .results import Results
from .rivals import best_classical
from .templates import number

WORDS = ("no", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten")


class Headline(NamedTuple):
    """A sentence around its figure, which may be empty, and the sentences that go with it."""

    before: str
    figure: str
    after: str
    notes: list[str]

    def __str__(self) -> str:
        return f"{self.before}{self.figure}{self.after}"


def headline(results: Results) -> Headline:
    """What came out on the main set, the other sets, failures, and what all of it rests on."""
    main, ours = main_set(results), learned(results)
    rival = best_classical(results, main)
    if ours is None:
        return _without_learned(results, main, rival)
    failed, tried = failures(results, main, ours)
    on = f"On {talkers(results, main)}"
    if failed == tried:
        all_of = f"all {failed} separations" if failed > 1 else "its one mixture"
        return Headline(f"{on} the learned model failed on {all_of}.", "", "", [])
    parts = _compared(compare.counted_difference(results, main, ours, rival or MIXTURE))
    other = "the best classical method" if rival else "the unprocessed mixture"
    before, figure, after = (part.format(on=on, other=other) for part in parts)
    notes = [] if rival else ["This run has no classical method to compare with."]
    notes.append(_basis(results, main, ours, rival or MIXTURE))
    notes += _failures(results, main, [name for name in (ours, rival) if name])
    notes += _others(results, main, ours)
    return Headline(before, figure, after, notes)


def talkers(results: Results, test_set: str) -> str:
    """`two talkers`, and the set's name where another set has as many."""
    counts = Counter(results.speakers(name) for name in results.sets)
    count = results.speakers(test_set)
    words = f"{_word(count)} talker{'s' if count != 1 else ''}"
    return words if counts[count] == 1 else f"{words} ({test_set})"


def difference(interval: Interval) -> str:
    """`+4.0 dB [2.8, 5.3]`; without bounds where there are none."""
    text = f"{number(interval.mean, 1, '+')} dB"
    bounded = math.isfinite(interval.low) and math.isfinite(interval.high)
    return f"{text} [{bound(interval.low, 1)}, {bound(interval.high, 1)}]" if bounded else text


def side(interval: Interval) -> str:
    """Where the interval lies of zero: better, worse, or open."""
    return "better" if interval.low > 0 else "worse" if interval.high < 0 else "open"


def _compared(interval: Interval) -> tuple[str, str, str]:
    figure = difference(interval)
    if interval.n < 2 or not math.isfinite(interval.low):
        after = " against {other}, without an interval: too few mixtures."
        return "{on} the learned model has ", figure, after
    if side(interval) == "open":
        before = "{on} this run does not tell the learned model from {other}: "
        return before, figure, "."
    if side(interval) == "worse":
        return "{on} the learned model is worse than {other}: ", figure, "."
    return "{on} the learned model gains ", figure, " over {other}."


def _without_learned(results: Results, main: str, rival: str | None) -> Headline:
    if rival is None:
        return Headline("This run has neither a learned nor a classical method.", "", "", [])
    gain = compare.counted_difference(results, main, rival, MIXTURE)
    before = f"Without a learned model: on {talkers(results, main)} the best classical method has "
    notes = [_basis(results, main, rival, MIXTURE), *_failures(results, main, [rival])]
    return Headline(before, difference(gain), " over the unprocessed mixture.", notes)


def _basis(results: Results, test_set: str, a: str, b: str) -> str:
    """What the figure is: the two methods, the quantity, and how much it rests on."""
    found = results.scores[a, test_set]
    mixtures = f"{len(found.ids)} mixture{'s' if len(found.ids) != 1 else ''}"
    count = len({name for names in found.speakers.values() for name in names})
    rests = [mixtures, f"{count} speaker{'s' if count != 1 else ''} in all"]
    if (trainings := len(results.trainings(a))) > 1:
        rests.append(f"{trainings} trainings")
    return (
        f"Mean SI-SDR of {_method(results, a)} less that of {_method(results, b)}, with its 95 % "
        f"interval: {', '.join(rests)}."
    )


def failures(results: Results, test_set: str, method: str) -> tuple[int, int]:
    """How many separations of a set failed, of how many, over all trainings of the method."""
    found = [results.scores[name, test_set] for name in results.trainings(method)]
    return sum(scores.failures for scores in found), sum(len(scores.ids) for scores in found)


def _failures(results: Results, test_set: str, methods: list[str]) -> list[str]:
    found = [(name, *failures(results, test_set, name)) for name in methods]
    return [
        f"{name} failed on {failed} of {tried}, which count as unprocessed."
        for name, failed, tried in found
        if failed
    ]


def _others(results: Results, main: str, ours: str) -> list[str]:
    """The same difference on every other set, against its own best classical method."""
    parts = []
    for test_set in results.sets:
        rival = best_classical(results, test_set)
        if test_set == main or rival is None:
            continue
        interval = compare.counted_difference(results, test_set, ours, rival)
        word = "" if side(interval) == "better" else f" ({side(interval)})"
        parts.append(f"{difference(interval)} on {talkers(results, test_set)}{word}")
    return [f"Against the best classical method of each: {', '.join(parts)}."] if parts else []


def _method(results: Results, name: str) -> str:
    if name == MIXTURE:
        return "the unprocessed mixture"
    count = results.methods[name].iterations
    return f"{name} ({count} iteration{'s' if count != 1 else ''})"


def _word(count: int) -> str:
    return WORDS[count] if count < len(WORDS) else str(count)
