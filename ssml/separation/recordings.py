"""Separate recordings, file by file, into one file for each source.

A recording is read and separated block by block, see `blocks`. The outputs are collected in an
unnamed temporary file, so memory does not grow with the recording.
"""

import shlex
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import IO, Any, NamedTuple

import numpy as np
import soundfile

from ssml.files.errors import UserError
from ssml.files.io import atomic, write_bytes
from ssml.files.progress import progress
from ssml.iva.compilation import clock

from . import memory
from .blocks import OVERLAP, Blocks
from .delays import align
from .diagnostics import Watch
from .formats import native
from .reading import Recording, open_recording
from .separator import Separator
from .survey import aligned, late_channels, left_out, survey

SUBTYPES = {"wav": "FLOAT", "flac": "PCM_24"}
RF64_FROM = 2**32 - 2**20  # bytes that no WAV can hold
PEAK = 1 - 2**-20  # the largest sample that FLAC is given
HEAD = 60  # s of a recording that choose the model, where it is not named
COMPILING = "compiling kernels for this machine, once: about 10 s"


class Target(NamedTuple):
    """Where and how outputs are written."""

    folder: Path
    format: str = "wav"
    force: bool = False

    def below(self, place: Path) -> "Target":
        """The same for the outputs of a recording in the folder `place` of a folder of folders."""
        return self._replace(folder=self.folder / place)

    def path(self, recording: Path, source: int) -> Path:
        """The file of output `source`, from 0: its name counts from 1."""
        return self.folder / f"{recording.stem}-{source + 1}.{self.format}"


def check_target(target: Target, recordings: Mapping[Path, Path]) -> None:
    """`UserError` if the folder cannot be one, or two recordings would have the same outputs."""
    if target.format not in SUBTYPES:
        raise UserError(f"format: no {target.format!r} among {', '.join(SUBTYPES)}")
    if target.folder.exists() and not target.folder.is_dir():
        raise UserError(f"{target.folder}: is a file; the last path is the folder for the outputs")
    stems: dict[Path, Path] = {}
    for path, place in recordings.items():
        if (other := stems.setdefault(place / path.stem, path)) != path:
            raise UserError(
                f"{other}, {path}: their outputs would have the same names; name a folder of both "
                "with --recursive, or separate them into two folders"
            )


class Stopwatch:
    """Time since it was made, in s, without that in which kernels are compiled."""

    def __init__(self) -> None:
        self._start, self._before = time.monotonic(), clock.seconds

    @property
    def compiling(self) -> float:
        return clock.seconds - self._before

    @property
    def separating(self) -> float:
        return time.monotonic() - self._start - self.compiling


class Excerpt(NamedTuple):
    """The first block of a recording, for the picture of its separation."""

    mix: np.ndarray  # (n,), the channel whose images the outputs are
    est: np.ndarray  # (K, n)
    fs: int
    changes: list[float]  # by each iteration


class Take(NamedTuple):
    """What of a recording is separated, and as what."""

    joined: tuple[Path, ...] = ()  # further files, whose channels follow
    channels: tuple[int, ...] | None = None  # from 0; None: all
    mic: int | None = None  # the reference among them, from 0; None: the first that hears
    align: bool = False  # remove delays and drifts
    skip: bool = False  # what is there already
    options: tuple[str, ...] = ()  # of the command, which a hint repeats


def separate_file(
    path: Path,
    target: Target,
    separator: Callable[[int], Separator],
    sources: int | None = None,
    block: float | None = None,
    keep: Sequence[Path] = (),
    plot: Callable[[Excerpt], bytes] | None = None,
    take: Take | None = None,
) -> dict[str, Any] | None:
    """Separate one recording; return a summary as plain data, or None where it is skipped.

    `separator(fs)` returns the separator for recordings of `fs` Hz. Channels that hear
    nothing are left out. Outputs have the recording's rate, length and level. WAV is 32-bit float.
    FLAC is 24-bit: where a sample would clip, all outputs are scaled by one factor, the summary's
    `gain`. block: in s; None: as long as memory allows, at most `BLOCK`. Files in `keep` are never
    replaced. `plot` draws the first block as a PNG. Where anything is wrong, `UserError` is raised
    and nothing is written. The first compilation of the kernels is announced on stderr, and is no
    part of `elapsed` and of the real-time factor.
    """
    take, stopwatch = take or Take(), Stopwatch()
    with _naming(path), clock.announcing(_announce), ExitStack() as stack:
        file = stack.enter_context(open_recording([path, *take.joined], take.channels))
        stated, asked = file.channels, separator(file.fs)
        found = survey(file, sources, take.mic)
        outputs = [target.path(path, k) for k in range(sources or file.channels)]
        if take.skip and all(output.exists() for output in outputs):
            return None
        picture = target.folder / f"{path.stem}.png" if plot else None
        written = [*outputs, *([picture] if picture else [])]
        _check_outputs(written, target.force or take.skip, keep)
        names, late = [m + 1 for m in file.kept], late_channels(found, file)
        if take.align and any(late.values()):
            file = align(file, found.lags, stack)
        chosen = asked.referring_to(found.mic)
        if chosen.is_auto:
            chosen = chosen.for_mixture(file.read(0, min(file.frames, HEAD * file.fs)))
        fs, seconds = file.fs, file.seconds
        watch = Watch(fs, chosen.window, chosen.model_fs, found.mic)
        excerpts: list[Excerpt] = []

        def record_block(
            part: np.ndarray, est: np.ndarray, W: np.ndarray, changes: list[float]
        ) -> None:
            if plot and not excerpts:
                mix = part[found.mic].copy()
                excerpts.append(Excerpt(mix, est.copy(), fs, changes))
            watch(part, est, W, changes)

        length = memory.block_length(chosen, file, len(outputs), block)
        blocks = Blocks(chosen, length, record_block)
        with _folder(target.folder), tempfile.TemporaryFile(dir=target.folder) as spool:
            peak = 0.0
            for est in _stream(file, blocks, path.name, stopwatch):
                spool.write(est.T.astype(np.float32).tobytes())
                peak = max(peak, float(np.abs(est).max(initial=0)))
            gain = PEAK / peak if target.format == "flac" and peak > PEAK else 1.0
            elapsed = stopwatch.separating  # drawing takes longer than separating
            image = plot(excerpts[0]) if plot else b""
            write(spool, outputs, fs, target.format, gain)
            if picture:
                write_bytes(picture, image)
    return {
        "input": str(path),
        "joined": [str(one) for one in take.joined],
        "outputs": [str(output) for output in outputs],
        "plot": str(picture) if picture else None,
        "model": str(chosen.name),
        "rule": chosen.rule,
        "iterations": chosen.iterations,
        "taps": chosen.taps,
        "delay": chosen.delay,
        "channels": stated,
        "left_out": sorted([*found.silent, *found.weak]),
        "mic": names[found.mic],
        "aligned": take.align and any(late.values()),
        "fs": fs,
        "samples": file.frames,
        "seconds": round(seconds, 3),
        "block": blocks.length / fs,
        "blocks": blocks.blocks,
        "gain": gain,
        "elapsed": round(elapsed, 3),
        "compiling": round(stopwatch.compiling, 3),
        "real_time_factor": round(elapsed / seconds, 4),
        "notes": [
            *left_out(found, names[found.mic]),
            *file.notes,
            *(aligned(late) if take.align else []),
        ],
        "diagnosis": watch.report(
            {**late, "aligned": take.align, "model": str(chosen.name)},
            names,
            _command(path, target, take),
        ),
    }


def _command(path: Path, target: Target, take: Take) -> str:
    """The command that separates a recording once more."""
    join = ["--join"] if take.joined else []
    names = [str(name) for name in (path, *take.joined, target.folder)]
    return shlex.join(["ssml", "separate", *join, *names, *take.options, "--force"])


def _announce() -> None:
    print(COMPILING, file=sys.stderr, flush=True)


def _stream(
    file: Recording, blocks: Blocks, title: str, stopwatch: Stopwatch
) -> Iterator[np.ndarray]:
    """Yield the outputs (K, m) of a recording; shows the progress where it has several blocks."""
    step = max(1, round(blocks.length * (1 - OVERLAP)))
    starts, read = range(0, file.frames, step), 1

    def note() -> str:
        return f"real-time factor {stopwatch.separating * file.fs / read:.2f}"

    shown = progress(starts, title, "blocks", note) if len(starts) > 1 else starts
    for first in shown:
        read = min(first + step, file.frames)
        yield blocks.push(file.read(first, read))
    yield blocks.flush()


@contextmanager
def _naming(path: Path) -> Iterator[None]:
    """Put the recording's path in front of errors in the block."""
    try:
        yield
    except UserError as error:
        raise UserError(f"{path}: {error}") from error


def _check_outputs(outputs: Sequence[Path], force: bool, keep: Sequence[Path]) -> None:
    kept = {path.resolve() for path in keep}
    for output in outputs:
        if output.resolve() in kept:
            raise UserError(f"{output} is itself a recording to separate; choose another folder")
        if output.exists() and not force:
            raise UserError(f"{output} exists already; --force replaces it")


@contextmanager
def _folder(path: Path) -> Iterator[None]:
    """Make the folder; remove it again if it is new and stays empty."""
    is_new = not path.exists()
    try:
        path.mkdir(parents=True, exist_ok=True)
        yield
    except OSError as error:  # no permission, no space
        raise UserError(f"{path} cannot be written ({error.strerror})") from error
    finally:
        if is_new and path.is_dir() and not any(path.iterdir()):
            path.rmdir()


def write(spool: IO[bytes], outputs: Sequence[Path], fs: int, format: str, gain: float) -> None:
    """Write the samples in `spool`, float32 (N, K), to one file for each source."""
    K = len(outputs)
    size = spool.tell() // K
    container = "RF64" if format == "wav" and size > RF64_FROM else format.upper()
    spool.seek(0)
    with ExitStack() as stack:
        files: list[soundfile.SoundFile] = []
        for output in outputs:
            temporary = stack.enter_context(atomic(output))
            file = soundfile.SoundFile(
                native(temporary), "w", fs, 1, SUBTYPES[format], format=container
            )
            files.append(stack.enter_context(file))
        while data := spool.read(4 * K * 2**16):
            samples = gain * np.frombuffer(data, np.float32).reshape(-1, K)
            for k, file in enumerate(files):
                file.write(samples[:, k])
