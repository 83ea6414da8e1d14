"""The commands `ssml models`, a list of source models, and `ssml export`, a model as a graph."""

import json
from pathlib import Path
from typing import Annotated, Any

import typer

from ssml import pretrained
from ssml.config import layout, names
from ssml.files import own
from ssml.files.errors import UserError
from ssml.files.io import read_json, read_table

from . import best

Option = typer.Option
Own = Annotated[
    list[str] | None,
    Option("--own", metavar="MODULE", help="A module in this folder with the model's network."),
]
# stated here, not in the classes: the list must not wait for torch
CLASSICAL = {
    "laplace": "one weight a frame, 1 / (2 |Y|): heavy tails",
    "gauss": "one weight a frame, F / |Y|²: a loudness that varies over time",
    "nmf": "low-rank spectra, found along the way (ILRMA)",
}
# what of a card is printed, by title; `--json` prints all
CARD = {
    "network": ("network", "stft", "fs", "above"),
    "training": ("loss", "rule", "iterations", "steps", "batch", "seconds", "lr", "seed"),
    "data": ("corpus", "speakers", "utterances", "rooms", "mixtures"),
    "budget": ("budget",),
}


def resolve(model: str) -> str:
    """The path of the model `model` trained in this folder, or `model` itself.

    The name of a shipped model means the shipped one, as in Python.
    """
    trained = layout.model(model)
    known = "/" in model or model in pretrained.names()
    return str(trained) if not known and trained.is_file() else model


def bring(modules: list[str] | None) -> None:
    """Import what `--own` names: a card alone has no code imported."""
    for module in modules or []:
        own.bring_module(module.removesuffix(".py"))


def models(
    name: Annotated[
        str | None, typer.Argument(help="A source model, by name or path: describe it.")
    ] = None,
    own_modules: Own = None,
    as_json: Annotated[bool, Option("--json", help="Print the whole card, as JSON.")] = False,
) -> None:
    """List the source models and which is best for what, or describe one from its card.

    Example: ssml models learned-sdr
    """
    bring(own_modules)
    if name in CLASSICAL:
        _print_classical(name, as_json)
    elif name is not None:
        _print_card(name, as_json)
    else:
        for classical, description in CLASSICAL.items():
            print(_line(classical, description))
        shipped = [pretrained.FOLDER / f"{name}.safetensors" for name in pretrained.names()]
        for file in shipped:
            print(_line(file.stem, _card_line(file)))
        for file in sorted(layout.model("x").parent.glob("*.safetensors")):
            print(
                _line(str(file) if file.stem in pretrained.names() else file.stem, _card_line(file))
            )
        if lines := best.lines():
            print("", *lines, sep="\n")


def _line(name: str, description: str) -> str:
    return f"{name:20} {description}"


def _card_line(file: Path) -> str:
    try:
        card = read_json(file.with_suffix(".json"))
        stft, network = card["stft"], card["network"]["name"]
        place = "shipped" if file.parent == pretrained.FOLDER else file
        how = card.get("separate", {})
        by = f"{how['iterations']} iterations of {how['rule']}, " if how else ""
        return f"{network}, STFT {stft['n_fft']}/{stft['hop']}, {by}{place}"
    except (UserError, KeyError, TypeError):
        return f"{file}: without a card that can be read"


def _print_classical(name: str, as_json: bool) -> None:
    from ssml.separation.defaults import CLASSICAL as BEST

    settings = BEST[name]._asdict()
    if as_json:
        print(json.dumps({"model": name, "description": CLASSICAL[name], "separate": settings}))
        return
    print(_line(name, CLASSICAL[name]))
    print(
        "separate: {iterations} iterations of {rule}, a window of {window:g} s".format(**settings)
    )


def _print_card(name: str, as_json: bool) -> None:
    from ssml.iva import checkpoint
    from ssml.separation.models import find_model

    path = find_model(resolve(name))
    trained = checkpoint.load(path)
    card = trained.card
    if as_json:
        print(json.dumps(card, indent=2, sort_keys=True))
        return
    print(f"{path}: {_card_line(path)}")
    print(f"trained values: {checkpoint.parameters(trained.network)}")
    for title, keys in CARD.items():
        known = [
            _value(card[key]) if key == title else f"{key} {_value(card[key])}"
            for key in keys
            if card.get(key) is not None
        ]
        if known:
            print(f"{title}: {', '.join(known)}")
    for limit in card.get("limits", []):
        print(f"limit: {limit}")
    tested = path.with_suffix(".csv")
    if tested.is_file():
        print("tested, mean and 95 % interval over mixtures:")
        for row in read_table(tested):
            print(f"  {_result_line(row)}")


def _value(value: Any) -> str:
    """A card's value in words."""
    if isinstance(value, dict):
        first = [str(value["name"])] if "name" in value else []
        rest = [f"{key} {_value(one)}" for key, one in value.items() if key != "name"]
        return " ".join(first + rest)
    return " to ".join(map(str, value)) if isinstance(value, list) else str(value)


def _result_line(row: dict[str, str]) -> str:
    """A row of the summary in words."""

    def interval(name: str, scale: float, digits: int) -> str:
        mean, low, high = (
            f"{round(scale * float(row[name + end]), digits) + 0.0:.{digits}f}"  # no "-0"
            for end in ("", "_low", "_high")
        )
        return f"{mean} [{low}, {high}]"

    description = (
        f"{row['corpus']} {row['set']}, {row['n_src']} sources, {row['rule']}, "
        f"{row['iterations']} iterations, {row['mixtures']} mixtures: "
        f"SI-SDR {interval('si_sdr', 1, 1)} dB"
    )
    if row["wer"]:
        description += f", WER {interval('wer', 100, 0)} % by {row['recogniser']}"
    return description


def export(
    model: Annotated[str, typer.Argument(help="A trained model, by name or path.")],
    out: Annotated[Path, typer.Argument(metavar="OUT", help="A file, .onnx or .pt2.")],
    rule: Annotated[
        names.RuleName | None, Option(help="Update rule; by default the one on the model's card.")
    ] = None,
    iterations: Annotated[
        int | None, Option(help="Iterations of AuxIVA; by default the card's.")
    ] = None,
    sources: Annotated[int, Option(help="Sources, and microphones.")] = 2,
    own_modules: Own = None,
    force: Annotated[bool, Option("--force", help="Replace a file that exists.")] = False,
    debug: Annotated[bool, Option("--debug", help="Show where an error comes from.")] = False,
) -> None:
    """Write the separator with a trained MODEL as one graph, for onnxruntime or torch.export.

    It takes `mix` (1, sources, samples), float32 at 16 kHz, of any length of at least a window, and
    gives `images` of that shape, at the first microphone.

    Example: ssml export learned-sdr separator.onnx --sources 2
    """
    if out.exists() and not force:
        raise UserError(f"{out} exists already; --force replaces it")
    if model in CLASSICAL:
        raise UserError(f"{model}: only trained models can be exported; see `ssml models`")
    bring(own_modules)
    from ssml.iva import checkpoint
    from ssml.separation import export as exporting
    from ssml.separation.models import find_model

    trained = checkpoint.load(find_model(resolve(model)))
    made: dict[str, Any] = exporting.export(trained, out, iterations, sources, rule)
    shape = f"(1, {sources}, samples)"
    print(f"{out}: mix {shape} at {made['fs']} Hz -> images {shape}")
    print(f"  {made['iterations']} iterations of {made['rule']}")
    print(f"  within {made['difference']:.1e} of the library, relative to the peak")
