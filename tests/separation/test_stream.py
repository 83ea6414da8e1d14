"""A stream separates with a stated latency, however it is cut, without clicks, in one order."""

import numpy as np
import pytest

import ssml
from ssml.files.errors import UserError
from ssml.separation.separator import Separator
from ssml.separation.stream import Stream
from tests.conftest import speechlike, tiny_model

QUICK = {"n_fft": 256, "model": "laplace", "rule": "ip2", "fs": 16000}


def streamed(stream, audio, cuts=()):
    pieces = np.split(audio, cuts, -1)
    return np.concatenate([*map(stream.push, pieces), stream.flush()], -1)


@pytest.fixture(scope="module")
def mixture():
    """Two sources for 8 s: mixture and images at the first microphone, float32."""
    mix, images = speechlike(2, seconds=8)
    return mix.astype(np.float32), images[:, 0]


@pytest.fixture(scope="module")
def separated(mixture):
    return streamed(Stream(Separator(**QUICK), 0.1), mixture[0])


def test_it_comes_near_the_batch(mixture, separated):
    mix, images = mixture
    half = slice(4 * 16000, None)
    batch = ssml.si_sdr(Separator(**QUICK)(mix)[:, half].astype(float), images[:, half])[0]
    found = ssml.si_sdr(separated[:, half].astype(float), images[:, half])[0]
    assert batch.mean() > 10 and (found > batch - 1.5).all()


@pytest.mark.parametrize("cuts", [[1, 2, 3], [8000, 8001], list(range(100, 120000, 1111))])
def test_any_cuts_give_the_same_outputs(mixture, separated, cuts):
    found = streamed(Stream(Separator(**QUICK), 0.1), mixture[0], cuts)
    np.testing.assert_array_equal(found, separated)


@pytest.mark.parametrize("latency", [0.03, 0.1])
@pytest.mark.parametrize("fs", [16000, 44100])
def test_no_sample_is_later_than_stated(latency, fs, tmp_path):
    model = tiny_model(tmp_path / "m.safetensors")  # of 16 kHz
    latency += 0 if fs == 16000 else 0.1  # the resamplers' own
    stream, pushed, given = Stream(Separator(model, fs=fs), latency), 0, 0
    assert stream.latency <= latency * fs
    audio = np.random.default_rng(0).standard_normal((2, fs // 2)).astype(np.float32)
    for start in range(0, fs // 2, 37):
        piece = audio[:, start : start + 37]
        pushed, given = pushed + piece.shape[1], given + stream.push(piece).shape[1]
        assert pushed - given <= stream.latency
    assert given > 0 and given + stream.flush().shape[1] == fs // 2


def test_nothing_clicks_and_all_adds_up(mixture, separated):
    """Outputs add up to the microphone; none has more above 6 kHz, where steps would be heard."""
    mix = mixture[0]
    np.testing.assert_allclose(separated.sum(0), mix[0], atol=1e-5)
    for est in separated:
        frames = np.abs(np.fft.rfft(np.stack([est, mix[0]]).reshape(2, -1, 320), axis=-1))
        high = np.square(frames[..., 120:]).sum(-1)
        assert (high[0] < 4 * high[1].max()).all()


def test_levels_do_not_matter(mixture, separated):
    """Also where the level falls by 40 dB on the way, with float32 of any size."""
    mix = mixture[0]
    small = streamed(Stream(Separator(**QUICK), 0.1), mix * np.float32(2.0**-60))
    np.testing.assert_allclose(small * 2.0**60, separated, atol=1e-4)
    gain = np.where(np.arange(mix.shape[1]) < 64000, 1, 0.01).astype(np.float32)
    found = streamed(Stream(Separator(**QUICK), 0.1), mix * gain)
    last = slice(7 * 16000, None)
    images = mixture[1][:, last]
    before, after = (ssml.si_sdr(x[:, last].astype(float), images)[0] for x in (separated, found))
    assert (after > before - 1).all()


def test_silence_changes_nothing(mixture):
    """Filters and the order of outputs are kept across 5 s of digital silence."""
    mix, images = mixture
    pause = np.zeros((2, 5 * 16000), np.float32)
    found = streamed(Stream(Separator(**QUICK), 0.1), np.concatenate([mix, pause, mix], -1))
    again = slice(13 * 16000, 14 * 16000)
    est = found[:, again].astype(float)
    values, order = ssml.si_sdr(est, images[:, :16000])
    assert values.min() > 10
    assert list(order) == list(
        ssml.si_sdr(found[:, 64000:128000].astype(float), images[:, 64000:])[1]
    )
    assert not found[:, 8 * 16000 + 512 : 12 * 16000].any()


def test_fewer_sources_than_microphones_and_a_dead_one():
    mix, images = speechlike(2, M=4, seconds=8)
    mix = mix.astype(np.float32)
    last = slice(4 * 16000, None)
    found = streamed(Stream(Separator(**QUICK, sources=2), 0.1), mix)
    assert ssml.si_sdr(found[:, last].astype(float), images[:, 0, last])[0].min() > 10
    mix = mix[:3] * np.float32([[0], [1], [1]])
    found = streamed(Stream(Separator(**QUICK), 0.1), mix)
    assert found.shape == mix.shape and not found[2, last].any()
    assert ssml.si_sdr(found[:2, last].astype(float), images[:, 1, last])[0].min() > 10


def test_it_follows_sources_that_change_places():
    """Another mixture of the same sources from 8 s on: 4 s later it is separated as well."""
    one, two = (speechlike(2, seconds=8, seed=seed) for seed in (0, 1))
    mix = np.concatenate([one[0], two[0]], -1).astype(np.float32)
    found = streamed(Stream(Separator(**QUICK), 0.1), mix)
    last = slice(12 * 16000, None)
    values = ssml.si_sdr(found[:, last].astype(float), two[1][:, 0, last.start - 128000 :])[0]
    assert values.min() > 8


def test_short_ones_are_the_microphone():
    mix = speechlike(2, seconds=0.3)[0]
    found = streamed(Stream(Separator(**QUICK), 0.1), mix, [5])
    np.testing.assert_allclose(found[0], mix[0], atol=1e-6)
    assert found.shape == mix.shape and np.abs(found[1]).max() < 1e-6


def test_what_cannot_be_is_refused():
    separator = Separator(**QUICK)
    with pytest.raises(UserError, match=r"latency: 0.01 s is below 0.016 s"):
        Stream(separator, 0.01)
    with pytest.raises(UserError, match="forget: nan s"):
        Stream(separator, forget=float("nan"))
    with pytest.raises(UserError, match="give a Separator"):
        Stream("gauss")  # type: ignore[arg-type]
    stream = Stream(separator, 0.1)
    with pytest.raises(UserError, match="nothing was pushed"):
        stream.flush()
    with pytest.raises(UserError, match="piece: 1-D"):
        stream.push(np.zeros(3))
    with pytest.raises(UserError, match="1 channel"):
        stream.push(np.zeros((1, 3)))
    stream.push(np.zeros((2, 3)))
    with pytest.raises(UserError, match="piece: 3 channels after 2"):
        stream.push(np.zeros((3, 3)))
    with pytest.raises(UserError, match="not finite"):
        stream.push(np.full((2, 3), np.nan))
    assert stream.push(np.zeros((3, 3))).shape == (3, 0)  # a new stream


def test_a_model_with_a_memory_is_refused(mixture):
    separator = Separator("nmf", n_fft=256, fs=16000)
    with pytest.raises(UserError, match="has a memory between iterations"):
        streamed(Stream(separator, 0.1), mixture[0])
