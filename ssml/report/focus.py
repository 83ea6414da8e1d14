"""What the report shows first: a set, the learned method, a few methods beside it."""

from .results import Results
from .rivals import best_classical

MOST = 5  # methods that a figure draws in full


def main_set(results: Results) -> str:
    """The first set with as many speakers as the training set, else the first set."""
    trained = results.params.talkers
    alike = [name for name in results.sets if results.speakers(name) in trained]
    return (alike or results.sets)[0]


def learned(results: Results) -> str | None:
    """The method `report.learned_sdr`; None where its model was not trained."""
    name = results.params.report.learned_sdr
    return name if results.learned(name) else None


def baseline(results: Results) -> str:
    """What every method is compared with at first: the best classical one on the main set."""
    return best_classical(results, main_set(results)) or results.params.report.classical


def prominent(results: Results) -> list[str]:
    """The methods that figures draw in full, `MOST` at most; the others are thin lines."""
    report = results.params.report
    named = [baseline(results), report.learned_sdr, report.learned_coherence, report.classical]
    return list(dict.fromkeys([*named, *report.other_rules]))[:MOST]
