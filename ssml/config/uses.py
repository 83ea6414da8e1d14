"""Which entries of the dicts of networks, losses, rules ... a job uses: its digest covers those.

A key that is missing stands for all entries.
"""

from collections.abc import Iterable
from pathlib import Path

import yaml

from ssml.files import provenance
from ssml.files.errors import UserError
from ssml.files.io import read_json

from . import layout
from .names import CLASSICAL_NAMES
from .params import Params
from .sections import MethodParams

Uses = dict[str, list[str]]  # name of a dict -> its entries in use
# stage of dvc.yaml -> the stages of the workflow whose own code it must watch
BELOW = {
    "mixtures": ("corpus",),
    "train": ("train",),
    "evaluate": ("separate",),
    "report": layout.MEASURING,
}


def uses(params: Params, stage: str, name: str | None = None) -> Uses:
    """What a job of `stage` uses, for the variant or method `name`; without one: all its jobs."""
    match stage:
        case "corpus":
            return {"CORPORA": [params.corpus.source]}
        case "train":
            variants = params.train.variants
            found = [variants[one] for one in ([name] if name else variants)]
            return {
                "NETWORKS": sorted({one.network["name"] for one in found}),
                "LOSSES": sorted({one.loss for one in found}),
                "UPDATES": sorted({one.rule for one in found}),
            }
        case "separate":
            methods = params.separate.methods
            return _together(_of_method(params, methods[m]) for m in ([name] if name else methods))
        case "transcribe":
            return {"ASR": [params.transcribe.recogniser]}
        case _:
            return {}


def _of_method(params: Params, method: MethodParams) -> Uses:
    found: Uses = {"NETWORKS": [], "CLASSICAL": [], "UPDATES": [method.rule], "PEERS": []}
    if method.is_peer:
        return found | {"UPDATES": [], "PEERS": [method.model]}
    if method.model in CLASSICAL_NAMES or method.is_own:
        found["CLASSICAL"] = [method.model]
    elif method.model in params.train.variants:
        found["NETWORKS"] = [params.train.variants[method.model].network["name"]]
    elif method.network:
        found["NETWORKS"] = [method.network]
    elif path := layout.model_of(method):
        try:
            card = read_json(path.with_suffix(".json"))
            found["NETWORKS"] = [card["network"]["name"]]
        except (UserError, KeyError, TypeError, AttributeError):
            del found["NETWORKS"]  # unknown until it is there: any
    return found


def _together(parts: Iterable[Uses]) -> Uses:
    """The union; of a dict that one of the parts lacks, all entries."""
    found = list(parts)
    keys = set.intersection(*map(set, found)) if found else set()
    return {key: sorted({name for one in found for name in one[key]}) for key in sorted(keys)}


def own_files(params: Params, stages: Iterable[str]) -> list[Path]:
    """The user's own files that jobs of `stages` run, relative to the working folder."""
    if not params.own:
        return []
    found = (provenance.own_files(f"pipeline.{one}", uses(params, one)) for one in stages)
    return sorted({path for files in found for path in files})


def check_watched(params: Params, stage: str, path: Path | str = "dvc.yaml") -> None:
    """A `UserError` where DVC runs `stage` and would not see a change of an own file in it."""
    files = own_files(params, BELOW.get(stage, ()))
    deps = yaml.safe_load(Path(path).read_text())["stages"][stage]["deps"] if files else []
    for file in files:
        if not {str(file), *map(str, file.parents)} & {*deps}:
            raise UserError(f"{path}: does not name {file}; add it to the deps of '{stage}'")
