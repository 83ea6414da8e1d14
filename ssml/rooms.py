"""Scene -> Mixture by the image-source model: the only module that imports pyroomacoustics."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyroomacoustics as pra
from scipy.fft import next_fast_len
from scipy.signal import fftconvolve

from .corpora import Utterance, load
from .dataset import Example
from .errors import UserError
from .io import read_audio
from .params import MixParams
from .provenance import generator
from .scenes import Scene

PEAK = 0.9  # of full scale, of the loudest sample of a mixture and its references
SPEED_OF_SOUND = 343.0  # m / s

pra.constants.set("num_threads", 1)  # the workflow runs as many processes as there are cores


@dataclass(frozen=True)
class Mixture:
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
                f"scenes: {scene.id}: no walls give a T60 of {scene.t60} s in a room of "
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


def simulate(scene: Scene, dry: np.ndarray, params: MixParams, seed: int, fs: int) -> Mixture:
    """Render a scene from its dry utterances (K, N)."""
    rir = responses(scene, fs, params.max_order)
    direct = responses(scene, fs, 0)
    N, M = scene.n_samples, len(scene.mics)
    images = np.stack([[_filter(dry[k], rir[m][k], N) for m in range(M)] for k in range(len(dry))])
    anechoic = np.stack([_filter(dry[k], direct[0][k], N) for k in range(len(dry))])

    energy = np.mean(images[:, 0] ** 2, axis=-1)
    if (energy <= 0).any():
        silent = scene.utterances[int(energy.argmin())]
        raise UserError(
            f"{silent}: is silent where scene {scene.id} uses it; replace the recording"
        )
    gains = np.sqrt(energy[0] / energy) * 10 ** (np.array(scene.levels) / 20)
    images *= gains[:, None, None]
    anechoic *= gains[:, None]

    noise = _noise(params.noise, scene, images, generator(seed, "noise", scene.id), fs)
    wanted = np.mean(images.sum(0)[0] ** 2) * 10 ** (-scene.snr / 10)
    noise *= np.sqrt(wanted / max(np.mean(noise[0] ** 2), 1e-30))

    peak = max(np.abs(images.sum(0) + noise).max(), np.abs(images[:, 0]).max())
    scale = PEAK / peak
    t60 = float(np.mean([pra.experimental.measure_rt60(h, fs, decay_db=30) for h in rir[0]]))
    return Mixture(images * scale, noise * scale, anechoic * scale, round(t60, 4))


def render(
    scene: Scene,
    utterances: Sequence[Utterance],
    root: Path,
    params: MixParams,
    seed: int,
    fs: int,
) -> Example:
    """Simulate `scene` with its utterances' audio below `root`, as what a shard stores."""
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
    return Example(mixture.mix, mixture.reverberant, mixture.anechoic, info)


def _filter(dry: np.ndarray, rir: np.ndarray, N: int) -> np.ndarray:
    return fftconvolve(dry.astype(np.float64), rir)[:N]


def _noise(
    kind: str, scene: Scene, images: np.ndarray, rng: np.random.Generator, fs: int
) -> np.ndarray:
    """Noise at the microphones, (M, N), of any level."""
    M, N = images.shape[1:]
    if kind == "white":
        return rng.standard_normal((M, N))
    if kind == "diffuse":
        return _diffuse(scene, images[:, 0].sum(0), rng, fs)
    files = sorted(Path(kind).glob("*.flac")) + sorted(Path(kind).glob("*.wav"))
    if not files:
        raise UserError(
            f"mix.noise: '{kind}' is neither diffuse, white, nor a folder of recordings"
        )
    # a recording with enough channels is a field; a mono one is spread as independent cuts
    audio, _ = read_audio(files[rng.integers(len(files))], fs)
    repeats = int(np.ceil(2 * N / audio.shape[1]))
    audio = np.tile(audio, repeats).astype(np.float64)
    starts = np.full(M, rng.integers(audio.shape[1] - N)) if len(audio) >= M else None
    if starts is None:
        starts, audio = rng.integers(audio.shape[1] - N, size=M), np.repeat(audio[:1], M, axis=0)
    return np.stack([audio[m, start : start + N] for m, start in enumerate(starts)])


def _diffuse(scene: Scene, speech: np.ndarray, rng: np.random.Generator, fs: int) -> np.ndarray:
    """Spherically isotropic noise with the long-term spectrum of `speech`, (M, N).

    Independent noises are mixed in each bin so that microphones at distance d have the coherence
    `sinc(2 f d / c)` of that field (Habets et al. 2008).
    """
    n_fft = int(next_fast_len(len(speech), real=True))  # type: ignore[arg-type]
    frequency = np.fft.rfftfreq(n_fft, 1 / fs)
    mics = np.array(scene.mics)
    distance = np.linalg.norm(mics[:, None] - mics[None], axis=-1)
    coherence = np.sinc(2 * frequency[:, None, None] * distance / SPEED_OF_SOUND)
    # at 0 Hz all microphones hear the same: singular but for this
    mixing = np.linalg.cholesky(coherence + 1e-6 * np.eye(len(mics)))
    shape = (len(frequency), len(mics), 1)
    white = rng.standard_normal(shape) + 1j * rng.standard_normal(shape)
    field = (mixing @ white)[..., 0].T * _smooth_spectrum(speech, n_fft)
    return np.fft.irfft(field, n_fft)[:, : len(speech)]


def _smooth_spectrum(speech: np.ndarray, n_fft: int) -> np.ndarray:
    """Long-term magnitude spectrum of `speech`, interpolated to the bins of `n_fft`."""
    frame = 512
    frames = speech[: len(speech) // frame * frame].reshape(-1, frame) * np.hanning(frame)
    magnitude = np.sqrt(np.mean(np.abs(np.fft.rfft(frames)) ** 2, axis=0))
    return np.interp(np.fft.rfftfreq(n_fft), np.fft.rfftfreq(frame), magnitude)
