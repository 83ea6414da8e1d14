"""Which source model is best for what, by the tables of results that come with the package."""

import math
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NamedTuple

from ssml import pretrained
from ssml.files.io import read_json, read_table

Cells = dict[str, str]


class Tested(NamedTuple):
    """One way to separate, on each of the test sets."""

    model: str
    how: str  # rule and iterations, in words
    rows: Sequence[Cells]  # a test set each, the fewest talkers first

    @property
    def name(self) -> str:
        return f"{self.model}, {self.how}"

    @property
    def tested_on(self) -> list[tuple[str, str]]:
        return [(row["set"], row["mixtures"]) for row in self.rows]

    def values(self, quantity: str) -> list[float]:
        return [float(row[quantity] or "nan") for row in self.rows]

    def mean(self, quantity: str) -> float:
        """Over the sets; nan where it was not measured on all of them."""
        return sum(self.values(quantity)) / len(self.rows)

    def decibels(self) -> str:
        return f"SI-SDR {', '.join(f'{value:.1f}' for value in self.values('si_sdr'))} dB"

    def percent(self) -> str:
        return f"WER {', '.join(f'{100 * value:.0f}' for value in self.values('wer'))} %"


def lines() -> list[str]:
    """The best model for the signal, for the words, and where no trained one can be used.

    Compared are models that were tested on the same mixtures; without a trained one: no lines.
    """
    classical = _classical()
    mixture = next(one for one in classical if not one.model)
    classical = [one for one in classical if one.model]
    sets = [name for name, _ in mixture.tested_on]
    learned = [one for one in _learned(sets) if one.tested_on == mixture.tested_on]
    if not learned:
        return []
    about = learned[0].rows[0]
    signal = _best([*learned, *classical], "si_sdr", max)
    words = _best([*learned, *classical], "wer", min)
    low = _best(classical, "si_sdr", max)
    talkers = ", ".join(row["n_src"] for row in mixture.rows)
    return [
        f"best with {talkers} talkers of {about['corpus']}, means over mixtures:",
        f"{'for the signal':20} {signal.name}: {signal.decibels()}",
        f"{'for the words':20} {words.name}: {words.percent()} by {words.rows[0]['recogniser']}",
        f"{'without training':20} {low.name}: {low.decibels()}",
        f"{'unprocessed':20} {mixture.decibels()}, {mixture.percent()}",
    ]


def _learned(sets: Sequence[str]) -> list[Tested]:
    """The shipped models that were tested on the sets, by the rule of their cards."""
    found = []
    for name in pretrained.names():
        card, table = (pretrained.FOLDER / f"{name}.{kind}" for kind in ("json", "csv"))
        if table.is_file() and (given := read_json(card).get("separate")):
            rows = [row for row in read_table(table) if row["rule"] == given["rule"]]
            found += _tested([row for row in rows if row["set"] in sets])
    return found


def _classical() -> list[Tested]:
    """Every classical model, rule and number of iterations; and the unprocessed mixture."""
    return _tested(read_table(pretrained.CLASSICAL))


def _tested(rows: list[Cells]) -> list[Tested]:
    """The rows by method, each with its sets in the order of their talkers."""
    methods: dict[str, list[Cells]] = {}
    for row in sorted(rows, key=lambda row: int(row["n_src"])):
        methods.setdefault(row["method"], []).append(row)
    return [
        Tested(
            Path(first["model"]).stem, f"{first['iterations']} iterations of {first['rule']}", group
        )
        for group in methods.values()
        for first in group[:1]
    ]


def _best(found: Sequence[Tested], quantity: str, choose: Callable[..., Tested]) -> Tested:
    measured = [one for one in found if math.isfinite(one.mean(quantity))]
    return choose(measured, key=lambda one: one.mean(quantity))
