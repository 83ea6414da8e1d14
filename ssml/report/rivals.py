"""The rival of a learned method: the best classical one of the run, of any rule.

It is chosen on the test set itself, by the metric of the comparison. That favours the rival, so no
claim is shown by a choice of its rival.
"""

import math

from ssml.config.layout import MIXTURE

from . import compare
from .results import Results


def best_classical(results: Results, test_set: str, rule: str | None = None) -> str | None:
    """The classical method with the highest mean SI-SDR on a set, of one rule or of any.

    Of a method that was run on fewer mixtures, what it gains on those counts.
    """
    gains = {
        name: compare.counted_difference(results, test_set, name, MIXTURE).mean
        for name in _classical(results, test_set)
        if rule in (None, results.methods[name].rule)
    }
    return max(gains, key=gains.__getitem__, default=None)


def best_heard(results: Results, test_set: str) -> str | None:
    """The classical method with the lowest capped WER on a set, if one was heard."""
    found = {name: compare.rate(results, test_set, name) for name in _classical(results, test_set)}
    rates = {n: rate.mean for n, rate in found.items() if rate and math.isfinite(rate.mean)}
    return min(rates, key=rates.__getitem__, default=None)


def _classical(results: Results, test_set: str) -> list[str]:
    bound = {name for name, method in results.methods.items() if method.is_bound}
    return [n for n in results.on(test_set) if not (results.learned(n) or n in bound)]
