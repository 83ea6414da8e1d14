"""How the command says what is wrong: one line for each error, in the names of its options."""

import re
import sys
from typing import Any

from ssml.files.errors import UserError

# the library's name of an argument, in its errors -> the option of the command
OPTIONS = {
    name: "--" + name.replace("_", "-") for name in ("iterations", "sources", "n_fft", "hop")
}


class FailedError(Exception):
    """Errors have been printed already; carries the exit code."""


def with_options(error: UserError) -> str:
    """The error's line, with the options of the command."""
    return re.sub(
        rf"(?<![^:] )\b({'|'.join(OPTIONS)}): ", lambda name: f"{OPTIONS[name[1]]}: ", str(error)
    )


def printable(text: str) -> str:
    """Text in which a name that is no UTF-8 can be printed."""
    return text.encode("utf-8", "backslashreplace").decode()


def complain(message: str, kind: str = "error") -> None:
    """Print one line on stderr."""
    print(f"{kind}: {printable(' '.join(message.split()))}", file=sys.stderr)


def repeated(options: dict[str, Any], align: bool) -> tuple[str, ...]:
    """The options that were given, as the command takes them."""
    given = {name: value for name, value in options.items() if value is not None}
    words = [
        w for name, value in given.items() for w in (f"--{name.replace('_', '-')}", f"{value}")
    ]
    return (*words, *(["--align"] if align else []))
