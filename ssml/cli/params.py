"""The commands `ssml params ...`: check, explain and compare params files."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any

import typer

from ssml.files.errors import UserError, install

app = typer.Typer(help="Check, explain and compare params files.")
Option = typer.Option


@app.command()
def check(file: Annotated[Path, typer.Argument(help="A params file.")]) -> None:
    """Say whether FILE is a valid params file, and every key that is wrong.

    Example: ssml params check params.yaml
    """
    _load(file)
    print(f"{file}: valid")


@app.command()
def diff(
    file: Annotated[Path, typer.Argument(help="A params file.")],
    against: Annotated[Path, Option(help="The file to compare with.")] = Path("params.yaml"),
) -> None:
    """List the keys in which FILE differs from another params file.

    Example: ssml params diff presets/excerpt.yaml --against params.yaml
    """
    old, new = (dict(_flat(_load(path).model_dump())) for path in (against, file))
    for key in sorted(old.keys() | new.keys()):
        if key not in new:
            print(f"- {key}: {old[key]}")
        elif key not in old:
            print(f"+ {key}: {new[key]}")
        elif old[key] != new[key]:
            print(f"  {key}: {old[key]} -> {new[key]}")


@app.command()
def explain(
    key: Annotated[
        str, typer.Argument(help="A key such as scenes.t60, or a section; all without one.")
    ] = "",
    file: Annotated[Path, Option(help="The params file.")] = Path("params.yaml"),
) -> None:
    """Say what KEY means, with its type, unit and present value.

    Example: ssml params explain scenes.t60
    """
    params = _load(file)
    from ssml.config.explain import explain as rows_of

    for row in rows_of(params, key):
        print(f"{row.key} = {row.value}\n    {row.meaning} ({row.type})")


def _load(file: Path) -> Any:
    """The parameters in `file`, read by packages that only the pipeline needs."""
    try:
        from ssml.config.params import load
    except ImportError as error:
        raise UserError(f"params: {error.name} is not installed; {install('pipeline')}") from None
    return load(file)


def _flat(value: Any, key: str = "") -> Iterator[tuple[str, Any]]:
    if isinstance(value, dict) and value:
        for name, inner in value.items():
            yield from _flat(inner, f"{key}.{name}" if key else str(name))
    else:
        yield key, json.dumps(value)
