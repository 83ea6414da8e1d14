"""Read recordings piece by piece: one file, or a file for each microphone; all or some channels.

What the header of a file says is not taken for granted: a file that is cut is read as far as it
goes, and one that holds more than its header states to its end.
"""

import os
import tempfile
import threading
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import IO, Any, Protocol

import numpy as np
import soundfile

from ssml.files.errors import UserError

from .formats import converting, native
from .headers import Rest, behind_header, states_length
from .inputs import MOST

PIECE = 2**18  # samples of all channels that are read at once
STEP = 2**12  # samples that a decoder is asked for
KINDS = {"PCM_U8", "PCM_16", "PCM_24", "PCM_32", "FLOAT", "DOUBLE", "ULAW", "ALAW"}


class Reader(Protocol):
    """One file of a recording."""

    fs: int
    channels: int
    frames: int

    def read(self, start: int, count: int) -> np.ndarray:
        """At most `count` samples from `start`, float32 (n, channels); fewer at the end."""
        ...


class MonoError(UserError):
    """A recording has one channel."""


class Sound:
    """A file that libsndfile reads."""

    def __init__(self, path: Path, stack: ExitStack) -> None:
        self._path, self._stack = path, stack
        self._file = self._open()
        self.fs, self.channels = self._file.samplerate, self._file.channels
        self.frames = self._file.frames

    def _open(self) -> soundfile.SoundFile:
        file = soundfile.SoundFile(native(self._path))
        self._stack.callback(file.close)
        offset = behind_header(self._path) if file.format in ("WAV", "WAVEX", "RF64") else None
        if offset is None:
            return file
        if file.subtype not in KINDS:
            raise UserError(
                f"holds more than the {file.frames / file.samplerate:.1f} s that its header states"
                f"; {converting(self._path)}"
            )
        rest: Any = self._stack.enter_context(Rest(self._path, offset))
        raw = soundfile.SoundFile(
            rest, "r", file.samplerate, file.channels, file.subtype, "LITTLE", "RAW"
        )
        self._stack.callback(raw.close)
        return raw

    def read(self, start: int, count: int) -> np.ndarray:
        if start != self._file.tell():
            if start == 0:  # behind an error, a decoder may not seek
                self._file = self._open()
            else:
                self._file.seek(start)
        parts: list[np.ndarray] = []
        while count > 0:  # a decoder that fails gives nothing of what it was asked for
            try:
                part = self._file.read(min(count, STEP), dtype="float32", always_2d=True)
            except RuntimeError:
                if not parts:
                    raise
                break
            if not len(part):
                break
            parts.append(part)
            count -= len(part)
        return np.concatenate(parts) if parts else np.zeros((0, self.channels), np.float32)


class Spool:
    """Samples that were written to an unnamed temporary file, float32 (n, channels)."""

    def __init__(self, file: IO[bytes], fs: int, channels: int, frames: int) -> None:
        self._file, self.fs, self.channels, self.frames = file, fs, channels, frames

    def read(self, start: int, count: int) -> np.ndarray:
        self._file.seek(4 * self.channels * start)
        data = self._file.read(4 * self.channels * min(count, self.frames - start))
        return np.frombuffer(data, np.float32).reshape(-1, self.channels)


class Recording:
    """Samples (M, n) of a recording. `notes` says what differs from what the files state."""

    def __init__(self, readers: Sequence[Reader], notes: Sequence[str] = ()) -> None:
        self.readers, self.fs = list(readers), readers[0].fs
        self.frames = min(reader.frames for reader in readers)
        self.kept = [*range(sum(reader.channels for reader in readers))]
        self.notes = list(notes)

    @property
    def channels(self) -> int:
        return len(self.kept)

    @property
    def seconds(self) -> float:
        return self.frames / self.fs

    def read(self, start: int, end: int) -> np.ndarray:
        """Samples [start, end), float32 (M, end - start); `UserError` where there are none."""
        try:
            parts = [reader.read(start, end - start) for reader in self.readers]
        except (OSError, RuntimeError) as error:
            raise UserError(f"cannot be read as audio ({error})") from error
        if any(len(part) < end - start for part in parts):
            raise UserError(f"ends before the {self.frames} samples that it should hold")
        audio = np.concatenate(parts, -1)[:, self.kept]
        if not np.isfinite(audio).all():
            raise UserError("holds samples that are not finite (NaN or infinite); replace them")
        return np.ascontiguousarray(audio.T)

    def pieces(self) -> Iterator[np.ndarray]:
        """All samples, piece by piece. `frames` is what was found to be there afterwards."""
        start, step = 0, max(1, PIECE // len(self.kept))
        stated = self.frames
        while start < self.frames:
            end = min(start + step, self.frames)
            try:
                found = min(len(reader.read(start, end - start)) for reader in self.readers)
            except (OSError, RuntimeError) as error:
                if start == 0:
                    raise UserError(f"cannot be read as audio ({error})") from error
                found = 0
            if found < end - start:
                self.frames = end = start + found
                self.notes.append(
                    f"the file is cut: {self.seconds:.1f} of {stated / self.fs:.1f} s are there, "
                    "and are separated"
                )
            if end > start:
                yield self.read(start, end)
            start = end
        if not self.frames:
            raise UserError("cannot be read as audio (it holds no whole frame)")


@contextmanager
def open_recording(
    paths: Sequence[Path], channels: Sequence[int] | None = None
) -> Iterator[Recording]:
    """Open a recording of 2 to 32 channels; raises `UserError` for any other.

    paths: its files, whose channels are joined. channels: from 0, those that are taken; None: all.
    """
    with ExitStack() as stack:
        readers: list[Reader] = []
        for path in paths:
            try:
                readers.append(_open(path, stack))
            except UserError as error:
                raise UserError(f"{path}: {error}" if len(paths) > 1 else str(error)) from error
        rates = {reader.fs for reader in readers}
        if len(rates) > 1:
            listed = ", ".join(f"{path} {r.fs} Hz" for path, r in zip(paths, readers, strict=True))
            raise UserError(f"rates differ ({listed}); sox IN -r {max(rates)} OUT converts one")
        recording = Recording(readers)
        lengths = [reader.frames for reader in readers]
        if max(lengths) > min(lengths):
            recording.notes.append(
                f"the files differ by {max(lengths) - min(lengths)} samples: all are cut to the "
                "shortest"
            )
        _take(recording, channels)
        if recording.frames == 0:
            raise UserError("holds no samples; record it again, or leave it out")
        yield recording


def _take(recording: Recording, channels: Sequence[int] | None) -> None:
    """Keep `channels`; `UserError` unless 2 to 32 are left."""
    M = recording.channels
    if channels is not None:
        if (most := max(channels)) >= M:
            raise UserError(f"--channels {most + 1}, but there are {M} channels")
        recording.kept = list(channels)
    if recording.channels == 1:
        raise MonoError("1 channel; separation needs at least two, one for each microphone")
    if recording.channels > MOST:
        raise UserError(
            f"{M} channels, at most {MOST} can be separated; --channels 1-{MOST} takes the first"
        )


def _open(path: Path, stack: ExitStack) -> Reader:
    if not path.is_file():
        raise UserError("no such file")
    if path.stat().st_size == 0:
        raise UserError("is empty; copy it again, or leave it out")
    if path.suffix.lower() == ".raw":
        raise UserError(f"has no header that says rate and channels; {converting(path)}")
    try:
        sound = Sound(path, stack)
        if sound._file.format == "MP3" and not states_length(path):
            return _decode(path, stack)
        return sound
    except (OSError, RuntimeError, TypeError) as error:
        reason = (str(error).rpartition(": ")[2] or str(error)).rstrip(". ")
        told = f"; {converting(path)}" if "not recognised" in reason else ""
        raise UserError(f"cannot be read as audio ({reason}){told}") from error


def _decode(path: Path, stack: ExitStack) -> Spool:
    """All samples of a file whose length is unknown: read as a stream, to its end."""
    spool = stack.enter_context(tempfile.TemporaryFile())  # noqa: SIM115
    out, into = os.pipe()

    def copy() -> None:
        with path.open("rb") as file, os.fdopen(into, "wb") as pipe, suppress(BrokenPipeError):
            while data := file.read(2**16):
                pipe.write(data)

    thread = threading.Thread(target=copy, daemon=True)
    thread.start()
    frames = 0
    with soundfile.SoundFile(out, closefd=True) as file:
        with suppress(RuntimeError):  # the end of what is whole
            while len(audio := file.read(PIECE // file.channels, dtype="float32", always_2d=True)):
                spool.write(audio.tobytes())
                frames += len(audio)
        fs, channels = file.samplerate, file.channels
    thread.join(1)
    return Spool(spool, fs, channels, frames)
