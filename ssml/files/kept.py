"""What was read of a file of code is kept beside Python's own compiled copy of it.

To read a hundred files takes over a second, and each job does it. `__pycache__` lies where the code
does, is in no version control, and goes with it.
"""

import json
import os
import zlib
from contextlib import suppress
from dataclasses import asdict
from pathlib import Path
from typing import Any

from .parts import Import, Part, Source


def read(path: Path, key: list[Any]) -> Source | None:
    """What `write` kept of the file `path` for this `key`; None where there is nothing whole."""
    try:
        found = json.loads(zlib.decompress(_place(path).read_bytes()))
        if found["key"] != key:
            return None
        return Source(
            found["digest"],
            found["data"],
            _imports(found["imports"]),
            tuple(map(_part, found["parts"])),
            {name: frozenset(attributes) for name, attributes in found["used"].items()},
        )
    except (OSError, zlib.error, ValueError, TypeError, KeyError):
        return None


def write(path: Path, key: list[Any], source: Source) -> None:
    """Keep `source` for the file `path`; nothing where its folder may not be written to."""
    text = json.dumps({"key": key, **asdict(source)}, default=sorted)
    place = _place(path)
    with suppress(OSError):
        place.parent.mkdir(exist_ok=True)
        mine = place.with_suffix(f".{os.getpid()}")
        mine.write_bytes(zlib.compress(text.encode(), 1))
        mine.replace(place)


def _place(path: Path) -> Path:
    return path.parent / "__pycache__" / f"{path.stem}.digest"


def _part(found: dict[str, Any]) -> Part:
    names, needs = frozenset(found["names"]), frozenset(found["needs"])
    return Part(found["digest"], names, needs, _imports(found["imports"]), found["key"])


def _imports(found: list[list[Any]]) -> tuple[Import, ...]:
    return tuple(Import(*one) for one in found)
