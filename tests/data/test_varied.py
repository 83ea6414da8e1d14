"""Rooms that are less of a shoebox: who is where, what they change, and that they come again."""

import json

import numpy as np
import pytest

from ssml.config.mixtures import SetParams
from ssml.data import rooms, varied
from ssml.data.scenes import Scene, draw
from ssml.data.varied import Walls, recorded
from tests.data.test_scenes import PARAMS, pool

FS, ORDER = 16000, 12


def scene(share, index=0, speakers=3):
    chosen = PARAMS.sets["test2"].model_copy(update={"varied": share, "speakers": speakers})
    scenes = PARAMS.model_copy(update={"sets": {"test2": chosen}})
    return draw("test2", index, scenes, 1, pool(), FS)


@pytest.mark.parametrize("index", range(8))
def test_everybody_is_in_the_room_and_apart(index):
    drawn = scene(1, index, speakers=4)
    mics, speakers, room = map(np.array, (drawn.mics, drawn.speakers, drawn.room))
    inside = np.concatenate([mics, speakers])
    assert (inside > 0).all() and (inside < room).all()
    distance = np.linalg.norm(speakers - mics.mean(0), axis=-1)
    assert distance.min() > varied.NEAR - 0.01 and distance.max() < varied.FAR[1] + 0.01
    assert np.linalg.norm(mics[:, None] - mics[None], axis=-1).max() < 0.55
    assert varied.T60[0] <= drawn.t60 <= varied.T60[1]
    assert Scene.from_json(json.loads(json.dumps(drawn.to_json()))) == drawn


def test_a_share_of_the_rooms_is_varied_and_the_others_stay():
    drawn, plain = ([scene(share, i) for i in range(40)] for share in (0.5, 0))
    assert 10 < sum(one.walls is not None for one in drawn) < 30
    assert all(one == two for one, two in zip(drawn, plain, strict=True) if one.walls is None)
    assert all("walls" not in one.to_json() for one in plain)


def test_the_walls_give_about_the_reverberation_time():
    """Over eight rooms: one room's walls may be far from what Sabine assumes."""
    drawn = [scene(1, i, speakers=2) for i in range(8)]
    ratios = []
    for one in drawn:
        clean = one.walls._replace(floor=0.0, mismatch=0.0)
        response = rooms._varied(one, clean, FS, 40)[:, 0]
        ratios.append(np.mean([rooms.t60(h, FS) for h in response]) / one.t60)
    assert 0.6 < np.median(ratios) < 1.8


def test_the_same_scene_has_the_same_responses():
    drawn = scene(1)
    first, second = (rooms.respond(drawn, PARAMS, ORDER, FS) for _ in range(2))
    assert first.shape[:2] == (3, 3) and np.isfinite(first).all()
    assert np.array_equal(first, second)


def test_a_talker_who_looks_away_is_softer():
    drawn = scene(1)
    towards = np.array(drawn.mics).mean(0) - drawn.speakers[0]
    levels = []
    for sign in (1, -1):
        facing = (tuple(sign * towards / np.linalg.norm(towards)), *drawn.walls.facing[1:])
        walls = drawn.walls._replace(facing=facing, focus=0.5, jitter=0.0)
        responses = rooms._varied(drawn, walls, FS, 0)
        levels.append((responses[0] ** 2).sum())
    assert levels[0] > 10 * levels[1]


def test_microphones_differ_and_a_measurement_has_noise():
    plain = np.zeros((2, 3, 4000))
    plain[..., 100] = 1
    known = Walls((), 0.0, (), 0.0, mismatch=0.03, floor=-60.0, seed=1)
    found = recorded(plain, known)
    gains = np.abs(found[0]).max(-1)
    assert gains.std() > 0.01 and np.allclose(gains, np.abs(found[1]).max(-1), atol=0.02)
    floor = 20 * np.log10(found[..., 1000:].std(-1) / np.abs(found).max(-1))
    np.testing.assert_allclose(floor, -60, atol=1)
    assert np.array_equal(recorded(plain, known._replace(mismatch=0.0, floor=0.0)), plain)


def test_only_simulated_rooms_can_be_varied():
    values = {"split": "test", "speakers": 2, "mixtures": 1, "length": "max", "seconds": [2, 8]}
    with pytest.raises(ValueError, match="varied: only simulated rooms"):
        SetParams.model_validate(values | {"measured": "office", "varied": 0.5})
