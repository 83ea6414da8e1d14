"""The rival of a learned method: the best classical one of the run, of any rule.

It is chosen on the test set itself, by the metric of the comparison. That favours the rival, so no
claim is shown by a choice of its rival.
"""

import math

import numpy as np

from . import compare
from .results import Results


def best_classical(results: Results, test_set: str, rule: str | None = None) -> str | None:
    """The classical method with the highest mean SI-SDR on a set, of one rule or of any."""
    means = {
        name: float(np.mean([list(v.values()) for v in compare.counted(results, test_set, name)]))
        for name in _classical(results)
        if rule in (None, results.methods[name].rule)
    }
    return max(means, key=means.__getitem__, default=None)


def best_heard(results: Results, test_set: str) -> str | None:
    """The classical method with the lowest capped WER on a set, if one was heard."""
    found = {name: compare.rate(results, test_set, name) for name in _classical(results)}
    rates = {n: rate.mean for n, rate in found.items() if rate and math.isfinite(rate.mean)}
    return min(rates, key=rates.__getitem__, default=None)


def _classical(results: Results) -> list[str]:
    return [n for n, m in results.methods.items() if not (results.learned(n) or m.is_bound)]
