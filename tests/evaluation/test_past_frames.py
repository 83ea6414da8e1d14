"""Methods with past frames, and the image that outputs are compared with."""

import numpy as np
import pytest
import torch
import yaml

from ssml.config import params
from ssml.data.shards import ShardReader
from ssml.evaluation import methods, outcomes
from ssml.iva import auxiva
from ssml.iva.models import CLASSICAL
from ssml.iva.stft import Stft
from tests.conftest import ROOT, noise_shard, speechlike

STFT = {"n_fft": 256, "hop": 64}


def build(**method):
    values = yaml.safe_load((ROOT / "params.yaml").read_text())
    values["separate"]["methods"]["past"] = {"rule": "iss", "iterations": 4, "stft": STFT, **method}
    return methods.build(params.parse(values), "past")


@pytest.fixture
def pair():
    mix, images = speechlike(2)
    return torch.from_numpy(mix), torch.from_numpy(images[:, 0])


def test_a_method_has_its_past_frames(pair):
    found = methods.separate(build(model="laplace", taps=2, delay=3), *pair)
    loop = auxiva.separate(pair[0], CLASSICAL["laplace"](), "iss", 4, Stft(256, 64), 0, 2, 3)
    order = [0, 1] if torch.allclose(found.est[0], loop[0], atol=1e-9) else [1, 0]
    torch.testing.assert_close(found.est, loop[order])


def test_the_bound_rises_with_past_frames(pair):
    scores = []
    for taps in (0, 1, 3):
        method = build(model="least-squares", taps=taps)
        scores.append(np.mean(methods.separate(method, *pair).curve[1]))
    assert scores[0] < scores[1] < scores[2]


@pytest.mark.parametrize("name", ["reverberant", "early"])
def test_a_mixture_has_both_references(tmp_path, name):
    (example, *_) = ShardReader([noise_shard(tmp_path / "0000.tar", 0.5)], 16000)
    example = example._replace(early=0.5 * example.early)
    np.testing.assert_array_equal(example.reference(name), getattr(example, name))


@pytest.mark.slow
def test_outcomes_are_compared_with_the_reference_that_is_named(separated, monkeypatch):
    folder, known = separated
    monkeypatch.chdir(folder)
    score = known.score.model_copy(update={"reference": "early"})
    for chosen, key in ((known, None), (known.model_copy(update={"score": score}), "early")):
        for one in outcomes.outcomes(chosen, "reference", "test2"):
            assert np.array_equal(one.ref, one.early) == (key == "early")
            np.testing.assert_array_equal(one.est, one.ref)
