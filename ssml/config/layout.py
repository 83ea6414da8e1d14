"""Where each stage's files lie, relative to the working folder: the one place that knows."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from ssml import pretrained
from ssml.files.errors import UserError

from .names import BOUND_NAMES, CLASSICAL_NAMES, PEER_RULES

if TYPE_CHECKING:  # the command looks for a model here, and waits for no parameters
    from .params import Params
    from .sections import MethodParams

CORPUS = Path("data/corpus")
MANIFEST = CORPUS / "manifest.csv"
SUMMARY = Path("results/summary.csv")
TABLES = Path("results/summary.tex")
TRACKED = Path("results/tracked.json")  # ids of the evaluations' runs
REPORT = Path("reports/index.html")
LISTEN = Path("reports/listen.html")
AUDIO = Path("reports/audio")  # the players' sounds and spectrograms
RUNS = Path("reports/runs.js")  # the tracked runs, for the report to show

# the stages in their order; every one has a rule, a script in pipeline/, and a measured time
STAGES = (
    *("corpus", "scenes", "mix", "respond", "train", "separate", "score", "transcribe"),
    *("report", "listen", "track"),
)

MEASURING = STAGES[: STAGES.index("report")]  # those that make what a report shows
SPLITS = ("train", "dev", "test")  # of speakers and of recorded noise
NOISES = ("diffuse", "white")  # that need no recordings
MIXTURE, REFERENCE = "mixture", "reference"  # pseudo-methods: nothing done, the clean images


def scenes(name: str, shard: int | str) -> Path:
    return Path(f"data/scenes/{name}/{int(shard):04d}.jsonl")


def mixtures(name: str, shard: int | str) -> Path:
    return Path(f"data/mixtures/{name}/{int(shard):04d}.tar")


def responses(name: str, shard: int | str) -> Path:
    return Path(f"data/responses/{name}/{int(shard):04d}.tar")


def shards(params: Params, name: str, kind: Callable[[str, int], Path] = mixtures) -> list[Path]:
    """Every shard of the set `name`, in order."""
    number = -(-params.scenes.sets[name].mixtures // params.mix.shard)
    return [kind(name, shard) for shard in range(number)]


def training(params: Params) -> list[Path]:
    """Every shard that is trained on."""
    return shards(params, params.train.train, responses if params.train.redraw else mixtures)


def validation(params: Params) -> list[Path]:
    """Every shard that trainings are validated on."""
    return [path for name in params.train.validation for path in shards(params, name)]


def checkpoint(variant: str) -> Path:
    """The state from which a training resumes; neither tracked nor versioned."""
    return Path(f"checkpoints/{variant}.safetensors")


def transcription_cache(method: str, name: str) -> Path:
    """The words that a transcription has recognised so far; neither tracked nor versioned."""
    return Path(f"checkpoints/heard/{method}/{name}.jsonl")


def model(variant: str) -> Path:
    return Path(f"models/{variant}.safetensors")


def model_of(method: MethodParams) -> Path | None:
    """The trained model that `method` uses; None where its model is not a learned one."""
    if method.is_own or method.model in (*CLASSICAL_NAMES, *BOUND_NAMES, *PEER_RULES):
        return None
    return Path(method.model) if method.is_path else model(method.model)


def start(params: Params, variant: str) -> Path | None:
    """The model that a training starts from, if it starts from one."""
    name = params.train.variants[variant].start
    if name is None or name in params.train.variants:
        return model(name) if name else None
    return pretrained.path(name) or Path(name)


def models_from_elsewhere(params: Params) -> list[Path]:
    """Models that methods use, or that trainings start from, and that are not trained here."""
    used = [model_of(method) for method in params.separate.methods.values()]
    used += [start(params, variant) for variant in params.train.variants]
    trained = {*map(model, params.train.variants)}
    return sorted({path for path in used if path is not None} - trained)


def history(variant: str) -> Path:
    return Path(f"models/{variant}.history.csv")


def figure(name: str, kind: str = "svg") -> Path:
    return REPORT.parent / f"figures/{name}.{kind}"


def figures(params: Params) -> dict[str, list[str]]:
    """The names of the report's figures by kind: `wer` -> `wer-test2` ..."""
    used = {m.model for m in params.separate.methods.values() if not m.repeats}
    kinds = ("convergence", "si-sdr", "wer", "t60", "scatter")
    parts: dict[str, list[str]] = dict.fromkeys(kinds, params.separate.sets)
    parts["training"] = [name for name in params.train.variants if name in used]
    parts["wer"] = params.transcribed_sets
    return {kind: [f"{kind}-{part}" for part in found] for kind, found in parts.items()}


def figures_of(name: str) -> list[Path]:
    """The report's figures, as they are there, that show the set or the training `name`."""
    return sorted((REPORT.parent / "figures").glob(f"*-{name}.svg")) if name else []


def separated(method: str, name: str) -> Path:
    return Path(f"results/separated/{method}/{name}.tar")


def scores(method: str, name: str) -> Path:
    return Path(f"results/scores/{method}/{name}.csv")


def curves(method: str, name: str) -> Path:
    return Path(f"results/curves/{method}/{name}.csv")


def recordings(noise: str, split: str | None = None) -> list[Path]:
    """The files of `mix.noise` where that is a folder; of `split`, every third, or of all splits.

    The splits train, dev and test share no file. Raises `UserError` where the folder has none, or
    too few to share out.
    """
    if noise in NOISES:
        return []
    files = sorted(path for kind in ("flac", "wav") for path in Path(noise).glob(f"*.{kind}"))
    if not files:
        known = ", ".join(NOISES)
        raise UserError(f"mix.noise: '{noise}' is neither {known}, nor a folder of recordings")
    if len(files) < len(SPLITS):
        raise UserError(
            f"mix.noise: '{noise}' holds {len(files)} recordings where {len(SPLITS)} are needed, "
            f"one each for {', '.join(SPLITS)}; add more"
        )
    return files if split is None else files[SPLITS.index(split) :: len(SPLITS)]


def transcripts(method: str, name: str) -> Path:
    return Path(f"results/transcripts/{method}/{name}.csv")


def timing(stage: str, *parts: str) -> Path:
    """What Snakemake measured of a job; neither tracked nor versioned."""
    return Path("logs/times", stage, *parts).with_suffix(".tsv")


# of the stages that measure, the first of the files that a job makes
MADE: dict[str, Callable[..., Path]] = {
    "corpus": lambda: MANIFEST,
    "scenes": scenes,
    "mix": mixtures,
    "respond": responses,
    "train": model,
    "separate": separated,
    "score": scores,
    "transcribe": transcripts,
}


def results(params: Params) -> list[Path]:
    """What those stages make by `params`, as far as it is there."""
    sets, variants = params.separate.sets, params.train.variants
    drawn = dict.fromkeys(
        (*sets, params.train.train, *params.train.validation) if variants else sets
    )
    kinds = (scenes, mixtures, responses)
    parts = [path for name in drawn for kind in kinds for path in shards(params, name, kind)]
    tables = (separated, scores, transcripts)
    tested = [(one, name) for name in sets for one in (*params.on(name), MIXTURE, REFERENCE)]
    done = [make(*one) for make in tables for one in tested]
    return [path for path in (MANIFEST, *parts, *map(model, variants), *done) if path.exists()]
