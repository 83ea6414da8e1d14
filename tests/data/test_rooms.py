import numpy as np
import pytest

from ssml.config.params import load
from ssml.data import mixing, rooms
from ssml.data.mixing import PEAK
from ssml.data.rooms import by_speaker, responses, simulate
from ssml.data.scenes import Scene
from ssml.files.errors import UserError
from tests.conftest import ROOT

FS = 16000
PARAMS = load(ROOT / "params.yaml").mix
SCENE = Scene(
    id="x",
    split="test",
    n_samples=FS,
    room=(6.0, 5.0, 3.0),
    t60=0.3,
    mics=((3.0, 2.5, 1.5), (3.1, 2.5, 1.5)),
    speakers=((2.0, 1.5, 1.6), (4.2, 3.3, 1.7)),
    utterances=("a", "b"),
    cuts=((0, FS), (0, FS)),
    levels=(0.0, -4.0),
    snr=20.0,
)
DRY = np.random.default_rng(0).standard_normal((2, FS))


def decibels(a, b):
    return 10 * np.log10(np.mean(a**2) / np.mean(b**2))


@pytest.fixture(scope="module")
def mixture():
    return simulate(SCENE, DRY, PARAMS, 1, FS)


def test_levels_and_noise_are_those_asked_for(mixture):
    assert decibels(mixture.images[1, 0], mixture.images[0, 0]) == pytest.approx(-4, abs=1e-6)
    assert decibels(mixture.images.sum(0)[0], mixture.noise[0]) == pytest.approx(20, abs=1e-6)


def test_images_and_noise_sum_to_the_mixture_within_full_scale(mixture):
    np.testing.assert_allclose(mixture.mix, mixture.images.sum(0) + mixture.noise)
    assert np.abs(mixture.mix).max() <= PEAK + 1e-9


@pytest.mark.parametrize("t60", [0.15, 0.4, 0.9])
def test_t60_of_a_known_decay(t60):
    time = np.arange(FS) / FS
    noise = np.random.default_rng(0).standard_normal(FS)
    assert rooms.t60(noise * 10 ** (-3 * time / t60), FS) == pytest.approx(t60, rel=0.1)


def test_t60_is_measured_and_not_the_nominal_one(mixture):
    found = [rooms.t60(h, FS) for h in by_speaker(responses(SCENE, FS, PARAMS.max_order))[:, 0]]
    assert mixture.t60 == pytest.approx(np.mean(found), abs=1e-4)
    assert mixture.t60 != SCENE.t60 and 0.5 * SCENE.t60 < mixture.t60 < 1.5 * SCENE.t60


def test_the_early_image_is_the_direct_sound_and_fifty_milliseconds(mixture):
    """The direct sound arrives after distance / c; what comes 50 ms later is left out."""
    for k, position in enumerate(SCENE.speakers):
        delay = np.linalg.norm(np.subtract(position, SCENE.mics[0])) / 343 * FS
        full = responses(SCENE, FS, PARAMS.max_order)[0][k]
        near = mixing.early(full, FS)
        last = np.flatnonzero(near)[-1]
        # 40: half the fractional-delay filter, whose main lobe is some samples wide
        assert last == pytest.approx(delay + 40 + mixing.EARLY * FS, abs=4)
        assert np.array_equal(near[: last + 1], full[: last + 1]) and not near[last + 1 :].any()
        image = np.convolve(DRY[k], near)[:FS]
        gain = (image @ mixture.early[k]) / (image @ image)
        np.testing.assert_allclose(mixture.early[k], gain * image, atol=1e-9)
        reverberant = np.convolve(DRY[k], full)[:FS]
        np.testing.assert_allclose(mixture.reverberant[k], gain * reverberant, atol=1e-9)


def test_the_same_seed_gives_the_same_samples():
    again = [simulate(SCENE, DRY, PARAMS, 1, FS).mix for _ in range(2)]
    assert np.array_equal(*again)
    assert not np.array_equal(again[0], simulate(SCENE, DRY, PARAMS, 2, FS).mix)


def test_an_impossible_t60_is_an_error_that_names_the_scene():
    scene = Scene(**(SCENE.to_json() | {"t60": 0.01}))
    with pytest.raises(UserError, match=r"x: no wall absorption gives a T60 of 0.01 s"):
        responses(scene, FS, 10)


def test_a_silent_recording_is_an_error_that_names_it():
    with pytest.raises(UserError, match="b: is silent"):
        simulate(SCENE, DRY * [[1], [0]], PARAMS, 1, FS)
