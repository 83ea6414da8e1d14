"""Every key has a meaning; the type and the value are those of the file."""

import pytest

from ssml.config import explain, params
from ssml.files.errors import UserError
from tests.conftest import ROOT


@pytest.fixture(scope="module")
def loaded():
    return params.load(ROOT / "params.yaml")


@pytest.mark.parametrize(
    "path", [ROOT / "params.yaml", *sorted((ROOT / "presets").glob("*.yaml"))], ids=lambda p: p.stem
)
def test_every_key_has_a_meaning_and_a_type(path):
    """In the presets too: sections that are null here are not there."""
    loaded = params.load(path)
    rows = explain.explain(loaded)
    assert [row.key for row in rows if not row.meaning or row.type == "any"] == []
    assert {row.key.partition(".")[0] for row in rows} == set(type(loaded).model_fields)


@pytest.mark.parametrize(
    "key, value, kind, word",
    [
        ("scenes.t60", "[0.2, 0.6]", "[number > 0, number > 0]", "s"),
        ("seed", "1", "integer >= 0", "noise"),
        (
            "train.variants.learned-sdr.loss",
            '"sdr"',
            "sdr | coherence | module:name",
            "trained for",
        ),
        ("separate.methods.learned-sdr-ip.rule", '"ip"', "iss | iss-6-sweeps | ip | ip2", "rule"),
        ("corpus.librispeech.root", "null", "string or null", "SSML_LIBRISPEECH"),
    ],
)
def test_a_key(loaded, key, value, kind, word):
    (row,) = explain.explain(loaded, key)
    assert (row.value, row.type) == (value, kind) and word in row.meaning


def test_a_section_is_all_its_keys_and_a_wrong_one_names_its_neighbours(loaded):
    assert {row.key for row in explain.explain(loaded, "mix")} == {
        *("mix.shard", "mix.max_order", "mix.noise")
    }
    with pytest.raises(UserError, match="mix.sharb: no such key; there are .*mix.shard"):
        explain.explain(loaded, "mix.sharb")
    with pytest.raises(UserError, match="mixx: no such key; there are .*mix, "):
        explain.explain(loaded, "mixx")


@pytest.mark.parametrize(
    "part, meant",
    [
        ("scenes", ["scenes"]),
        ("t60", ["scenes.t60"]),
        ("glu", []),  # a value, no key
        ("learned-sdr-ip2", ["separate.methods.learned-sdr-ip2"]),
        ("learned-sdr.network", ["train.variants.learned-sdr.network"]),
        ("room_", ["scenes.room_length", "scenes.room_width", "scenes.room_height"]),
        ("t6", ["scenes.t60"]),
    ],
)
def test_a_part_of_a_key_means_the_keys_that_have_it(loaded, part, meant):
    assert explain.candidates(loaded, part) == meant
