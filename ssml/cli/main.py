"""The command `ssml`: its options, checks and output. Only functions that need torch import it."""

import json
import os
import re
import sys
import traceback
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Annotated, Any, Literal, NoReturn

import typer

from ssml import __version__
from ssml.config import names
from ssml.files.errors import UserError, install

from . import models, pages, params
from .doctor import doctor

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
# line ends are shown as they are, but for the first paragraph's
SEPARATE = """Separate recordings: OUT/<name>-1.wav, OUT/<name>-2.wav ... for each of them.

IN are multichannel audio files, folders of them, or quoted patterns. Outputs
are the sources' images at one microphone: rate, length and level are those of
that channel. WAV is 32-bit float; FLAC is 24-bit, and where it would clip,
all sources are scaled by one factor. Exit code: 1 if some could not be
separated, 2 if none.

Examples:

    ssml separate meeting.wav out/
    ssml separate --page meeting.wav out/
    ssml separate --sources 2 four-microphones.flac out/
    ssml separate --format flac --json "day-*/*.wav" out/ > done.json

Below each recording stand figures that need no reference: the change by the
last iteration, the condition number of the demixing matrices, a rough T60, and
the likeness of the outputs; then hints at what may be wrong, and what to try.
"""

# the library's name of an argument, in its errors -> the option of the command
OPTIONS = {
    name: "--" + name.replace("_", "-") for name in ("iterations", "sources", "n_fft", "hop")
}

app = typer.Typer(help=EXAMPLES, no_args_is_help=False, pretty_exceptions_enable=False)
Option = typer.Option


class _FailedError(Exception):
    """Errors have been printed already; carries the exit code."""


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line; the exit code is 0, 1 (some recordings failed) or 2 (an error)."""
    argv = list(sys.argv[1:] if argv is None else argv) or ["--help"]
    # threads that spin while they wait for each other cost a busy machine most of its time
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
    try:
        return app(argv, prog_name="ssml", standalone_mode=False) or 0
    except _FailedError as failed:
        return failed.args[0]
    except typer.Abort:
        return 130
    except Exception as error:
        if "--debug" in argv:
            traceback.print_exc()
        _complain(_message(error))
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
        return _with_options(error)
    format_message = getattr(error, "format_message", None)  # what was typed is wrong
    if format_message is not None:
        context = getattr(error, "ctx", None)
        usage = (
            f"{context.get_usage()} ({context.command_path} --help)" if context else "(ssml --help)"
        )
        return f"{format_message()} {usage}"
    return f"{type(error).__name__}: {error} (--debug shows where)"


def _with_options(error: UserError) -> str:
    return re.sub(
        rf"(?<![^:] )\b({'|'.join(OPTIONS)}): ", lambda name: f"{OPTIONS[name[1]]}: ", str(error)
    )


def _complain(message: str) -> None:
    print(f"error: {' '.join(message.split())}", file=sys.stderr)


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


@app.command(help=SEPARATE)
def separate(
    inputs: Annotated[
        list[str], typer.Argument(metavar="IN", help="Recordings, folders, quoted patterns.")
    ],
    out: Annotated[
        Path, typer.Argument(metavar="OUT", help="Folder for the outputs; made if missing.")
    ],
    model: Annotated[
        str,
        Option(help="A name or file, see `ssml models`; auto: learned-sdr, or gauss below 16 kHz."),
    ] = "auto",
    rule: Annotated[
        names.RuleName | None, Option(help="Update rule; by default the model's best.")
    ] = None,
    iterations: Annotated[
        int | None, Option(help="Iterations of AuxIVA; by default the model's best.")
    ] = None,
    sources: Annotated[
        int | None, Option(help="Number of sources; by default, and at most, the channels'.")
    ] = None,
    format: Annotated[Literal["wav", "flac"], Option(help="Format of the outputs.")] = "wav",
    mic: Annotated[int, Option(help="Channel, from 1, whose level the outputs have.")] = 1,
    n_fft: Annotated[
        int | None, Option("--n-fft", help="Window in samples; by default the model's best.")
    ] = None,
    hop: Annotated[
        int | None, Option(help="Hop in samples; by default the model's, or a quarter.")
    ] = None,
    block: Annotated[float, Option(help="Longer recordings are cut into blocks; s.")] = 60.0,
    device: Annotated[str, Option(help="auto, cpu, cuda, cuda:1 ...")] = "auto",
    as_json: Annotated[bool, Option("--json", help="Print what was done as JSON.")] = False,
    plot: Annotated[
        bool, Option("--plot", help="Write OUT/<name>.png: spectrograms and convergence.")
    ] = False,
    page: Annotated[
        bool, Option("--page", help="Write OUT/index.html: players, spectrograms and figures.")
    ] = False,
    own_modules: models.Own = None,
    force: Annotated[bool, Option("--force", help="Replace outputs that exist.")] = False,
    debug: Annotated[bool, Option("--debug", help="Show where an error comes from.")] = False,
) -> None:
    from ssml.files import allocator
    from ssml.separation import recordings

    allocator.keep_freed()
    if mic < 1:
        raise UserError(f"--mic: {mic} is below 1, the first channel")
    if not 1 <= block <= 86400:
        raise UserError(f"--block: {block} s is not within 1..86400")
    options: dict[str, Any] = {"rule": rule, "iterations": iterations, "sources": sources}
    options |= {"n_fft": n_fft, "hop": hop, "mic": mic - 1}
    models.bring(own_modules)
    separator = _separators(models.resolve(model), _device(device), options)
    paths = recordings.find(inputs)
    target = recordings.Target(out, format, force)
    recordings.check_target(target, paths)
    if page:
        pages.check(out, force)
    plotter = _plotter() if plot else None
    done: list[dict[str, Any]] = []
    errors: list[dict[str, str]] = []
    for path in paths:
        try:
            one = recordings.separate_file(path, target, separator, sources, block, paths, plotter)
        except UserError as error:
            if debug:
                traceback.print_exc()
            _complain(message := _with_options(error))
            errors.append({"input": str(path), "error": message})
            continue
        done.append(one)
        if not as_json:
            print(_summary(one))
    if page and done:
        written = pages.write(out, done, mic)
        if not as_json:
            print(f"listen: {written}")
    if as_json:
        settings = {"model": model, **options, "mic": mic, "version": __version__}
        print(json.dumps({"settings": settings, "done": done, "errors": errors}, indent=2))
    if errors:
        raise _FailedError(1 if done else 2)


def _plotter() -> Callable[[Any], bytes]:
    """The function that draws the picture of `--plot`."""
    try:
        from ssml.report import spectrograms
    except ImportError as error:
        raise UserError(f"--plot: {error.name} is missing; {install('plot')}") from error

    def draw(part: Any) -> bytes:
        signals = {"mixture": part.mix, **{f"output {k}": x for k, x in enumerate(part.est, 1)}}
        return spectrograms.separation(signals, part.fs, part.changes)

    return draw


def _separators(model: str, device: str, options: dict[str, Any]) -> Callable[[int, int], Any]:
    """A function (rate in Hz, channels) -> one Separator for each rate."""
    from ssml.separation.separator import Separator

    built: dict[int, Separator] = {}

    def separator(fs: int, channels: int) -> Separator:
        if options["mic"] >= channels:
            raise UserError(f"--mic {options['mic'] + 1}, but there are {channels} channels")
        if fs not in built:
            built[fs] = Separator(model, fs=fs, device=device, **options)
        return built[fs]

    separator(names.RATE, sys.maxsize)  # wrong options are errors before any file is opened
    return separator


def _device(name: str) -> str:
    import torch

    from ssml.iva import checkpoint

    if name == "auto":
        return str(checkpoint.device())
    try:
        torch.empty(0, device=name)
    except Exception as error:
        reason = str(error).splitlines()[0]
        raise UserError(f"--device {name}: cannot be used ({reason})") from error
    return name


def _summary(one: dict[str, Any]) -> str:
    from ssml.separation import diagnostics

    scaled = f", scaled by {one['gain']:.3g}" if one["gain"] != 1 else ""
    factor = f"real-time factor {one['real_time_factor']:.2f}"
    how = f"{one['model']}, {one['rule']}, {one['iterations']} iterations"
    first = f"{one['input']} -> {' '.join(one['outputs'])} ({how}, {factor}{scaled})"
    figures = one["diagnosis"]
    lines = [first, diagnostics.sentence(figures), *(f"hint: {h}" for h in figures["hints"])]
    return "\n  ".join(lines)


for command in (pages.demo, models.models, models.export, doctor):
    app.command()(command)
app.add_typer(params.app, name="params")
