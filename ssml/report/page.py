"""The report as one HTML file that needs nothing beside it."""

import math
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import jinja2
import yaml
from markupsafe import Markup

from ..layout import MIXTURE, REFERENCE
from ..params import Params
from ..statistics import Interval
from . import compare
from .claims import Claim
from .pictures import Plate
from .results import Results
from .tables import Row, best

HERE = Path(__file__).parent
Triple = tuple[float, float | None, float | None]  # mean, low, high; bounds None if unknown


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
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(HERE),
        autoescape=True,
        trim_blocks=True,
        lstrip_blocks=True,
        undefined=jinja2.StrictUndefined,
    )
    environment.filters["minus"] = _minus
    params, pairs = results.params, comparisons(results)
    return environment.get_template("page.html.j2").render(
        title=params.report.title,
        facts=_facts(params),
        digests=digests,
        sets=_sets(results, rows, pairs),
        methods=[MIXTURE, *results.methods],
        classical=params.report.classical,
        comparisons=pairs,
        transcribed=any(row.wer for row in rows),
        failures=[
            (row.method, row.set, row.failures, row.mixtures) for row in rows if row.failures
        ],
        claims=claims,
        # drawn by this program from numbers, its text escaped by matplotlib
        plates=[(p, [(x, Markup(x.inline)) for x in p.pictures]) for p in plates],
        training=_training(results),
        parameters=yaml.safe_dump(params.model_dump(mode="json"), sort_keys=False, width=80),
        style=Markup((HERE / "style.css").read_text()),
        script=Markup((HERE / "page.js").read_text()),
    )


def recogniser(params: Params) -> str:
    """Which recogniser the word error rates come from, and what it was let to say."""
    if params.transcribe.mixtures == 0:
        return "none: nothing was transcribed"
    if params.transcribe.recogniser != "pocketsphinx":
        return f"{params.transcribe.recogniser}, its own language model"
    if params.corpus.source == "synthetic":
        return "pocketsphinx, constrained to the grammar of the synthetic corpus"
    return "pocketsphinx, its own language model"


def comparisons(results: Results) -> dict[str, Any]:
    """For each set and metric, baseline -> method -> [mean, low, high], null where unknown."""
    methods = [MIXTURE, *results.methods]

    def against(find: Any, set: str, scale: float) -> dict[str, Any]:
        return {
            b: {a: _triple(find(results, set, a, b), scale) for a in methods if a != b}
            for b in methods
        }

    return {
        set: {
            "si_sdr": against(compare.si_sdr, set, 1),
            "wer": against(compare.wer, set, 100),
        }
        for set in results.sets
    }


def _triple(interval: Interval | None, scale: float) -> Triple | None:
    if interval is None or not math.isfinite(interval.mean):
        return None
    # more digits than are shown: rounding must not move a bound across zero
    mean, low, high = (round(x, 5) for x in interval.scaled(scale)[:3])
    return (mean, low, high) if math.isfinite(low) else (mean, None, None)


def _sets(results: Results, rows: Sequence[Row], pairs: Mapping[str, Any]) -> list[dict[str, Any]]:
    classical = results.params.report.classical
    columns = {"si_sdr": (1, 1, max), "sdr": (1, 1, max), "wer": (100, 0, min)}
    tops = {
        name: best(rows, lambda row, name=name: getattr(row, name), choose)
        for name, (_, _, choose) in columns.items()
    }
    found = []
    for set in results.sets:
        body = []
        for row in (row for row in rows if row.set == set):
            cells = {
                name: _cell(getattr(row, name), scale, digits, tops[name].get(set), row)
                for name, (scale, digits, _) in columns.items()
            }
            deltas = {
                f"{name}_delta": _delta(found_pairs[classical].get(row.method), columns[name][1])
                for name, found_pairs in pairs[set].items()
            }
            pseudo = row.method in (MIXTURE, REFERENCE)
            body.append({"row": row, "pseudo": pseudo, **cells, **deltas})
        scores = results.scores[MIXTURE, set]
        t60 = scores.columns["t60"]
        spoken = [len(results.transcripts[key]) for key in results.transcripts if key[1] == set]
        found.append(
            {"name": set, "speakers": results.speakers(set), "rows": body}
            | {"mixtures": len(scores.ids), "t60": (float(t60.min()), float(t60.max()))}
            | {"transcribed": max(spoken, default=0)}
        )
    return found


def _cell(
    interval: Interval | None, scale: float, digits: int, top: float | None, row: Row
) -> Cell:
    if interval is None:
        return Cell("", "", "")
    if not math.isfinite(interval.mean):
        return Cell("n/a", "", "")
    mean, low, high = (_number(scale * x, digits) for x in interval[:3])
    bounds = f"{low} to {high}" if math.isfinite(interval.low) else ""
    is_best = bool(row.model) and interval.mean == top
    return Cell(mean, bounds, scale * interval.mean, is_best)


def _delta(triple: Triple | None, digits: int) -> Delta:
    """`page.js` does the same when another baseline is chosen."""
    if triple is None:
        return Delta("", "", "", "same")
    mean, low, high = triple
    if low is None or high is None:
        return Delta(_number(mean, digits, "+"), "", mean, "same")
    side = "up" if low > 0 else "down" if high < 0 else "same"
    bounds = f"{_number(low, digits)} to {_number(high, digits)}"
    return Delta(_number(mean, digits, "+"), bounds, mean, side)


def _minus(text: str) -> str:
    """`text` with the hyphens before numbers as minus signs."""
    return re.sub(r"(?<!\w)-(?=\d)", "\N{MINUS SIGN}", text)


def _number(value: float, digits: int, sign: str = "") -> str:
    if not math.isfinite(value):
        return "n/a"
    return _minus(f"{round(value, digits) + 0.0:{sign}.{digits}f}")  # no "-0.0"


def _facts(params: Params) -> list[tuple[str, str]]:
    trained = params.scenes.sets[params.train.train]
    iterations = sorted({method.iterations for method in params.separate.methods.values()})
    stft = params.separate.stft
    low, high = params.scenes.t60
    return [
        ("Corpus", params.corpus.source),
        ("Training", f"{trained.mixtures} mixtures of {trained.speakers} speakers"),
        ("Rooms", f"T60 {low:g} to {high:g} s, noise {params.mix.noise}"),
        ("Iterations", ", ".join(map(str, iterations))),
        ("STFT of the classical models", f"{stft.n_fft} samples, hop {stft.hop}, {params.fs} Hz"),
        ("Recogniser", recogniser(params)),
        ("Intervals", f"95 %, {params.report.resamples} bootstrap resamples over mixtures"),
        ("Seed", str(params.seed)),
    ]


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
                "score": _number(score, 2) if isinstance(score, int | float) else "n/a",
                "skipped": int(history.skipped[-1]) if math.isfinite(history.skipped[-1]) else 0,
            }
        )
    return found


def _network(arguments: Mapping[str, Any]) -> str:
    """The network's name, then its arguments: `glu, hidden 96, layers 3`."""
    parts = [f"{key} {value}" for key, value in arguments.items() if key != "name"]
    return ", ".join([str(arguments.get("name", "")), *parts])
