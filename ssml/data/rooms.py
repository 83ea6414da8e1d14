"""Scene -> mixture, in a simulated or a measured room.

The only module that imports pyroomacoustics: its image source method makes responses, and its
Schroeder integration measures T60.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyroomacoustics as pra

from ssml.config.mixtures import MixParams, ScenesParams
from ssml.files.errors import UserError
from ssml.files.provenance import generator

from . import measured, varied
from .corpora import Utterance, load
from .mixing import convolve, early, mix_at, silent
from .noise import at_microphones
from .scenes import Scene
from .shards import StoredMixture
from .varied import Walls

WALLS = ("west", "east", "south", "north", "floor", "ceiling")
pra.constants.set("num_threads", 1)  # the workflow runs as many processes as there are cores


@dataclass(frozen=True)
class Rendered:
    """A scene as audio: `mix = images.sum(0) + noise`."""

    images: np.ndarray  # (K, M, N) reverberant
    noise: np.ndarray  # (M, N)
    early: np.ndarray  # (K, N) direct sound and 50 ms at the reference microphone
    t60: float  # s, measured on the responses to the reference microphone, mean over the speakers

    @property
    def mix(self) -> np.ndarray:
        """What the microphones record, (M, N)."""
        return self.images.sum(0) + self.noise

    @property
    def reverberant(self) -> np.ndarray:
        """The references: images at microphone 0, (K, N)."""
        return self.images[:, 0]


def respond(scene: Scene, params: ScenesParams, max_order: int, fs: int) -> np.ndarray:
    """Responses (K, M, L) of a scene: measured ones, or by the image source method."""
    if scene.walls is not None:
        return varied.recorded(_varied(scene, scene.walls, fs, max_order), scene.walls)
    if scene.measured is None:
        return by_speaker(responses(scene, fs, max_order))
    return measured.responses(scene.measured, params.measured[scene.measured.room], fs)


def responses(scene: Scene, fs: int, max_order: int) -> list[list[np.ndarray]]:
    """Room impulse responses `[microphone][speaker]` of a scene.

    Raises `UserError` where no wall absorption gives the scene's T60 (Sabine).
    """
    if max_order:
        try:
            absorption, order = pra.inverse_sabine(scene.t60, scene.room)
        except ValueError as error:
            raise UserError(
                f"scenes: {scene.id}: no wall absorption gives a T60 of {scene.t60} s in a room of "
                f"{scene.room} m; raise `t60` or shrink the room"
            ) from error
    else:
        absorption, order = 0.5, 0
    room = pra.ShoeBox(
        scene.room, fs=fs, materials=pra.Material(absorption), max_order=min(order, max_order)
    )
    for position in scene.speakers:
        room.add_source(position)
    room.add_microphone_array(np.array(scene.mics).T)
    room.compute_rir()
    return room.rir  # type: ignore[return-value]


def _varied(scene: Scene, walls: Walls, fs: int, max_order: int) -> np.ndarray:
    """Responses (K, M, L) of a room whose walls differ, with talkers who face somewhere."""
    bands = list(varied.OCTAVES)
    materials = {
        wall: pra.Material({"coeffs": list(coefficients), "center_freqs": bands})
        for wall, coefficients in zip(WALLS, walls.absorption, strict=True)
    }
    room = pra.ShoeBox(
        scene.room,
        fs=fs,
        materials=materials,
        max_order=max_order,
        air_absorption=True,
        use_rand_ism=walls.jitter > 0,
        max_rand_disp=walls.jitter,
    )
    for position, facing in zip(scene.speakers, walls.facing, strict=True):
        pattern = pra.directivities.CardioidFamily(np.array(facing), p=1 - walls.focus)
        room.add_source(position, directivity=pattern)
    room.add_microphone_array(np.array(scene.mics).T)
    pra.random.seed(walls.seed)
    room.compute_rir()
    return by_speaker(room.rir)  # type: ignore[arg-type]


def by_speaker(rir: Sequence[Sequence[np.ndarray]]) -> np.ndarray:
    """Responses `[microphone][speaker]` of any lengths as (K, M, L), with zeros at the end."""
    length = max(len(response) for row in rir for response in row)
    padded = [[np.pad(h, (0, length - len(h))) for h in row] for row in rir]
    return np.array(padded).swapaxes(0, 1)


def t60(response: np.ndarray, fs: int) -> float:
    """T60 in s of a response (L,): Schroeder integration, a line from -5 to -35 dB (ISO 3382-1)."""
    return float(pra.experimental.measure_rt60(response, fs, decay_db=30))


def simulate(scene: Scene, dry: np.ndarray, params: MixParams, seed: int, fs: int) -> Rendered:
    """Render a simulated scene from its dry utterances (K, N)."""
    return record(scene, dry, by_speaker(responses(scene, fs, params.max_order)), params, seed, fs)


def record(
    scene: Scene, dry: np.ndarray, response: np.ndarray, params: MixParams, seed: int, fs: int
) -> Rendered:
    """Render a scene from its dry utterances (K, N) and responses (K, M, L).

    Raises `UserError` where an utterance is silent.
    """
    dry = dry.astype(np.float64)
    images = convolve(dry, response)
    near = convolve(dry, early(response[:, :1], fs))[:, 0]
    for k in silent(images):
        raise UserError(
            f"{scene.utterances[k]}: is silent where scene {scene.id} uses it; replace the "
            "recording"
        )
    rng = generator(seed, "noise", scene.id)
    mics = np.array(scene.mics)
    mixed = mix_at(
        images,
        scene.levels,
        scene.snr,
        lambda speech: at_microphones(params.noise, scene.split, mics, speech, rng, fs),
    )
    mean = float(np.mean([t60(h, fs) for h in response[:, 0]]))
    return Rendered(mixed.images, mixed.noise, near * mixed.gains[:, None], round(mean, 4))


def render(
    scene: Scene,
    utterances: Sequence[Utterance],
    root: Path,
    response: np.ndarray,
    params: MixParams,
    seed: int,
    fs: int,
) -> StoredMixture:
    """Record `scene` with the audio of its utterances in the folder `root`, for a shard."""
    dry = np.zeros((len(utterances), scene.n_samples), np.float32)
    for k, (utterance, (start, stop)) in enumerate(zip(utterances, scene.cuts, strict=True)):
        speech = load(utterance, root)[start:stop]
        dry[k, : len(speech)] = speech
    mixture = record(scene, dry, response, params, seed, fs)
    info = scene.to_json() | {
        "fs": fs,
        "t60_measured": mixture.t60,
        "speaker_ids": [utterance.speaker for utterance in utterances],
        "sexes": [utterance.sex for utterance in utterances],
        "transcripts": [utterance.text for utterance in utterances],
    }
    return StoredMixture(mixture.mix, mixture.reverberant, mixture.early, info)
