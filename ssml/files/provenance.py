"""What a result depends on: the code a job runs, its parameters, and its random numbers."""

import hashlib
import json
from collections.abc import Collection, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from . import own, sources
from .parts import Chosen
from .scopes import ALL

if TYPE_CHECKING:
    import numpy as np

NONE: Chosen = {}
ROOT = Path(__file__).resolve().parents[2]
PACKAGES = ("ssml", "pipeline")
ASIDE = (
    "ssml.tracking",
    "ssml.files.progress",
    "ssml.files.errors",
    "ssml.files.kept",
    "ssml.files.parts",
    "ssml.files.sources",
    "ssml.files.scopes",
    "ssml.files.versions",
    "ssml.config.uses",
    "pipeline.planned",
)  # say what happens, change no result
# the dicts of which a job uses some entries only; what serves the others is no part of its digest
CHOICES: dict[str, Collection[str]] = {
    "ssml.data.corpora": {"CORPORA"},
    "ssml.evaluation.asr": {"ASR"},
    "ssml.evaluation.peers": {"PEERS"},
    "ssml.iva.losses": {"LOSSES"},
    "ssml.iva.models": {"CLASSICAL", "NETWORKS"},
    "ssml.iva.updates": {"UPDATES"},
    "ssml.config.names": {
        *("RuleName", "LossName", "NetworkName", "ClassicalName", "RecogniserName", "CorpusName"),
        "PEER_RULES",
    },
    # of these, what a job does not need is no part of its digest either
    "ssml.files.provenance": (),
    "ssml.separation.models": (),
}


def generator(seed: int, *key: int | str) -> "np.random.Generator":
    """A generator of its own for `(seed, *key)`, whatever was drawn before, in any process."""
    import numpy as np  # digests are also asked for where there is none

    return np.random.default_rng(int(digest([seed, *key])[:32], 16))


def digest(value: Any) -> str:
    """SHA-256 of `value` as sorted JSON."""
    return hashlib.sha256(json.dumps(value, sort_keys=True).encode()).hexdigest()


def is_packaged(module: str) -> bool:
    """Whether `module` is the project's, and not a user's own beside params.yaml."""
    return module.partition(".")[0] in PACKAGES


def file(module: str) -> Path | None:
    """The file that defines `module` in the project, or else in the working folder, or None."""
    return own.file(module, ROOT if is_packaged(module) else Path.cwd())


def _source(module: str) -> sources.Source | None:
    path = file(module)
    return path and sources.read(path, module, CHOICES.get(module) if is_packaged(module) else ())


def _counted(module: str, chosen: Chosen = NONE) -> dict[str, str]:
    """The modules that running `module` reaches, and of each the text that counts.

    chosen: the entries in use of the dicts in `CHOICES`. An entry `module:name` is a user's own.
    """
    wanted: dict[str, set[str]] = {module: set()}
    for entries in chosen.values():
        for entry in filter(own.is_own, entries):
            home, _, name = entry.partition(":")
            _ask(wanted, home, {name})
    todo, found = set(wanted), {}
    while todo:
        name = todo.pop()
        source = _source(name)
        if source is None or name in PACKAGES or name.startswith(ASIDE):
            continue
        if name in CHOICES or not is_packaged(name):  # only what something needs of it counts
            parts = source.live(wanted[name], chosen)
            found[name] = "".join(part.digest for part in parts) + source.data
            imports = [one for part in parts for one in part.imports]
        else:
            found[name] = source.digest + source.data
            imports = list(source.imports)
        for target, names in _needed(source, imports, wanted[name]):
            if (is_packaged(target) or not is_packaged(name)) and _ask(wanted, target, names):
                todo.add(target)
    return found


def _ask(wanted: dict[str, set[str]], module: str, names: Collection[str]) -> bool:
    """Note that `names` of `module` are needed; whether that is new."""
    before = wanted.get(module)
    wanted[module] = {*(before or ()), *names}
    return wanted[module] != before


def _needed(
    source: sources.Source, imports: list[sources.Import], wanted: Collection[str]
) -> Iterator[tuple[str, Collection[str]]]:
    """The modules that `imports` run, and the names of each that are needed.

    Of a module that is imported as one, they are the attributes that are read, or all where it is
    passed on.
    """
    for base, name, alias in imports:
        used = {ALL} if {alias, ALL} & {*wanted} else source.used.get(alias, frozenset())
        if name is None:
            yield base, {ALL} if alias == ALL else used
        else:
            yield base, {name}
            yield f"{base}.{name}", used
        # importing a.b.c runs a and a.b as well
        yield from ((base[:i], ()) for i in range(len(base)) if base[i] == ".")


def modules(module: str, chosen: Chosen = NONE) -> list[str]:
    """The modules that the results of running `module` depend on, itself included, sorted."""
    return sorted(_counted(module, chosen))


def code(module: str, chosen: Chosen = NONE) -> str:
    """Digest of the logic that running `module` reaches: comments, layout, docstrings left out.

    chosen: the entries in use of the dicts in `CHOICES`, by name; of a dict that is not there, all
    count. An entry `module:name` is a user's own, in the working folder.
    """
    counted = _counted(module, chosen)
    texts = {name: hashlib.sha256(text.encode()).hexdigest() for name, text in counted.items()}
    return digest(texts)[:16]


def codes(stages: Mapping[str, Chosen]) -> dict[str, str]:
    """The digest of the logic of each of the pipeline's stages, with what it chooses."""
    return {stage: code(f"pipeline.{stage}", chosen) for stage, chosen in stages.items()}


def own_files(module: str, chosen: Chosen) -> list[Path]:
    """The user's own files that running `module` reaches, relative to the working folder."""
    found = (file(name) for name in modules(module, chosen) if not is_packaged(name))
    return sorted(path.relative_to(Path.cwd()) for path in found if path)
