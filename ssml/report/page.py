"""The report's first page: tables, claims and figures in one HTML file."""

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

import yaml
from markupsafe import Markup

from ssml.config import layout
from ssml.config.layout import MIXTURE, REFERENCE
from ssml.config.params import Params
from ssml.evaluation.statistics import Interval

from . import compare, conditions, tables
from .claims import Claim
from .iterations import by_iterations
from .pictures import Plate
from .results import Results
from .tables import Row, best
from .templates import environment, number

# quantity -> factor, digits, which is best
SHOWN: dict[str, tuple[float, int, Callable[..., float]]] = {
    **dict.fromkeys(("si_sdr", "si_sdri", "si_sdr_early", "sdr", "sir", "sar"), (1, 1, max)),
    **dict.fromkeys(("stoi", "pesq"), (1, 2, max)),
    "wer": (100, 0, min),
    "wer_fewest": (100, 0, min),
}


class Delta(NamedTuple):
    """A paired difference as shown; `side` is up (better), down, or same (inconclusive)."""

    text: str
    bounds: str
    key: float | str
    side: str


class Cell(NamedTuple):
    """A number as shown, its interval in words, and what the table sorts by ('' sorts last)."""

    text: str
    bounds: str
    key: float | str
    best: bool = False


def render(
    results: Results,
    rows: Sequence[Row],
    claims: Sequence[Claim],
    plates: Sequence[Plate],
    digests: Mapping[str, str],
) -> str:
    """The page; the same inputs give the same bytes."""
    params, pairs = results.params, compare.pairs(results)
    return (
        environment()
        .get_template("page.html.j2")
        .render(
            title=params.report.title,
            facts=_facts(params),
            digests=digests,
            sets=_sets(results, rows, pairs),
            methods=[MIXTURE, *results.methods],
            classical=params.report.classical,
            learned=params.report.learned_sdr,
            embedded={"pairs": pairs, "values": values(results)},
            conditions=conditions.conditions(results),
            iterations=_iterations(results),
            transcribed=any(row.wer for row in rows),
            with_pesq=any(row.pesq for row in rows),
            failures=_failures(results),
            claims=claims,
            # drawn by this program from numbers, its text escaped by matplotlib
            plates=[(p, [(x, Markup(x.inline)) for x in p.pictures]) for p in plates],
            training=_training(results),
            parameters=yaml.safe_dump(params.model_dump(mode="json"), sort_keys=False, width=80),
            listen=layout.LISTEN.name,
            runs=layout.RUNS.name,
        )
    )


def values(results: Results) -> dict[str, dict[str, list[float | None]]]:
    """SI-SDR in dB of every mixture, set -> method -> (mixtures,), null where it failed."""
    return {
        test_set: {
            name: [round(x, 2) if math.isfinite(x) else None for x in found.columns["si_sdr"]]
            for (name, of), found in results.scores.items()
            if of == test_set
        }
        for test_set in results.sets
    }


def recogniser(params: Params) -> str:
    """Which recogniser the word error rates come from, and what it was let to say."""
    if params.transcribe.mixtures == 0:
        return "none: nothing was transcribed"
    if (name := params.transcribe.recogniser) != "pocketsphinx":
        return f"{params.transcribe.options.get('model', name)}, through {name}"
    if params.corpus.source == "synthetic":
        return "pocketsphinx, constrained to the grammar of the synthetic corpus"
    return "pocketsphinx, its own language model"


def _sets(results: Results, rows: Sequence[Row], pairs: Mapping[str, Any]) -> list[dict[str, Any]]:
    classical = results.params.report.classical
    tops = {
        name: best(rows, lambda row, name=name: getattr(row, name), choose)
        for name, (_, _, choose) in SHOWN.items()
    }
    found = []
    for test_set in results.sets:
        body = []
        for row in (row for row in rows if row.test_set == test_set):
            cells = {
                name: _cell(getattr(row, name), scale, digits, tops[name].get(test_set), row)
                for name, (scale, digits, _) in SHOWN.items()
            }
            deltas = {
                f"{name}_delta": _delta(found_pairs[classical].get(row.method), SHOWN[name][1])
                for name, found_pairs in pairs[test_set].items()
            }
            pseudo = row.method in (MIXTURE, REFERENCE)
            body.append({"row": row, "pseudo": pseudo, **cells, **deltas})
        scores = results.scores[MIXTURE, test_set]
        t60 = scores.columns["t60"]
        spoken = [
            len(heard.texts) for (_, of), heard in results.transcripts.items() if of == test_set
        ]
        found.append(
            {"name": test_set, "speakers": results.speakers(test_set), "rows": body}
            | {"mixtures": len(scores.ids), "t60": (float(t60.min()), float(t60.max()))}
            | {"transcribed": max(spoken, default=0)}
        )
    return found


def _iterations(results: Results) -> list[dict[str, Any]]:
    """The tables by iterations with their cells, of the sets in their order."""
    found = []
    for table in by_iterations(results):
        tops = [table.best(column) for column in range(len(table.at))]
        body = [
            (name, [_number_cell(cell, 1, 1, top) for cell, top in zip(cells, tops, strict=True)])
            for name, cells in table.rows
        ]
        found.append({"test_set": table.test_set, "speakers": results.speakers(table.test_set)})
        found[-1] |= {"at": table.at, "rows": body}
    return found


def _cell(
    interval: Interval | None, scale: float, digits: int, top: float | None, row: Row
) -> Cell:
    return _number_cell(interval, scale, digits, top if row.competes else None)


def _number_cell(interval: Interval | None, scale: float, digits: int, top: float | None) -> Cell:
    if interval is None:
        return Cell("", "", "")
    if not math.isfinite(interval.mean):
        return Cell("n/a", "", "")
    mean, low, high = (number(scale * x, digits) for x in interval[:3])
    bounds = f"{low} to {high}" if math.isfinite(interval.low) else ""
    return Cell(mean, bounds, scale * interval.mean, interval.mean == top)


def _delta(triple: compare.Pair | None, digits: int) -> Delta:
    """`page.js` does the same when another baseline is chosen."""
    if triple is None:
        return Delta("", "", "", "same")
    mean, low, high, _ = triple
    if low is None or high is None:
        return Delta(number(mean, digits, "+"), "", mean, "same")
    side = "up" if low > 0 else "down" if high < 0 else "same"
    bounds = f"{_bound(low, digits)} to {_bound(high, digits)}"
    return Delta(number(mean, digits, "+"), bounds, mean, side)


def _bound(value: float, digits: int) -> str:
    """`value` with `digits`, or as many more as tell on which side of zero it is."""
    needed = digits
    while value and needed < digits + 3 and round(value, needed) == 0:
        needed += 1
    return number(value, needed)


def _failures(results: Results) -> list[tuple[str, str, str, int, int]]:
    """Method, set, kind, how many, of how many: every kind of failure that occurred."""
    return [
        (method, test_set, kind, found.failed.count(kind), len(found.ids))
        for (method, test_set), found in results.scores.items()
        for kind in sorted({*found.failed} - {""})
    ]


def _facts(params: Params) -> list[tuple[str, str]]:
    trained = params.scenes.sets[params.train.train]
    iterations = sorted({method.iterations for method in params.separate.methods.values()})
    stft = params.separate.stft
    low, high = params.scenes.t60
    return [
        ("Corpus", params.corpus.source),
        ("Training", f"{trained.mixtures} mixtures of {trained.speakers} speakers"),
        ("Simulated rooms", f"nominal T60 {low:g} to {high:g} s; measured: beside each set"),
        ("Noise", params.mix.noise),
        ("Iterations", ", ".join(map(str, iterations))),
        ("STFT of the classical models", f"{stft.n_fft} samples, hop {stft.hop}, {params.fs} Hz"),
        ("Recogniser", recogniser(params)),
        ("Reference", "each source's reverberant image at the first microphone, without noise"),
        ("Intervals", tables.INTERVALS),
        ("Seeds", f"{params.seed} of the data, {_list(params.train.seeds)} of the trainings"),
    ]


def _list(numbers: Sequence[int]) -> str:
    return ", ".join(map(str, numbers))


def _training(results: Results) -> list[dict[str, Any]]:
    found = []
    for name, history in results.histories.items():
        about, variant = results.models[name], results.params.train.variants[name]
        score, count = about.get("dev_si_sdr"), about.get("parameters")
        found.append(
            {
                "name": name,
                "loss": variant.loss,
                "network": _network(variant.network),
                "parameters": f"{count:,}" if isinstance(count, int) else "n/a",
                "steps": len(history.step),
                "score": number(score, 2) if isinstance(score, int | float) else "n/a",
                "skipped": int(history.skipped[-1]) if math.isfinite(history.skipped[-1]) else 0,
            }
        )
    return found


def _network(arguments: Mapping[str, Any]) -> str:
    """The network's name, then its arguments: `glu, hidden 96, layers 3`."""
    parts = [f"{key} {value}" for key, value in arguments.items() if key != "name"]
    return ", ".join([str(arguments.get("name", "")), *parts])
