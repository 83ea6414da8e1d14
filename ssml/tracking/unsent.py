"""The records that MLflow could not be given, as JSON lines in the working folder."""

import json
import os
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ssml.files import io

from .store import send

FILE = "mlflow-unsent.jsonl"
# errors that time does not mend
LASTING = {"RESOURCE_DOES_NOT_EXIST", "INVALID_PARAMETER_VALUE", "INVALID_STATE"}


_waiting: list[str] = []  # lines that a full disk did not take yet


def keep(record: Mapping[str, Any]) -> None:
    """Append `record`, and what a full disk did not take before; it waits in memory till then."""
    from filelock import FileLock

    path = Path(FILE).absolute()
    _waiting.append(json.dumps(record) + "\n")
    try:
        with FileLock(f"{path}.lock"), open(path, "a+b") as file:
            end = file.seek(0, os.SEEK_END)
            # a line that was cut short would spoil the one after it
            cut = end and (file.seek(end - 1), file.read())[1] != b"\n"
            try:
                file.write(("\n" * bool(cut) + "".join(_waiting)).encode())
                file.flush()
            except OSError:
                os.ftruncate(file.fileno(), end)
                raise
        _waiting.clear()
    except OSError as error:
        warn(error)


def waiting() -> set[str]:
    """The runs that have records here."""
    return {record["run"] for record in _read(Path(FILE))}


def resend() -> list[dict[str, Any]]:
    """Send the kept records, each once, oldest first; returns those that had to stay."""
    path = Path(FILE).absolute()
    if not path.exists():
        return []
    from filelock import FileLock

    with FileLock(f"{path}.sending"):  # one process at a time, while others may still append
        with FileLock(f"{path}.lock"):
            records = _read(path)
        stay = _send_all(records)
        with FileLock(f"{path}.lock"):
            stay += _read(path)[len(records) :]  # were added meanwhile
            io.write_lines(path, stay)
            if not stay:
                path.unlink()
    return stay


def _send_all(records: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Send `records`; returns those that failed. What a failed run has later waits with it."""
    stay: list[dict[str, Any]] = []
    for i, record in enumerate(records):
        if any(record["run"] == other["run"] for other in stay):
            stay.append(record)
            continue
        try:
            send(record, again=True)
        except Exception as error:  # of whatever kind: the records are safe where they are
            warn(error)
            # without its start, which a full disk may have cut, nothing of a run ever arrives
            lasting = isinstance(error, LookupError)
            if not lasting and getattr(error, "error_code", "") not in LASTING:
                return stay + records[i:]  # nothing gets through now
            stay.append(record)
    return stay


def _read(path: Path) -> list[dict[str, Any]]:
    """The records in `path`; lines cut short by a full disk are left out."""
    records = []
    lines = path.read_text(errors="replace").splitlines() if path.exists() else []
    for line in lines:
        try:
            record = json.loads(line)
            if not {"run", "op"} <= record.keys():
                raise ValueError("no record")
            records.append(record)
        except (ValueError, AttributeError, RecursionError):
            print(f"warning: {path}: a broken record is left out", file=sys.stderr)
    return records


_warned: set[bool] = set()


def warn(error: Exception) -> None:
    """Say once a process, on stderr, that tracking fails and what becomes of the records."""
    if _warned:
        return
    _warned.add(True)
    reason = " ".join(f"{type(error).__name__}: {error}".split())[:200]
    print(
        f"warning: tracking in MLflow fails ({reason}); the work goes on, records are kept in "
        f"{FILE}: send them with `python -m ssml.tracking`",
        file=sys.stderr,
    )
