"""Progress of long loops: a bar with rate and remaining time, or plain lines in a log file.

Where several processes share a terminal, bars would overwrite each other: `SSML_PROGRESS=lines`.
"""

import os
import sys
import time
from collections.abc import Callable, Iterator
from typing import Protocol, TypeVar

T = TypeVar("T")
T_co = TypeVar("T_co", covariant=True)
LINE_EVERY = 15.0  # s, between lines of a log


class Counted(Protocol[T_co]):
    """Something to go through whose length is known."""

    def __len__(self) -> int: ...
    def __iter__(self) -> Iterator[T_co]: ...


def progress(
    items: Counted[T], title: str, unit: str, note: Callable[[], str] = lambda: ""
) -> Iterator[T]:
    """Yield `items`, showing how many are done on stderr; `note()` adds a word, e.g. the loss."""
    alone = sys.stderr.isatty() and os.environ.get("SSML_PROGRESS") != "lines"
    stream = _bar if alone else _lines
    return stream(items, title, unit, note)


def _status(done: int, total: int, start: float, unit: str, note: str) -> str:
    elapsed = time.monotonic() - start
    rate = done / max(elapsed, 1e-9)
    left = (total - done) / rate if done else 0.0
    word = f", {note}" if note else ""
    return f"{done}/{total}, {rate:.2g} {unit}/s, {_clock(left)} left{word}"


def _drawn(done: int, total: int, width: int = 10) -> str:
    full = width * done // total
    return "[" + "#" * full + "." * (width - full) + "]"


def _clock(seconds: float) -> str:
    minutes, seconds = divmod(round(seconds), 60)
    return f"{minutes}:{seconds:02d}"


def _lines(items: Counted[T], title: str, unit: str, note: Callable[[], str]) -> Iterator[T]:
    start = shown = time.monotonic()
    for done, item in enumerate(items, 1):
        yield item
        if time.monotonic() - shown > LINE_EVERY or done == len(items):
            shown = time.monotonic()
            status = _status(done, len(items), start, unit, note())
            print(f"{title} {_drawn(done, len(items))} {status}", file=sys.stderr)


def _bar(items: Counted[T], title: str, unit: str, note: Callable[[], str]) -> Iterator[T]:
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TextColumn

    columns = (TextColumn(title), BarColumn(), TextColumn("{task.fields[status]}"))
    start = time.monotonic()
    with Progress(*columns, console=Console(stderr=True)) as bar:
        task = bar.add_task(title, total=len(items), status="")
        for done, item in enumerate(items, 1):
            yield item
            status = _status(done, len(items), start, unit, note())
            bar.update(task, advance=1, status=status)
