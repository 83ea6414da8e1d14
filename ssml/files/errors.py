"""The one error a user can mend: a line that names the file, key or shape and what to do."""

import sys
from collections.abc import Callable
from pathlib import Path


class UserError(Exception):
    """Something in the input is wrong; its message is the one line shown to the user."""


def install(extra: str = "") -> str:
    """How to get an extra: not by name, for the package index knows another `ssml`."""
    wanted = f"'.[{extra}]'" if extra else "."
    # a tool of pipx or uv has an environment of its own, which the shell's pip does not reach
    if Path(sys.prefix, "pipx_metadata.json").exists():
        command = f"pipx install --force {wanted}"
    elif Path(sys.prefix, "uv-receipt.toml").exists():
        command = f"uv tool install --force {wanted}"
    else:
        command = f"pip install {wanted}"
    return f"{command} in the project's folder"


def run(main: Callable[[], None]) -> None:
    """Run a script's `main`; a `UserError` ends it with one line on stderr and exit code 2.

    Ctrl-C ends it with a line and exit code 130.
    """
    try:
        main()
    except UserError as error:
        print(f"error: {error}", file=sys.stderr)
        sys.exit(2)
    except KeyboardInterrupt:
        print("interrupted", file=sys.stderr)
        sys.exit(130)
