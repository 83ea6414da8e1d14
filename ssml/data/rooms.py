"""Scene -> mixture by the image source method: the only module that imports pyroomacoustics."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyroomacoustics as pra

from ssml.config.sections import MixParams
from ssml.files.errors import UserError
from ssml.files.provenance import generator

from .corpora import Utterance, load
from .mixing import convolve, mix_at, silent
from .scenes import Scene
from .shards import StoredMixture

pra.constants.set("num_threads", 1)  # the workflow runs as many processes as there are cores


@dataclass(frozen=True)
class SimulatedMixture:
    """A scene as audio: `mix = images.sum(0) + noise`."""

    images: np.ndarray  # (K, M, N) reverberant
    noise: np.ndarray  # (M, N)
    anechoic: np.ndarray  # (K, N) direct path at the reference microphone
    t60: float  # s, measured on the responses

    @property
    def mix(self) -> np.ndarray:
        """What the microphones record, (M, N)."""
        return self.images.sum(0) + self.noise

    @property
    def reverberant(self) -> np.ndarray:
        """The references: images at microphone 0, (K, N)."""
        return self.images[:, 0]


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


def by_speaker(rir: Sequence[Sequence[np.ndarray]]) -> np.ndarray:
    """Responses `[microphone][speaker]` of any lengths as (K, M, L), with zeros at the end."""
    length = max(len(response) for row in rir for response in row)
    padded = [[np.pad(h, (0, length - len(h))) for h in row] for row in rir]
    return np.array(padded).swapaxes(0, 1)


def simulate(
    scene: Scene, dry: np.ndarray, params: MixParams, seed: int, fs: int
) -> SimulatedMixture:
    """Render a scene from its dry utterances (K, N)."""
    rir = responses(scene, fs, params.max_order)
    dry = dry.astype(np.float64)
    images = convolve(dry, by_speaker(rir))
    anechoic = convolve(dry, by_speaker(responses(scene, fs, 0)[:1]))[:, 0]
    for k in silent(images):
        raise UserError(
            f"{scene.utterances[k]}: is silent where scene {scene.id} uses it; replace the "
            "recording"
        )
    rng = generator(seed, "noise", scene.id)
    mics = np.array(scene.mics)
    mixed = mix_at(images, scene.levels, scene.snr, params.noise, mics, rng, fs)
    t60 = float(np.mean([pra.experimental.measure_rt60(h, fs, decay_db=30) for h in rir[0]]))
    return SimulatedMixture(
        mixed.images, mixed.noise, anechoic * mixed.gains[:, None], round(t60, 4)
    )


def render(
    scene: Scene,
    utterances: Sequence[Utterance],
    root: Path,
    params: MixParams,
    seed: int,
    fs: int,
) -> StoredMixture:
    """Simulate `scene` with the audio of its utterances in the folder `root`, for a shard."""
    dry = np.zeros((len(utterances), scene.n_samples), np.float32)
    for k, (utterance, (start, stop)) in enumerate(zip(utterances, scene.cuts, strict=True)):
        speech = load(utterance, root)[start:stop]
        dry[k, : len(speech)] = speech
    mixture = simulate(scene, dry, params, seed, fs)
    info = scene.to_json() | {
        "fs": fs,
        "t60_measured": mixture.t60,
        "speaker_ids": [utterance.speaker for utterance in utterances],
        "sexes": [utterance.sex for utterance in utterances],
        "transcripts": [utterance.text for utterance in utterances],
    }
    return StoredMixture(mixture.mix, mixture.reverberant, mixture.anechoic, info)
