from typing import get_args

import pytest
import yaml

from ssml.config import names, params, sections
from ssml.config.uses import check_watched, uses
from ssml.data.corpora import CORPORA
from ssml.evaluation.asr import ASR
from ssml.files.errors import UserError
from ssml.iva.demixing import DELAY
from ssml.iva.losses import LOSSES
from ssml.iva.models import CLASSICAL, NETWORKS
from ssml.iva.updates import UPDATES
from tests.conftest import ROOT

FILES = [ROOT / "params.yaml", *sorted((ROOT / "presets").glob("*.yaml"))]


@pytest.fixture
def values():
    return yaml.safe_load((ROOT / "params.yaml").read_text())


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.name)
def test_every_preset_is_whole(path):
    assert params.load(path).separate.methods


def test_names_are_those_of_the_dicts():
    assert set(get_args(names.RuleName)) == set(UPDATES)
    assert set(get_args(names.LossName)) == set(LOSSES)
    assert set(get_args(names.ClassicalName)) == set(CLASSICAL)
    assert set(get_args(names.NetworkName)) == set(NETWORKS)
    assert set(get_args(names.CorpusName)) == set(CORPORA)
    assert set(get_args(names.RecogniserName)) == set(ASR)
    for section in (sections.MethodParams, sections.VariantParams):
        assert section.model_fields["delay"].default == DELAY


def broken(values, key, value):
    *parents, last = key.split(".")
    section = values
    for parent in parents:
        section = section[parent]
    if value is KeyError:
        del section[last]
    else:
        section[last] = value
    return values


@pytest.mark.parametrize(
    "key, value, words",
    [
        ("mix.shards", 3, "mix.shards: unknown key"),
        ("mix.shard", KeyError, "mix.shard: missing"),
        ("mix.shard", "many", "mix.shard: .*integer"),
        ("mix.shard", 0, "mix.shard: .*greater"),
        ("scenes.t60", [0.6, 0.2], "scenes: t60: low 0.6 is above high 0.2"),
        ("scenes.t60", [0.6], "scenes.t60.1"),
        ("train.variants.learned-sdr.lr", "fast", "train.variants.learned-sdr.lr"),
        ("train.variants.learned-sdr.loss", "mse", "train.variants.learned-sdr.loss: .*sdr"),
        ("train.variants.learned-sdr.start", "x", "start: no 'x' among first, learned, learned-c"),
        ("train.variants.learned-sdr.start", "learned-sdr", "'learned-sdr' leads back to it"),
        ("train.train", "trian", "train.train: no 'trian' among dev, test2"),
        ("separate.sets", ["test9"], "separate.sets: no 'test9'"),
        ("separate.methods.laplace-iss.model", "laplas", "no 'laplas' among .*laplace"),
        ("separate.methods.laplace-iss.rule", "isss", "rule: .*'iss'"),
        ("separate.methods.mixture", {"model": "laplace", "rule": "iss", "iterations": 1}, "taken"),
        ("report.classical", "x", "report.classical: no 'x'"),
        ("separate.methods.laplace-iss.sets", ["test9"], "iss.sets: no 'test9' among test2"),
        ("separate.methods.laplace-iss.sets", [], "laplace-iss.sets: .*at least 1"),
        ("separate.methods.laplace-iss-100.sets", ["test2"], "classical, on all sets: no 'laplace"),
        ("separate.methods.learned-sdr-ip.sets", ["test3"], "rules, of those tested on test2"),
        ("separate.methods.gauss-ip2-100.sets", ["test3"], "methods, of those tested on test2"),
        ("seed", None, "seed"),
        ("scenes.t60", [-1, 0.6], "scenes.t60.0: .*greater than 0"),
        ("separate.sets", [], "separate.sets: .*at least 1"),
        ("separate.sets", ["test2", "test2"], "separate.sets: a set stands there twice"),
        ("separate.stft", {"n_fft": 512, "hop": 500}, "separate.stft: hop: 500 is above half"),
        (
            "train.variants.learned-sdr.network",
            {"name": "glo"},
            "network: name: no 'glo' among glu",
        ),
        ("corpus.source", "tapes", "corpus.source: no 'tapes' among .*own one is module:name"),
        ("corpus.options", {"a": 1}, "corpus.options: only of an own corpus; remove them"),
        ("corpus.source", "no:tapes", "corpus.source: no no.py or no/__init__.py in /"),
        ("train.variants.learned-sdr.loss", "no:l", "train.variants.learned-sdr.loss: no no.py"),
        ("train.variants.learned-sdr.network", {"name": "no:N"}, "sdr.network.name: no no.py"),
        ("separate.methods.laplace-iss.model", "no:m", "methods.laplace-iss.model: no no.py"),
        (
            "separate.methods.laplace-iss.network",
            "glu",
            "iss.network: is module:Class, of a model at a path",
        ),
        ("train.dev", ["dev", "dve"], "train.dev: no 'dve' among dev, test2"),
        ("train.dev", [], "train.dev"),
        (
            "train.redraw.talkers",
            [2, 3],
            "train.redraw.talkers: 3 are more than the 2 speakers of 'train'; raise ",
        ),
        ("scenes.sets.dev.varied", 1.5, "scenes.sets.dev.varied: .*less than or equal to 1"),
        ("train.devices", 3, "train.devices: 3 cannot share variant 'first's batch of 2"),
        ("score.reference", "dry", "score.reference: .*'reverberant' or 'early'"),
        (
            "separate.methods.learned-sdr-iss.stft",
            {"n_fft": 512, "hop": 128},
            "learned-sdr-iss.stft: a learned model brings its own; remove it",
        ),
    ],
)
def test_a_wrong_key_is_named_in_one_line(values, key, value, words):
    with pytest.raises(UserError, match=words) as error:
        params.parse(broken(values, key, value), "params.yaml")
    assert "\n" not in str(error.value)
    assert str(error.value).startswith("params.yaml: ")


def test_past_frames_and_the_early_reference_leave_other_digests_as_they_are(values):
    def digested(values):
        found = params.parse(values)
        parts = found.separate.methods["laplace-iss"], found.train.variants["learned-sdr"]
        return [one.model_dump(mode="json", exclude=one.idle) for one in (*parts, found.score)]

    before = digested(values)
    assert not {"taps", "delay", "reference"} & {key for one in before for key in one}
    values["separate"]["methods"]["laplace-iss"] |= {"taps": 3, "delay": 4}
    values["train"]["variants"]["learned-sdr"] |= {"taps": 1, "reference": "early"}
    values["score"]["reference"] = "early"
    method, variant, score = digested(values)
    assert method == before[0] | {"taps": 3, "delay": 4}
    assert variant == before[1] | {"taps": 1, "delay": 2, "reference": "early"}
    assert score == before[2] | {"reference": "early"}


def test_peers_have_no_past_frames_of_ours(values):
    peer = {"model": "peer:ssspy-laplace", "rule": "ip", "iterations": 5, "taps": 2}
    values["separate"]["methods"]["peer"] = peer
    with pytest.raises(UserError, match="separate.methods.peer.taps: not of a peer model"):
        params.parse(values)


def test_a_variant_cannot_have_the_name_of_a_model_that_is_not_trained(values):
    values["train"]["variants"]["laplace"] = values["train"]["variants"]["learned-sdr"]
    with pytest.raises(UserError, match="train.variants.laplace: the name is taken"):
        params.parse(values)


def test_redrawn_mixtures_depend_on_their_own_set_alone(values):
    values["train"]["redraw"] = None
    assert params.parse(values).drawn == []
    values["train"]["redraw"] = {"level": [-5, 5], "snr": [10, 30], "speed": [1, 1], "tone": 0}
    before = params.parse(values).drawn
    values["scenes"]["sets"]["test2"]["mixtures"] += 1
    values["mix"]["shard"] += 1
    values["mix"]["max_order"] += 1  # of the stored rooms
    assert params.parse(values).drawn == before
    values["mix"]["noise"] = "white"
    assert params.parse(values).drawn != before


@pytest.mark.parametrize(
    "text, words",
    [
        ("a: [", r"not valid YAML \(line 1: "),
        ("a: 1\nb: {c: 1}\na: 2", r"line 3: the key a stands twice; remove one"),
        ("b:\n  c: 1\n  c: 1", r"line 3: the key c stands twice"),
        ("- 1", "must hold sections"),
    ],
)
def test_a_file_that_is_no_params_is_an_error(tmp_path, text, words):
    (tmp_path / "p.yaml").write_text(text)
    with pytest.raises(UserError, match=words):
        params.load(tmp_path / "p.yaml")


def test_what_is_merged_may_be_overridden(tmp_path):
    text = (ROOT / "params.yaml").read_text()
    (tmp_path / "p.yaml").write_text(text)
    variants = params.load(tmp_path / "p.yaml").train.variants
    assert "<<: *learned" in text and variants["learned-sdr"].steps != variants["first"].steps


def test_a_missing_file_is_an_error(tmp_path):
    with pytest.raises(UserError, match=r"p.yaml: cannot be read"):
        params.load(tmp_path / "p.yaml")


@pytest.fixture
def mine(tmp_path, monkeypatch, values):
    """Parameters with own code, and a file of it that must not be run to check them."""
    (tmp_path / "mine.py").write_text("raise SystemExit\n\nPowers = cost = cauchy = tapes = 1\n")
    monkeypatch.chdir(tmp_path)
    variant = values["train"]["variants"]["learned-sdr"]
    values["train"]["variants"]["mine"] = variant | {
        "network": {"name": "mine:Powers", "start": 0.3},
        "loss": "mine:cost",
    }
    methods, run = values["separate"]["methods"], {"rule": "ip", "iterations": 5}
    methods["mine"] = run | {"model": "mine"}
    methods["cauchy"] = run | {"model": "mine:cauchy", "stft": {"n_fft": 512, "hop": 128}}
    methods["given"] = run | {"model": "models/given.safetensors", "network": "mine:Powers"}
    values["corpus"] |= {"source": "mine:tapes", "options": {"root": "tapes"}}
    return params.parse(values)


def test_own_code_is_named_and_not_run(mine):
    assert mine.own == {
        "corpus.source": "mine:tapes",
        "train.variants.mine.network.name": "mine:Powers",
        "train.variants.mine.loss": "mine:cost",
        "separate.methods.cauchy.model": "mine:cauchy",
        "separate.methods.given.network": "mine:Powers",
    }


def test_a_job_uses_what_its_own_parameters_name(mine):
    assert uses(mine, "corpus") == {"CORPORA": ["mine:tapes"]}
    trained = uses(mine, "train", "mine")
    assert trained["NETWORKS"] == ["mine:Powers"] and trained["LOSSES"] == ["mine:cost"]
    assert "mine:Powers" not in uses(mine, "train", "learned-sdr")["NETWORKS"]
    assert {"mine:cost", "sdr"} <= {*uses(mine, "train")["LOSSES"]}
    rule = {"UPDATES": ["ip"], "PEERS": []}
    assert uses(mine, "separate", "mine") == rule | {"NETWORKS": ["mine:Powers"], "CLASSICAL": []}
    assert uses(mine, "separate", "given") == uses(mine, "separate", "mine")
    assert uses(mine, "separate", "cauchy") == rule | {"NETWORKS": [], "CLASSICAL": ["mine:cauchy"]}
    assert uses(mine, "score") == {}


def test_the_network_of_a_model_at_a_path_is_that_of_its_card(mine, tmp_path):
    given = mine.separate.methods["given"].model_copy(update={"network": None})
    mine.separate.methods["given"] = given
    assert "NETWORKS" not in uses(mine, "separate", "given")  # no card: it may be any
    (tmp_path / "models").mkdir()
    (tmp_path / "models/given.json").write_text('{"network": {"name": "gru"}}')
    assert uses(mine, "separate", "given")["NETWORKS"] == ["gru"]


def test_dvc_must_watch_the_files_that_its_stage_runs(mine, tmp_path):
    path = tmp_path / "dvc.yaml"
    path.write_text("stages: {train: {deps: [ssml]}, evaluate: {deps: [mine.py]}}")
    check_watched(mine, "evaluate")
    with pytest.raises(UserError, match="does not name mine.py; add it to the deps of 'train'"):
        check_watched(mine, "train")


def test_sections_are_stages(values):
    stages = {path.stem for path in (ROOT / "pipeline").glob("*.py")} - {
        "__init__",
        "arguments",
        "moved",  # the environment of a folder that was
        "outdated",  # results of other versions than are installed
        "planned",
        "publish",  # tables of finished runs into the documents
        "listen",  # a second page of the section `report`
        "respond",  # what `train.redraw` wants of `mix`
        "ship",
        "verify",  # of results that are there
    }
    assert set(values) - {"seed", "fs"} == stages
