"""What each channel of a recording holds, before it is separated: who hears, and who is late."""

from typing import NamedTuple

import numpy as np

from ssml.files.errors import UserError

from . import delays
from .inputs import WEAK
from .reading import Recording


class Survey(NamedTuple):
    """Channels count from 1, as in the files."""

    silent: list[int]  # left out
    weak: list[int]  # left out
    mic: int  # index of the reference among those that are kept
    is_moved: bool  # the reference is not the one that was asked for
    lags: list[delays.Delay | None]  # of those that are kept, against the first


def survey(recording: Recording, sources: int | None, mic: int | None) -> Survey:
    """Read the whole recording; leave out of it the channels that hear nothing.

    sources: as for `Separator`. mic: from 0, as in the file; None: the first that hears. Raises
    `UserError` where fewer than two channels hear.
    """
    total, power = np.zeros(1), np.zeros(1)
    for piece in recording.pieces():
        total = total + piece.sum(-1, dtype=np.float64)
        power = power + np.square(piece, dtype=np.float64).sum(-1)
    mean = total / recording.frames  # a constant is no sound
    levels = np.sqrt(np.maximum(power / recording.frames - mean**2, 0))
    levels[levels < 1e-9 * np.abs(mean)] = 0
    asked = _place(recording, mic)
    loud = levels > WEAK * levels.max()
    heard = loud if loud.sum() >= (sources or 2) else levels > 0
    if not levels.any():
        heard = loud = ~loud
    names = np.array(recording.kept) + 1
    if heard.sum() < 2:
        raise UserError(
            f"only channel {names[heard][0]} holds sound; separation needs at least two, one for "
            "each microphone"
        )
    silent = [int(m) for m in names[~heard & (levels == 0)]]
    weak = [int(m) for m in names[~heard & (levels > 0)]]
    kept = np.flatnonzero(heard)
    recording.kept = [recording.kept[m] for m in kept]
    if asked in kept and (loud[asked] or mic is not None):
        reference = int((kept == asked).argmax())
    else:
        reference = int(loud[kept].argmax())
    moved = bool(kept[reference] != asked)
    return Survey(silent, weak, reference, moved, delays.estimate(recording, reference))


def _place(recording: Recording, mic: int | None) -> int:
    """The place among the recording's channels of `mic`, from 0 as in the file; None: the first."""
    if mic is None:
        return 0
    if mic not in recording.kept:
        listed = ", ".join(str(m + 1) for m in recording.kept)
        count = recording.channels
        which = (
            f"there are {count} channels" if max(recording.kept) < count else f"used are {listed}"
        )
        raise UserError(f"--mic {mic + 1}, but {which}")
    return recording.kept.index(mic)


def late_channels(found: Survey, recording: Recording) -> dict[str, list[list[float]]]:
    """Channels with a delay or a drift that harms: [channel, ms] and [channel, ppm]."""
    seconds, names = recording.seconds, [m + 1 for m in recording.kept]
    known = [(m, lag) for m, lag in zip(names, found.lags, strict=True) if lag is not None]
    return {
        "late_channels": [
            [m, round(1000 * lag.start, 1)] for m, lag in known if abs(lag.start) > delays.LATE
        ],
        "drifting_channels": [
            [m, round(1e6 * lag.drift, 1)] for m, lag in known if lag.drifts(seconds)
        ],
    }


def aligned(late: dict[str, list[list[float]]]) -> list[str]:
    """What is said of the channels whose delays or drifts of `late_channels` were removed."""
    delayed = [
        f"channel {m}, {abs(ms):g} ms {'late' if ms > 0 else 'early'}, is aligned"
        for m, ms in late["late_channels"]
    ]
    drifting = [
        f"channel {m}, whose clock is {ppm:+g} ppm off, is aligned"
        for m, ppm in late["drifting_channels"]
    ]
    return delayed + drifting


def left_out(found: Survey, reference: int) -> list[str]:
    """What is said of the channels that are left out."""
    told = []
    for state, channels in (("silent", found.silent), ("weak", found.weak)):
        many = len(channels) > 1
        listed = ", ".join(map(str, channels))
        which = (
            f"channels {listed}, which are {state}"
            if many
            else f"channel {listed}, which is {state}"
        )
        if channels:
            told.append(f"without {which}")
    return told + ([f"as channel {reference} hears them"] if found.is_moved else [])
