"""The paper's four claims against the results: shown, open or refuted.

A part of a claim is shown when the 95 % interval of the paired difference lies above zero, refuted
when it lies below, and open otherwise. A claim is shown if all its parts are, refuted if one is. A
separation that failed counts as the mixture: the user would have no more. The rival of a learned
method is the best classical method of this run, see `rivals`.
"""

import math
from dataclasses import dataclass
from functools import partial
from typing import Literal

import numpy as np

from ssml.config.layout import MIXTURE
from ssml.evaluation.statistics import Interval, statistic_interval

from . import compare
from .results import Array, Results
from .rivals import best_classical, best_heard

Status = Literal["shown", "open", "refuted", "note"]
Verdict = Literal["shown", "open", "refuted"]
MARGIN = 1.0  # dB that another rule may lose against the rule of the training
GAIN = 0.9  # the part of its own gain at which a method counts as converged


@dataclass(frozen=True)
class Evidence:
    """One comparison: its title, its numbers as text, and whether it supports the claim."""

    what: str
    numbers: str
    status: Status

    def __str__(self) -> str:
        return f"{self.what}: {self.numbers}"


@dataclass(frozen=True)
class Claim:
    """A claim and its evidence: parts and notes."""

    statement: str
    evidence: list[Evidence]

    @property
    def verdict(self) -> Verdict:
        """One word, from all parts that are not notes."""
        parts = {e.status for e in self.evidence if e.status != "note"}
        if "refuted" in parts:
            return "refuted"
        return "shown" if parts == {"shown"} else "open"

    @property
    def lines(self) -> list[str]:
        return [str(e) for e in self.evidence]


def claims(results: Results) -> list[Claim]:
    """The four claims in the order of the paper's abstract."""
    return [better(results), more_speakers(results), other_rules(results), losses(results)]


def better(results: Results) -> Claim:
    """Claim 1: the learned surrogate against the best classical method."""
    learned = results.params.report.learned_sdr
    evidence = []
    for test_set in _sets_like_training(results):
        evidence.append(si_sdr(results, test_set, learned, best_classical(results, test_set)))
        if _is_heard(results, test_set):
            evidence.append(wer(results, test_set, learned, best_heard(results, test_set)))
    evidence += _largest_reduction(results)
    return Claim(
        "A learned source model separates better than the classical ones, in SI-SDR and in WER.",
        evidence or [_no_set("with as many speakers as the training set")],
    )


def more_speakers(results: Results) -> Claim:
    """Claim 2: unchanged on sets with more speakers than the training had."""
    report = results.params.report
    most = max(results.params.talkers)
    larger = [test_set for test_set in results.sets if results.speakers(test_set) > most]
    trained = " and ".join(map(str, results.params.talkers))
    return Claim(
        f"Trained on {trained} speakers only, it carries over to more, unchanged.",
        [
            si_sdr(results, test_set, report.learned_sdr, best_classical(results, test_set))
            for test_set in larger
        ]
        or [_no_set(f"with more than {most} speakers")],
    )


def other_rules(results: Results) -> Claim:
    """Claim 3: under another update rule, above the classical methods and near its own rule.

    The rivals are the classical methods of that rule, or all where there are none.
    """
    report, methods = results.params.report, results.methods
    evidence = []
    for test_set in _sets_like_training(results):
        for name in report.other_rules:
            rival = best_classical(results, test_set, methods[name].rule)
            rival = rival or best_classical(results, test_set)
            evidence.append(si_sdr(results, test_set, name, rival))
            evidence.append(si_sdr(results, test_set, name, report.learned_sdr, margin=MARGIN))
    return Claim(
        "It carries over to another form of the AuxIVA updates than the one it was trained with.",
        evidence or [Evidence("report.other_rules", "no method or no set to compare", "open")],
    )


def losses(results: Results) -> Claim:
    """Claim 4: which loss needs the fewest iterations, and which gives the lowest WER."""
    report = results.params.report
    evidence = []
    for test_set in _sets_like_training(results):
        evidence.append(_convergence(results, test_set))
        if not _is_heard(results, test_set):
            continue
        evidence.append(wer(results, test_set, report.learned_coherence, report.learned_sdr))
        rival = best_heard(results, test_set)
        evidence.append(wer(results, test_set, report.learned_coherence, rival))
        evidence += _lowest_wer(results, test_set)
    return Claim(
        "The SDR loss converges in the fewest iterations; the coherence loss gives the lowest WER.",
        evidence or [_no_set("with as many speakers as the training set")],
    )


def si_sdr(results: Results, test_set: str, a: str, b: str | None, margin: float = 0.0) -> Evidence:
    """The mean SI-SDR of `a` less that of `b`; for the claim if it is above `-margin` dB."""
    if b is None:
        return _no_rival(test_set)
    failed = [(m, _failures(results, test_set, m)) for m in (a, b)]
    interval = compare.counted_difference(results, test_set, a, b)
    what = f"SI-SDR on {test_set}, {a} against {b}"
    if margin:
        what += f", at most {margin:g} dB lost"
    numbers = f"{_signed(interval.mean, 2)} dB {_bounds(interval, 1, 2)}, {interval.n} mixtures"
    failures = [f"{m} failed on {number}" for m, number in failed if number]
    if failures:
        numbers += f" (counted as the mixture: {', '.join(failures)})"
    return Evidence(what, numbers, _status(interval, -margin))


def _failures(results: Results, test_set: str, method: str) -> int:
    return sum(results.scores[n, test_set].failures for n in results.trainings(method))


def wer(results: Results, test_set: str, a: str, b: str | None) -> Evidence:
    """The relative reduction of the capped WER from `b` to `a`; for the claim if above zero."""
    if b is None:
        return _no_rival(test_set, "that was transcribed")
    what = f"Capped WER on {test_set}, {a} against {b}"
    interval = compare.wer_capped(results, test_set, a, b)
    if interval is None:
        return Evidence(what, "not measured", "open")
    rates = []
    for name in (b, a):
        rate = compare.rate(results, test_set, name)
        rates.append(f"{100 * rate.mean:.1f}" if rate and math.isfinite(rate.mean) else "n/a")
    numbers = (
        f"{' % to '.join(rates)} %, relative reduction {_signed(100 * interval.mean, 1)} % "
        f"{_bounds(interval, 100, 1)}, {interval.n} mixtures"
    )
    return Evidence(what, numbers, _status(interval))


def _convergence(results: Results, test_set: str) -> Evidence:
    """Iterations to most of the gain: the coherence loss's less the SDR loss's."""
    report = results.params.report
    names = report.learned_sdr, report.learned_coherence
    what = f"Iterations to {100 * GAIN:.0f} % of the gain on {test_set}, {' against '.join(names)}"
    curves = [_counted_curves(results, test_set, name) for name in names]
    means = [iterations_to_gain(at, values.mean(axis=(0, 1))) for at, values in curves]
    if not all(map(math.isfinite, means)):
        lost = " and ".join(n for n, m in zip(names, means, strict=True) if not math.isfinite(m))
        return Evidence(what, f"no gain with {lost}", "open")
    (sdr, of_sdr), (coherence, of_coherence) = curves
    last = max(sdr[-1], coherence[-1])

    def difference(r: int, weights: Array) -> float:
        found = (
            iterations_to_gain(at, weights @ values[min(r, len(values) - 1)] / weights.sum())
            for at, values in ((coherence, of_coherence), (sdr, of_sdr))
        )
        slow, fast = (x if math.isfinite(x) else last for x in found)  # never: as slow as can be
        return float(slow - fast)

    trainings = range(max(len(of_sdr), len(of_coherence)))
    ids = results.scores[names[0], test_set].ids
    interval = statistic_interval(
        [partial(difference, r) for r in trainings], ids, results.talkers(test_set)
    )
    numbers = (
        f"{means[0]:.1f} against {means[1]:.1f}, {_signed(interval.mean, 1)} "
        f"{_bounds(interval, 1, 1)}, {interval.n} mixtures"
    )
    return Evidence(what, numbers, _status(interval))


def _counted_curves(results: Results, test_set: str, method: str) -> tuple[Array, Array]:
    """Iterations (I,), SI-SDR in dB (trainings, mixtures, I); the mixture's where one failed."""
    at, (values, _) = results.curves[method, test_set].at, results.curves_of(method, test_set)
    mixture = results.scores[MIXTURE, test_set].columns["si_sdr"]
    return at, np.where(np.isfinite(values), values, mixture[:, None])


def iterations_to_gain(at: Array, curve: Array) -> float:
    """Iterations until `curve` (I,) first has 90 % of its gain; inf without a gain.

    Linear between the iterations `at` (I,), so that two fast methods need not tie.
    """
    gain = curve[-1] - curve[0]
    if not gain > 0:
        return math.inf
    target = curve[0] + GAIN * gain
    after = int(np.argmax(curve >= target))
    share = (target - curve[after - 1]) / (curve[after] - curve[after - 1])
    return float(at[after - 1] + share * (at[after] - at[after - 1]))


def _largest_reduction(results: Results) -> list[Evidence]:
    """The number beside the abstract's 'up to 36 %', over all sets and both losses."""
    report = results.params.report
    found = []
    for test_set in results.sets:
        for name in (report.learned_sdr, report.learned_coherence):
            interval = compare.wer_capped(results, test_set, name, report.classical)
            if interval and math.isfinite(interval.mean):
                found.append((interval.mean, name, test_set, interval))
    if not found:
        return []
    mean, name, test_set, interval = max(found, key=lambda entry: entry[0])
    numbers = f"{_signed(100 * mean, 0)} % {_bounds(interval, 100, 0)}, {name} on {test_set}"
    what = f"Largest relative reduction of the capped WER, against {report.classical}"
    what += " (the paper: of the WER, up to 36 %)"
    return [Evidence(what, numbers, "note")]


def _lowest_wer(results: Results, test_set: str) -> list[Evidence]:
    rates = {}
    for name, method in results.methods.items():
        rate = compare.rate(results, test_set, name)
        if rate and math.isfinite(rate.mean) and not method.is_bound:
            rates[name] = rate.mean
    if not rates:
        return []
    name = min(rates, key=rates.__getitem__)
    what = f"Lowest capped WER on {test_set}"
    return [Evidence(what, f"{name} with {100 * rates[name]:.1f} %", "note")]


def _sets_like_training(results: Results) -> list[str]:
    """The sets with as many speakers as the training set."""
    trained = results.params.talkers
    return [test_set for test_set in results.sets if results.speakers(test_set) in trained]


def _is_heard(results: Results, test_set: str) -> bool:
    """Whether words of the set count: those of sets that none was heard of are left out.

    Unless no set like the training's was heard: then the claim on words stays open.
    """
    alike = _sets_like_training(results)
    transcribed = results.params.transcribed_sets
    return test_set in transcribed or not {*alike} & {*transcribed}


def _no_set(which: str) -> Evidence:
    return Evidence("separate.sets", f"no set {which}", "open")


def _no_rival(test_set: str, which: str = "") -> Evidence:
    return Evidence(test_set, f"no classical method {which}".strip(), "open")


def _status(interval: Interval, threshold: float = 0.0) -> Status:
    if interval.low > threshold:
        return "shown"
    return "refuted" if interval.high < threshold else "open"


def _signed(value: float, digits: int) -> str:
    return f"{round(value, digits) + 0.0:+.{digits}f}" if math.isfinite(value) else "n/a"


def _bounds(interval: Interval, scale: float, digits: int) -> str:
    low, high = (_signed(scale * bound, digits) for bound in interval[1:3])
    return f"[{low}, {high}]"
