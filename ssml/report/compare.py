"""Two methods on the same mixtures: the only place where differences are drawn.

Claims and tables both ask here, with one generator per set and metric: the same pair has the same
interval wherever it is shown.
"""

import math
from typing import Any

import numpy as np

from ssml.config.layout import MIXTURE
from ssml.evaluation.statistics import (
    Interval,
    Values,
    paired_interval,
    reduction_interval,
    wilcoxon,
)
from ssml.files import provenance

from .results import Results

SHOWN = ("si_sdr", "sdr", "stoi", "pesq")  # what any two methods are compared by, beside the WER
Pair = tuple[float, float | None, float | None, float | None]  # mean, low, high, p; None: unknown


def difference(results: Results, metric: str, test_set: str, a: str, b: str) -> Interval:
    """Mean of `metric` of `a` less that of `b`, over the mixtures on which neither failed."""
    first, second = (results.scores[name, test_set].values(metric) for name in (a, b))
    return paired_interval(
        first, second, results.params.report.resamples, rng(results, metric, test_set)
    )


def si_sdr(results: Results, test_set: str, a: str, b: str) -> Interval:
    """Mean SI-SDR of `a` less that of `b`, dB."""
    return difference(results, "si_sdr", test_set, a, b)


def counted(results: Results, test_set: str, method: str) -> Values:
    """SI-SDR in dB of each mixture, the mixture's own where the method failed."""
    before = results.scores[MIXTURE, test_set].values("si_sdr")
    found = results.scores[method, test_set].values("si_sdr")
    return {id: value if math.isfinite(value) else before[id] for id, value in found.items()}


def counted_difference(results: Results, test_set: str, a: str, b: str) -> Interval:
    """Mean SI-SDR of `a` less that of `b`, dB, over all mixtures: a failure is the mixture."""
    first, second = (counted(results, test_set, name) for name in (a, b))
    return paired_interval(
        first, second, results.params.report.resamples, rng(results, "si_sdr", test_set)
    )


def wer(results: Results, test_set: str, a: str, b: str) -> Interval | None:
    """Relative reduction of the pooled WER from `b` to `a`, 1 is all; None if not transcribed."""
    first, second = (results.transcripts.get((name, test_set)) for name in (a, b))
    if not (first and second):
        return None
    return reduction_interval(
        first.counts, second.counts, results.params.report.resamples, rng(results, "wer", test_set)
    )


def significance(results: Results, metric: str, test_set: str, a: str, b: str) -> float:
    """Two-sided p of Wilcoxon's signed-rank test, mixture by mixture; nan where it says nothing.

    For `wer` the pairs are the mixtures' own word error rates.
    """
    if metric != "wer":
        first, second = (results.scores[name, test_set].values(metric) for name in (a, b))
        return wilcoxon(first, second)
    texts = [results.transcripts.get((name, test_set)) for name in (a, b)]
    rates = [
        {id: errors / words for id, (errors, words) in found.counts.items() if words}
        for found in texts
        if found
    ]
    return wilcoxon(rates[0], rates[1]) if len(rates) == 2 else math.nan


def pairs(results: Results) -> dict[str, Any]:
    """For each set and metric, baseline -> method -> `Pair`, null where nothing is known."""
    methods = [MIXTURE, *results.methods]

    def against(metric: str, test_set: str) -> dict[str, Any]:
        found: dict[str, dict[str, Pair | None]] = {name: {} for name in methods}
        for i, a in enumerate(methods):
            for b in methods[i + 1 :]:
                p = significance(results, metric, test_set, a, b)
                forward = _interval(results, metric, test_set, a, b)
                if metric == "wer":  # a relative reduction: of the other of both rates
                    backward = _interval(results, metric, test_set, b, a)
                else:
                    backward = forward.scaled(-1) if forward else None
                found[b][a], found[a][b] = _pair(forward, p), _pair(backward, p)
        return found

    shown = [m for m in SHOWN if has_metric(results, m)]
    return {
        test_set: {m: against(m, test_set) for m in (*shown, "wer")} for test_set in results.sets
    }


def has_metric(results: Results, metric: str) -> bool:
    """Whether any mixture has a number for it: PESQ is measured where it is asked for."""
    return any(np.isfinite(found.columns[metric]).any() for found in results.scores.values())


def _interval(results: Results, metric: str, test_set: str, a: str, b: str) -> Interval | None:
    if metric != "wer":
        return difference(results, metric, test_set, a, b)
    interval = wer(results, test_set, a, b)
    return interval.scaled(100) if interval else None


def _pair(interval: Interval | None, p: float) -> Pair | None:
    if interval is None or not math.isfinite(interval.mean):
        return None
    # more digits than are shown: rounding must not move a bound across zero; + 0.0: no "-0"
    low, high = (round(x, 5) + 0.0 if math.isfinite(x) else None for x in interval[1:3])
    significance = float(f"{p:.2g}") if math.isfinite(p) else None
    return round(interval.mean, 5) + 0.0, low, high, significance


def rng(results: Results, metric: str, test_set: str) -> np.random.Generator:
    """The draw of mixtures for one metric on one set, the same for every pair of methods."""
    return provenance.generator(results.params.seed, "compare", metric, test_set)
