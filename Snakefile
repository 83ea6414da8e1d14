"""From nothing to the report: corpus, scenes, mix, respond, train, separate, score, transcribe,
report, listen, track.

Each rule calls the script of its name in `pipeline/`, and has as `params` just the parameters and
the digest of the code that its result depends on: a change of anything else does not rerun it.
"""

import os
import shlex
import sys
from functools import cache

from snakemake.exceptions import WorkflowError

sys.path.insert(0, workflow.basedir)

from ssml.config import layout
from ssml.config.params import load
from ssml.config.uses import check_watched, own_files, uses
from ssml.data import corpora
from ssml.data.scenes import measured_in, shard_ids
from ssml.evaluation import asr
from ssml.files import provenance
from ssml.files.errors import UserError


def quoted(path):
    """As a word of the shell; Snakemake takes what stands in braces for a name."""
    return shlex.quote(str(path)).replace("{", "{{").replace("}", "}}")


if config:
    raise WorkflowError("--config is not read by the stages: edit params.yaml instead.")

try:
    PARAMS = load("params.yaml")
    layout.recordings(PARAMS.mix.noise)
    if "DVC_STAGE" in os.environ:
        check_watched(PARAMS, os.environ["DVC_STAGE"])
except UserError as error:
    if "DVC_STAGE" in os.environ:  # which has Snakemake say nothing
        print(f"error: {error}", file=sys.stderr)
    raise WorkflowError(str(error)) from None

os.environ["PYTHONPATH"] = workflow.basedir
os.environ["SSML_PROGRESS"] = "lines"
os.environ["DVC_NO_ANALYTICS"] = os.environ["MLFLOW_DISABLE_TELEMETRY"] = "true"
# by name: a path in the command would make an environment in another folder rerun everything
os.environ["SSML_PYTHON"] = sys.executable
OWN = own_files(PARAMS, layout.MEASURING)
os.environ["SSML_OWN"] = " ".join(sorted({path.parts[0] for path in OWN}))
# the job compares the digest with its code, which may be edited while others run
STAGE = 'SSML_CODE={params[0][code]} "$SSML_PYTHON" -m pipeline.'
STORE = workflow.storage_settings
if STORE.default_storage_provider:  # an object store's files lie below this folder meanwhile
    HOME = STORE.local_storage_prefix / STORE.default_storage_provider
    HOME /= STORE.default_storage_prefix.partition("://")[2]
    HOME = quoted(HOME)
    CODE = '"$PYTHONPATH/presets" "$PYTHONPATH/ssml"'
    OWN_CODE = 'for part in $SSML_OWN; do ln -sfn "$PWD/$part" ' + f"{HOME}; done"
    STAGE = (
        f"mkdir -p {HOME} && cp params.yaml {HOME} && ln -sfn {CODE} {HOME} && {OWN_CODE} && "
        f"cd {HOME} && {STAGE}"
    )

SETS = PARAMS.separate.sets
METHODS = list(PARAMS.separate.methods)
VARIANTS = list(PARAMS.train.variants)
SCORED = {name: [*PARAMS.on(name), layout.MIXTURE] for name in SETS}
HEARD = {
    name: [
        *(PARAMS.on(name) if PARAMS.transcribe.methods == "all" else PARAMS.transcribe.methods),
        *(layout.MIXTURE, layout.REFERENCE),
    ]
    for name in PARAMS.transcribed_sets
}
LIBRISPEECH = PARAMS.corpus.source == "librispeech"
LISTED = (PARAMS.corpus.librispeech.utterances or []) if LIBRISPEECH else []
for model in layout.models_from_elsewhere(PARAMS):
    if not model.exists():  # Snakemake would keep what it once made of it
        raise WorkflowError(f"{model}: no such model; correct params.yaml, or bring it there")
TRAINING = [*layout.training(PARAMS), *layout.validation(PARAMS)]
DRAWN = PARAMS.drawn
# of the scores, which outputs are put in the order of, and which is transcribed
REFERENCE = PARAMS.score.model_dump(include={"reference"}, exclude=PARAMS.score.idle)


@cache
def code(stage, name=None):
    """The digest of the code that a job uses: of all networks, say, that of its own."""
    return provenance.code(f"pipeline.{stage}", uses(PARAMS, stage, name))


def needs(stage, name=None, **parts):
    """What a job's result depends on beside its inputs; name: of its variant or method."""
    values = {
        key: (
            part.model_dump(mode="json", exclude=getattr(part, "idle", None))
            if hasattr(part, "model_dump")
            else part
        )
        for key, part in parts.items()
    }
    return dict(seed=PARAMS.seed, code=code(stage, name), **values)


def noise_of(name):
    """The recordings of noise that the set `name` may use."""
    split = PARAMS.scenes.sets[name].split
    return list(map(local, layout.recordings(PARAMS.mix.noise, split)))


def contents(of, *arguments):
    """A digest by content, never by place: the same on every machine that has the same files."""
    try:
        return of(*arguments)
    except UserError as error:
        raise WorkflowError(str(error)) from None


def scene_needs(wildcards):
    """Only what makes this shard's scenes: not the other sets, nor how many shards there are."""
    chosen = PARAMS.scenes.sets[wildcards.set]
    ids = shard_ids(chosen, int(wildcards.shard), PARAMS.mix.shard)
    return needs(
        "scenes",
        fs=PARAMS.fs,
        scenes=PARAMS.scenes.model_dump(exclude={"sets", "measured"}, mode="json"),
        set=chosen.model_dump(exclude={"mixtures"}, mode="json"),
        ids=[ids.start, ids.stop],
        **room_needs(chosen.measured, layout.scenes(wildcards.set, wildcards.shard)),
    )


def room_needs(name, drawn):
    """What scenes in a measured room depend on; `drawn`: the scenes, if they are there already."""
    if name is None:
        return {}
    room = PARAMS.scenes.measured[name]
    about = room.model_dump(exclude={"root", "training"}, mode="json")
    return dict(room=about, responses=contents(measured_in, name, room, drawn))


def mixtures_of(wildcards):
    return layout.shards(PARAMS, wildcards.set)


def with_card(path):
    """A model's two files; one that is not trained here is in no object store either."""
    files = [str(path), str(path.with_suffix(".json"))] if path else []
    return files if path in map(layout.model, VARIANTS) else list(map(local, files))


def trained_by(wildcards):
    """The checkpoint of a learned method."""
    return with_card(layout.model_of(PARAMS.separate.methods[wildcards.method]))


def started_by(wildcards):
    """The model that a training starts from."""
    return with_card(layout.start(PARAMS, wildcards.variant))


def separated_by(wildcards):
    """The separated set; nothing for the pseudo-methods, which need only the mixtures."""
    known = wildcards.method in METHODS
    return layout.separated(wildcards.method, wildcards.set) if known else []


def stft_of(wildcards):
    """That of all methods, for one that has no other of its own or of its model."""
    method = PARAMS.separate.methods[wildcards.method]
    return None if method.stft or layout.model_of(method) else PARAMS.separate.stft


tables_of_all = [
    [layout.scores(method, name) for name in SETS for method in SCORED[name]],
    [layout.curves(method, name) for name in SETS for method in SCORED[name]],
    [
        layout.transcripts(method, name)
        for name in PARAMS.transcribed_sets
        for method in HEARD[name]
    ],
]


def shown(kind, name):
    """A figure, which Snakemake's own report shows too: `snakemake --report report.html`."""
    caption = f"ssml/report/{kind}.rst"
    return report(layout.figure(name), caption=caption, category="Figures", subcategory=kind)


figures_of_all = [
    shown(kind, name) for kind, names in layout.figures(PARAMS).items() for name in names
]


wildcard_constraints:
    set="|".join(PARAMS.scenes.sets),
    shard=r"\d{4}",
    variant="|".join(VARIANTS) or "-",
    method="|".join([*METHODS, layout.MIXTURE, layout.REFERENCE]),


# Trainings take longest: they and what they need go first.
localrules:
    all,
    mixtures,
    models,
    results,


rule all:
    input:
        layout.SUMMARY,
        layout.REPORT,
        layout.LISTEN,
        layout.TRACKED,


rule mixtures:
    input:
        TRAINING,
        [layout.shards(PARAMS, name) for name in SETS],


rule models:
    input:
        expand("models/{variant}.safetensors", variant=VARIANTS),


rule results:
    input:
        tables_of_all,


# A workflow of its own beside this one, by the models that come with the package.
rule study:
    threads: workflow.cores or 1
    params:
        home=workflow.basedir,
    shell:
        "mkdir -p study && cp {params.home:q}/presets/study.yaml study/params.yaml && "
        "ln -sfn {params.home:q}/presets {params.home:q}/ssml study/ && "
        "{sys.executable:q} -m snakemake --snakefile {params.home:q}/Snakefile --directory study "
        "--cores {threads} --quiet rules reason"


rule corpus:
    input:
        local(LISTED),
    output:
        layout.MANIFEST,
    benchmark:
        layout.timing("corpus")
    params:
        lambda wildcards: needs(
            "corpus",
            fs=PARAMS.fs,
            corpus=PARAMS.corpus.model_dump(exclude={"librispeech": {"root"}}, mode="json"),
            files=contents(corpora.chosen_files, PARAMS.corpus, layout.CORPUS, layout.MANIFEST),
        ),
    shell:
        STAGE + "corpus"


rule scenes:
    input:
        layout.MANIFEST,
    output:
        "data/scenes/{set}/{shard}.jsonl",
    benchmark:
        layout.timing("scenes", "{set}", "{shard}")
    priority: 50
    params:
        scene_needs,
    shell:
        STAGE + "scenes {wildcards.set} {wildcards.shard}"


rule mix:
    input:
        layout.MANIFEST,
        lambda wildcards: noise_of(wildcards.set),
        scenes="data/scenes/{set}/{shard}.jsonl",
    output:
        "data/mixtures/{set}/{shard}.tar",
    benchmark:
        layout.timing("mix", "{set}", "{shard}")
    priority: 50
    params:
        needs("mix", fs=PARAMS.fs, mix=PARAMS.mix.model_dump(exclude={"shard"})),
    shell:
        STAGE + "mix {wildcards.set} {wildcards.shard}"


rule respond:
    input:
        "data/scenes/{set}/{shard}.jsonl",
    output:
        "data/responses/{set}/{shard}.tar",
    benchmark:
        layout.timing("respond", "{set}", "{shard}")
    priority: 50
    params:
        needs("respond", fs=PARAMS.fs, max_order=PARAMS.mix.max_order),
    shell:
        STAGE + "respond {wildcards.set} {wildcards.shard}"


rule train:
    input:
        [layout.MANIFEST, *noise_of(PARAMS.train.train)] if DRAWN else [],
        TRAINING,
        started_by,
    output:
        "models/{variant}.safetensors",
        "models/{variant}.json",
        "models/{variant}.history.csv",
    benchmark:
        layout.timing("train", "{variant}")
    priority: 100
    threads: PARAMS.train.threads
    params:
        lambda wildcards: needs(
            "train",
            wildcards.variant,
            fs=PARAMS.fs,
            redraw=DRAWN,
            variant=PARAMS.train.variants[wildcards.variant],
            devices=PARAMS.train.devices,
            threads=PARAMS.train.threads,  # another number rounds otherwise
        ),
    shell:
        STAGE + "train {wildcards.variant}"


rule separate:
    input:
        mixtures_of,
        trained_by,
    output:
        "results/separated/{method}/{set}.tar",
    benchmark:
        layout.timing("separate", "{method}", "{set}")
    params:
        lambda wildcards: needs(
            "separate",
            wildcards.method,
            fs=PARAMS.fs,
            method=PARAMS.separate.methods[wildcards.method],
            stft=stft_of(wildcards),
            **REFERENCE,
        ),
    shell:
        STAGE + "separate {wildcards.method} {wildcards.set}"


rule score:
    input:
        mixtures_of,
        separated_by,
    output:
        "results/scores/{method}/{set}.csv",
        "results/curves/{method}/{set}.csv",
    benchmark:
        layout.timing("score", "{method}", "{set}")
    params:
        needs("score", fs=PARAMS.fs, score=PARAMS.score),
    shell:
        STAGE + "score {wildcards.method} {wildcards.set}"


rule transcribe:
    input:
        mixtures_of,
        separated_by,
    output:
        "results/transcripts/{method}/{set}.csv",
    benchmark:
        layout.timing("transcribe", "{method}", "{set}")
    params:
        lambda wildcards: needs(
            "transcribe",
            fs=PARAMS.fs,
            transcribe=PARAMS.transcribe.model_dump(exclude={"methods", "sets"}),
            corpus=PARAMS.corpus.source,
            **REFERENCE,
            weights=contents(
                asr.weights,
                PARAMS.transcribe.options,
                layout.transcripts(wildcards.method, wildcards.set),
            ),
        ),
    shell:
        STAGE + "transcribe {wildcards.method} {wildcards.set}"


rule track:
    input:
        tables_of_all,
        layout.REPORT,
        layout.LISTEN,
        expand("models/{variant}.{part}", variant=VARIANTS, part=["json", "history.csv"]),
    output:
        layout.TRACKED,
        layout.RUNS,
    params:
        needs("track", separate=PARAMS.separate, track=PARAMS.track),
    shell:
        STAGE + "track"


rule report:
    input:
        layout.MANIFEST,
        tables_of_all,
        expand("models/{variant}.{part}", variant=VARIANTS, part=["json", "history.csv"]),
    output:
        layout.SUMMARY,
        layout.SUMMARY.with_suffix(".md"),
        layout.TABLES,
        layout.REPORT,
        figures_of_all,
    benchmark:
        layout.timing("report")
    params:
        needs("report", everything=PARAMS, codes={stage: code(stage) for stage in layout.MEASURING}),
    shell:
        STAGE + "report"


rule listen:
    input:
        tables_of_all,
        expand("models/{variant}.{part}", variant=VARIANTS, part=["json", "history.csv"]),
        [layout.separated(method, name) for name in SETS for method in PARAMS.on(name)],
        [layout.shards(PARAMS, name) for name in SETS],
    output:
        layout.LISTEN,
    benchmark:
        layout.timing("listen")
    params:
        needs(
            "listen",
            fs=PARAMS.fs,
            separate=PARAMS.separate,
            transcribe=PARAMS.transcribe,
            report=PARAMS.report,
        ),
    shell:
        STAGE + "listen"
