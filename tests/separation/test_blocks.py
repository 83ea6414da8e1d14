"""A blocks gives the same outputs however it is cut, in one order, as many samples as went in."""

import numpy as np
import pytest

from ssml.files.errors import UserError
from ssml.separation.blocks import Blocks, order
from ssml.separation.separator import Separator, separate
from tests.conftest import speechlike


class Shuffled:
    """Gives the channels back, in another order at every block but the first."""

    fs, sources = 100, None

    def __init__(self, seed=0):
        self.random, self.previous, self.lengths = np.random.default_rng(seed), None, []

    def for_mixture(self, mix):
        return self

    def separate_from(self, mix, start, changes):
        if start is not None:  # the filters before, in the order that was found
            np.testing.assert_array_equal(start, [np.eye(len(mix))])
        found = self.random.permutation(len(mix)) if self.lengths else np.arange(len(mix))
        self.lengths.append(mix.shape[1])
        return mix[found], np.eye(len(mix))[None, found]


def streamed(blocks, audio, cuts):
    pieces = np.split(audio, cuts, -1)
    return np.concatenate([*map(blocks.push, pieces), blocks.flush()], -1)


@pytest.mark.parametrize("n", [1, 99, 100, 101, 174, 175, 176, 1000, 12345])
def test_seamless_where_every_block_permutes_its_outputs(n):
    audio = np.random.default_rng(0).standard_normal((3, n)).astype(np.float32)
    separator = Shuffled()
    found = streamed(Blocks(separator, block=1), audio, [n // 3, n // 2])
    np.testing.assert_allclose(found, audio, atol=1e-6)
    assert set(separator.lengths) == {min(n, 100)}
    assert len(separator.lengths) == max(1, -(-(n - 25) // 75))


def test_latency_and_memory_are_a_block():
    blocks = Blocks(Shuffled(), block=1)
    audio = np.random.default_rng(0).standard_normal((2, 1000)).astype(np.float32)
    out = 0
    for i in range(1000):
        out += blocks.push(audio[:, i : i + 1]).shape[1]
        assert i + 1 - out <= blocks.latency
        held = [blocks._last, blocks._tail, *blocks._new]
        assert sum(x.shape[1] for x in held if x is not None) <= 2.25 * blocks.latency
    assert out + blocks.flush().shape[1] == 1000


@pytest.mark.parametrize("cuts", [[], [1, 2, 3], [8000, 8001], list(range(100, 40000, 1111))])
def test_any_cuts_give_the_same_outputs_in_one_order(cuts):
    mix = speechlike(2, seconds=2.5)[0].astype(np.float32)
    separator = Separator(n_fft=256, iterations=5, model="laplace", rule="iss")
    whole = streamed(Blocks(separator, block=1), mix, [])
    found = streamed(Blocks(separator, block=1), mix, cuts)
    assert found.shape == mix.shape
    np.testing.assert_array_equal(found, whole)
    np.testing.assert_allclose(found.sum(0), mix[0], atol=1e-3)
    batch = separate(mix, n_fft=256, iterations=5, model="laplace", rule="iss")
    for start in range(0, 40000, 10000):
        part = slice(start, start + 10000)
        assert list(order(batch[:, part], found[:, part])) == list(order(batch, found))


def test_a_short_one_is_separated_whole():
    mix = speechlike(3, seconds=0.5)[0]
    separator = Separator(n_fft=256, iterations=5, sources=2, model="laplace", rule="iss")
    np.testing.assert_array_equal(streamed(Blocks(separator), mix, [77]), separator(mix))


def test_a_refused_block_begins_a_new_stream():
    mix = speechlike(2, seconds=1)[0]
    separator = Separator(n_fft=256, iterations=2, model="laplace", rule="iss")
    blocks = Blocks(separator, block=0.5)
    with pytest.raises(UserError, match="not finite"):
        blocks.push(np.where(np.arange(16000) == 9000, np.nan, mix))
    expected = streamed(Blocks(separator, block=0.5), mix, [])
    np.testing.assert_array_equal(streamed(blocks, mix, []), expected)


@pytest.mark.parametrize("block", [0, -1, float("nan"), 1e9, 1e-5])
def test_blocks_that_cannot_be(block):
    with pytest.raises(UserError, match="block: .* s is not within"):
        Blocks(Separator(model="laplace", rule="iss", iterations=20), block=block)


def test_what_is_pushed_is_checked():
    blocks = Blocks(Separator(model="laplace", rule="iss", iterations=20), block=1)
    with pytest.raises(UserError, match="nothing was pushed"):
        blocks.flush()
    with pytest.raises(UserError, match="piece: 1-D"):
        blocks.push(np.zeros(3))
    blocks.push(np.zeros((2, 3)))
    with pytest.raises(UserError, match="piece: 3 channels after 2"):
        blocks.push(np.zeros((3, 3)))
