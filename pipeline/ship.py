"""Put a trained model into the package: models/VARIANT.* -> ssml/pretrained/VARIANT.*, in fp16."""

from pathlib import Path
from typing import Any

import torch

from pipeline.arguments import parse
from ssml import checkpoint, corpora, io, layout, pretrained
from ssml.errors import UserError, run
from ssml.params import Params

MOST = 60000.0  # of a value that fp16 can hold


def main() -> None:
    params, arguments = parse(__doc__, "variant")
    path = ship(params, arguments.variant, pretrained.FOLDER)
    print(f"{path}: {path.stat().st_size / 1e6:.1f} MB; its card: {path.with_suffix('.json').name}")


def ship(params: Params, variant: str, folder: Path) -> Path:
    """Write the model into `folder`, with a card of its data, budget, results and limits."""
    trained = checkpoint.load(layout.model(variant))
    tensors = {key: halved(key, value) for key, value in trained.network.state_dict().items()}
    path = folder / f"{variant}.safetensors"
    checkpoint.save(path, tensors, trained.card | about(params, variant, trained.card))
    return path


def halved(key: str, value: torch.Tensor) -> torch.Tensor:
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
    return {
        "corpus": params.corpus.source,
        "speakers": speakers,
        "utterances": len(pool),
        "budget": budget(params, variant, card),
        "results": results(params, variant),
        "limits": [
            "16 kHz: of other rates, nothing above 8 kHz is left.",
            f"Trained on {chosen.speakers} simultaneous speakers at as many microphones, "
            f"{speakers} speakers in all, read or synthetic speech; tested as `results` say.",
            f"Trained in simulated rooms, T60 {scenes.t60[0]:g} to {scenes.t60[1]:g} s, noise "
            f"{drawn.snr[0]:g} to {drawn.snr[1]:g} dB below; speakers stand still.",
            f"Trained through {low} to {high} iterations of {card['rule']}: many more of it, or "
            "more speakers, may lose what fewer gained; iss6 and 20 iterations are safer.",
            f"Needs its own STFT, {card['stft']['n_fft']}/{card['stft']['hop']}.",
        ],
    }


def budget(params: Params, variant: str, card: dict[str, Any]) -> str:
    """Steps and hours of this training and of those that it started from."""
    cards, earlier = [card], ""
    while variant in params.train.variants and (path := layout.start(params, variant)):
        before = checkpoint.load(path).card
        if "budget" in before:  # of a model that was shipped: all of it
            earlier = f"{before['budget']}; then "
            break
        variant, cards = cards[0]["start"], [before, *cards]
    steps = " + ".join(str(one["steps"]) for one in cards)
    seconds = sum(one["steps"] * one["batch"] * one["seconds"] for one in cards)
    return f"{earlier}{steps} steps, {seconds / 3600:.1f} h of mixtures seen"


def results(params: Params, variant: str) -> list[dict[str, str]]:
    """The rows of the summary for the methods with this model; none if it was not scored."""
    if not layout.SUMMARY.is_file():
        return []
    methods = {name for name, method in params.separate.methods.items() if method.model == variant}
    rows = io.read_table(layout.SUMMARY)
    return [{k: v for k, v in row.items() if v} for row in rows if row["method"] in methods]


if __name__ == "__main__":
    run(main)
