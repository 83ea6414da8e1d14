"""Put a trained model into the package: models/VARIANT.* -> ssml/pretrained/VARIANT.*, in fp16.

Of a model that is there already and was only tested in this folder, its results alone.
"""

from pathlib import Path
from typing import Any

import torch

from pipeline.arguments import parse
from ssml import pretrained
from ssml.config import layout
from ssml.config.params import Params
from ssml.config.sections import MethodParams
from ssml.data import corpora
from ssml.files import io, own
from ssml.files.errors import UserError, run
from ssml.iva import checkpoint

MOST = 60000.0  # of a value that fp16 can hold
# how a model is run where nothing is said: within 0.1 dB of the best rule and number of iterations
# for two to four talkers, of both shipped models, in docs/results/study-iterations.csv
SEPARATE = {"rule": "iss-6-sweeps", "iterations": 50}


def main() -> None:
    params, arguments = parse(__doc__, "variant")
    path = pretrained.FOLDER / f"{arguments.variant}.safetensors"
    new = layout.model(arguments.variant).is_file() or not path.is_file()
    if new:
        ship(params, arguments.variant, pretrained.FOLDER)
        print(f"{path}: {path.stat().st_size / 1e6:.1f} MB; its card: {path.stem}.json")
    if new and not layout.SUMMARY.is_file():
        print(f"without results: there is no {layout.SUMMARY} here")
        return
    table = write_results(params, arguments.variant, pretrained.FOLDER)
    print(f"{table}: what it reached here")


def ship(params: Params, variant: str, folder: Path) -> Path:
    """Write the model into `folder`, with a card of its rule, rate, data, budget and limits."""
    chosen = params.train.variants.get(variant)
    if chosen and own.is_own(chosen.network["name"]):
        own.bring(chosen.network["name"])
    trained = checkpoint.load(layout.model(variant))
    tensors = {key: to_half(key, value) for key, value in trained.network.state_dict().items()}
    path = folder / f"{variant}.safetensors"
    path.with_suffix(".csv").unlink(missing_ok=True)  # what another one reached
    checkpoint.save(path, tensors, trained.card | about(params, variant, trained.card))
    return path


def to_half(key: str, value: torch.Tensor) -> torch.Tensor:
    """In fp16, of which about three digits are left."""
    if not value.is_floating_point():
        return value
    if not bool((value.abs() < MOST).all()):
        raise UserError(f"{key}: holds values that fp16 cannot; train again")
    return value.half()


def about(params: Params, variant: str, card: dict[str, Any]) -> dict[str, Any]:
    """What a user should know of the model, beside what the training wrote."""
    scenes = params.scenes
    chosen, drawn = scenes.sets[params.train.train], params.train.redraw or scenes
    pool = [one for one in corpora.read_manifest(layout.MANIFEST) if one.split == chosen.split]
    speakers = len({one.speaker for one in pool})
    low, high = card["iterations"]
    talkers = " or ".join(map(str, params.talkers))
    name = card["network"]["name"]
    needed = [f"Needs own code that is not in the package: {name}."] if own.is_own(name) else []
    return {
        "fs": params.fs,
        "separate": SEPARATE,
        "corpus": params.corpus.source,
        "speakers": speakers,
        "utterances": len(pool),
        "budget": budget(params, variant, card),
        "command": f"snakemake --cores 1 models/{variant}.safetensors",
        "limits": [
            "Works at 16 kHz: its outputs hold nothing above 8 kHz, whatever the rate of the "
            "recording.",
            f"Trained on {talkers} simultaneous speakers at as many microphones, "
            f"{speakers} speakers in all, read or synthetic speech.",
            f"Trained in simulated rooms, T60 {scenes.t60[0]:g} to {scenes.t60[1]:g} s, noise "
            f"{drawn.snr[0]:g} to {drawn.snr[1]:g} dB below; speakers stand still.",
            f"Trained through {low} to {high} iterations of {card['rule']}; results with "
            "other rules, iterations and numbers of speakers stand in its table.",
            f"Needs its own STFT, {card['stft']['n_fft']}/{card['stft']['hop']}.",
            *needed,
        ],
    }


def budget(params: Params, variant: str, card: dict[str, Any]) -> str:
    """Steps and hours of this training and of those that it started from."""
    cards, earlier = [card], ""
    while variant in params.train.variants and (path := layout.start(params, variant)):
        before = io.read_json(path.with_suffix(".json"))
        if "budget" in before:  # of a model that was shipped: all of it
            earlier = f"{before['budget']}; then "
            break
        variant, cards = cards[0]["start"], [before, *cards]
    steps = " + ".join(str(one["steps"]) for one in cards)
    seconds = sum(one["steps"] * one["batch"] * one["seconds"] for one in cards)
    return f"{earlier}{steps} steps, {seconds / 3600:.1f} h of mixtures seen"


def write_results(params: Params, variant: str, folder: Path) -> Path:
    """Write the summary's rows of the methods with this model, beside it.

    They are no part of the card: a separation depends on that, and they on the separation.
    """
    shipped = io.sha256(folder / f"{variant}.safetensors")

    def uses_it(method: MethodParams) -> bool:
        path = layout.model_of(method)
        if path is None or not path.is_file():
            return False
        return path == layout.model(variant) or io.sha256(path) == shipped

    found = {name for name, method in params.separate.methods.items() if uses_it(method)}
    heard_by = params.transcribe.options.get("model", "")
    recogniser = f"{params.transcribe.recogniser} {heard_by}".strip()
    of = {
        "corpus": params.corpus.source,
        "recogniser": recogniser if params.transcribe.mixtures else "",
    }
    rows = [of | row for row in io.read_table(layout.SUMMARY) if row["method"] in found]
    if not rows:
        raise UserError(f"{layout.SUMMARY}: no method with {variant}; separate with it first")
    table = folder / f"{variant}.csv"
    io.write_table(table, rows, list(rows[0]))
    return table


if __name__ == "__main__":
    run(main)
