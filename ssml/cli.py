"""The command `ssml`: what is typed, checked and printed. Torch is imported by those who use it."""

import importlib.metadata
import json
import platform
import sys
import traceback
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Annotated, Any, Literal

import typer

from . import __version__, layout, params
from .errors import UserError
from .io import read_json

EXAMPLES = """Separate the people who talk at once in a recording of several microphones.

Examples:

    ssml separate meeting.wav out/
    ssml separate --help
    ssml models
    ssml params check params.yaml
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
    ssml separate --sources 2 --rule ip2 four-microphones.flac out/
    ssml separate --model models/learned-sdr.safetensors recordings/ out/
    ssml separate --format flac --json "day-*/*.wav" out/ > done.json
"""

app = typer.Typer(help=EXAMPLES, no_args_is_help=False, pretty_exceptions_enable=False)
params_app = typer.Typer(help="Check and compare params files.")
app.add_typer(params_app, name="params")
Option = typer.Option


class _FailedError(Exception):
    """Errors have been printed already; carries the exit code."""


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line; the exit code is 0, 1 (some recordings failed) or 2 (an error)."""
    argv = list(sys.argv[1:] if argv is None else argv) or ["--help"]
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


def _message(error: Exception) -> str:
    if isinstance(error, UserError):
        return str(error)
    usage = getattr(error, "format_message", None)  # what was typed is wrong
    if usage is not None:
        return f"{usage()} (ssml --help)"
    return f"{type(error).__name__}: {error} (--debug shows where)"


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
        str, Option(help="laplace, gauss, nmf, or a trained model: see `ssml models`.")
    ] = "laplace",
    rule: Annotated[params.RuleName, Option(help="Update rule.")] = "iss",
    iterations: Annotated[int, Option(help="Iterations of AuxIVA.")] = 20,
    sources: Annotated[
        int | None, Option(help="Sources, at most, and by default, as many as channels.")
    ] = None,
    format: Annotated[Literal["wav", "flac"], Option(help="Format of the outputs.")] = "wav",
    mic: Annotated[int, Option(help="Channel, from 1, whose level the outputs have.")] = 1,
    n_fft: Annotated[
        int | None, Option("--n-fft", help="Window in samples; by default the model's, or 128 ms.")
    ] = None,
    hop: Annotated[
        int | None, Option(help="Hop in samples; by default the model's, or a quarter.")
    ] = None,
    block: Annotated[float, Option(help="Longer recordings are cut into blocks; s.")] = 60.0,
    device: Annotated[str, Option(help="auto, cpu, cuda, cuda:1 ...")] = "auto",
    as_json: Annotated[bool, Option("--json", help="Print what was done as JSON.")] = False,
    force: Annotated[bool, Option("--force", help="Replace outputs that exist.")] = False,
    debug: Annotated[bool, Option("--debug", help="Show where an error comes from.")] = False,
) -> None:
    from . import recordings

    if mic < 1:
        raise UserError(f"--mic: {mic} is below 1, the first channel")
    if not 1 <= block <= 86400:
        raise UserError(f"--block: {block} s is not within 1..86400")
    options: dict[str, Any] = {"rule": rule, "n_iter": iterations, "n_src": sources}
    options |= {"n_fft": n_fft, "hop": hop, "mic": mic - 1}
    separator = _separators(_resolved(model), _device(device), options)
    paths = recordings.find(inputs)
    target = recordings.Target(out, format, force)
    recordings.check_target(target, paths)
    done: list[dict[str, Any]] = []
    errors: list[dict[str, str]] = []
    for path in paths:
        try:
            one = recordings.separate_file(path, target, separator, sources, block, keep=paths)
        except UserError as error:
            if debug:
                traceback.print_exc()
            _complain(str(error))
            errors.append({"input": str(path), "error": str(error)})
            continue
        done.append(one)
        if not as_json:
            print(_summary(one))
    if as_json:
        settings = {"model": model, **options, "mic": mic, "version": __version__}
        print(json.dumps({"settings": settings, "done": done, "errors": errors}, indent=2))
    if errors:
        raise _FailedError(1 if done else 2)


def _separators(model: str, device: str, options: dict[str, Any]) -> Callable[[int, int], Any]:
    """A function (rate in Hz, channels) -> `go_on` of one Separator for each rate."""
    from .separation import Separator

    built: dict[int, Separator] = {}

    def separator(fs: int, channels: int) -> Callable[..., Any]:
        if options["mic"] >= channels:
            raise UserError(f"--mic {options['mic'] + 1}, but there are {channels} channels")
        if fs not in built:
            built[fs] = Separator(model, fs=fs, device=device, **options)
        return built[fs].go_on

    separator(16000, sys.maxsize)  # wrong options are errors before any file is opened
    return separator


def _device(name: str) -> str:
    import torch

    if name == "auto":
        return "cuda" if torch.cuda.is_available() else "cpu"
    try:
        torch.empty(0, device=name)
    except Exception as error:
        reason = str(error).splitlines()[0]
        raise UserError(f"--device {name}: cannot be used ({reason})") from error
    return name


def _resolved(model: str) -> str:
    """The path of the model that was trained here under that name, or the name as it is."""
    trained = layout.model(model)
    return str(trained) if "/" not in model and trained.is_file() else model


def _summary(one: dict[str, Any]) -> str:
    scaled = f", scaled by {one['gain']:.3g}" if one["gain"] != 1 else ""
    factor = f"real-time factor {one['real_time_factor']:.2f}"
    return f"{one['input']} -> {' '.join(one['outputs'])} ({factor}{scaled})"


@app.command()
def models(
    path: Annotated[
        str | None, typer.Argument(help="A trained model, by name or path: print its card.")
    ] = None,
) -> None:
    """List the source models that can be named, or print what is known of one.

    Example: ssml models models/learned-sdr.safetensors
    """
    if path is not None and path not in params.CLASSICAL_NAMES:
        from . import checkpoint

        trained = checkpoint.load(_resolved(path))
        print(f"trained values: {checkpoint.parameters(trained.network)}")
        print(json.dumps(trained.card, indent=2, sort_keys=True))
        return
    from .models import CLASSICAL

    for name, make in CLASSICAL.items():
        if path in (None, name):
            print(f"{name:20} {(make().__doc__ or '').splitlines()[0]}")
    if path is None:
        for file in sorted(layout.model("x").parent.glob("*.safetensors")):
            print(f"{file.stem:20} {_trained_line(file)}")


def _trained_line(file: Path) -> str:
    try:
        card = read_json(file.with_suffix(".json"))
        stft, network = card["stft"], card["network"]["name"]
        return f"{network}, STFT {stft['n_fft']}/{stft['hop']}, {file}"
    except (UserError, KeyError, TypeError):
        return f"{file}: without a card that can be read"


@params_app.command()
def check(file: Annotated[Path, typer.Argument(help="A params file.")]) -> None:
    """Say whether FILE is a valid params file, and every key that is wrong.

    Example: ssml params check params.yaml
    """
    params.load(file)
    print(f"{file}: valid")


@params_app.command()
def diff(
    file: Annotated[Path, typer.Argument(help="A params file.")],
    against: Annotated[Path, Option(help="The file to compare with.")] = Path("params.yaml"),
) -> None:
    """List the keys in which FILE differs from another params file.

    Example: ssml params diff presets/excerpt.yaml --against params.yaml
    """
    old, new = (dict(_flat(params.load(path).model_dump())) for path in (against, file))
    for key in sorted(old.keys() | new.keys()):
        if key not in new:
            print(f"- {key}: {old[key]}")
        elif key not in old:
            print(f"+ {key}: {new[key]}")
        elif old[key] != new[key]:
            print(f"  {key}: {old[key]} -> {new[key]}")


def _flat(value: Any, key: str = "") -> Iterator[tuple[str, Any]]:
    if isinstance(value, dict) and value:
        for name, inner in value.items():
            yield from _flat(inner, f"{key}.{name}" if key else str(name))
    else:
        yield key, json.dumps(value)


@app.command()
def doctor() -> None:
    """Say which versions and devices are there, and what is missing for what."""
    import soundfile
    import torch

    print(f"ssml {__version__}, Python {platform.python_version()}, {platform.platform()}")
    for name in ("torch", "numpy", "scipy", "soxr", "soundfile"):
        print(f"{name} {_installed(name) or 'missing: pip install ' + name}")
    print(f"libsndfile {soundfile.__libsndfile_version__}")
    print(f"cpu: {torch.get_num_threads()} threads")
    for i in range(torch.cuda.device_count()):
        print(f"cuda:{i}: {torch.cuda.get_device_name(i)}")
    needed = ("dvc", "espeakng-loader", "mlflow", "pocketsphinx", "pyroomacoustics", "snakemake")
    missing = [name for name in needed if _installed(name) is None]
    print(f"pipeline: {'missing ' + ', '.join(missing) if missing else 'complete'}")


def _installed(name: str) -> str | None:
    try:
        return importlib.metadata.version(name)
    except importlib.metadata.PackageNotFoundError:
        return None
