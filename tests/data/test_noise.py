"""The noise field is the stated one for any number of microphones and any kind of noise."""

import numpy as np
import pytest
import soundfile
from scipy import signal

from ssml.config.layout import SPLITS, recordings
from ssml.data.noise import at_microphones
from ssml.files.errors import UserError

FS = 16000
SECONDS = 20
MICS = np.array([[0, 0, 0], [0.1, 0, 0], [0, 0.07, 0], [0.05, 0.05, 0.05]])
SPEECH = np.random.default_rng(1).standard_normal(SECONDS * FS)


def record(path, channels=1, seconds=SECONDS, seed=0):
    """Noise that falls with frequency and comes and goes, the same in all channels but for 10 %."""
    random = np.random.default_rng(seed)
    shared, own = random.standard_normal((channels + 1, int(seconds * FS)))[[0]], 0.1
    audio = shared + own * random.standard_normal((channels, shared.shape[1]))
    audio = signal.lfilter([1], [1, -0.9], audio)
    audio *= 1 + 0.5 * np.sin(2 * np.pi * 0.7 * np.arange(audio.shape[1]) / FS)
    soundfile.write(path, 0.05 * audio.T, FS)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Recordings of one, three and four channels for each split."""
    place = tmp_path_factory.mktemp("noise")
    for i, channels in enumerate((1, 1, 1, 3, 3, 3, 4, 4, 4)):
        record(place / f"{i}.wav", channels, seed=i)
    return str(place)


def coherence(field):
    """Frequency in Hz (F,), and the real part of the coherence (M, M, F) of signals (M, N)."""
    frames = np.lib.stride_tricks.sliding_window_view(field, 512, axis=1)[:, ::256]
    spectra = np.fft.rfft(frames * np.hanning(512))
    cross = np.einsum("itf,jtf->ijf", spectra, spectra.conj())
    power = np.einsum("iif->if", cross).real
    return np.fft.rfftfreq(512, 1 / FS), cross.real / np.sqrt(power[:, None] * power)


@pytest.mark.parametrize("kind", ["diffuse", "recorded"])
@pytest.mark.parametrize("M", [2, 3, 4])
def test_noise_has_the_coherence_of_a_spherical_field_for_all_sizes(folder, kind, M):
    kind = folder if kind == "recorded" else kind
    field = at_microphones(kind, "test", MICS[:M], SPEECH, np.random.default_rng(M), FS)
    assert field.shape == (M, len(SPEECH))
    frequency, found = coherence(field)
    distance = np.linalg.norm(MICS[:M, None] - MICS[:M], axis=-1)[..., None]
    error = np.abs(found - np.sinc(2 * frequency * distance / 343))[..., 2:-2]
    assert error.mean(-1).max() < 0.06 and error.max() < 0.3


def test_white_noise_is_independent_at_each_microphone():
    field = at_microphones("white", "test", MICS, SPEECH, np.random.default_rng(0), FS)
    found = coherence(field)[1]
    assert np.abs(found - np.eye(4)[..., None]).max() < 0.15


def test_all_microphones_of_recorded_noise_are_equally_loud(folder):
    field = at_microphones(folder, "test", MICS, SPEECH, np.random.default_rng(0), FS)
    level = 10 * np.log10((field**2).mean(1))
    assert np.ptp(level) < 1


def test_the_spectrum_is_that_of_the_recording(folder):
    field = at_microphones(folder, "test", MICS, SPEECH, np.random.default_rng(0), FS)
    frequency, power = signal.welch(field[3], FS, nperseg=512)
    _, expected = signal.welch(signal.lfilter([1], [1, -0.9], SPEECH), FS, nperseg=512)
    ratio = 10 * np.log10(power / expected)[(frequency > 100) & (frequency < 7900)]
    assert np.std(ratio) < 1


def test_train_dev_and_test_share_no_recording(folder):
    parts = [recordings(folder, split) for split in SPLITS]
    assert [len(part) for part in parts] == [3, 3, 3]
    assert sorted(path for part in parts for path in part) == recordings(folder)


def test_too_few_recordings_are_an_error_that_says_how_many_are_needed(tmp_path):
    for i in range(2):
        record(tmp_path / f"{i}.flac", seconds=4)
    with pytest.raises(UserError, match=r"mix.noise: .* 2 recordings where 3 are needed"):
        at_microphones(str(tmp_path), "train", MICS, SPEECH, np.random.default_rng(0), FS)


def test_a_folder_without_recordings_is_an_error(tmp_path):
    with pytest.raises(UserError, match="mix.noise: .* neither diffuse, white, nor a folder"):
        at_microphones(str(tmp_path), "train", MICS, SPEECH, np.random.default_rng(0), FS)


def test_a_recording_too_short_for_independent_cuts_is_an_error_that_says_how_long(tmp_path):
    for i in range(3):
        record(tmp_path / f"{i}.wav", seconds=2.5)
    given = np.random.default_rng(0), FS
    assert at_microphones(str(tmp_path), "test", MICS[:2], SPEECH, *given).shape == (2, len(SPEECH))
    with pytest.raises(UserError, match=r"2.wav: lasts 2.5 s where 3 s are needed"):
        at_microphones(str(tmp_path), "test", MICS[:3], SPEECH, *given)
