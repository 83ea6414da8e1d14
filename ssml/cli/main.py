"""The command `ssml`: its options, checks and output. Only functions that need torch import it."""

import os
import sys
import traceback
from collections.abc import Sequence
from contextlib import suppress
from typing import Annotated, NoReturn

import typer

from ssml import __version__
from ssml.files.errors import UserError

from . import models, pages, params, separate
from .doctor import doctor
from .messages import FailedError, complain, with_options

EXAMPLES = """Separate the people who talk at once in a recording of several microphones.

Examples:

    ssml demo
    ssml separate meeting.wav out/
    ssml separate --help
    ssml models
    ssml export learned-sdr separator.onnx --sources 2
    ssml params explain scenes.t60
    ssml doctor
"""
app = typer.Typer(help=EXAMPLES, no_args_is_help=False, pretty_exceptions_enable=False)
Option = typer.Option


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line; the exit code is 0, 1 (some recordings failed) or 2 (an error)."""
    argv = list(sys.argv[1:] if argv is None else argv) or ["--help"]
    # threads that spin while they wait for each other cost a busy machine most of its time
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
    try:
        return app(argv, prog_name="ssml", standalone_mode=False) or 0
    except FailedError as failed:
        return failed.args[0]
    except typer.Abort:
        return 130
    except Exception as error:
        if "--debug" in argv:
            traceback.print_exc()
        complain(_message(error))
        return 2


def console() -> NoReturn:
    """`main` for a shell. It skips torch's clean-up at exit, which takes most of a second."""
    code = main()
    for stream in (sys.stdout, sys.stderr):
        with suppress(BrokenPipeError):  # the reader of the pipe has ended
            stream.flush()
    os._exit(code)


def _message(error: Exception) -> str:
    if isinstance(error, UserError):
        return with_options(error)
    format_message = getattr(error, "format_message", None)  # what was typed is wrong
    if format_message is not None:
        context = getattr(error, "ctx", None)
        usage = (
            f"{context.get_usage()} ({context.command_path} --help)" if context else "(ssml --help)"
        )
        return f"{format_message()} {usage}"
    return f"{type(error).__name__}: {error} (--debug shows where)"


def _version(asked: bool) -> None:
    if asked:
        print(__version__)
        raise typer.Exit


@app.callback()
def _root(
    version: Annotated[
        bool, Option("--version", callback=_version, is_eager=True, help="Print the version.")
    ] = False,
) -> None:
    pass


app.command(help=separate.SEPARATE)(separate.separate)
for command in (pages.demo, models.models, models.export, doctor):
    app.command()(command)
app.add_typer(params.app, name="params")
