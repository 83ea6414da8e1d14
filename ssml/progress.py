"""Progress of long loops: a bar with rate and remaining time, or plain lines in a log file."""

import sys
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import TypeVar

T = TypeVar("T")
LINE_EVERY = 15.0  # s, between lines of a log


def progress(
    items: Sequence[T], title: str, unit: str, note: Callable[[], str] = lambda: ""
) -> Iterator[T]:
    """Yield `items`, showing how many are done on stderr; `note()` adds a word, e.g. the loss."""
    stream = _bar if sys.stderr.isatty() else _lines
    return stream(items, title, unit, note)


def _status(done: int, total: int, start: float, unit: str, note: str) -> str:
    elapsed = time.monotonic() - start
    rate = done / max(elapsed, 1e-9)
    left = (total - done) / rate if done else 0.0
    word = f", {note}" if note else ""
    return f"{done}/{total}, {rate:.2g} {unit}/s, {_clock(left)} left{word}"


def _clock(seconds: float) -> str:
    minutes, seconds = divmod(round(seconds), 60)
    return f"{minutes}:{seconds:02d}"


def _lines(items: Sequence[T], title: str, unit: str, note: Callable[[], str]) -> Iterator[T]:
    start = shown = time.monotonic()
    for done, item in enumerate(items, 1):
        yield item
        if time.monotonic() - shown > LINE_EVERY or done == len(items):
            shown = time.monotonic()
            print(f"{title}: {_status(done, len(items), start, unit, note())}", file=sys.stderr)


def _bar(items: Iterable[T], title: str, unit: str, note: Callable[[], str]) -> Iterator[T]:
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TextColumn

    items = list(items)
    columns = (TextColumn(title), BarColumn(), TextColumn("{task.fields[status]}"))
    start = time.monotonic()
    with Progress(*columns, console=Console(stderr=True)) as bar:
        task = bar.add_task(title, total=len(items), status="")
        for done, item in enumerate(items, 1):
            yield item
            status = _status(done, len(items), start, unit, note())
            bar.update(task, advance=1, status=status)
