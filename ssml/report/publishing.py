"""What a finished run has for docs/results/: its tables as rows, and where they come from."""

import platform
from typing import Any

import numpy as np

from ssml.config import layout
from ssml.files import io
from ssml.files.versions import installed

from . import claims, compare, conditions
from .results import Results

VERSIONS = ("torch", "numba", "numpy", "pyroomacoustics", "fast_bss_eval")
COUNTS = (5, 10, 20, 50, 100)  # iterations after which the SI-SDR is published
DIGITS = 8
Rows = list[dict[str, Any]]


def tables(found: Results) -> dict[str, Rows]:
    """The rows of each file by what follows the run's name; `summary.csv` must be there."""
    made = {
        "": io.read_table(layout.SUMMARY),
        "-claims": evidence(found),
        "-iterations": curves(found),
        "-differences": differences(found),
        "-conditions": gains(found),
    }
    return {part: [_rounded(row) for row in rows] for part, rows in made.items() if rows}


def origin(found: Results) -> dict[str, str]:
    """Seed, sizes, conditions and versions of this run."""
    sizes = [f"{len(found.scores[layout.MIXTURE, name].ids)} in {name}" for name in found.sets]
    heard = found.params.transcribe.mixtures
    transcribed = found.params.transcribed_sets
    of = "each" if transcribed == found.sets else " and ".join(transcribed)
    sizes += [f"the first {heard} of {of} transcribed"] if heard else []
    return {
        "seed": str(found.params.seed),
        "mixtures": ", ".join(sizes),
        "conditions": surroundings(found),
        "versions": versions(found.params.transcribe.recogniser if heard else ""),
    }


def surroundings(found: Results) -> str:
    """The T60 measured in each kind of room, the noise, and the length of the utterances."""
    scenes = found.params.scenes
    t60: dict[str, list[float]] = {}
    for name in found.sets:
        place = scenes.sets[name].measured or "simulated rooms"
        t60.setdefault(place, []).extend(found.scores[layout.MIXTURE, name].columns["t60"])
    parts = [f"{min(x):.2f} to {max(x):.2f} s in {place}" for place, x in t60.items()]
    seconds = [value for name in found.sets for value in scenes.sets[name].seconds]
    return (
        f"measured T60 {', '.join(parts)}, noise {scenes.snr[0]:g} to {scenes.snr[1]:g} dB below, "
        f"{min(seconds):g} to {max(seconds):g} s of speech"
    )


def versions(recogniser: str) -> str:
    """Those of the packages that numbers depend on, where installed."""
    known = {package: installed(package) for package in (*VERSIONS, recogniser) if package}
    found = [f"{package} {number}" for package, number in known.items() if number]
    return ", ".join([f"Python {platform.python_version()}", *found])


def evidence(found: Results) -> Rows:
    """Each comparison under each claim."""
    return [
        {
            "claim": number,
            "statement": claim.statement,
            "verdict": claim.verdict,
            "what": part.what,
            "numbers": part.numbers,
            "status": part.status,
        }
        for number, claim in enumerate(claims.claims(found), start=1)
        for part in claim.evidence
    ]


def curves(found: Results) -> Rows:
    """Mean SI-SDR after some numbers of iterations."""
    return [
        {"set": test_set, "method": method, "iterations": int(at), "si_sdr": float(mean)}
        for (method, test_set), curve in found.curves.items()
        for at, mean in zip(curve.at, np.nanmean(curve.values, axis=0), strict=True)
        if at in COUNTS
    ]


def differences(found: Results) -> Rows:
    """Every method less the classical one, and the SDR loss less the coherence loss."""
    report = found.params.report
    rows = []
    for test_set in found.sets:
        pairs = [(n, report.classical) for n in found.on(test_set) if n != report.classical]
        pairs.append((report.learned_sdr, report.learned_coherence))
        for a, b in pairs:
            wer = compare.wer_capped(found, test_set, a, b)
            kinds = {"si_sdr": compare.si_sdr(found, test_set, a, b)}
            kinds |= {"wer_capped_reduction": wer.scaled(100)} if wer else {}
            for quantity, (value, low, high, _) in kinds.items():
                row = {"quantity": quantity, "method": a, "iterations": "", "baseline": b}
                row |= {"baseline_iterations": "", "set": test_set}
                rows.append(row | {"value": value, "low": low, "high": high})
    return rows


def gains(found: Results) -> Rows:
    """Improvement of SI-SDR by T60 and level, of the methods that the report names."""
    report = found.params.report
    shown = {report.classical, report.learned_sdr, report.learned_coherence, "least-squares"}
    return [
        {"condition": condition.key, "set": table.test_set, "third": third}
        | dict(zip(("from", "to", "unit"), split.label.replace(" to ", " ").split(), strict=True))
        | {"method": method, "gain": gain.mean, "low": gain.low, "high": gain.high}
        for condition in conditions.conditions(found)
        if condition.key in ("t60", "level")
        for table in condition.tables
        for method, intervals in table.rows
        if method in shown
        for third, split, gain in zip(
            ("low", "middle", "high"), table.splits, intervals, strict=False
        )
    ]


def _rounded(row: dict[str, Any]) -> dict[str, Any]:
    """Fractions with few digits, also where the file has them as text."""

    def short(value: Any) -> Any:
        if isinstance(value, str) and "." in value:
            try:
                value = float(value)
            except ValueError:
                return value
        return round(value, DIGITS) if isinstance(value, float) else value

    return {name: short(value) for name, value in row.items()}
