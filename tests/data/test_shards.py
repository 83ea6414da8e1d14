import json
import tarfile

import numpy as np
import pytest

from ssml.data.shards import ShardReader, StoredMixture, draw_batch, encode_mixture, write_tar
from ssml.files.errors import UserError


def example(i, n=3000):
    random = np.random.default_rng(i)
    audio = random.uniform(-0.5, 0.5, (3, 2, n))
    return StoredMixture(*audio, {"id": f"m-{i}"})


@pytest.fixture
def shards(tmp_path):
    paths = [tmp_path / "0.tar", tmp_path / "1.tar"]
    for p, path in enumerate(paths):
        keys = range(3 * p, 3 * p + 3)
        write_tar(
            path, ((f"m-{i}", encode_mixture(example(i, 2000 + 500 * i), 16000)) for i in keys)
        )
    return paths


def test_what_is_stored_comes_back(shards):
    mixtures = ShardReader(shards, 16000)
    assert [item.info["id"] for item in mixtures] == [f"m-{i}" for i in range(6)]
    for i, item in enumerate(mixtures):
        for found, kept in zip(item[:3], example(i, 2000 + 500 * i)[:3], strict=True):
            np.testing.assert_allclose(found, kept, atol=1 / 32768)


def test_webdataset_reads_the_shards(shards):
    import webdataset

    items = list(webdataset.WebDataset([str(path) for path in shards], shardshuffle=False))
    assert [json.loads(item["json"])["id"] for item in items] == [f"m-{i}" for i in range(6)]
    assert items[0].keys() >= {"mix.flac", "reverberant.flac", "early.flac"}


def test_the_same_items_give_the_same_bytes(shards, tmp_path):
    write_tar(
        tmp_path / "again.tar",
        ((f"m-{i}", encode_mixture(example(i, 2000 + 500 * i), 16000)) for i in range(3)),
    )
    assert (tmp_path / "again.tar").read_bytes() == shards[0].read_bytes()


def test_a_failed_write_leaves_nothing(tmp_path):
    def items():
        yield "a", {"json": b"{}"}
        raise RuntimeError

    with pytest.raises(RuntimeError):
        write_tar(tmp_path / "x.tar", items())
    assert list(tmp_path.iterdir()) == []


def test_an_epoch_has_every_mixture_once(shards):
    mixtures = ShardReader(shards, 16000)
    rows = [draw_batch(mixtures, step, 2, 1000, 0).mix for step in range(3)]
    energies = {round(float((row**2).sum()), 3) for row in np.concatenate(rows)}
    assert len(energies) == 6


def test_a_batch_depends_on_seed_and_step_alone(shards):
    one = draw_batch(ShardReader(shards, 16000), 5, 2, 1500, 3)
    two = draw_batch(ShardReader(shards, 16000), 5, 2, 1500, 3)
    assert np.array_equal(one.mix, two.mix) and np.array_equal(one.ref, two.ref)
    assert not np.array_equal(one.mix, draw_batch(ShardReader(shards, 16000), 5, 2, 1500, 4).mix)


def test_short_mixtures_are_padded(shards):
    batch = draw_batch(ShardReader(shards, 16000), 0, 6, 10000, 0)
    assert batch.mix.shape == (6, 2, 10000) and batch.ref.shape == (6, 2, 10000)
    assert (batch.mix[..., 5000:] == 0).all()


def test_a_truncated_shard_is_an_error_that_names_it(shards):
    data = shards[1].read_bytes()
    shards[1].write_bytes(data[: len(data) // 3])
    with pytest.raises(UserError, match=r"1.tar"):
        list(ShardReader(shards, 16000))


def test_a_missing_member_is_an_error_that_names_it(tmp_path):
    with tarfile.open(tmp_path / "x.tar", "w") as tar:
        tar.addfile(tarfile.TarInfo("m-0.json"))
    with pytest.raises(UserError, match=r"m-0.mix.flac"):
        ShardReader([tmp_path / "x.tar"], 16000)[0]


def test_another_rate_is_an_error(shards):
    with pytest.raises(UserError, match="16000 Hz where 8000 Hz"):
        ShardReader(shards, 8000)[0]


def test_every_source_is_heard_in_every_cut(tmp_path):
    """Also where one source is silent for most of the mixture."""
    whole = example(0, 40000)
    whole.reverberant[1, 6000:] = 0
    write_tar(tmp_path / "x.tar", [("m-0", encode_mixture(whole, 16000))])
    mixtures = ShardReader([tmp_path / "x.tar"], 16000)
    cuts = [draw_batch(mixtures, step, 1, 8000, 0).ref[0] for step in range(40)]
    heard = [int((np.abs(cut[1]) > 0.001).sum()) for cut in cuts]
    assert min(heard) >= 1900 and max(heard) > 4000
