"""Trainings with several seeds: what is done once for each, and what the report makes of it."""

import numpy as np
import pytest
import yaml

from ssml.config.params import load, parse
from ssml.files.errors import UserError
from ssml.report import compare, results
from tests.conftest import ROOT
from tests.report import fake_tables as fake


def values():
    return yaml.safe_load((ROOT / "presets/excerpt.yaml").read_text())


def test_one_seed_leaves_all_names():
    found = load(ROOT / "presets/excerpt.yaml")
    assert list(found.train.variants) == list(values()["train"]["variants"])
    assert {variant.seed for variant in found.train.variants.values()} == {1}


def test_each_seed_trains_every_variant_and_is_tested_by_each_of_its_methods():
    given = values()
    given["train"]["seeds"] = [1, 2, 7]
    given["transcribe"]["methods"] = ["laplace-iss", "learned-sdr-iss"]
    found = parse(given)
    variants = found.train.variants
    assert len(variants) == 3 * len(given["train"]["variants"])
    assert variants["learned-sdr-seed-7"].seed == 7
    assert variants["learned-sdr-seed-7"].start == "second-sdr-seed-7"
    assert variants["learned-sdr"].start == "second-sdr"
    method = found.separate.methods["learned-sdr-iss-seed-2"]
    assert (method.model, method.repeats) == ("learned-sdr-seed-2", "learned-sdr-iss")
    assert "laplace-iss-seed-2" not in found.separate.methods
    assert found.transcribe.methods == [
        *("laplace-iss", "learned-sdr-iss", "learned-sdr-iss-seed-2", "learned-sdr-iss-seed-7")
    ]


@pytest.mark.parametrize("seeds", [[], [1, 1], ["x"], 3, [-1]])
def test_seeds_that_are_none_are_an_error(seeds):
    given = values()
    given["train"]["seeds"] = seeds
    with pytest.raises(UserError, match=r"train\.seeds"):
        parse(given)


def test_a_method_is_the_mean_of_its_trainings_and_varies_with_them(tmp_path):
    given = yaml.safe_load((ROOT / "params.yaml").read_text())
    given["train"]["seeds"] = [1, 2, 3]
    chosen = parse(given)
    means = {"learned-sdr": 4.0, "learned-sdr-seed-2": 6.0, "learned-sdr-seed-3": 8.0}
    fake.write(tmp_path, chosen, si_sdr=fake.SI_SDR | means)
    found = results.read(chosen, tmp_path)
    name = chosen.report.learned_sdr
    assert found.trainings(name) == [name, f"{name}-seed-2", f"{name}-seed-3"]
    assert f"{name}-seed-2" not in found.methods
    three = compare.mean(found, "si_sdr", "test2", name)
    each = [found.scores[one, "test2"].columns["si_sdr"] for one in found.trainings(name)]
    assert three.mean == pytest.approx(np.mean(each))
    assert three.high - three.low > 2 * 2.5  # t of two degrees, on a spread of 2 dB
    assert compare.counts(found, "test2", name) and len(compare.counts(found, "test2", name)) == 3
