"""The sounds of a page are equally loud, and the same whenever they are made."""

import io

import numpy as np
import pytest
import soundfile
from PIL import Image

from ssml.report import players

FS = 16000


def noise(seed=0, seconds=3.0):
    return np.random.default_rng(seed).standard_normal(int(seconds * FS))


def test_loudness_of_stationary_noise_is_its_power():
    assert players.loudness(0.1 * noise(), FS) == pytest.approx(-20, abs=0.1)
    assert players.loudness(np.zeros(FS), FS) == -np.inf


def test_silence_around_speech_does_not_make_it_louder():
    padded = np.concatenate([np.zeros(4 * FS), 0.1 * noise(), np.zeros(9 * FS)])
    assert players.loudness(padded, FS) == pytest.approx(-20, abs=0.5)


@pytest.mark.parametrize("gain", [1e-4, 1, 300])
def test_all_levels_become_the_same(gain):
    matched = players.match_level(gain * noise(), FS)
    assert players.loudness(matched, FS) == pytest.approx(players.LEVEL, abs=1e-6)


def test_a_click_does_not_clip_and_silence_stays_silent():
    click = 1e-3 * noise()
    click[100] = 1
    assert np.abs(players.match_level(click, FS)).max() == pytest.approx(players.PEAK)
    assert not players.match_level(np.zeros(100), FS).any()


def test_compressed_audio_is_the_same_bytes_again_and_sounds_the_same():
    t = np.arange(2 * FS) / FS
    audio = 0.1 * np.sin(2 * np.pi * 440 * t)
    coded = players.mp3(audio, FS)
    assert coded == players.mp3(audio, FS)
    assert len(coded) < 0.3 * 2 * len(audio)
    decoded, rate = soundfile.read(io.BytesIO(coded))
    assert rate == FS and len(decoded) / FS == pytest.approx(2, abs=0.1)
    spectrum = np.abs(np.fft.rfft(decoded[4000:20000]))
    assert np.argmax(spectrum) == pytest.approx(440, abs=2)
    assert decoded[4000:20000].std() == pytest.approx(audio.std(), rel=0.05)


def test_a_picture_is_deterministic_and_has_the_size_of_the_spectrogram():
    webp = players.picture(0.05 * noise(), FS)
    assert webp == players.picture(0.05 * noise(), FS)
    assert Image.open(io.BytesIO(webp)).size == (2 + 3 * FS // 256, 129)


def test_a_tone_is_a_bright_line_at_its_frequency():
    tone = players.match_level(np.sin(2 * np.pi * 2000 * np.arange(FS) / FS), FS)
    grey = np.asarray(Image.open(io.BytesIO(players.picture(tone, FS))).convert("L"), float)
    assert grey[:, 5:-5].mean(1).argmax() == pytest.approx(128 - 2000 / 62.5, abs=1)


def test_lightness_rises_with_the_level():
    colours = players.cubehelix(np.linspace(0, 1, 50)) @ [0.30, 0.59, 0.11]
    assert (np.diff(colours) > 0).all() and colours[0] < 1 and colours[-1] > 254


def test_a_sound_shorter_than_a_frame_has_a_picture():
    assert players.picture(np.ones(3), FS)[8:12] == b"WEBP"
