import numpy as np
import pytest
import soundfile

from ssml.config.params import load
from ssml.data.mixing import PEAK
from ssml.data.noise import diffuse
from ssml.data.rooms import responses, simulate
from ssml.data.scenes import Scene
from ssml.files.errors import UserError
from tests.conftest import ROOT

FS = 16000
PARAMS = load(ROOT / "params.yaml").mix
SCENE = Scene(
    id="x",
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


def test_measured_t60_is_near_the_requested_one(mixture):
    assert 0.5 * SCENE.t60 < mixture.t60 < 1.5 * SCENE.t60


def test_anechoic_image_is_the_direct_path(mixture):
    """It arrives after distance / c, and the reverberant response has its peak."""
    for k, position in enumerate(SCENE.speakers):
        delay = np.linalg.norm(np.subtract(position, SCENE.mics[0])) / 343 * FS
        lag = np.argmax(np.correlate(mixture.anechoic[k], DRY[k], "full")) - (FS - 1)
        assert lag == pytest.approx(delay + 40, abs=2)  # 40: half the fractional-delay filter
    full, direct = (responses(SCENE, FS, order)[0][0] for order in (40, 0))
    assert full[direct.argmax()] == pytest.approx(direct.max(), rel=0.15)


def test_the_same_seed_gives_the_same_samples():
    again = [simulate(SCENE, DRY, PARAMS, 1, FS).mix for _ in range(2)]
    assert np.array_equal(*again)
    assert not np.array_equal(again[0], simulate(SCENE, DRY, PARAMS, 2, FS).mix)


def test_diffuse_noise_has_the_coherence_of_a_spherical_field():
    speech = np.random.default_rng(1).standard_normal(20 * FS)
    noise = diffuse(np.array(SCENE.mics), speech, np.random.default_rng(2), FS)
    frames = noise[:, : 20 * FS // 256 * 256].reshape(2, -1, 256) * np.hanning(256)
    spectra = np.fft.rfft(frames)
    cross = (spectra[0] * spectra[1].conj()).mean(0)
    found = (cross / np.sqrt((abs(spectra) ** 2).mean(1).prod(0))).real
    frequency = np.fft.rfftfreq(256, 1 / FS)
    expected = np.sinc(2 * frequency * 0.1 / 343)
    assert np.abs(found - expected)[2:-2].mean() < 0.1


def test_a_folder_of_recordings_is_noise_too(tmp_path):
    recording = 0.1 * np.random.default_rng(3).standard_normal(FS // 2)
    soundfile.write(tmp_path / "hum.flac", recording, FS)
    params = PARAMS.model_copy(update={"noise": str(tmp_path)})
    mixture = simulate(SCENE, DRY, params, 1, FS)
    assert decibels(mixture.images.sum(0)[0], mixture.noise[0]) == pytest.approx(20, abs=1e-6)


def test_a_folder_without_recordings_is_an_error(tmp_path):
    with pytest.raises(UserError, match="mix.noise"):
        simulate(SCENE, DRY, PARAMS.model_copy(update={"noise": str(tmp_path)}), 1, FS)


def test_an_impossible_t60_is_an_error_that_names_the_scene():
    scene = Scene(**(SCENE.to_json() | {"t60": 0.01}))
    with pytest.raises(UserError, match=r"x: no wall absorption gives a T60 of 0.01 s"):
        responses(scene, FS, 10)


def test_a_silent_recording_is_an_error_that_names_it():
    with pytest.raises(UserError, match="b: is silent"):
        simulate(SCENE, DRY * [[1], [0]], PARAMS, 1, FS)
