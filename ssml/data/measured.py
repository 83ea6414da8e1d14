"""Measured room responses: a folder of files -> the sources and microphones of a scene.

The folder holds `sourceN.wav` for each source N of one room, with a channel for each microphone.
The microphones stand in lines, one line after the other in the order of the channels.
"""

import os
import re
from functools import lru_cache
from pathlib import Path
from typing import NamedTuple

import numpy as np

from ssml.config.mixtures import MeasuredParams
from ssml.files.errors import UserError
from ssml.files.io import read_audio, sha256
from ssml.files.provenance import digest

FOLDER = "SSML_RESPONSES"  # environment variable
NAME = re.compile(r"source(\d+)\.wav")
FRAME = 0.01  # s, in which the power of a decay is measured
FALL = 3  # dB, by which a response decays at least
SILENT = 1e-12  # of the highest power: a file's zeros, not a room


class Survey(NamedTuple):
    """What a folder holds, by the names, headers and contents of its files."""

    files: dict[int, Path]  # by number of the source
    channels: int
    sha256: str


class Placement(NamedTuple):
    """The part of a measured room that a scene uses."""

    room: str  # key in `scenes.measured`
    sha256: str  # of the folder
    sources: tuple[int, ...]  # K numbers of files
    channels: tuple[int, ...]  # M of them, counted from 0; the first is the reference


def folder(room: MeasuredParams) -> Path | None:
    """The folder that the section or the environment names."""
    given = room.root or os.environ.get(FOLDER)
    return Path(given) if given else None


def survey(name: str, room: MeasuredParams) -> Survey:
    """Survey the folder of the room `name`.

    Raises `UserError` where no folder is given, or where its files are none, unreadable, or differ
    in their number of channels.
    """
    given, key = folder(room), f"scenes.measured.{name}.root"
    if given is None:
        raise UserError(
            f"{key}: no folder; name it there or in the environment's {FOLDER}, or take the room's "
            "sets out of separate.sets"
        )
    found = {path: NAME.fullmatch(path.name) for path in given.glob("*.wav")}
    files = {int(match[1]): path for path, match in found.items() if match}
    if not files:
        raise UserError(
            f"{given}: no source1.wav, source2.wav and so on in it; mend {key} or the "
            f"environment's {FOLDER}"
        )
    files = dict(sorted(files.items()))
    channels = {number: _channels(path) for number, path in files.items()}
    if len({*channels.values()}) > 1:
        counts = ", ".join(f"{count} in source{number}.wav" for number, count in channels.items())
        raise UserError(f"{given}: the channels differ in number: {counts}; replace the odd file")
    contents = digest({path.name: sha256(path) for path in files.values()})
    return Survey(files, next(iter(channels.values())), contents)


def _channels(path: Path) -> int:
    import soundfile  # only where audio is read

    try:
        return soundfile.info(str(path)).channels
    except (OSError, RuntimeError) as error:
        raise UserError(f"{path}: cannot be read as audio ({error}); replace the file") from error


def place(
    name: str, room: MeasuredParams, K: int, rng: np.random.Generator
) -> tuple[Placement, np.ndarray]:
    """Draw K sources and K microphones of the room `name`; (K, 3): the microphones' places in m.

    They are `room.spacing` apart on one of the lines, in random order. Raises
    `UserError` where the room has too few sources, or no line is long enough.
    """
    known = survey(name, room)
    if len(known.files) < K:
        raise UserError(
            f"scenes.measured.{name}: {len(known.files)} sources where {K} are needed; add files, "
            "or lower `speakers` of the set"
        )
    line, rest = divmod(known.channels, room.arrays)
    if rest:
        raise UserError(
            f"scenes.measured.{name}.arrays: {known.channels} channels are not {room.arrays} "
            "arrays of equal size; mend it"
        )
    step = room.step
    if (starts := line - (K - 1) * step) < 1:
        raise UserError(
            f"scenes.measured.{name}.spacing: no {K} microphones {room.spacing} m apart in an "
            f"array of {line} microphones {room.pitch} m apart; lower it"
        )
    sources = rng.choice(list(known.files), K, replace=False)
    first = int(rng.integers(room.arrays)) * line + int(rng.integers(starts))
    channels = first + step * rng.permutation(K)
    mics = np.zeros((K, 3))
    mics[:, 0] = room.pitch * (channels % line)
    chosen = tuple(map(int, sources)), tuple(map(int, channels))
    return Placement(name, known.sha256, *chosen), mics


def responses(placed: Placement, room: MeasuredParams, fs: int) -> np.ndarray:
    """Responses (K, M, L) float64 at `fs` Hz of a placement, without measurement noise: `denoise`.

    Raises `UserError` where the folder's files are not those that the placement was drawn from.
    """
    known = survey(placed.room, room)
    if known.sha256 != placed.sha256:
        raise UserError(
            f"{folder(room)}: its responses are not those that the scenes were drawn from; put the "
            "files back, or draw again: snakemake -R scenes"
        )
    found = [_read(known.files[number], fs, known.sha256) for number in placed.sources]
    length = max(h.shape[1] for h in found)
    chosen = [h[list(placed.channels)] for h in found]
    return np.stack([np.pad(h, ((0, 0), (0, length - h.shape[1]))) for h in chosen])


@lru_cache(64)
def _read(path: Path, fs: int, contents: str) -> np.ndarray:
    """All channels (M, L) of a file at `fs` Hz, denoised; `contents`: digest of its folder."""
    audio, rate = read_audio(path)
    at_rate = audio.astype(np.float64)
    if rate != fs:
        import soxr

        at_rate = soxr.resample(at_rate.T, rate, fs, "VHQ").T
    return denoise(at_rate, fs, str(path))


class Decay(NamedTuple):
    """The power of a response after its direct sound: exponential, down to a floor."""

    t60: float  # s
    floor: float  # s from the response's start, where the decay meets the measurement's noise


def decay(response: np.ndarray, fs: int, name: str) -> Decay | None:
    """Fit the decay of a source's response (M, L) at `fs` Hz; None where it is too short to fit.

    The logarithm of `exp(a - r t) + exp(b)` is fitted to that of the power in frames of 10 ms,
    mean over the microphones, from the second frame after the loudest on. Raises `UserError`, which
    calls the response `name`, where the power does not fall.
    """
    size = int(FRAME * fs)
    power = (response**2).mean(0)
    power = power[: len(power) // size * size].reshape(-1, size).mean(1)
    first = int(power.argmax()) + 2
    chosen = first + np.flatnonzero(power[first:] > SILENT * power.max())
    if len(chosen) < 6:
        return None
    time, level = (chosen + 0.5) * size / fs, np.log(power[chosen])
    from scipy.optimize import least_squares

    def level_of(parameters: np.ndarray) -> np.ndarray:
        a, rate, b = parameters
        return np.logaddexp(a - rate * time, b)

    start = (level[0] + 30 * time[0], 30.0, level[-3:].mean())
    found = least_squares(lambda parameters: level_of(parameters) - level, start).x
    (a, rate, b), course = found, level_of(found)
    if rate <= 0 or course[0] - course[-1] < FALL * np.log(10) / 10:
        raise UserError(f"{name}: its power does not decay as a room's; replace the file")
    return Decay(float(6 * np.log(10) / rate), float((a - b) / rate))


def denoise(response: np.ndarray, fs: int, name: str = "response") -> np.ndarray:
    """A source's response (M, L), faded at its own rate from where its decay meets the noise floor.

    A measured response ends in the measurement's noise. Convolved with speech, this would be
    reverberation that never decays.
    """
    found = decay(response, fs, name)
    if found is None:
        return response
    late = np.maximum(np.arange(response.shape[1]) / fs - found.floor, 0)
    return response * 10 ** (-3 * late / found.t60)
