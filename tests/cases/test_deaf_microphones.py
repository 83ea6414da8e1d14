"""Channels that are dead, or 80 dB below the others: left out, and not referred to."""

import json

import numpy as np
import pytest
import soundfile
import torch

import ssml
from tests.cli.shell import read, run
from tests.conftest import speechlike

QUICK = {"model": "gauss", "n_fft": 1024, "iterations": 15, "fs": 16000}
WORDS = ["--model", "gauss", "--n-fft", 1024, "--iterations", 15]


def si_sdr(est, images) -> float:
    return float(ssml.si_sdr(est.astype(np.float64), images)[0].mean())


@pytest.fixture(scope="module")
def three():
    """Two sources at three microphones: mixture (3, N), images, SI-SDR of clean pairs."""
    mix, images = speechlike(2, M=3, seconds=3, noise=1e-4)
    mix = mix.astype(np.float32)
    clean = {}
    for m in range(3):
        rest = [k for k in range(3) if k != m]
        est = ssml.separate(mix[rest], **QUICK)
        clean[m] = si_sdr(est, images[:, rest[0]])
    return mix, images, clean


@pytest.mark.parametrize("level", [0, 1e-4])
@pytest.mark.parametrize("channel", [0, 2])
@pytest.mark.parametrize("sources", [None, 2])
def test_the_library_leaves_it_out(three, channel, level, sources):
    mix, images, clean = three
    x = mix.copy()
    x[channel] *= level
    reference = 1 if channel == 0 else 0
    for given in (x, torch.from_numpy(x)):
        est = np.asarray(ssml.separate(given, sources=sources, **QUICK))
        assert est.shape[0] == (sources or 3) and not est[2:].any()
        assert si_sdr(est[:2], images[:, reference]) > clean[channel] - 0.5


def test_a_stream_goes_on_while_a_channel_is_dead(three):
    mix, images, clean = three
    x = np.concatenate([mix, mix], -1)
    x[0] = 0
    stream = ssml.Blocks(ssml.Separator(**QUICK), block=3)
    est = np.concatenate([stream.push(x), stream.flush()], -1)
    n = mix.shape[-1]
    assert est.shape == x.shape
    assert si_sdr(est[:2, -n:], images[:, 1]) > clean[0] - 3


def test_filters_and_states_leave_it_out_too(three):
    mix = three[0] * [[0], [1], [1]]
    separator = ssml.Separator(**QUICK)
    W = separator.filters(mix)
    assert W.shape == (513, 3, 3) and not W[:, 2].any() and not W[:, :, 0].any()
    *_, last = separator.states(mix)
    np.testing.assert_allclose(last.W, W[:, :2], atol=1e-6)


@pytest.mark.parametrize("level", [0, 1e-4])
@pytest.mark.parametrize("channel", [0, 2])
def test_the_command_leaves_it_out_and_says_so(capsys, three, channel, level):
    mix, images, clean = three
    x = mix.copy()
    x[channel] *= level
    soundfile.write("m.wav", x.T, 16000, subtype="FLOAT")
    code, out, err = run(capsys, "separate", "m.wav", "out", *WORDS)
    reference = 1 if channel == 0 else 0
    assert code == 0 and err == ""
    said = f"without channel {channel + 1}, which is {'silent' if level == 0 else 'weak'}"
    assert said in out and ("as channel 2 hears them" in out) == (channel == 0)
    est = read("out/m-1.wav", "out/m-2.wav")
    assert si_sdr(est, images[:, reference]) > clean[channel] - 0.5
    words = ["separate", "m.wav", "out", *WORDS, "--sources", 2, "--mic", channel + 1]
    (one,) = json.loads(run(capsys, *words, "--force", "--json")[1])["done"]
    assert one["left_out"] == [channel + 1] and len(one["outputs"]) == 2
    assert one["mic"] != channel + 1


def test_a_weak_first_channel_of_two_is_used_and_not_referred_to(capsys):
    mix, images = speechlike(2, seconds=3)
    soundfile.write("m.wav", (mix * [[1e-4], [1]]).T, 16000, subtype="FLOAT")
    (one,) = json.loads(run(capsys, "separate", "m.wav", "out", *WORDS, "--json")[1])["done"]
    assert one["left_out"] == [] and one["mic"] == 2
    clean = ssml.separate(mix, mic=1, **QUICK)
    assert si_sdr(read(*one["outputs"]), images[:, 1]) > si_sdr(clean, images[:, 1]) - 0.5


@pytest.mark.parametrize("channel", [0, 1])
def test_one_channel_that_hears_is_refused(capsys, channel):
    mix = speechlike(2, seconds=1)[0]
    mix[channel] = 0
    soundfile.write("m.wav", mix.T, 16000)
    code, _, err = run(capsys, "separate", "m.wav", "out", *WORDS)
    assert code == 2 and err.count("\n") == 1
    assert f"m.wav: only channel {2 - channel} holds sound" in err
