"""What the tests share: real speech, finished projects, and mixtures that are quick to make."""

import os
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from filelock import FileLock

from tests import disk

ROOT = Path(__file__).parent.parent
torch.set_num_threads(1)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """The longest first: the whole pipeline, of it what is slow, of that the killing."""

    def rank(item: pytest.Item) -> tuple[bool, bool, bool]:
        whole = item.path.parent.name == "pipeline"
        slow = item.get_closest_marker("slow") is not None
        return not whole, not slow, item.path.stem != "test_killing"

    items.sort(key=rank)


@pytest.fixture(scope="session")
def librispeech() -> Path:
    """A LibriSpeech folder; the test is skipped where there is none."""
    for place in (os.environ.get("SSML_LIBRISPEECH"), ROOT.parent / "shared/data/LibriSpeech"):
        if place and Path(place).is_dir():
            return Path(place)
    pytest.skip("needs LibriSpeech: set SSML_LIBRISPEECH to its folder")


@pytest.fixture(scope="session")
def office() -> Path:
    """A folder of measured responses; the test is skipped where there is none."""
    for place in (os.environ.get("SSML_RESPONSES"), ROOT.parent / "shared/data/responses"):
        if place and Path(place).is_dir():
            return Path(place)
    pytest.skip("needs measured responses: set SSML_RESPONSES to their folder")


@pytest.fixture(scope="session")
def real_mixture(librispeech) -> tuple[np.ndarray, np.ndarray]:
    """Two real speakers in a room: mixture (2, N) and references (2, N) in float64."""
    from ssml.config.params import load
    from ssml.data.rooms import simulate
    from ssml.data.scenes import Scene
    from ssml.files.io import read_audio

    folders = sorted((librispeech / "test-other").iterdir())[:2]
    dry = [read_audio(sorted(folder.rglob("*.flac"))[0])[0][0] for folder in folders]
    n_samples = 16000 * 5
    scene = Scene(
        id="real",
        split="test",
        n_samples=n_samples,
        room=(6.0, 5.0, 3.0),
        t60=0.25,
        mics=((3.0, 2.5, 1.5), (3.08, 2.5, 1.5)),
        speakers=((2.0, 1.5, 1.6), (4.2, 1.8, 1.7)),
        utterances=("a", "b"),
        cuts=((0, n_samples), (0, n_samples)),
        levels=(0.0, 1.0),
        snr=25.0,
    )
    params = load(ROOT / "params.yaml").mix
    mixture = simulate(scene, np.stack([x[:n_samples] for x in dry]), params, 0, 16000)
    return mixture.mix, mixture.reverberant


@pytest.fixture(scope="session")
def shared(tmp_path_factory) -> Path:
    """A folder that all processes of a test run share."""
    place = tmp_path_factory.getbasetemp()
    return place.parent if "PYTEST_XDIST_WORKER" in os.environ else place


def once(place: Path, make: Callable[[Path], object]) -> Path:
    """The folder `place`, made by the first process of the test run that asks for it."""
    with FileLock(f"{place}.lock"):
        done = place.with_suffix(".done")
        if not done.exists():
            shutil.rmtree(place, ignore_errors=True)  # what one that failed has left
            make(place)
            done.touch()
    return place


@pytest.fixture(scope="session")
def separated(librispeech, shared):
    """A folder in which the stages separated and scored real mixtures, and their parameters."""
    from ssml.config.params import load
    from tests import stages

    folder = once(shared / "stages", lambda folder: stages.run(folder, librispeech))
    return folder, load(folder / "params.yaml")


@pytest.fixture(scope="session")
def finished(shared):
    """The tiny project, made once a test run by both drivers; tests look at copies of it."""
    from tests import project

    def make(folder):
        project.checkout(folder).run("dvc", "repro")

    return project.Project(once(shared / "finished", make))


@pytest.fixture(scope="session")
def finished_small(shared):
    """The smaller project that is killed, made once a test run by DVC."""
    from tests import killing, project

    def make(folder):
        killing.small(folder).run("dvc", "repro", "--quiet")

    return project.Project(once(shared / "finished-small", make))


@pytest.fixture
def small_disk(tmp_path):
    """A file system of 64 kB that a test may fill; skipped where none can be mounted."""
    with disk.mounted(tmp_path / "disk", "64k") as mounted:
        if not mounted:
            pytest.skip("needs root, to mount a small disk")
        yield tmp_path / "disk"


def spectrogram(K: int, F: int = 33, T: int = 120, batch: tuple = (), seed: int = 0):
    """Mixtures of K independent sources with speech-like activity, (..., K, F, T) complex128."""
    random = torch.Generator().manual_seed(seed)

    def normal(*shape):
        return torch.randn(*batch, *shape, generator=random, dtype=torch.complex128)

    S = normal(K, F, T) * normal(K, 1, T).abs() ** 2
    return torch.einsum("...fmk,...kft->...mft", normal(F, K, K), S)


def speechlike(
    K: int, M: int | None = None, fs: int = 16000, seconds: float = 1, seed: int = 0, noise=0.0
):
    """K coloured noises that come and go, at M microphones of a short echo, float64.

    The mixture (M, N), peak 0.5, and the sources' images (K, M, N).
    """
    random = np.random.default_rng(seed)
    M, n = M or K, int(fs * seconds)
    dry = (
        random.standard_normal((K, n))
        * random.random((K, n // (fs // 5) + 1)).repeat(fs // 5, -1)[:, :n] ** 3
    )
    images = np.empty((K, M, n))
    for k in range(K):
        dry[k, 1:] += 0.7 * dry[k, :-1]
        for m in range(M):
            echo = random.standard_normal(64) * np.exp(-np.arange(64) / 12)
            images[k, m] = np.convolve(dry[k], echo)[:n]
    mix = images.sum(0)
    gain = 0.5 / np.abs(mix).max()
    return gain * mix + noise * random.standard_normal(mix.shape), gain * images


def noise_shard(path: Path, seconds: float) -> Path:
    """Write four instantaneous mixtures of modulated noise: separable, and quick to train on."""
    from ssml.data.shards import StoredMixture, encode_mixture, write_tar

    random, n = np.random.default_rng(0), int(seconds * 16000)

    def items():
        for i in range(4):
            envelope = np.repeat(random.random((2, 20)) ** 4, n // 20, axis=1)
            images = 0.3 * envelope * random.standard_normal((2, n)).clip(-3, 3)
            mix = np.stack([images.sum(0), images[0] - 0.7 * images[1]])
            yield (
                f"m-{i}",
                encode_mixture(StoredMixture(mix, images, images, {"id": f"m-{i}"}), 16000),
            )

    write_tar(path, items())
    return path


def tiny_model(path, n_fft: int = 256) -> Path:
    """Write a small untrained checkpoint."""
    from ssml.iva import checkpoint

    network = checkpoint.build({"name": "glu", "hidden": 8}, n_fft // 2 + 1)
    stft = {"n_fft": n_fft, "hop": n_fft // 4}
    card = {"network": {"name": "glu", "hidden": 8}, "stft": stft}
    checkpoint.save(path, network.state_dict(), card)
    return Path(path)
