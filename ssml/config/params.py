"""The whole of params.yaml: its sections, checks across sections, and the reader of the file."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any, cast

import yaml
from pydantic import ValidationError, model_validator

from ssml import pretrained
from ssml.files import own
from ssml.files.errors import UserError

from .fields import Natural, Section
from .mixtures import MixParams, ScenesParams
from .names import BOUND_NAMES, CLASSICAL_NAMES, PEER_RULES, Rate
from .repeats import expand
from .sections import (
    CorpusParams,
    ReportParams,
    ScoreParams,
    SeparateParams,
    TrackParams,
    TrainParams,
    TranscribeParams,
)


class Params(Section):
    seed: Natural
    """of the data: scenes, rooms, noise and splits"""
    fs: Rate
    """sampling rate, Hz"""
    corpus: CorpusParams
    scenes: ScenesParams
    mix: MixParams
    train: TrainParams
    separate: SeparateParams
    score: ScoreParams
    transcribe: TranscribeParams
    track: TrackParams
    report: ReportParams

    @property
    def drawn(self) -> list[Any]:
        """What redrawn training mixtures depend on beside the rooms and the speech; else []."""
        if self.train.redraw is None:
            return []
        chosen = self.scenes.sets[self.train.train].model_dump(mode="json")
        return [chosen, self.mix.noise, self.train.redraw.model_dump(mode="json")]

    @property
    def talkers(self) -> list[int]:
        """How many talk in the training's mixtures: one number, or several."""
        drawn = self.train.redraw.talkers if self.train.redraw else []
        return sorted({*drawn}) or [self.scenes.sets[self.train.train].speakers]

    def on(self, test_set: str) -> list[str]:
        """The methods that are tested on a set."""
        methods = self.separate.methods.items()
        return [name for name, one in methods if one.sets is None or test_set in one.sets]

    @property
    def transcribed_sets(self) -> list[str]:
        """The sets whose outputs are transcribed."""
        chosen = self.separate.sets if self.transcribe.sets is None else self.transcribe.sets
        return chosen if self.transcribe.mixtures else []

    @property
    def own(self) -> dict[str, str]:
        """Key -> `module:name` of every own network, loss, source model and corpus."""
        named = {"corpus.source": self.corpus.source}
        for name, variant in self.train.variants.items():
            named[f"train.variants.{name}.network.name"] = variant.network["name"]
            named[f"train.variants.{name}.loss"] = variant.loss
        for name, method in self.separate.methods.items():
            named[f"separate.methods.{name}.model"] = method.model
            named[f"separate.methods.{name}.network"] = method.network or ""
        return {key: name for key, name in named.items() if own.is_own(name)}

    @model_validator(mode="after")
    def own_code_exists(self):
        """Every own part is there, in the working folder."""
        for key, name in self.own.items():
            try:
                own.check(name)
            except UserError as error:
                raise ValueError(f"{key}: {error}") from None
        return self

    @model_validator(mode="after")
    def names_exist(self):
        """Every name that one section takes from another is there."""
        known = self.scenes.sets

        def check(key: str, name: str, names: Any) -> None:
            if name not in names:
                raise ValueError(f"{key}: no '{name}' among {', '.join(sorted(names))}")

        check("train.train", self.train.train, known)
        for name in self.train.validation:
            check("train.dev", name, known)
        for name in self.separate.sets:
            check("separate.sets", name, known)
        rooms = self.scenes.measured
        for name, chosen in known.items():
            if chosen.measured:
                check(f"scenes.sets.{name}.measured", chosen.measured, rooms)
        named = [("train", self.train.train), *(("dev", name) for name in self.train.validation)]
        for key, name in named:
            measured = known[name].measured
            if measured and not rooms[measured].training:
                raise ValueError(
                    f"train.{key}: '{name}' is of the measured room '{measured}', which is kept "
                    f"for tests; name another set, or set scenes.measured.{measured}.training"
                )
        at_most = known[self.train.train].speakers
        if max(self.talkers) > at_most:
            raise ValueError(
                f"train.redraw.talkers: {max(self.talkers)} are more than the {at_most} speakers "
                f"of '{self.train.train}'; raise scenes.sets.{self.train.train}.speakers"
            )
        named = {"separate.sets": self.separate.sets, "train.dev": self.train.validation}
        named["transcribe.sets"] = self.transcribe.sets or []
        for key, sets in named.items():
            if len({*sets}) < len(sets):
                raise ValueError(f"{key}: a set stands there twice; remove one")
        variants, devices = self.train.variants, self.train.devices
        if len({*self.train.seeds}) < len(self.train.seeds):
            raise ValueError("train.seeds: a seed stands there twice; remove one")
        for name, variant in variants.items():
            if name in {*CLASSICAL_NAMES, *BOUND_NAMES}:
                raise ValueError(f"train.variants.{name}: the name is taken; choose another")
            if variant.batch % devices:
                raise ValueError(
                    f"train.devices: {devices} cannot share variant '{name}'s batch of "
                    f"{variant.batch} evenly"
                )
            if variant.above >= self.fs / 2:
                raise ValueError(
                    f"train.variants.{name}.above: {variant.above:g} Hz leaves nothing of a rate "
                    f"of {self.fs} Hz; lower it"
                )
            start, before = variant.start, {name}
            if start and not start.endswith(".safetensors"):
                check(f"train.variants.{name}.start", start, {*variants, *pretrained.names()})
            while start in variants:
                if start in before:
                    raise ValueError(f"train.variants.{name}.start: '{start}' leads back to it")
                before, start = before | {start}, variants[start].start
        if self.corpus.options and not own.is_own(self.corpus.source):
            raise ValueError("corpus.options: only of an own corpus; remove them")
        methods = self.separate.methods
        for reserved in {"mixture", "reference"} & methods.keys():
            raise ValueError(f"separate.methods.{reserved}: the name is taken; choose another")
        models = {*CLASSICAL_NAMES, *BOUND_NAMES, *PEER_RULES, *self.train.variants}
        for name, method in methods.items():
            if not (method.is_path or method.is_own):
                check(f"separate.methods.{name}.model", method.model, models)
            takes_options = method.is_own or method.is_peer or method.model in CLASSICAL_NAMES
            if method.options and not takes_options:
                raise ValueError(
                    f"separate.methods.{name}.options: of a classical, own or peer model alone"
                )
            if method.is_peer:
                check(f"separate.methods.{name}.rule", method.rule, PEER_RULES[method.model])
            if method.taps and method.is_peer:
                raise ValueError(f"separate.methods.{name}.taps: not of a peer model; remove it")
            if method.network and not (method.is_path and own.is_own(method.network)):
                raise ValueError(
                    f"separate.methods.{name}.network: is module:Class, of a model at a path"
                )
            if method.stft and (method.is_path or method.model in self.train.variants):
                raise ValueError(
                    f"separate.methods.{name}.stft: a learned model brings its own; remove it"
                )
            for one in method.sets or []:
                check(f"separate.methods.{name}.sets", one, self.separate.sets)
        for name in self.transcribe.sets or []:
            check("transcribe.sets", name, self.separate.sets)
        everywhere = [m for m in methods if all(m in self.on(n) for n in self.separate.sets)]
        if self.transcribe.methods != "all":
            for name in self.transcribe.methods:
                check("transcribe.methods", name, methods)
                for one in self.transcribed_sets:
                    check(f"transcribe.methods, of those tested on {one}", name, self.on(one))
        report = self.report
        for key in ("classical", "learned_sdr", "learned_coherence"):
            check(f"report.{key}", getattr(report, key), methods)
            check(f"report.{key}, on all sets", getattr(report, key), everywhere)
        alike = [n for n in self.separate.sets if self.scenes.sets[n].speakers in self.talkers]
        for name in report.other_rules:
            check("report.other_rules", name, methods)
            for one in alike:  # where claim 3 is decided
                check(f"report.other_rules, of those tested on {one}", name, self.on(one))
        return self


def parse(values: Mapping[str, Any], name: str = "params") -> Params:
    """Check `values`; a `UserError` lists every wrong key in one line, in `name`'s words."""
    try:
        return Params.model_validate(expand(values))
    except ValidationError as error:
        problems: list[str] = []
        for problem in error.errors():
            key = ".".join(map(str, problem["loc"]))
            message = problem["msg"].removeprefix("Value error, ")
            message = {
                "Extra inputs are not permitted": "unknown key; remove it",
                "Field required": "missing; add it",
            }.get(message, message)
            problems.append(f"{key}: {message}" if key else message)
        raise UserError(f"{name}: {'; '.join(problems)}") from None


class _Once(yaml.SafeLoader):
    """Refuses a key that stands twice in a mapping: YAML itself takes the last in silence."""

    def __init__(self, stream: str) -> None:
        super().__init__(stream)
        self.seen: set[int] = set()

    def flatten_mapping(self, node: yaml.MappingNode) -> None:
        """Merge `<<` into `node`, as all loaders do: what is merged may be overridden."""
        keys = [key for key, _ in node.value if isinstance(key, yaml.ScalarNode)]
        if id(node) not in self.seen:  # one that was merged elsewhere has its own keys again
            self.seen.add(id(node))
            for i, key in enumerate(keys):
                if key.value in (other.value for other in keys[:i]):
                    text = f"the key {key.value} stands twice; remove one"
                    raise yaml.constructor.ConstructorError(None, None, text, key.start_mark)
        super().flatten_mapping(node)


def load(path: Path | str = "params.yaml") -> Params:
    """Read and check a params file."""
    try:
        values: Any = yaml.load(Path(path).read_text(), _Once)
    except OSError as error:
        raise UserError(f"{path}: cannot be read ({error.strerror})") from error
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        mark = getattr(error, "problem_mark", None)
        if mark is None:
            where = " ".join(str(error).split())
        else:
            where = f"line {mark.line + 1}: {getattr(error, 'problem', '')}"
        raise UserError(f"{path}: not valid YAML ({where})") from None
    if not isinstance(values, dict):
        raise UserError(f"{path}: must hold sections, not {type(values).__name__}")
    return parse(cast(dict[str, Any], values), str(path))
