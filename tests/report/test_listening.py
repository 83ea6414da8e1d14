"""What is played is chosen by the rule, equally loud, and the same whenever it is made."""

import io

import numpy as np
import pytest
import soundfile

from ssml.report import listening, results
from tests.report import fake_tables as fake

FS = 16000


def noise(seed=0, seconds=3.0):
    return np.random.default_rng(seed).standard_normal(int(seconds * FS))


def test_the_best_the_median_and_the_worst_are_chosen(made):
    found = made[1]
    for test_set in found.sets:
        scores = found.scores["learned-sdr-iss", test_set].values("si_sdr")
        heard = found.transcripts["mixture", test_set].texts
        order = sorted((score for id, score in scores.items() if id in heard), reverse=True)
        chosen = {
            one.why: scores[one.id] for one in listening.choose(found) if one.test_set == test_set
        }
        assert chosen["best"] == order[0] and chosen["worst"] == order[-1]
        assert chosen["median"] == order[(len(order) - 1) // 2]


def test_a_failure_is_the_worst_and_a_mixture_is_chosen_once(tmp_path):
    chosen = fake.settings(mixtures=2)
    fake.write(tmp_path, chosen)

    def fail(rows):
        rows[0]["si_sdr"] = "nan"

    fake.edit(tmp_path / "results/scores/learned-sdr-iss/test2.csv", fail)
    found = listening.choose(results.read(chosen, tmp_path))
    assert [(one.id, one.why) for one in found if one.test_set == "test2"] == [
        ("test2-00001", "best"),
        ("test2-00000", "worst"),
    ]


def test_loudness_of_stationary_noise_is_its_power():
    assert listening.loudness(0.1 * noise(), FS) == pytest.approx(-20, abs=0.1)
    assert listening.loudness(np.zeros(FS), FS) == -np.inf


def test_silence_around_speech_does_not_make_it_louder():
    padded = np.concatenate([np.zeros(4 * FS), 0.1 * noise(), np.zeros(9 * FS)])
    assert listening.loudness(padded, FS) == pytest.approx(-20, abs=0.5)


@pytest.mark.parametrize("gain", [1e-4, 1, 300])
def test_all_levels_become_the_same(gain):
    matched = listening.at_level(gain * noise(), FS)
    assert listening.loudness(matched, FS) == pytest.approx(listening.LEVEL, abs=1e-6)


def test_a_click_does_not_clip_and_silence_stays_silent():
    click = 1e-3 * noise()
    click[100] = 1
    assert np.abs(listening.at_level(click, FS)).max() == pytest.approx(listening.PEAK)
    assert not listening.at_level(np.zeros(100), FS).any()


def test_compressed_audio_is_the_same_bytes_again_and_sounds_the_same():
    t = np.arange(2 * FS) / FS
    audio = 0.1 * np.sin(2 * np.pi * 440 * t)
    coded = listening.mp3(audio, FS)
    assert coded == listening.mp3(audio, FS)
    assert len(coded) < 0.3 * 2 * len(audio)
    decoded, rate = soundfile.read(io.BytesIO(coded))
    assert rate == FS and len(decoded) / FS == pytest.approx(2, abs=0.1)
    spectrum = np.abs(np.fft.rfft(decoded[4000:20000]))
    assert np.argmax(spectrum) == pytest.approx(440, abs=2)
    assert decoded[4000:20000].std() == pytest.approx(audio.std(), rel=0.05)


def test_a_picture_is_deterministic_and_has_the_size_of_the_spectrogram():
    webp = listening.picture(0.05 * noise(), FS)
    assert webp == listening.picture(0.05 * noise(), FS)
    assert webp[:4] == b"RIFF" and webp[8:12] == b"WEBP"
