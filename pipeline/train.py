"""Train one variant of the learned surrogate: mixtures -> models/VARIANT.{safetensors,json}."""

from collections.abc import Callable
from functools import partial
from typing import Any

from pipeline.arguments import parse, run
from ssml import tracking
from ssml.config import layout
from ssml.config.names import REACHED
from ssml.config.params import Params
from ssml.config.uses import uses
from ssml.data import bank, corpora
from ssml.data.bank import Bank
from ssml.data.shards import Batch, ShardReader, draw_batch
from ssml.files import allocator
from ssml.files.io import sha256, write_table
from ssml.files.provenance import code, digest
from ssml.iva import checkpoint
from ssml.training import distributed
from ssml.training.distributed import Share
from ssml.training.trainer import COLUMNS, Row, Trainer, fit, resume

LOG_EVERY = 5  # steps; a call to MLflow may take as long as a step


def supply(params: Params) -> tuple[ShardReader | Bank, Callable[..., Batch]]:
    """What is trained on, and the function that draws batches of it."""
    paths = layout.training(params)
    if params.train.redraw is None:
        return ShardReader(paths, params.fs), draw_batch
    utterances = corpora.read_manifest(layout.MANIFEST)
    root = corpora.root(params.corpus, layout.CORPUS)
    name, redraw = params.train.train, params.train.redraw
    chosen, noise = params.scenes.sets[name], params.mix.noise
    rooms = Bank(paths, utterances, root, name, chosen, noise, redraw, params.fs)
    return rooms, bank.draw_batch


def main() -> None:
    params, arguments = parse(__doc__, "variant")
    variant, count = params.train.variants[arguments.variant], params.train.devices
    distributed.check(count)
    known = params.scenes.sets[params.train.train]
    paths = [*layout.training(params), *layout.validation(params)]
    facts = {
        **variant.model_dump(mode="json", exclude=variant.idle),
        "rooms" if params.train.redraw else "mixtures": known.mixtures,
        "data": digest([sha256(path) for path in paths])[:16],
    }
    if params.drawn:
        heard = [layout.MANIFEST, *layout.recordings(params.mix.noise, known.split)]
        facts["drawn"] = digest([*map(sha256, heard), params.drawn])[:16]
    if start := layout.start(params, arguments.variant):
        facts["started"] = sha256(start)[:16]
    facts |= {"devices": count} if count > 1 else {}  # results differ by rounding
    distributed.each(count, train, params, arguments.variant, facts)


def train(share: Share, params: Params, name: str, facts: dict[str, Any]) -> None:
    """Train as the process `share` of those that train together; the first of them writes."""
    allocator.keep_freed()
    distributed.repeatable()
    variant = params.train.variants[name]
    known, draw = supply(params)
    draw = partial(draw, known, reference=variant.reference)
    dev = ShardReader(layout.validation(params), params.fs)
    start = layout.start(params, name)
    begin = checkpoint.read_tensors(start) if start else None
    # other mixtures than the model had that it starts from
    seed = int(digest([variant.seed, facts["started"]])[:8], 16) if start else variant.seed
    trainer = Trainer(variant, seed, params.fs, share.device(), share, begin)
    source = code("pipeline.train", uses(params, "train", name))
    key = digest([facts, source, params.train.threads])  # another number rounds otherwise
    resume(trainer, layout.checkpoint(name), key)
    if not share.first:
        fit(trainer, draw, dev, layout.checkpoint(name), key)
        return
    about = (
        f"Source model learned through AuxIVA-{variant.rule.upper()} by the {variant.loss} loss."
    )
    with tracking.run(
        params.track.experiment, f"train:{name}", name, facts, source, None, about, trainer.run
    ) as tracked:
        trainer.run = tracked.id

        def log(row: Row) -> None:
            if row["step"] % LOG_EVERY == 0 or "si_sdr" in row:
                values = {f"loss/{variant.loss}": row["loss"], "gradient norm": row["grad_norm"]}
                values |= {"validation SI-SDR dB": row["si_sdr"]} if "si_sdr" in row else {}
                tracked.log(values | {"skipped steps": row["skipped"]}, row["step"])

        fit(trainer, draw, dev, layout.checkpoint(name), key, log)
        reached = checkpoint.parameters(trainer.network), trainer.best_si_sdr, trainer.skipped
        card = facts | dict(zip(REACHED, reached, strict=True))
        checkpoint.save(layout.model(name), trainer.best, card)
        write_table(layout.history(name), trainer.history, COLUMNS)
        for path in (layout.model(name), layout.model(name).with_suffix(".json")):
            tracked.artifact(path, "model")


if __name__ == "__main__":
    run(main)
