"""Means and differences of methods, over mixtures, their speakers, and trainings.

Claims, tables and figures all ask here: the same pair has the same interval wherever it is shown.
"""

import itertools
import math
from typing import Any

import numpy as np

from ssml.config.layout import MIXTURE
from ssml.evaluation.statistics import (
    Counts,
    Interval,
    Values,
    holm,
    mean_interval,
    paired_interval,
    rate_interval,
    reduction_interval,
    wilcoxon,
)

from .results import Results
from .transcripts import Transcripts

SHOWN = (
    "si_sdr",
    "sdr",
    "stoi",
    "pesq",
)  # what any two methods are compared by, beside the capped WER
HIGHEST = {"stoi": 1.0}  # a t-interval knows of no limit
AT_MOST_ONE = ("wer_capped", "wer_without_insertions")
Pair = tuple[float, float | None, float | None, float | None]  # mean, low, high, p; None: unknown


def values(results: Results, metric: str, test_set: str, method: str) -> list[Values]:
    """The metric of each mixture, for each training of the method."""
    return [results.scores[n, test_set].values(metric) for n in results.trainings(method)]


def transcripts(results: Results, test_set: str, method: str) -> list[Transcripts]:
    """The texts of each training of the method; [] where not transcribed."""
    found = [results.transcripts.get((n, test_set)) for n in results.trainings(method)]
    return [texts for texts in found if texts] if all(found) else []


def counts(results: Results, test_set: str, method: str, kind: str = "wer_capped") -> list[Counts]:
    """Word errors and words of each mixture, for each training; [] where not transcribed."""
    return [texts.counts(kind) for texts in transcripts(results, test_set, method)]


def mean(results: Results, metric: str, test_set: str, method: str) -> Interval:
    """Mean of `metric` over the mixtures on which no training of `method` failed."""
    found = mean_interval(values(results, metric, test_set, method), results.talkers(test_set))
    return found._replace(high=min(found.high, HIGHEST.get(metric, math.inf)))


def rate(results: Results, test_set: str, method: str, kind: str = "wer_capped") -> Interval | None:
    """Pooled word error rate of a kind of `RATES`, 1 is all; None if not transcribed."""
    found = counts(results, test_set, method, kind)
    if not found:
        return None
    interval = rate_interval(found, results.talkers(test_set))
    # of at most one error a word, neither the rate nor its bounds are above 1
    return interval._replace(high=min(interval.high, 1.0)) if kind in AT_MOST_ONE else interval


def difference(results: Results, metric: str, test_set: str, a: str, b: str) -> Interval:
    """Mean of `metric` of `a` less that of `b`, over the mixtures on which neither failed."""
    first, second = (values(results, metric, test_set, name) for name in (a, b))
    return paired_interval(first, second, results.talkers(test_set))


def si_sdr(results: Results, test_set: str, a: str, b: str) -> Interval:
    """Mean SI-SDR of `a` less that of `b`, dB."""
    return difference(results, "si_sdr", test_set, a, b)


def counted(results: Results, test_set: str, method: str) -> list[Values]:
    """SI-SDR in dB of each mixture for each training, the mixture's own where one failed."""
    before = results.scores[MIXTURE, test_set].values("si_sdr")
    return [
        {id: value if math.isfinite(value) else before[id] for id, value in found.items()}
        for found in values(results, "si_sdr", test_set, method)
    ]


def counted_difference(results: Results, test_set: str, a: str, b: str) -> Interval:
    """Mean SI-SDR of `a` less that of `b`, dB, over all mixtures: a failure is the mixture."""
    first, second = (counted(results, test_set, name) for name in (a, b))
    return paired_interval(first, second, results.talkers(test_set))


def wer_capped(results: Results, test_set: str, a: str, b: str) -> Interval | None:
    """Relative reduction of the capped WER from `b` to `a`, 1 is all; None if not transcribed."""
    first, second = (counts(results, test_set, name) for name in (a, b))
    if not (first and second):
        return None
    return reduction_interval(first, second, results.talkers(test_set))


def significance(results: Results, metric: str, test_set: str, a: str, b: str) -> float:
    """Two-sided p of Wilcoxon's signed-rank test, mixture by mixture; nan where it says nothing.

    A mixture's value is the mean over the trainings, for `wer_capped` of its own word error rates.
    """
    if metric != "wer_capped":
        first, second = (_mean(values(results, metric, test_set, name)) for name in (a, b))
        return wilcoxon(first, second)
    rates = [
        _mean([{id: errors / words for id, (errors, words) in c.items() if words} for c in found])
        for found in (counts(results, test_set, name) for name in (a, b))
        if found
    ]
    return wilcoxon(rates[0], rates[1]) if len(rates) == 2 else math.nan


def _mean(trainings: list[Values]) -> Values:
    """The mean of each mixture over the trainings."""
    ids = set.intersection(*(set(found) for found in trainings))
    return {id: float(np.mean([found[id] for found in trainings])) for id in sorted(ids)}


def pairs(results: Results) -> dict[str, Any]:
    """For each set and metric, baseline -> method -> `Pair`, null where nothing is known.

    The p of all pairs of a set and metric are corrected for their number.
    """

    def against(metric: str, test_set: str) -> dict[str, Any]:
        methods = [MIXTURE, *results.on(test_set)]
        found: dict[str, dict[str, Pair | None]] = {name: {} for name in methods}
        apart = list(itertools.combinations(methods, 2))
        corrected = holm({(a, b): significance(results, metric, test_set, a, b) for a, b in apart})
        for (a, b), p in corrected.items():
            forward = _interval(results, metric, test_set, a, b)
            if metric == "wer_capped":  # a relative reduction: of the other of both rates
                backward = _interval(results, metric, test_set, b, a)
            else:
                backward = forward.scaled(-1) if forward else None
            found[b][a], found[a][b] = _pair(forward, p), _pair(backward, p)
        return found

    shown = [m for m in SHOWN if has_metric(results, m)]
    return {
        test_set: {m: against(m, test_set) for m in (*shown, "wer_capped")}
        for test_set in results.sets
    }


def has_metric(results: Results, metric: str) -> bool:
    """Whether any mixture has a number for it: PESQ is measured where it is asked for."""
    return any(np.isfinite(found.columns[metric]).any() for found in results.scores.values())


def _interval(results: Results, metric: str, test_set: str, a: str, b: str) -> Interval | None:
    if metric != "wer_capped":
        return difference(results, metric, test_set, a, b)
    interval = wer_capped(results, test_set, a, b)
    return interval.scaled(100) if interval else None


def _pair(interval: Interval | None, p: float) -> Pair | None:
    if interval is None or not math.isfinite(interval.mean):
        return None
    # more digits than are shown: rounding must not move a bound across zero; + 0.0: no "-0"
    low, high = (round(x, 5) + 0.0 if math.isfinite(x) else None for x in interval[1:3])
    significance = float(f"{p:.2g}") if math.isfinite(p) else None
    return round(interval.mean, 5) + 0.0, low, high, significance
