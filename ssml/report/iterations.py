"""SI-SDR after some of the iterations, method by method."""

import math
from typing import NamedTuple

from ssml.evaluation.statistics import Interval, mean_band

from .results import Results

SHOWN = (5, 10, 20, 50, 100)


class Table(NamedTuple):
    """SI-SDR in dB of each method (rows) after each of the iterations `at` (columns) on one set."""

    test_set: str
    at: list[int]
    rows: list[tuple[str, list[Interval | None]]]  # None: it ran fewer iterations

    def best(self, column: int) -> float:
        """The highest mean of a column."""
        found = [cells[column] for _, cells in self.rows]
        return max((cell.mean for cell in found if cell), default=-math.inf)


def by_iterations(results: Results) -> list[Table]:
    """A table for each set; the bounds, which are told the sources, are left out."""
    found = []
    for test_set in results.sets:
        methods = [n for n in results.on(test_set) if not results.methods[n].is_bound]
        curves = {name: results.curves[name, test_set] for name in methods}
        at = [i for i in SHOWN if any(i in curve.at for curve in curves.values())]
        rows = []
        for name, curve in curves.items():
            values, speakers = results.curves_of(name, test_set)
            band = mean_band(values, speakers)
            columns = dict(zip(curve.at, map(Interval, *band), strict=True))
            rows.append((name, [columns.get(i) for i in at]))
        found.append(Table(test_set, at, rows))
    return found
