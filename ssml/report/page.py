"""The report's first page: tables, claims and figures in one HTML file."""

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import yaml
from markupsafe import Markup

from ssml.config import layout
from ssml.config.layout import MIXTURE, REFERENCE
from ssml.config.params import Params

from . import chosen, compare, conditions, styles, tables
from .cells import cell, delta
from .claims import Claim
from .dots import dots
from .focus import baseline, prominent
from .headline import headline, talkers
from .iterations import by_iterations
from .latex import latex
from .pictures import Plate
from .players import data_uri
from .results import Results, Scores
from .tables import Row, best
from .templates import environment, number
from .transcripts import RATES, RULE, in_words

# quantity -> factor, digits, which is best
SHOWN: dict[str, tuple[float, int, Callable[..., float]]] = {
    **dict.fromkeys(("si_sdr", "si_sdri", "si_sdr_early", "sdr", "sir", "sar"), (1, 1, max)),
    **dict.fromkeys(("stoi", "pesq"), (1, 2, max)),
    **dict.fromkeys(RATES, (100, 0, min)),
}

WER = "Capped word error rate in %"


def render(
    results: Results,
    rows: Sequence[Row],
    claims: Sequence[Claim],
    plates: Sequence[Plate],
    digests: Mapping[str, str],
) -> str:
    """The page; the same inputs give the same bytes."""
    params, pairs, look = results.params, compare.pairs(results), styles.of(results)
    in_full = prominent(results)
    return (
        environment()
        .get_template("page.html.j2")
        .render(
            title=params.report.title,
            headline=headline(results),
            si_sdr=dots(results, rows, "si-sdr", "SI-SDR in dB", lambda r: r.si_sdr, (1, 1), max),
            wer=dots(
                results,
                rows,
                "wer",
                "Capped word error rate in %",
                lambda r: r.wer_capped,
                (100, 0),
                min,
            ),
            talkers={name: talkers(results, name) for name in results.sets},
            typical=chosen.typical(results),
            sounds=chosen.first_sounds(results),
            audio=layout.AUDIO.name,
            legend=[(name, look[name], name in in_full) for name in [MIXTURE, *results.methods]],
            files=_files(rows),
            facts=_facts(params),
            digests=digests,
            sets=_sets(results, rows, pairs),
            methods=[MIXTURE, *results.methods],
            baseline=baseline(results),
            learned=params.report.learned_sdr,
            embedded={"pairs": pairs, "values": values(results)},
            conditions=conditions.conditions(results),
            iterations=_iterations(results),
            transcribed=in_words(row.heard for row in rows),
            word_rule=RULE,
            with_pesq=any(row.pesq for row in rows),
            failures=_failures(results),
            claims=claims,
            # drawn by this program from numbers, its text escaped by matplotlib
            plates={p.kind: (p, [(x, Markup(x.inline)) for x in p.pictures]) for p in plates},
            training=_training(results),
            parameters=yaml.safe_dump(params.model_dump(mode="json"), sort_keys=False, width=80),
            listen=layout.LISTEN.name,
            runs=layout.RUNS.name,
        )
    )


def values(results: Results) -> dict[str, dict[str, list[float | None]]]:
    """SI-SDR in dB of every mixture, set -> method -> (mixtures,), null without one."""

    def row(found: Scores, count: int) -> list[float | None]:
        known = [round(x, 2) if math.isfinite(x) else None for x in found.columns["si_sdr"]]
        return known + [None] * (count - len(known))

    return {
        test_set: {
            name: row(found, len(results.scores[layout.MIXTURE, test_set].ids))
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
    base = baseline(results)
    tops = {
        name: best(rows, lambda row, name=name: getattr(row, name), choose)
        for name, (_, _, choose) in SHOWN.items()
    }
    found = []
    for test_set in results.sets:
        body = []
        for row in (row for row in rows if row.test_set == test_set):
            cells = {
                name: cell(
                    *(getattr(row, name), scale, digits),
                    tops[name].get(test_set) if row.competes else None,
                )
                for name, (scale, digits, _) in SHOWN.items()
            }
            deltas = {
                f"{name}_delta": delta(found_pairs.get(base, {}).get(row.method), SHOWN[name][1])
                for name, found_pairs in pairs[test_set].items()
            }
            pseudo = row.method in (MIXTURE, REFERENCE)
            tried = len(results.trainings(row.method)) * (row.mixtures or 0)
            body.append({"row": row, "pseudo": pseudo, "tried": tried, **cells, **deltas})
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
            (name, [cell(one, 1, 1, top) for one, top in zip(cells, tops, strict=True)])
            for name, cells in table.rows
        ]
        found.append({"test_set": table.test_set, "speakers": results.speakers(table.test_set)})
        found[-1] |= {"at": table.at, "rows": body}
    return found


def _files(rows: Sequence[Row]) -> list[tuple[str, str]]:
    """The summary's files as addresses, so that the page has them wherever it is put."""
    made = {"csv": tables.as_csv(rows), "tex": latex(rows), "md": tables.markdown(rows)}
    kinds = {"csv": "text/csv", "tex": "text/x-tex", "md": "text/markdown"}
    return [
        (f"{layout.SUMMARY.stem}.{kind}", data_uri(made[kind].encode(), kinds[kind]))
        for kind in made
    ]


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
        ("Training", f"{trained.mixtures} mixtures of {_list(params.talkers)} speakers"),
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
