"""Separate recordings, file by file and block by block, into one file for each source.

A recording longer than a block is separated in blocks of equal length that overlap by a quarter of
a block. A block begins with the filters of the one before, and its sources are put in the order in
which the outputs correlate best with those before, where the two overlap. There they are faded into
each other. Samples wait in an unnamed file, so memory does not grow with the recording.
"""

import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import IO, Any, NamedTuple

import numpy as np
import soundfile
from scipy.optimize import linear_sum_assignment

from .errors import UserError
from .io import atomic
from .progress import progress
from .separation import MOST

BLOCK = 60.0  # s
OVERLAP = 0.25  # of a block
SUBTYPES = {"wav": "FLOAT", "flac": "PCM_24"}
RF64_FROM = 2**32 - 2**20  # bytes that no WAV can hold
PEAK = 1 - 2**-20  # the largest sample that FLAC is given

# a block (M, n) and the filters of the one before -> outputs (K, n), filters (F, K, M)
GoOn = Callable[[np.ndarray, np.ndarray | None], tuple[np.ndarray, np.ndarray]]


class Target(NamedTuple):
    """Where and how outputs are written."""

    folder: Path
    format: str = "wav"
    force: bool = False

    def path(self, recording: Path, source: int) -> Path:
        """The file of output `source`, from 0: its name counts from 1."""
        return self.folder / f"{recording.stem}-{source + 1}.{self.format}"


def find(names: Sequence[str]) -> list[Path]:
    """The recordings that names, folders (what lies directly inside) and patterns stand for.

    Raises `UserError` for a folder or pattern without recordings. A name that is no file stays in
    the list, to be reported like any file that cannot be read.
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


def separate_file(
    path: Path,
    target: Target,
    separator: Callable[[int, int], GoOn],
    n_src: int | None = None,
    block: float = BLOCK,
    keep: Sequence[Path] = (),
) -> dict[str, Any]:
    """Separate one recording; what was done, as plain data.

    `separator(fs, channels)` gives what separates blocks of that rate in Hz. Outputs have the
    recording's rate, length and level. WAV is 32-bit float; FLAC is 24-bit, and where a sample
    would clip, all outputs are scaled by one factor, the result's `gain`. Files in `keep` are never
    replaced. Raises `UserError` and writes nothing if anything is wrong.
    """
    start = time.monotonic()
    with _naming(path), opened(path) as file:
        separate = separator(file.samplerate, file.channels)
        outputs = [target.path(path, k) for k in range(n_src or file.channels)]
        _check_outputs(outputs, target.force, keep)
        spans = list(blocks(file.frames, round(block * file.samplerate)))
        fs, seconds = file.samplerate, file.frames / file.samplerate

        def note() -> str:
            return f"real-time factor {(time.monotonic() - start) / seconds * n / done:.2f}"

        done, n, peak = 0, len(spans), 0.0
        with _folder(target.folder), tempfile.TemporaryFile(dir=target.folder) as spool:
            shown = progress(spans, path.name, "blocks", note) if n > 1 else spans
            audio = (_read(file, *span) for span in shown)
            for est in joined(audio, spans, separate):
                spool.write(est.T.astype(np.float32).tobytes())
                done, peak = done + 1, max(peak, float(np.abs(est).max()))
            gain = PEAK / peak if target.format == "flac" and peak > PEAK else 1.0
            write(spool, outputs, fs, target.format, gain)
    elapsed = time.monotonic() - start
    return {
        "input": str(path),
        "outputs": [str(output) for output in outputs],
        "channels": file.channels,
        "fs": fs,
        "samples": file.frames,
        "seconds": round(seconds, 3),
        "blocks": n,
        "gain": gain,
        "elapsed": round(elapsed, 3),
        "real_time_factor": round(elapsed / seconds, 4),
    }


@contextmanager
def _naming(path: Path) -> Iterator[None]:
    """Errors in the block say which recording they are of."""
    try:
        yield
    except UserError as error:
        raise UserError(f"{path}: {error}") from error


@contextmanager
def opened(path: Path) -> Iterator[soundfile.SoundFile]:
    """An open recording of 2 to 32 channels; `UserError` if it is none."""
    if not path.is_file():
        raise UserError("no such file")
    try:
        file = soundfile.SoundFile(path)
    except (OSError, RuntimeError) as error:
        reason = str(error).rpartition(": ")[2] or str(error)
        raise UserError(f"cannot be read as audio ({reason})") from error
    with file:
        if not 2 <= file.channels <= MOST:
            raise UserError(f"{file.channels} channel(s), 2 to {MOST} can be separated")
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
    """Make the folder; remove it again if it is new and nothing came into it."""
    made = not path.exists()
    try:
        path.mkdir(parents=True, exist_ok=True)
        yield
    except OSError as error:  # no permission, no space
        raise UserError(f"{path} cannot be written ({error.strerror})") from error
    finally:
        if made and path.is_dir() and not any(path.iterdir()):
            path.rmdir()


def blocks(n: int, length: int) -> Iterator[tuple[int, int]]:
    """Cut `n` samples into blocks [start, end) of at most about `length`, equally long.

    One that is no longer than `length` stays whole; others overlap by `OVERLAP * length`.
    """
    overlap = round(length * OVERLAP)
    count = 1 if n <= length else -(-(n - overlap) // (length - overlap))
    step = -(-(n - overlap) // count) if count > 1 else n
    for i in range(count):
        last = i == count - 1
        yield i * step, n if last else min(n, (i + 1) * step + overlap)


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


def joined(
    audio: Iterator[np.ndarray], spans: Sequence[tuple[int, int]], separate: GoOn
) -> Iterator[np.ndarray]:
    """Separate the blocks (M, n) that lie at `spans`; yield outputs (K, n) without overlap."""
    tail: np.ndarray | None = None
    W: np.ndarray | None = None
    for i, block in enumerate(audio):
        est, W = separate(block, W)
        if tail is not None:
            n = tail.shape[-1]
            found = order(tail, est[:, :n])
            est, W = est[found], W[:, found]
            fade = (np.arange(n, dtype=np.float32) + 0.5) / n
            est[:, :n] = (1 - fade) * tail + fade * est[:, :n]
        shared = spans[i][1] - spans[i + 1][0] if i + 1 < len(spans) else 0
        keep = est.shape[-1] - shared
        yield est[:, :keep]
        tail = est[:, keep:]


def order(before: np.ndarray, after: np.ndarray) -> np.ndarray:
    """The order of `after` (K, n) whose correlation coefficients with `before` sum highest."""
    norms = [np.linalg.norm(x, axis=-1).clip(min=1e-12) for x in (before, after)]
    correlation = (before @ after.T) / (norms[0][:, None] * norms[1])
    return linear_sum_assignment(correlation, maximize=True)[1]


def write(spool: IO[bytes], outputs: Sequence[Path], fs: int, format: str, gain: float) -> None:
    """Write the samples waiting in `spool`, float32 (N, K), to one file a source."""
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
