"""Rooms that are less of a shoebox: what the training draws so as not to learn the simulator.

Walls differ from each other and over frequency, image sources stand a little aside, air absorbs,
talkers face somewhere, arrays are lines, circles and clouds of 3 to 30 cm, microphones differ, and
responses have a noise floor. The ranges are this module's; a set has a share of such rooms, see
`scenes.sets.NAME.varied`.
"""

from typing import NamedTuple

import numpy as np

from ssml.files.errors import UserError

from .geometry import Point, closest, directions, point

LENGTHS, HEIGHTS = (3.0, 10.0), (2.4, 4.0)  # m, of a room
T60 = (0.15, 0.9)  # s
MARGIN = 0.3  # m, from the walls
LISTENING, TALKING = (0.7, 2.0), (1.0, 1.9)  # m, heights of arrays and of mouths
NEAR, FAR, APART = 0.5, (1.5, 4.0), 0.7  # m, of talkers: from the array, at most, from each other
ANGLE = 12.0  # degrees between two talkers, at least
CLOSEST = 0.02  # m, between microphones
OCTAVES = (125, 250, 500, 1000, 2000, 4000, 8000)  # Hz
TRIES = 1000
SHORT = 16  # samples of the filters by which microphones differ


class Walls(NamedTuple):
    """What a room has beside its size and T60."""

    absorption: tuple[tuple[float, ...], ...]  # (6 walls, octaves), of energy
    jitter: float  # m, by which image sources stand aside
    facing: tuple[Point, ...]  # where each talker looks, a direction
    focus: float  # 0: talkers sound the same all round; 0.5: a cardioid
    mismatch: float  # of the microphones' filters; 0: none
    floor: float  # dB, of the responses' noise below their peak; 0: none
    seed: int  # of jitter, mismatch and floor


class Place(NamedTuple):
    """Where everybody is, in m."""

    room: np.ndarray  # (3,)
    mics: np.ndarray  # (K, 3)
    speakers: np.ndarray  # (K, 3)


def place(id: str, K: int, rng: np.random.Generator) -> Place:
    """A room with K microphones and talkers for the scene `id`.

    Raises `UserError` where none fits in `TRIES` drawings.
    """
    for _ in range(TRIES):
        room = np.array([rng.uniform(*LENGTHS), rng.uniform(*LENGTHS), rng.uniform(*HEIGHTS)])
        centre = np.array([rng.uniform(2 * MARGIN, side - 2 * MARGIN) for side in room])
        centre[2] = rng.uniform(*LISTENING)
        mics = centre + _array(K, rng)
        speakers = np.empty((K, 3))
        speakers[:, :2] = rng.uniform(MARGIN, room[:2] - MARGIN, (K, 2))
        speakers[:, 2] = rng.uniform(*TALKING, K)
        ways = speakers - centre
        distance = np.linalg.norm(ways, axis=1)
        ways /= distance[:, None]
        pairs = np.triu_indices(K, 1)
        fits = (
            (np.concatenate([mics, speakers]) > MARGIN / 2).all()
            and (np.concatenate([mics, speakers]) < room - MARGIN / 2).all()
            and distance.min() > NEAR
            and distance.max() < rng.uniform(*FAR)
            and closest(speakers) > APART
            and (ways @ ways.T)[pairs].max() < np.cos(np.radians(ANGLE))
        )
        if fits:
            return Place(room, mics, speakers)
    raise UserError(f"scenes: no varied room for {id} in {TRIES} tries; lower `speakers`")


def _array(K: int, rng: np.random.Generator) -> np.ndarray:
    """K microphones (K, 3) around 0, in any order: a ball, a line, a circle or a cloud."""
    while True:
        kind = rng.choice(["ball", "line", "circle", "cloud"], p=[0.3, 0.35, 0.15, 0.2])
        if kind == "ball":
            mics = rng.uniform(0.03, 0.15) * directions(K, rng)
        elif kind == "line":
            gaps = np.full(K - 1, np.exp(rng.uniform(np.log(0.03), np.log(0.1))))
            if rng.random() < 0.4:
                gaps = rng.uniform(0.03, 0.1, K - 1)
            along = np.concatenate([[0], np.cumsum(gaps)])
            mics = (along - along.mean())[:, None] * directions(1, rng) * [1, 1, 0.2]
        elif kind == "circle":
            angles = rng.uniform(0, 2 * np.pi) + 2 * np.pi * np.arange(K) / K
            circle = np.stack([np.cos(angles), np.sin(angles), 0 * angles], -1)
            mics = rng.uniform(0.02, 0.1) * circle
        else:
            mics = rng.uniform(-0.15, 0.15, (K, 3)) * [1, 1, 0.5]
        if closest(mics) >= CLOSEST:
            return mics[rng.permutation(K)]


def walls(placed: Place, rng: np.random.Generator) -> tuple[float, Walls]:
    """A T60 in s, and walls that give about that (Sabine); walls and bands differ."""
    t60 = round(float(rng.uniform(*T60)), 4)
    room, centre = placed.room, placed.mics.mean(0)
    sides = [room[1] * room[2]] * 2 + [room[0] * room[2]] * 2 + [room[0] * room[1]] * 2
    spread = np.exp(np.cumsum(rng.normal(0, 0.15, len(OCTAVES))))
    wanted = 0.161 * room.prod() / (t60 * spread / spread.mean())  # absorption area of each band
    differ = np.exp(rng.normal(0, rng.choice([0.0, 0.5, 0.9]), 6))
    share = differ / (differ * sides).sum()
    absorption = np.clip(share[:, None] * wanted, 0.01, 0.97)
    facing = []
    for speaker in placed.speakers:
        way = directions(1, rng)[0] * [1, 1, 0.3]
        if rng.random() < 0.7:  # towards the microphones, roughly
            way = centre - speaker + rng.normal(0, 0.5, 3)
        facing.append(point(way / np.linalg.norm(way)))
    return t60, Walls(
        absorption=tuple(tuple(round(float(a), 4) for a in wall) for wall in absorption),
        jitter=float(rng.choice([0.0, 0.05, 0.15, 0.3])),
        facing=tuple(facing),
        focus=round(float(rng.uniform(0, 0.5)), 3),
        mismatch=round(float(rng.uniform(0, 0.04)), 4) if rng.random() < 0.5 else 0.0,
        floor=round(float(rng.uniform(-75, -50)), 1) if rng.random() < 0.4 else 0.0,
        seed=int(rng.integers(2**31)),
    )


def recorded(responses: np.ndarray, known: Walls) -> np.ndarray:
    """Responses (K, M, L) as microphones that differ record them, with the noise of a measurement.

    Gains differ by some 0.8 dB where filters differ.
    """
    rng = np.random.default_rng(known.seed)
    M, L = responses.shape[1:]
    if known.mismatch:
        filters = np.zeros((M, SHORT))
        filters[:, 0] = 1
        filters[:, 1:] = rng.normal(0, known.mismatch, (M, SHORT - 1)) * 0.8 ** np.arange(SHORT - 1)
        filters *= 10 ** (rng.normal(0, 0.8, (M, 1)) / 20)
        spectra = np.fft.rfft(responses, L + SHORT) * np.fft.rfft(filters, L + SHORT)
        responses = np.fft.irfft(spectra, L + SHORT)[..., :L]
    if known.floor:
        peak = np.abs(responses).max(-1, keepdims=True)
        noise = rng.standard_normal(responses.shape)
        responses = responses + peak * 10 ** (known.floor / 20) * noise
    return responses
