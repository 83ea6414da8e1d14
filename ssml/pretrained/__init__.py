"""The trained source models that come with the package.

NAME.safetensors, its card NAME.json, and NAME.csv, what it reached where it was tested.
`python -m pipeline.ship NAME` adds one. classical.csv has what the models without training reached
in the same test; `python -m pipeline.publish` writes it.
"""

from pathlib import Path

FOLDER = Path(__file__).parent
CLASSICAL = FOLDER / "classical.csv"


def names() -> list[str]:
    """The models that are shipped."""
    return sorted(path.stem for path in FOLDER.glob("*.safetensors"))


def path(name: str) -> Path | None:
    """The file of the model that is shipped under `name`, if there is one."""
    return FOLDER / f"{name}.safetensors" if name in names() else None
