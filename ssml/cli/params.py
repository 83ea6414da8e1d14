"""The commands `ssml params ...`: check, explain and compare params files."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any

import typer

from ssml.files.errors import UserError, install
from ssml.files.provenance import ROOT

app = typer.Typer(help="Check, explain and compare params files.")
Option = typer.Option
PRESETS = ROOT / "presets"


@app.command()
def check(
    file: Annotated[str, typer.Argument(help="A params file, or a preset's name.")],
) -> None:
    """Say whether FILE is a valid params file, and every key that is wrong.

    Example: ssml params check params.yaml
    """
    _load(file)
    print(f"{file}: valid")


@app.command()
def diff(
    first: Annotated[str, typer.Argument(metavar="A", help="A params file or a preset's name.")],
    second: Annotated[
        str | None,
        typer.Argument(metavar="B", help="Another one; with A alone, params.yaml against A."),
    ] = None,
) -> None:
    """List the keys that differ, with the value in A and the value in B; - where there is none.

    Exit code: 0 if nothing differs, 1 if something does, 2 for an error.

    Example: ssml params diff params.yaml excerpt
    """
    names = ("params.yaml", first) if second is None else (first, second)
    old, new = (dict(_flat(_load(name).model_dump(mode="json"))) for name in names)
    rows = [
        (key, old.get(key, "-"), new.get(key, "-"))
        for key in dict.fromkeys([*old, *new])
        if old.get(key) != new.get(key)
    ]
    if not rows:
        return
    widths = [max(map(len, column)) for column in zip(("key", *names), *rows, strict=True)]
    for row in (("key", *names), *rows):
        cells = (cell.ljust(width) for cell, width in zip(row, widths, strict=True))
        print("  ".join(cells).rstrip())
    raise typer.Exit(1)


@app.command()
def explain(
    key: Annotated[
        str, typer.Argument(help="A key, a section, or a part of a key; all without one.")
    ] = "",
    file: Annotated[str, Option(help="The params file, or a preset's name.")] = "params.yaml",
) -> None:
    """Say what KEY means, with its type, unit and present value.

    Of a part that several keys have, list them.

    Examples: ssml params explain scenes.t60; ssml params explain t60
    """
    params = _load(file)
    from ssml.config import explain as explaining

    names = explaining.candidates(params, key) if key else [""]
    if len(names) > 1:
        print(f"{len(names)} keys have the part {key}; name one:")
        for name in names:
            rows = explaining.explain(params, name)
            print(f"{name} = {rows[0].value}" if rows[0].key == name else f"{name}: a section")
        return
    for row in explaining.explain(params, names[0] if names else key):
        print(f"{row.key} = {row.value}\n    {row.meaning} ({row.type})")


def _load(name: str) -> Any:
    """The parameters in a file or a preset, read by packages that only the pipeline needs."""
    try:
        from ssml.config.params import load
    except ImportError as error:
        raise UserError(f"params: {error.name} is not installed; {install('pipeline')}") from None
    presets = {path.stem: path for path in sorted(PRESETS.glob("*.yaml"))}
    file = Path(name)
    if not file.exists() and not file.suffix:
        if name not in presets:
            known = ", ".join(presets) or "none here"
            raise UserError(f"{name}: neither a params file nor a preset; presets: {known}")
        file = presets[name]
    return load(file)


def _flat(value: Any, key: str = "") -> Iterator[tuple[str, Any]]:
    if isinstance(value, dict) and value:
        for name, inner in value.items():
            yield from _flat(inner, f"{key}.{name}" if key else str(name))
    else:
        yield key, json.dumps(value)
