"""`ssml separate`: its options, and what it prints."""

import json
import re
import shlex
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any, Literal

import typer

from ssml import __version__
from ssml.config import names
from ssml.files.errors import UserError, install

from . import models, pages
from .messages import FailedError, complain, number, printable, repeated, summary, with_options

# line ends are shown as they are, but for the first paragraph's
SEPARATE = """Separate recordings: OUT/<name>-1.wav, OUT/<name>-2.wav ... for each of them.

IN are multichannel audio files, folders of them, or quoted patterns. Outputs
are the sources' images at one microphone: rate, length and level are those of
that channel. Channels that are silent or 70 dB below the others are left out.
WAV is 32-bit float; FLAC is 24-bit, and where it would clip,
all sources are scaled by one factor. Exit code: 1 if some could not be
separated, 2 if none.

Examples:

    ssml separate meeting.wav out/
    ssml separate --page meeting.wav out/
    ssml separate --sources 2 four-microphones.flac out/
    ssml separate --join left.wav right.wav out/
    ssml separate --channels 2-5 --align recorder.wav out/
    ssml separate --recursive --skip recordings/ out/
    ssml separate --format flac --json "day-*/*.wav" out/ > done.json

Below each recording stand figures that need no reference: how good the outputs
probably are, the condition number of the demixing matrices, a rough T60, and
the likeness of the outputs; then at most two hints at what may be wrong, the
likeliest first, and what to try.
"""

Option = typer.Option


def separate(
    inputs: Annotated[
        list[str], typer.Argument(metavar="IN", help="Recordings, folders, quoted patterns.")
    ],
    out: Annotated[
        Path, typer.Argument(metavar="OUT", help="Folder for the outputs; made if missing.")
    ],
    model: Annotated[
        str,
        Option(help="A name or file, see `ssml models`; auto: learned, or gauss below 8 kHz."),
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
    mic: Annotated[
        int | None,
        Option(help="Channel, from 1, whose level the outputs have; by default the first."),
    ] = None,
    channels: Annotated[
        str | None, Option(help="Channels that are used, such as 2-5 or 1,3; by default all.")
    ] = None,
    join: Annotated[
        bool, Option("--join", help="All IN are one recording, a file for each microphone.")
    ] = False,
    align: Annotated[
        bool, Option("--align", help="Remove delays up to 0.45 s and drifts between channels.")
    ] = False,
    n_fft: Annotated[
        int | None, Option("--n-fft", help="Window in samples; by default the model's best.")
    ] = None,
    hop: Annotated[
        int | None, Option(help="Hop in samples; by default the model's, or a quarter.")
    ] = None,
    block: Annotated[
        float | None,
        Option(help="Longer recordings are cut into blocks, s; by default 60, or what fits."),
    ] = None,
    taps: Annotated[
        str | None, Option(help="Past frames against echo, or auto; by default the model's, or 0.")
    ] = None,
    delay: Annotated[
        int | None, Option(help="Frames from one to the first of its past ones; by default 2.")
    ] = None,
    reduce: Annotated[
        names.ReductionName,
        Option(help="What becomes of more channels than --sources: components, or a background."),
    ] = names.PCA,
    device: Annotated[str, Option(help="auto, cpu, cuda, cuda:1 ...")] = "auto",
    as_json: Annotated[bool, Option("--json", help="Print what was done as JSON.")] = False,
    plot: Annotated[
        bool, Option("--plot", help="Write OUT/<name>.png: spectrograms and convergence.")
    ] = False,
    page: Annotated[
        bool, Option("--page", help="Write OUT/index.html: players, spectrograms and figures.")
    ] = False,
    own_modules: models.Own = None,
    recursive: Annotated[
        bool, Option("--recursive", help="Look into folders of folders, and keep the tree.")
    ] = False,
    skip: Annotated[
        bool, Option("--skip", help="Leave recordings whose outputs exist as they are.")
    ] = False,
    force: Annotated[bool, Option("--force", help="Replace outputs that exist.")] = False,
    debug: Annotated[bool, Option("--debug", help="Show where an error comes from.")] = False,
) -> None:
    from ssml.files import allocator
    from ssml.separation import formats, recordings

    allocator.keep_freed()
    if mic is not None and mic < 1:
        raise UserError(f"--mic: {mic} is below 1, the first channel")
    if block is not None and not 1 <= block <= 86400:
        raise UserError(f"--block: {block} s is not within 1..86400")
    options: dict[str, Any] = {"rule": rule, "iterations": iterations, "sources": sources}
    options |= {"n_fft": n_fft, "hop": hop, "taps": number(taps), "delay": delay, "reduce": reduce}
    models.bring(own_modules)
    separator = _separators(models.resolve(model), _device(device), options)
    places, passed = formats.find(inputs, recursive, out)
    paths = list(places)
    take = recordings.Take(
        tuple(paths[1:]) if join else (),
        None if channels is None else _numbers(channels),
        None if mic is None else mic - 1,
        align,
        skip,
        repeated(
            {"model": None if model == "auto" else model, **options}
            | {"reduce": None if reduce == names.PCA else reduce}
            | {"mic": mic, "channels": channels, "block": block, "own": own_modules}
            | {"format": None if format == "wav" else format}
            | {"device": None if device == "auto" else device, "align": align, "page": page},
        ),
    )
    if join and len({*inputs}) < len(inputs):
        raise UserError("--join: a recording is named twice; name a file for each microphone")
    if join:
        places = {paths[0]: Path()}
    target = recordings.Target(out, format, force)
    recordings.check_target(target, places)
    if page:
        pages.check(out, force or skip)
    plotter = _plotter() if plot else None
    if passed:
        complain(formats.passed_over(passed), "note")
    batch = Batch(as_json, debug)
    for path, place in places.items():
        batch.separate(
            path,
            lambda path=path, place=place: recordings.separate_file(
                path, target.below(place), separator, sources, block, paths, plotter, take
            ),
        )
    if page and batch.done:
        batch.write_page(lambda: pages.write(out, batch.done))
        if batch.skipped:
            complain(
                f"--page: without the {len(batch.skipped)} recordings that were skipped", "note"
            )
    if len(batch.mono) > 1:
        words = shlex.join([*batch.mono, str(out)])
        complain(f"is each a microphone's? ssml separate --join {words}", "hint")
    if as_json:
        settings = {"model": model, **options, "mic": mic, "version": __version__}
        report = {"settings": settings, "done": batch.done, "errors": batch.errors}
        report |= {"skipped": batch.skipped, "passed_over": [str(file) for file in passed]}
        print(json.dumps(report, indent=2))
    if batch.errors:
        raise FailedError(1 if batch.done or batch.skipped else 2)


class Batch:
    """Recordings one after the other: whatever happens to one, the others are done."""

    def __init__(self, as_json: bool, debug: bool) -> None:
        self._as_json, self._debug = as_json, debug
        self.done: list[dict[str, Any]] = []
        self.errors: list[dict[str, str]] = []
        self.skipped: list[str] = []
        self.mono: list[str] = []  # of one channel

    def separate(self, path: Path, run: Callable[[], dict[str, Any] | None]) -> None:
        """Keep what `run` gives for the recording, or its error."""
        try:
            one = run()
        except Exception as error:
            self._fail(path, error)
            return
        if one is None:
            self.skipped.append(str(path))
            told = f"{path}: skipped, its outputs exist"
        else:
            self.done.append(one)
            told = summary(one)
        if not self._as_json:
            print(printable(told))

    def write_page(self, write: Callable[[], Path]) -> None:
        """Write the page of what is done."""
        try:
            written = write()
        except Exception as error:
            self._fail(Path("--page"), error)
            return
        if not self._as_json:
            print(printable(f"listen: {written}"))

    def _fail(self, path: Path, error: Exception) -> None:
        from ssml.separation.memory import is_out_of_memory
        from ssml.separation.reading import MonoError

        if self._debug:
            traceback.print_exc()
        if isinstance(error, UserError):
            message = with_options(error)
            if isinstance(error.__cause__, MonoError):
                self.mono.append(str(path))
        elif is_out_of_memory(error):
            message = f"{path}: out of memory; a shorter --block or fewer --sources needs less"
        else:
            reason = str(error).strip() or type(error).__name__
            first = reason.splitlines()[0]
            message = f"{path}: {type(error).__name__}: {first} (--debug shows where)"
        complain(message)
        self.errors.append({"input": str(path), "error": message})


def _numbers(text: str) -> tuple[int, ...]:
    """Indices from 0 of channels such as "2-5" or "1,3"."""
    found: list[int] = []
    for part in text.split(","):
        ends = re.fullmatch(r"\s*(\d+)\s*(?:-\s*(\d+)\s*)?", part)
        first, last = (int(ends[1]), int(ends[2] or ends[1])) if ends else (0, 0)
        if not 1 <= first <= last <= 10_000:
            raise UserError(f"--channels {text}: name channels from 1, such as 2-5 or 1,3")
        found += [m - 1 for m in range(first, last + 1)]
    if len(set(found)) < len(found):
        raise UserError(f"--channels {text}: names a channel twice")
    return tuple(found)


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


def _separators(model: str, device: str, options: dict[str, Any]) -> Callable[[int], Any]:
    """A function that returns one Separator for each rate in Hz."""
    from ssml.separation.separator import Separator

    built: dict[int, Separator] = {}

    def separator(fs: int) -> Separator:
        if fs not in built:
            built[fs] = Separator(model, fs=fs, device=device, **options)
        return built[fs]

    separator(names.RATE)  # wrong options are errors before any file is opened
    return separator


def _device(name: str) -> str:
    from ssml.iva import checkpoint
    from ssml.separation.inputs import place_on

    return str(checkpoint.device()) if name == "auto" else str(place_on(name).device)
