"""The page of separated recordings: one file that opens from disk, with players and figures."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import soundfile

from ssml.separation.diagnostics import gain_words

from .players import WIDTH, data_uri, match_level, mp3, picture
from .templates import environment

MOST_SECONDS = 300.0  # of each recording, in the page's players


class Track(NamedTuple):
    """A player: `sound` and `image` are addresses, `file` what can be opened, from the page."""

    title: str
    note: str
    file: str
    seconds: float
    sound: str
    image: str


def render(
    done: Sequence[Mapping[str, Any]],
    folder: Path,
    version: str,
    title: str = "Separated recordings",
    notes: Mapping[str, str] | None = None,
) -> str:
    """The page of what `separation.recordings.separate_file` gave for each recording.

    folder: where the page will lie. notes: a word beside the player of a file, by its name.
    """
    found = [_recording(one, folder, notes or {}) for one in done]
    page = environment().get_template("separation.html.j2")
    return page.render(title=title, version=version, recordings=found, width=WIDTH)


def _recording(one: Mapping[str, Any], folder: Path, notes: Mapping[str, str]) -> dict[str, Any]:
    outputs = [Path(output) for output in one["outputs"]]
    file, channel = _reference(one)
    place = outputs[0].parent.relative_to(folder)  # of a folder of folders
    tracks = [_track(f"Recording, microphone {one['mic']}", file, channel, notes, "")]
    for k, path in enumerate(outputs, 1):
        tracks.append(_track(f"Output {k}", path, 0, notes, (place / path.name).as_posix()))
    figures = one["diagnosis"]
    t60 = "unknown" if figures["t60"] is None else f"roughly {figures['t60']:.1f} s"
    word = figures["quality"]
    facts = [
        ("Quality", word and f"{word}, SI-SDR raised by {gain_words(figures)}"),
        ("Source model", one["model"]),
        ("Update rule", f"{one['rule']}, {one['iterations']} iterations"),
        ("Window", f"{1000 * figures['window']:.0f} ms"),
        ("Recording", f"{one['channels']} channels, {one['fs']} Hz, {one['seconds']:.1f} s"),
        ("Reverberation time T60", t60),
        ("Likeness of the outputs", f"{figures['likeness']:.2f} (0: unlike, 1: the same)"),
        ("Condition number of the filters", f"{figures['condition']:.2g}"),
        ("Time to separate", f"{one['real_time_factor']:.2f} of the recording's length"),
    ]
    cut = MOST_SECONDS if one["seconds"] > MOST_SECONDS else 0
    return {
        "name": (place / Path(one["input"]).name).as_posix(),
        "hints": figures["hints"],
        "facts": [(what, value) for what, value in facts if value],
        "tracks": tracks,
        "cut": cut,
        "top": one["fs"] / 2000,
    }


def _reference(one: Mapping[str, Any]) -> tuple[Path, int]:
    """The file with the reference microphone, and its channel there, from 0."""
    channel = one["mic"] - 1
    for path in (one["input"], *one["joined"]):
        count = soundfile.info(path).channels
        if channel < count:
            return Path(path), channel
        channel -= count
    raise AssertionError(f"{one['input']}: has no channel {one['mic']}")


def _track(title: str, path: Path, channel: int, notes: Mapping[str, str], link: str) -> Track:
    with soundfile.SoundFile(path) as file:
        fs = file.samplerate
        audio = file.read(int(MOST_SECONDS * fs), dtype="float32", always_2d=True)[:, channel]
    sound = match_level(audio.astype(np.float32), fs)
    return Track(
        title,
        notes.get(path.name, ""),
        link,
        len(audio) / fs,
        data_uri(mp3(sound, fs), "audio/mpeg"),
        data_uri(picture(sound, fs), "image/webp"),
    )
