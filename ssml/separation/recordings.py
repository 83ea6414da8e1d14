"""Separate recordings, file by file, into one file for each source.

A recording is read and separated block by block, see `stream`. The outputs are collected in an
unnamed temporary file, so memory does not grow with the recording.
"""

import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import IO, Any, NamedTuple

import numpy as np
import soundfile

from ssml.files.errors import UserError
from ssml.files.io import atomic, write_bytes
from ssml.files.progress import progress
from ssml.iva.compilation import clock

from .diagnostics import Watch
from .inputs import MOST
from .separator import Separator
from .stream import BLOCK, OVERLAP, Stream

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

    def path(self, recording: Path, source: int) -> Path:
        """The file of output `source`, from 0: its name counts from 1."""
        return self.folder / f"{recording.stem}-{source + 1}.{self.format}"


def find(names: Sequence[str]) -> list[Path]:
    """The recordings named by files, folders (only the files directly inside) and patterns.

    Raises `UserError` for a folder or pattern without recordings. A name without a file stays in
    the list, and is reported later, as any file that cannot be read.
    """
    found: dict[Path, None] = {}
    for name in names:
        path = Path(name)
        if path.is_dir():
            inside = sorted(file for file in path.iterdir() if _is_audio(file))
            if not inside:
                raise UserError(f"{name}: no audio files in this folder")
        elif not path.exists() and any(letter in name for letter in "*?["):
            base = Path(path.anchor)
            inside = sorted(base.glob(str(path.relative_to(base))))
            if not inside:
                raise UserError(f"{name}: no file matches")
        else:
            inside = [path]
        found.update(dict.fromkeys(inside))
    return list(found)


def _is_audio(file: Path) -> bool:
    suffixes = {*soundfile.available_formats(), "AIF", "OPUS"} - {"RAW"}
    hidden = file.name.startswith(".")
    return file.is_file() and not hidden and file.suffix[1:].upper() in suffixes


def check_target(target: Target, recordings: Sequence[Path]) -> None:
    """`UserError` if the folder cannot be one, or two recordings would have the same outputs."""
    if target.format not in SUBTYPES:
        raise UserError(f"format: no {target.format!r} among {', '.join(SUBTYPES)}")
    if target.folder.exists() and not target.folder.is_dir():
        raise UserError(f"{target.folder}: is a file; the last path is the folder for the outputs")
    stems: dict[str, Path] = {}
    for path in recordings:
        if path.stem in stems:
            raise UserError(f"{stems[path.stem]}, {path}: their outputs would have the same names")
        stems[path.stem] = path


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


def separate_file(
    path: Path,
    target: Target,
    separator: Callable[[int, int], Separator],
    sources: int | None = None,
    block: float = BLOCK,
    keep: Sequence[Path] = (),
    plot: Callable[[Excerpt], bytes] | None = None,
) -> dict[str, Any]:
    """Separate one recording; return a summary as plain data.

    `separator(fs, channels)` returns the separator for recordings of `fs` Hz. Outputs have the
    recording's rate, length and level. WAV is 32-bit float. FLAC is 24-bit: where a sample would
    clip, all outputs are scaled by one factor, the summary's `gain`. Files in `keep` are never
    replaced. `plot` draws the first block as a PNG. Where anything is wrong, `UserError` is raised
    and nothing is written. The first compilation of the kernels is announced on stderr, and is no
    part of `elapsed` and of the real-time factor.
    """
    stopwatch = Stopwatch()
    with _naming(path), clock.announcing(_announce), open_recording(path) as file:
        chosen = separator(file.samplerate, file.channels)
        if chosen.is_auto:
            head = _read(file, 0, min(file.frames, HEAD * file.samplerate))
            chosen = chosen.for_mixture(head)
        outputs = [target.path(path, k) for k in range(sources or file.channels)]
        picture = target.folder / f"{path.stem}.png" if plot else None
        _check_outputs([*outputs, *([picture] if picture else [])], target.force, keep)
        fs, seconds = file.samplerate, file.frames / file.samplerate
        watch = Watch(fs, chosen.window, chosen.model_fs)
        excerpts: list[Excerpt] = []

        def record_block(
            part: np.ndarray, est: np.ndarray, W: np.ndarray, changes: list[float]
        ) -> None:
            if plot and not excerpts:
                excerpts.append(Excerpt(part[chosen.mic].copy(), est.copy(), fs, changes))
            watch(part, est, W, changes)

        stream = Stream(chosen, block, record_block)
        with _folder(target.folder), tempfile.TemporaryFile(dir=target.folder) as spool:
            peak = 0.0
            for est in _stream(file, stream, path.name, stopwatch):
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
        "outputs": [str(output) for output in outputs],
        "plot": str(picture) if picture else None,
        "model": str(chosen.name),
        "rule": chosen.rule,
        "iterations": chosen.iterations,
        "channels": file.channels,
        "fs": fs,
        "samples": file.frames,
        "seconds": round(seconds, 3),
        "blocks": stream.blocks,
        "gain": gain,
        "elapsed": round(elapsed, 3),
        "compiling": round(stopwatch.compiling, 3),
        "real_time_factor": round(elapsed / seconds, 4),
        "diagnosis": watch.report(),
    }


def _announce() -> None:
    print(COMPILING, file=sys.stderr, flush=True)


def _stream(
    file: soundfile.SoundFile, stream: Stream, title: str, stopwatch: Stopwatch
) -> Iterator[np.ndarray]:
    """Yield the outputs (K, m) of a recording; shows the progress where it has several blocks."""
    step = max(1, round(stream.length * (1 - OVERLAP)))
    starts = range(0, file.frames, step)

    def note() -> str:
        return f"real-time factor {stopwatch.separating * file.samplerate / file.tell():.2f}"

    shown = progress(starts, title, "blocks", note) if len(starts) > 1 else starts
    for first in shown:
        yield stream.push(_read(file, first, min(first + step, file.frames)))
    yield stream.flush()


@contextmanager
def _naming(path: Path) -> Iterator[None]:
    """Put the recording's path in front of errors in the block."""
    try:
        yield
    except UserError as error:
        raise UserError(f"{path}: {error}") from error


@contextmanager
def open_recording(path: Path) -> Iterator[soundfile.SoundFile]:
    """Open a recording of 2 to 32 channels; raises `UserError` for any other file."""
    if not path.is_file():
        raise UserError("no such file")
    if path.stat().st_size == 0:
        raise UserError("is empty")
    try:
        file = soundfile.SoundFile(path)
    except (OSError, RuntimeError) as error:
        reason = str(error).rpartition(": ")[2] or str(error)
        raise UserError(f"cannot be read as audio ({reason})") from error
    with file:
        if file.channels == 1:
            raise UserError("1 channel; separation needs at least two, one for each microphone")
        if file.channels > MOST:
            raise UserError(f"{file.channels} channels, at most {MOST} can be separated")
        if file.frames == 0:
            raise UserError("holds no samples")
        yield file


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


def _read(file: soundfile.SoundFile, start: int, end: int) -> np.ndarray:
    """Samples [start, end) as float32 (M, end - start)."""
    try:
        file.seek(start)
        audio = file.read(end - start, dtype="float32", always_2d=True)
    except (OSError, RuntimeError) as error:
        raise UserError(f"cannot be read as audio ({error})") from error
    if len(audio) < end - start:
        raise UserError(f"ends before the {file.frames} samples that it should hold")
    if not np.isfinite(audio).all():
        raise UserError("holds samples that are not finite (NaN or infinite)")
    return np.ascontiguousarray(audio.T)


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
            file = soundfile.SoundFile(temporary, "w", fs, 1, SUBTYPES[format], format=container)
            files.append(stack.enter_context(file))
        while data := spool.read(4 * K * 2**16):
            samples = gain * np.frombuffer(data, np.float32).reshape(-1, K)
            for k, file in enumerate(files):
                file.write(samples[:, k])
