"""Which files are recordings, and how to convert those that are not readable."""

import os
import shlex
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import soundfile

from ssml.files.errors import UserError

NAMED = 5  # files that were passed over, by name in one line
FOREIGN = {  # audio and video that libsndfile does not read
    *("3GP", "AAC", "AC3", "AMR", "APE", "AVI", "DSF", "M4A", "M4B", "MKA", "MKV", "MOV", "MP4"),
    *("MPC", "TTA", "WEBM", "WMA", "WV"),
}


class Found(NamedTuple):
    """Recordings, each with the folder of its outputs below OUT; and files that are none."""

    places: dict[Path, Path]
    passed: list[Path]


def find(names: Sequence[str], recursive: bool = False, out: Path | None = None) -> Found:
    """The recordings named by files, folders and patterns.

    Of a folder, the files directly inside; with `recursive`, also those in its folders, without
    those in `out`. Raises `UserError` for a folder or pattern without recordings. A name without a
    file stays among them, and is reported later, as any file that cannot be read.
    """
    found = Found({}, [])
    for name in names:
        path = Path(name)
        if path.is_dir():
            inside = {file: file.parent.relative_to(path) for file in _walk(path, recursive, out)}
            audio = {file: place for file, place in inside.items() if is_audio(file)}
            passed = [file for file in inside if file not in audio]
            if not audio:
                told = f"; {passed_over(passed)}" if passed else ""
                below = any(one.is_dir() for one in path.iterdir()) and not recursive
                deeper = "; --recursive looks into its folders" if below else ""
                raise UserError(f"{name}: no audio files in this folder{deeper}{told}")
            found.passed.extend(passed)
        elif not path.exists() and any(letter in name for letter in "*?["):
            base = Path(path.anchor)
            audio = dict.fromkeys(sorted(base.glob(str(path.relative_to(base)))), Path())
            if not audio:
                raise UserError(f"{name}: no file matches")
        else:
            audio = {path: Path()}
        for file, place in audio.items():
            found.places.setdefault(file, place)
    return found


def _walk(folder: Path, recursive: bool, out: Path | None) -> Iterator[Path]:
    """The files in a folder, sorted, without hidden ones."""
    for path in sorted(folder.iterdir()):
        if path.name.startswith("."):
            continue
        if path.is_file():
            yield path
        elif recursive and path.is_dir() and not (out and path.resolve() == out.resolve()):
            yield from _walk(path, recursive, out)


def is_audio(file: Path) -> bool:
    """Whether the ending of a file is that of a format that can be read."""
    return file.suffix[1:].upper() in {*soundfile.available_formats(), "AIF", "OPUS"} - {"RAW"}


def passed_over(files: Sequence[Path]) -> str:
    """One line that names files that are no recordings, and a command for the first of them."""
    foreign = [file for file in files if file.suffix[1:].upper() in {*FOREIGN, "RAW"}]
    named = [*foreign, *(file for file in files if file not in foreign)]
    names = ", ".join(file.name for file in named[:NAMED])
    more = f" and {len(named) - NAMED} more" if len(named) > NAMED else ""
    told = f"; {converting(foreign[0])}" if foreign else ""
    return f"passed over {names}{more}{told}"


def native(path: Path) -> Any:
    """A file's name as soundfile takes it, also where it is no UTF-8."""
    return os.fsencode(path)


def converting(path: Path) -> str:
    """The command that makes a WAV of a file."""
    source, target = (shlex.quote(str(one)) for one in (path, path.with_suffix(".wav")))
    if path.suffix.lower() == ".raw":
        how = f"sox -t raw -e signed -b 16 -r 16000 -c 2 {source} {target}"
        return f"{how} converts it, with its own bits, rate and channels"
    if path.suffix.lower() == ".wav":
        target = shlex.quote(str(path.with_name(f"{path.stem}-converted.wav")))
    return f"ffmpeg -i {source} {target} converts it"
