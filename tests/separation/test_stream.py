"""A stream separates with a stated latency, however it is cut, without clicks, in one order."""

import numpy as np
import pytest

import ssml
from ssml.files.errors import UserError
from ssml.separation.separator import Separator
from ssml.separation.stream import Stream
from tests.conftest import speechlike

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
