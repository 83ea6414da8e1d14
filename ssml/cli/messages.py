"""How the command says what is wrong: one line for each error, in the names of its options."""

import re
import sys
from typing import Any

from ssml.files.errors import UserError

ARGUMENTS = (
    "iterations",
    "sources",
    "n_fft",
    "hop",
    "device",
    "taps",
    "delay",
)  # of the library, in its errors


class FailedError(Exception):
    """Errors have been printed already; carries the exit code."""


def option(name: str) -> str:
    """The command's option for an argument of the library."""
    return f"--{name.replace('_', '-')}"


def with_options(error: UserError) -> str:
    """The error's line, with the options of the command."""
    named = rf"(?<![^:] )\b({'|'.join(ARGUMENTS)}): "
    return re.sub(named, lambda name: f"{option(name[1])}: ", str(error))


def number(text: str | None) -> int | str | None:
    """The whole number that an option was given; other text as it is, for the library to judge."""
    return int(text) if text and re.fullmatch(r"[+-]?\d{1,9}", text) else text


def printable(text: str) -> str:
    """Text in which a name that is no UTF-8 can be printed."""
    return text.encode("utf-8", "backslashreplace").decode()


def complain(message: str, kind: str = "error") -> None:
    """Print one line on stderr."""
    print(f"{kind}: {printable(' '.join(message.split()))}", file=sys.stderr)


def repeated(options: dict[str, Any]) -> tuple[str, ...]:
    """The options that were given, as the command takes them: a flag is True, a list is several."""
    words: list[str] = []
    for name, value in options.items():
        if value is True:
            words.append(option(name))
        elif value is not None and value is not False:
            for one in value if isinstance(value, list) else [value]:
                words += [option(name), str(one)]
    return tuple(words)


def summary(one: dict[str, Any]) -> str:
    """What is printed of a recording that was separated: its line, its figures and its hints."""
    from ssml.separation import diagnostics

    scaled = f", scaled by {one['gain']:.3g}" if one["gain"] != 1 else ""
    factor = f"real-time factor {one['real_time_factor']:.2f}"
    how = f"{one['model']}, {one['rule']}, {one['iterations']} iterations"
    how += f", {one['taps']} past frames" if one["taps"] else ""
    told = "".join(f"; {note}" for note in one["notes"])
    written = " ".join([one["input"], *one["joined"], "->", *one["outputs"]])
    first = f"{' '.join(written.splitlines())} ({how}, {factor}{scaled}{told})"
    figures = one["diagnosis"]
    lines = [first, diagnostics.sentence(figures), *(f"hint: {h}" for h in figures["hints"])]
    return "\n  ".join(lines)
