"""Two methods on the same mixtures: the only place where differences are drawn.

Claims and tables both ask here, with one generator per set and metric: the same pair has the same
interval wherever it is shown.
"""

import numpy as np

from .. import provenance
from ..statistics import Interval, paired_interval, reduction_interval
from .results import Results


def si_sdr(results: Results, set: str, a: str, b: str) -> Interval:
    """Mean SI-SDR of `a` less that of `b`, dB, over the mixtures on which neither failed."""
    first, second = (results.scores[name, set].values("si_sdr") for name in (a, b))
    return paired_interval(
        first, second, results.params.report.resamples, rng(results, "si_sdr", set)
    )


def wer(results: Results, set: str, a: str, b: str) -> Interval | None:
    """Relative reduction of the pooled WER from `b` to `a`, 1 is all; None if not transcribed."""
    first, second = (results.transcripts.get((name, set)) for name in (a, b))
    if not (first and second):
        return None
    return reduction_interval(
        first, second, results.params.report.resamples, rng(results, "wer", set)
    )


def rng(results: Results, metric: str, set: str) -> np.random.Generator:
    """The draw of mixtures for one metric on one set, the same for every pair of methods."""
    return provenance.generator(results.params.seed, "compare", metric, set)
