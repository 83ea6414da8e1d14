from dataclasses import replace

import numpy as np
import pytest

from ssml.config.params import load
from ssml.data.corpora import Utterance
from ssml.data.scenes import Scene, draw, shard_ids
from ssml.files.errors import UserError
from tests.conftest import ROOT

PARAMS = load(ROOT / "params.yaml").scenes
SETS = sorted(PARAMS.sets)


def pool(speakers=6, split="test", samples=48000):
    return [
        Utterance(split, f"s{s}", "F", f"s{s}-{i}", f"s{s}/{i}.flac", samples + 100 * i, "", "A")
        for s in range(speakers)
        for i in range(4)
    ]


@pytest.mark.parametrize("index", range(20))
def test_every_constraint_holds(index):
    scene = draw("test4", index, PARAMS, 1, pool(), 16000)
    mics, speakers, room = map(np.array, (scene.mics, scene.speakers, scene.room))

    def closest(points):
        gaps = np.linalg.norm(points[:, None] - points[None], axis=-1)
        return gaps[np.triu_indices(len(points), 1)].min()

    assert closest(mics) >= PARAMS.mic_spacing - 1e-3
    assert closest(speakers) >= PARAMS.speaker_spacing - 1e-3
    assert (speakers > 0).all() and (speakers < room).all()
    assert PARAMS.t60[0] <= scene.t60 <= PARAMS.t60[1]
    assert all(PARAMS.level[0] <= level <= PARAMS.level[1] for level in scene.levels[1:])
    assert len({name.split("-")[0] for name in scene.utterances}) == 4
    assert scene.n_samples == max(48000 + 100 * int(u.split("-")[1]) for u in scene.utterances)


def test_a_scene_does_not_depend_on_the_others():
    alone = draw("test2", 7, PARAMS, 1, pool(), 16000)
    others = [draw("test2", i, PARAMS, 1, list(reversed(pool())), 16000) for i in (9, 3, 7)]
    assert alone.id == others[-1].id and alone.room == others[-1].room
    assert alone != draw("test2", 7, PARAMS, 2, pool(), 16000)


def test_min_cuts_to_the_shortest():
    sets = {
        "train": PARAMS.sets["train"].model_copy(
            update={"split": "test", "length": "min", "seconds": (2, 6)}
        )
    }
    params = PARAMS.model_copy(update={"sets": sets})
    scene = draw("train", 0, params, 1, pool(), 16000)
    lengths = [48000 + 100 * int(name.split("-")[1]) for name in scene.utterances]
    assert scene.n_samples == min(lengths)
    for (start, stop), length in zip(scene.cuts, lengths, strict=True):
        assert start >= 0 and stop == start + scene.n_samples <= length


def test_random_takes_a_part_of_each():
    sets = {"train": PARAMS.sets["test2"].model_copy(update={"length": "random"})}
    params = PARAMS.model_copy(update={"sets": sets})
    scenes = [draw("train", i, params, 1, pool(), 16000) for i in range(40)]
    parts = np.array([[stop - start for start, stop in scene.cuts] for scene in scenes])
    assert [scene.n_samples for scene in scenes] == parts.max(-1).tolist()
    assert (parts >= 2 * 16000).all() and (np.abs(np.diff(parts)) > 16000 / 4).mean() > 0.5
    for scene in scenes:
        for name, (start, stop) in zip(scene.utterances, scene.cuts, strict=True):
            assert 0 <= start < stop <= 48000 + 100 * int(name.split("-")[1])


def test_json_gives_the_scene_back():
    scene = draw("test3", 0, PARAMS, 1, pool(), 16000)
    assert Scene.from_json(scene.to_json()) == scene


def test_shards_partition_the_set():
    chosen = PARAMS.sets["test2"].model_copy(update={"mixtures": 23})
    found = [i for shard in range(5) for i in shard_ids(chosen, shard, 5)]
    assert found == list(range(23))


def test_too_few_speakers_is_an_error_that_counts_them():
    with pytest.raises(UserError, match=r"scenes.sets.test4: 3 speakers .* 4 are needed"):
        draw("test4", 0, PARAMS, 1, pool(3), 16000)


@pytest.mark.parametrize("side", ["room_length", "room_width", "room_height"])
def test_an_impossible_wall_is_named(side):
    params = PARAMS.model_copy(update={side: (0.9, 1.0), "tries": 20})
    with pytest.raises(UserError, match=f"`{side}` failed most"):
        draw("test2", 0, params, 1, pool(), 16000)


def test_an_impossible_room_names_the_constraint():
    params = PARAMS.model_copy(update={"speaker_spacing": 50.0, "tries": 10})
    with pytest.raises(UserError, match="speaker_spacing"):
        draw("test2", 0, params, 1, pool(), 16000)


def test_scenes_are_frozen():
    scene = draw("test2", 0, PARAMS, 1, pool(), 16000)
    assert replace(scene, snr=1.0) != scene
