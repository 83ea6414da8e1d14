"""What is said of recordings that cannot be separated well: the likeliest cause, with a command."""

import json
import re

import numpy as np
import pytest
import soundfile

from ssml.separation.hints import MOST
from tests.cli.shell import run
from tests.conftest import speechlike

WORDS = ["--model", "gauss", "--n-fft", 1024, "--iterations", 20]

AGAIN = r"; ssml separate m\.wav out( --[\w-]+ \w+)* --force "  # with the options given


def hinted(capsys, mix, *more):
    soundfile.write("m.wav", mix.T, 16000, subtype="FLOAT")
    words = ["separate", "m.wav", "out", "--force", "--json", *WORDS, *more]
    (one,) = json.loads(run(capsys, *words)[1])["done"]
    assert len(one["diagnosis"]["hints"]) <= MOST
    return one["diagnosis"]["hints"]


def noise(shape):
    return np.random.default_rng(1).standard_normal(shape)


@pytest.mark.parametrize(
    "change, said",
    [
        (lambda x: -x, "channels are opposite (1 = -2)"),
        (lambda x: 0.5 * x + 5e-3 * x.std() * noise(x.shape), "channels are nearly equal (1 ~ 2)"),
        (lambda x: x, "channels are identical (1 = 2)"),
    ],
)
def test_channels_that_hold_one_signal(capsys, change, said):
    x = speechlike(2, seconds=4)[0][0]
    first, *_ = hinted(capsys, np.stack([x, change(x)]))
    assert said in first and "cannot be separated" in first


def test_one_talker(capsys):
    hints = hinted(capsys, speechlike(1, 2, seconds=6, noise=1e-4)[0])
    assert any("perhaps only one talks" in hint for hint in hints)


def test_fewer_talkers_than_microphones_name_sources(capsys):
    mix = speechlike(2, 4, seconds=6, noise=1e-4)[0]
    first, *_ = hinted(capsys, mix)
    assert re.search(AGAIN + "--sources 2$", first)
    given = ["--format", "flac", "--device", "cpu", "--mic", 2, "--page"]
    first, *_ = hinted(capsys, mix, *given)
    for option in ("--format flac", "--device cpu", "--mic 2", "--page", "--model gauss"):
        assert first.count(f" {option} ") == 1


def test_few_frames_for_a_microphone(capsys):
    assert "give 5 s or more" in hinted(capsys, speechlike(2, seconds=0.3)[0])[0]
    hints = hinted(capsys, speechlike(2, 8, seconds=3, noise=1e-3)[0])
    assert "3.0 s are little for 8 outputs" in hints[0]
    assert re.search(AGAIN + "--sources 2$", hints[0])


def test_the_clock_comes_before_what_follows_from_it(capsys):
    mix = speechlike(2, seconds=6)[0]
    mix[1] = np.roll(mix[1], 16000 // 10)
    assert re.search(r"late or early \(channel 2 by (99|100)", hinted(capsys, mix)[0])


def test_silence_is_named(capsys):
    assert hinted(capsys, np.zeros((2, 6 * 16000))) == ["the recording is silent"]


def test_an_option_is_replaced_and_not_given_twice(capsys):
    mix = speechlike(3, seconds=6, noise=1e-4)[0]
    hints = hinted(capsys, mix, "--iterations", 1)
    (again,) = [hint for hint in hints if hint.endswith("--iterations 100")]
    assert again.count("--iterations") == 1
