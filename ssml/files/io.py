"""Files: written whole or not at all; read with errors that name the file. All writes go here."""

import csv
import errno
import glob
import hashlib
import io
import json
import os
import sys
import tempfile
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import numpy as np
from filelock import lock_descriptor

from .errors import UserError

PART = ".part"  # of what is being written; `.dvcignore` knows it
LONGEST = 200  # bytes of a name to which a suffix is added
FULL = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EROFS, errno.EIO}


@contextmanager
def atomic(path: Path | str) -> Iterator[Path]:
    """Yield a temporary sibling of `path` and rename it to `path` if the block succeeds.

    An exception in the block leaves `path` as it was and removes the sibling. The sibling of a
    killed writer is removed by the next writer of `path`. Raises `UserError` where the disk is full
    or read-only.
    """
    path = Path(path)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, temporary = _sibling(path)
    except OSError as error:
        raise _unwritable(path, error) from error
    opened = True
    try:
        yield temporary
        _sync(temporary)
        # mkstemp makes private files; results are ordinary ones
        umask = os.umask(0)
        os.umask(umask)
        with suppress(OSError, NotImplementedError):  # file systems such as FAT have no modes
            temporary.chmod(0o666 & ~umask)
        with _held(path.parent, wait=True):  # so that no one takes the closed file for a dead one's
            os.close(handle)  # first: Windows renames no open file
            opened = False
            temporary.replace(path)
    except OSError as error:
        if error.errno in FULL:
            raise _unwritable(path, error) from error
        raise
    finally:
        if opened:
            os.close(handle)
        temporary.unlink(missing_ok=True)


def _sync(path: Path) -> None:
    """Have the content of a file on the disk, as far as its file system can do that."""
    with open(path, "r+b") as file:  # Windows syncs none that is opened for reading
        try:
            os.fsync(file.fileno())
        except OSError as error:
            if error.errno in FULL:
                raise


@contextmanager
def _held(folder: Path, wait: bool) -> Iterator[bool]:
    """Keep others from removing dead writers' files in `folder`; whether that could be had."""
    handle = None
    with suppress(OSError):  # Windows opens no folder
        handle = os.open(folder, os.O_RDONLY)
    try:
        yield handle is not None and _lock(handle, wait)
    finally:
        if handle is not None:
            os.close(handle)


def _sibling(path: Path) -> tuple[int, Path]:
    """A new file that is locked while its writer lives. Files of dead writers are removed first."""
    # with a suffix, a name near the limit of file systems would be too long
    is_long = len(os.fsencode(path.name)) > LONGEST
    name = hashlib.sha256(os.fsencode(path.name)).hexdigest() if is_long else path.name
    for left in path.parent.glob(f".{glob.escape(name)}.*{PART}"):
        with suppress(OSError), _held(path.parent, wait=False) as held:
            if held:
                _remove_dead(left)
    while True:
        handle, temporary = tempfile.mkstemp(PART, f".{name}.", path.parent)
        _lock(handle, wait=True)
        if os.fstat(handle).st_nlink:  # else removed as a dead writer's before it was locked
            return handle, Path(temporary)
        os.close(handle)


def _remove_dead(left: Path) -> None:
    """Remove a sibling that no writer has locked; raises `OSError` where it is renamed already."""
    handle = os.open(left, os.O_RDWR)
    try:
        if _lock(handle, wait=False):
            left.unlink()
    finally:
        os.close(handle)


def _lock(handle: int, wait: bool) -> bool:
    """Whether the open file is locked now; never where the file system has no locks.

    Nor on Windows, where a lock keeps the writer itself out of its file.
    """
    if sys.platform == "win32":
        return False
    try:
        return lock_descriptor(handle, blocking=wait)
    except OSError:
        return False


def _unwritable(path: Path, error: OSError) -> UserError:
    return UserError(f"{path}: cannot be written ({error.strerror or error}); nothing was changed")


def write_bytes(path: Path | str, data: bytes) -> None:
    with atomic(path) as temporary:
        temporary.write_bytes(data)


def read_bytes(path: Path | str) -> bytes:
    try:
        return Path(path).read_bytes()
    except OSError as error:
        raise UserError(f"{path}: cannot be read ({error.strerror})") from error


def write_text(path: Path | str, text: str) -> None:
    write_bytes(path, text.encode())


def write_json(path: Path | str, value: Any) -> None:
    write_text(path, json.dumps(value, indent=2, sort_keys=True) + "\n")


def read_json(path: Path | str) -> Any:
    try:
        return json.loads(Path(path).read_text())
    except OSError as error:
        raise UserError(f"{path}: cannot be read ({error.strerror})") from error
    except (ValueError, RecursionError) as error:
        raise UserError(f"{path}: not valid JSON ({error}); delete it and run again") from error


def write_table(
    path: Path | str, rows: Sequence[Mapping[str, Any]], columns: Sequence[str]
) -> None:
    """Write `rows` as CSV with exactly `columns`; floats keep their shortest exact form."""
    buffer = io.StringIO()
    writer = csv.DictWriter(buffer, columns, lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    write_text(path, buffer.getvalue())


def read_table(path: Path | str) -> list[dict[str, str]]:
    """Read a CSV table as one dict of strings per row; every row must be whole."""
    try:
        text = Path(path).read_text()
        rows = list(csv.DictReader(io.StringIO(text), strict=True))
    except OSError as error:
        raise UserError(f"{path}: cannot be read ({error.strerror})") from error
    except (ValueError, csv.Error) as error:
        raise UserError(f"{path}: not a CSV table ({error}); delete it and run again") from error
    if text and not text.endswith("\n"):
        raise UserError(f"{path}: its last line is cut short; delete it and run again")
    for line, row in enumerate(rows, start=2):
        if None in row or None in row.values():
            raise UserError(f"{path}: row {line} has not its columns; delete it and run again")
    return rows


def sha256(path: Path | str) -> str:
    """The digest of a file, in hexadecimal; raises `UserError` where it cannot be read."""
    try:
        with open(path, "rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        raise UserError(f"{path}: cannot be read ({error.strerror})") from error


def encode_flac(audio: np.ndarray, fs: int) -> bytes:
    """Encode `audio` ((channels, samples) or (samples,), within [-1, 1]) as 16-bit FLAC."""
    import soundfile  # not needed by those who only read tables

    buffer = io.BytesIO()
    soundfile.write(buffer, np.asarray(audio).T, fs, format="FLAC", subtype="PCM_16")
    return buffer.getvalue()


def read_audio(
    file: Path | str | bytes, fs: int | None = None, name: str = ""
) -> tuple[np.ndarray, int]:
    """Read audio as float32 (channels, samples) and its rate in Hz.

    `file` is a path or the encoded bytes (then `name` names them in errors). Raises `UserError`
    where it is missing, corrupt, empty, non-finite, or of another rate than `fs`.
    """
    import soundfile

    name = name or str(file)
    try:
        source = io.BytesIO(file) if isinstance(file, bytes) else file
        audio, rate = soundfile.read(source, dtype="float32", always_2d=True)
    except (OSError, RuntimeError, MemoryError, ValueError) as error:
        reason = str(error).rpartition(": ")[2] or type(error).__name__
        raise UserError(f"{name}: cannot be read as audio ({reason}); replace the file") from error
    if fs is not None and rate != fs:
        raise UserError(f"{name}: sampled at {rate} Hz where {fs} Hz is needed; resample it")
    if audio.size == 0:
        raise UserError(f"{name}: holds no samples; replace the file")
    if not np.isfinite(audio).all():
        raise UserError(f"{name}: holds samples that are not finite; replace the file")
    return np.ascontiguousarray(audio.T), rate


def write_lines(path: Path | str, rows: Iterable[Any]) -> None:
    """Write one JSON document a line."""
    write_text(path, "".join(json.dumps(row, sort_keys=True) + "\n" for row in rows))


def read_lines(path: Path | str) -> list[Any]:
    """Read one JSON document a line."""
    try:
        return [json.loads(line) for line in Path(path).read_text().splitlines()]
    except OSError as error:
        raise UserError(f"{path}: cannot be read ({error.strerror})") from error
    except (ValueError, RecursionError) as error:
        raise UserError(f"{path}: not JSON lines ({error}); delete it and run again") from error
