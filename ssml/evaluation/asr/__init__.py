"""Recognisers, audio -> words, and word error rates. Creating a recogniser imports its package."""

from collections.abc import Callable, Mapping
from functools import lru_cache
from pathlib import Path
from typing import Any

from ssml.files.io import read_table, sha256
from ssml.files.provenance import digest

from .hub import Hub
from .recogniser import Recogniser
from .sphinx import PocketSphinx
from .whisper import Whisper
from .words import WordErrors, align, fewest_errors, has_loop, normal, wer, word_errors

__all__ = [
    "ASR",
    "Recogniser",
    "WordErrors",
    "align",
    "fewest_errors",
    "has_loop",
    "normal",
    "weights",
    "wer",
    "word_errors",
]

# name in params.yaml -> what makes one from a grammar (or None) and `transcribe.options`
ASR: dict[str, Callable[..., Recogniser]] = {
    "pocketsphinx": PocketSphinx,
    "faster-whisper": Whisper,
    "transformers": Hub,
}


def weights(options: Mapping[str, Any], heard: Path | None = None) -> str:
    """A digest of the folder that `transcribe.options.model` names, by content.

    Where it names no folder here, it is what the table `heard` says that was made by it; '' without
    such a table, and for a model of the hub.
    """
    folder = Path(str(options.get("model") or "-"))
    if folder.is_dir():
        files = sorted(path for path in folder.rglob("*") if path.is_file())
        stats = [(path, path.stat()) for path in files]
        found = {
            path.relative_to(folder).as_posix(): _sha256(path, stat.st_size, stat.st_mtime_ns)
            for path, stat in stats
        }
        return digest(found)[:16]
    rows = read_table(heard) if heard and heard.exists() else []
    return rows[0].get("weights", "") if rows else ""


@lru_cache(4096)
def _sha256(path: Path, size: int, changed: int) -> str:
    """That of a file of this size that was changed then: the workflow asks once for each job."""
    return sha256(path)
