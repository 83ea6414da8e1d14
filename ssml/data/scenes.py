"""Utterances and parameters -> scenes: who speaks where, in which room. Numbers only.

A room is drawn, or sources and microphones of a measured one. The ranges are those of
`create_wsj1_2345_db`: see `params.yaml`, section `scenes`. Each scene has its own random generator,
so it depends neither on other scenes nor on their order.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from ssml.config.mixtures import MeasuredParams, ScenesParams, SetParams
from ssml.files.errors import UserError
from ssml.files.io import read_lines
from ssml.files.provenance import generator

from . import measured, varied
from .corpora import Utterance
from .geometry import Point, closest, directions, point
from .measured import Placement
from .varied import Walls

WALL = 0.2  # m, least distance of speakers and microphones from the walls
SIDES = ("room_length", "room_width", "room_height")


@dataclass(frozen=True)
class Scene:
    """The numbers that a mixture is made from; lengths in m, times in s, levels in dB.

    A measured room has `measured` in place of a size, a T60 and positions of speakers.
    """

    id: str
    split: str  # train, dev or test
    n_samples: int
    room: Point | None
    t60: float | None  # nominal: what the simulation is asked for
    mics: tuple[Point, ...]  # M of them, the first is the reference; relative in a measured room
    speakers: tuple[Point, ...]  # K positions, or none
    utterances: tuple[str, ...]
    cuts: tuple[tuple[int, int], ...]  # first sample used of each utterance, and the one after
    levels: tuple[float, ...]  # against the first speaker, on the reverberant images
    snr: float
    measured: Placement | None = None
    walls: Walls | None = None  # of a simulated room that is less of a shoebox

    def to_json(self) -> dict[str, Any]:
        fields = asdict(self) | {"measured": self.measured and self.measured._asdict()}
        del fields["walls"]
        return fields | ({"walls": self.walls._asdict()} if self.walls else {})

    @staticmethod
    def from_json(values: Mapping[str, Any]) -> "Scene":
        nested = ("mics", "speakers", "cuts")
        fields = _tuples(values)
        fields |= {k: tuple(tuple(inner) for inner in fields[k]) for k in nested}
        if fields.get("measured") is not None:
            fields["measured"] = Placement(**_tuples(fields["measured"]))
        if fields.get("walls") is not None:
            walls = _tuples(fields["walls"])
            walls |= {k: tuple(map(tuple, walls[k])) for k in ("absorption", "facing")}
            fields["walls"] = Walls(**walls)
        return Scene(**fields)


def _tuples(values: Mapping[str, Any]) -> dict[str, Any]:
    return {k: tuple(v) if isinstance(v, list) else v for k, v in values.items()}


def read(path: Path | str) -> list[Scene]:
    """The scenes of a shard; raises `UserError` where the file holds something else."""
    try:
        return [Scene.from_json(line) for line in read_lines(path)]
    except (AttributeError, KeyError, TypeError) as error:
        message = f"{path}: holds a line that is no scene ({error!r}); delete it and run again"
        raise UserError(message) from error


def measured_in(name: str, room: MeasuredParams, path: Path) -> str:
    """A digest of the responses of the measured room `name`, wherever they lie.

    Without their folder, it is that of the scenes in `path`; '' without those, too.
    """
    folder = measured.folder(room)
    if folder is not None and folder.is_dir():
        return measured.survey(name, room).sha256
    drawn = read(path) if path.exists() else []
    return drawn[0].measured.sha256 if drawn and drawn[0].measured else ""


def shard_ids(set_params: SetParams, shard: int, shard_size: int) -> range:
    """The indices of the mixtures in shard number `shard`."""
    start = shard * shard_size
    return range(start, min(start + shard_size, set_params.mixtures))


def draw(
    name: str, index: int, params: ScenesParams, seed: int, utterances: Sequence[Utterance], fs: int
) -> Scene:
    """Draw scene number `index` of the set `name`.

    Raises `UserError` if the split has too few speakers with fitting utterances, or if no room
    satisfies the constraints within `params.tries` (it names the one that failed most), or where a
    measured room cannot be read or is too small.
    """
    chosen = params.sets[name]
    id = f"{name}-{index:06d}"
    rng = generator(seed, "scene", id)
    picks = pick(pool(name, chosen, utterances, fs), chosen.speakers, rng)
    n_samples, cuts = cut(chosen, picks, fs, rng)
    if chosen.measured:
        known = params.measured[chosen.measured]
        placed, mics = measured.place(chosen.measured, known, chosen.speakers, rng)
        where: dict[str, Any] = {"room": None, "speakers": (), "measured": placed}
    elif (other := generator(seed, "varied", id)).random() < chosen.varied:
        room, mics, speakers = placed = varied.place(id, chosen.speakers, other)
        t60, walls = varied.walls(placed, other)
        where = {"room": point(room), "speakers": tuple(map(point, speakers))}
        where |= {"t60": t60, "walls": walls}
    else:
        room, mics, speakers = _place(params, chosen.speakers, rng, id)
        where = {"room": point(room), "speakers": tuple(map(point, speakers))}
    levels = (0.0, *rng.uniform(*params.level, chosen.speakers - 1))
    nominal = None if chosen.measured else round(rng.uniform(*params.t60), 4)
    return Scene(
        id=id,
        split=chosen.split,
        n_samples=n_samples,
        mics=tuple(map(point, mics)),
        **{"t60": nominal, **where},
        utterances=tuple(pick.utterance for pick in picks),
        cuts=cuts,
        levels=tuple(round(float(level), 3) for level in levels),
        snr=round(rng.uniform(*params.snr), 3),
    )


def pool(
    name: str, chosen: SetParams, utterances: Iterable[Utterance], fs: int
) -> dict[str, list[Utterance]]:
    """Utterances that fit the set `name`, by speaker.

    Raises `UserError` if there are too few such speakers.
    """
    low, high = chosen.seconds[0] * fs, chosen.seconds[1] * fs
    found: dict[str, list[Utterance]] = {}
    for utterance in utterances:
        fits = utterance.samples >= low and (chosen.length != "max" or utterance.samples <= high)
        if utterance.split == chosen.split and fits:
            found.setdefault(utterance.speaker, []).append(utterance)
    if len(found) < chosen.speakers:
        raise UserError(
            f"scenes.sets.{name}: {len(found)} speakers of split '{chosen.split}' have utterances "
            f"of {list(chosen.seconds)} s, {chosen.speakers} are needed; widen `seconds` or add "
            "speakers"
        )
    return dict(sorted(found.items()))


def pick(
    pool: Mapping[str, Sequence[Utterance]], K: int, rng: np.random.Generator
) -> list[Utterance]:
    """One utterance of each of K distinct speakers."""
    speakers = rng.choice(list(pool), K, replace=False)
    return [pool[speaker][int(rng.integers(len(pool[speaker])))] for speaker in speakers]


def cut(
    chosen: SetParams, picks: Sequence[Utterance], fs: int, rng: np.random.Generator
) -> tuple[int, tuple[tuple[int, int], ...]]:
    """Length of the mixture in samples, and of each utterance the first sample used and the end."""
    lengths = [pick.samples for pick in picks]
    if chosen.length == "max":
        return max(lengths), tuple((0, length) for length in lengths)
    low, high = (int(seconds * fs) for seconds in chosen.seconds)
    if chosen.length == "min":
        used = [min(*lengths, high)] * len(picks)
    else:
        used = [int(rng.integers(low, min(length, high) + 1)) for length in lengths]
    starts = [int(rng.integers(n - m + 1)) for n, m in zip(lengths, used, strict=True)]
    return max(used), tuple((start, start + m) for start, m in zip(starts, used, strict=True))


def _place(
    params: ScenesParams, K: int, rng: np.random.Generator, id: str
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Room (3,), microphones (K, 3) and speakers (K, 3), in m, that satisfy all constraints."""
    failures: dict[str, int] = {}
    for _ in range(params.tries):
        room = np.array([rng.uniform(*getattr(params, key)) for key in SIDES])
        centre = room / 2
        centre[:2] += rng.uniform(-params.array_jitter, params.array_jitter, 2)
        centre[2] = rng.uniform(*params.array_height)
        mics = centre + rng.uniform(*params.array_radius) * directions(K, rng)
        speakers = np.empty((K, 3))
        half = params.speaker_square / 2
        speakers[:, :2] = room[:2] / 2 + rng.uniform(-half, half, (K, 2))
        speakers[:, 2] = rng.uniform(*params.speaker_height, K)
        failed = _violated(params, room, centre, mics, speakers)
        if failed is None:
            return room, mics, speakers
        failures[failed] = failures.get(failed, 0) + 1
    worst = max(failures, key=lambda key: failures[key])
    raise UserError(
        f"scenes: no placement for {id} in {params.tries} tries; `{worst}` failed most; relax it"
    )


def _violated(
    params: ScenesParams,
    room: np.ndarray,
    centre: np.ndarray,
    mics: np.ndarray,
    speakers: np.ndarray,
) -> str | None:
    """The key of the first constraint that does not hold, or None."""
    points = np.concatenate([mics, speakers])
    outside = np.maximum(WALL - points, points - (room - WALL)).max(0)  # of each pair of walls, m
    if outside.max() > 0:
        return SIDES[int(outside.argmax())]
    if closest(mics) < params.mic_spacing:
        return "mic_spacing"
    if np.linalg.norm(speakers - centre, axis=1).min() < params.speaker_array:
        return "speaker_array"
    if closest(speakers) < params.speaker_spacing:
        return "speaker_spacing"
    return None
