"""From a trained model to one that the package brings: half the size, found by its bare name."""

import json
import shutil
import sys
from dataclasses import fields
from pathlib import Path

import numpy as np
import pytest
import torch

from pipeline import ship
from ssml import pretrained
from ssml.cli import main
from ssml.config import layout, params
from ssml.data import corpora
from ssml.data.corpora import Utterance
from ssml.files.errors import UserError
from ssml.files.io import read_table, write_table
from ssml.iva import checkpoint
from ssml.iva.losses import pit, si_sdr_matrix
from ssml.separation.separator import Separator, separate
from tests.conftest import ROOT, speechlike

ROW = {"set": "test2", "n_src": "2", "rule": "iss", "iterations": "20", "mixtures": "20"}
ROW |= {"si_sdr": "3.5", "si_sdr_low": "2.96", "si_sdr_high": "4.01"}
ROW |= {"wer": "0.314", "wer_low": "0.2", "wer_high": "0.55"}


@pytest.fixture
def trained(tmp_path, monkeypatch):
    """A working folder with a trained model, its manifest and results; nothing shipped yet."""
    monkeypatch.chdir(tmp_path)
    chosen = params.load(ROOT / "tests/report/params.yaml")
    torch.manual_seed(0)
    network = checkpoint.build({"name": "glu", "hidden": 8}, 129)
    with torch.no_grad():
        for value in network.parameters():
            value.add_(0.02 * torch.randn_like(value))
    card = {"network": {"name": "glu", "hidden": 8}, "stft": {"n_fft": 256, "hop": 64}}
    card |= {"steps": 250, "batch": 4, "seconds": 3.6, "seed": 1, "rule": "iss"}
    card |= {"iterations": [8, 12]}
    checkpoint.save(layout.model("learned-sdr"), network.state_dict(), card)
    values = {field.name: "x" for field in fields(Utterance)}
    values |= {"samples": 16000, "sha256": "0" * 64, "sex": "F", "split": "train"}
    corpora.write_manifest(
        layout.MANIFEST,
        [Utterance(**{**values, "speaker": str(i % 3), "utterance": str(i)}) for i in range(5)],
    )
    rows = [ROW | {"method": name} for name in ("learned-sdr-iss", "laplace-iss")]
    write_table(layout.SUMMARY, rows, list(rows[0]))
    monkeypatch.setattr(pretrained, "FOLDER", tmp_path / "shipped")
    return chosen


def test_a_shipped_model_is_found_by_name_and_says_the_same(trained, capsys):
    with pytest.raises(UserError, match="no 'learned-sdr' among laplace, gauss, nmf; or"):
        Separator("learned-sdr", rule="iss", iterations=20, fs=16000)
    path = ship.ship(trained, "learned-sdr", pretrained.FOLDER)
    assert path.stat().st_size < 0.6 * layout.model("learned-sdr").stat().st_size
    values = checkpoint.load(path).network.state_dict().values()
    assert {value.dtype for value in values} == {torch.float32}
    mix = speechlike(2, seconds=2)[0]
    expected = separate(mix, model=layout.model("learned-sdr"), iterations=5, rule="iss", fs=16000)
    np.testing.assert_allclose(
        separate(mix, model="learned-sdr", iterations=5, rule="iss", fs=16000), expected, atol=1e-3
    )
    layout.model("learned-sdr").unlink()
    assert main.main(["models"]) == 0
    line = "learned-sdr          glu, STFT 256/64, 50 iterations of iss-6-sweeps, shipped"
    assert line in capsys.readouterr().out
    with pytest.raises(UserError, match="no 'learned' among laplace, gauss, nmf, learned-sdr; or"):
        Separator("learned", rule="iss", iterations=20, fs=16000)


def test_the_card_tells_data_budget_and_limits(trained):
    card = json.loads(
        ship.ship(trained, "learned-sdr", pretrained.FOLDER).with_suffix(".json").read_text()
    )
    assert card["speakers"] == 3 and card["utterances"] == 5 and card["corpus"] == "synthetic"
    assert card["seed"] == 1 and card["budget"] == "250 steps, 1.0 h of mixtures seen"
    assert card["command"] == "snakemake --cores 1 models/learned-sdr.safetensors"
    assert card["fs"] == 16000 and card["separate"] == ship.SEPARATE
    separator = Separator("learned-sdr", fs=16000)
    assert {"rule": separator.rule, "iterations": separator.iterations} == ship.SEPARATE
    limits = " ".join(card["limits"])
    assert "T60 0.2 to 0.6 s" in limits and "8 to 12 iterations of iss; results" in limits


def test_a_model_with_own_code_is_shipped_and_says_so(trained, monkeypatch):
    """The parameters of the folder name the code; it does not come with the model."""
    code = "from ssml.iva.models.glu import Glu\n\n\nclass Mine(Glu):\n    pass\n"
    Path("minetoo.py").write_text(code)
    monkeypatch.setattr(sys, "path", [*sys.path])
    name = {"name": "minetoo:Mine", "hidden": 8}
    path = layout.model("learned-sdr").with_suffix(".json")
    path.write_text(json.dumps(json.loads(path.read_text()) | {"network": name}))
    with pytest.raises(UserError, match="a card alone never has code imported"):
        ship.ship(trained, "learned-sdr", pretrained.FOLDER)
    variant = trained.train.variants["learned-sdr"].model_copy(update={"network": name})
    trained.train.variants["learned-sdr"] = variant
    shipped = ship.ship(trained, "learned-sdr", pretrained.FOLDER)
    limits = json.loads(shipped.with_suffix(".json").read_text())["limits"]
    assert "Needs own code that is not in the package: minetoo:Mine." in limits
    assert type(checkpoint.load(shipped).network).__name__ == "Mine"
    del sys.modules["minetoo"]


def test_what_it_reached_is_a_table_beside_it(trained, capsys):
    path = ship.ship(trained, "learned-sdr", pretrained.FOLDER)
    ship.write_results(trained, "learned-sdr", pretrained.FOLDER)
    layout.model("learned-sdr").unlink()
    (row,) = read_table(path.with_suffix(".csv"))
    assert row["method"] == "learned-sdr-iss" and row["corpus"] == "synthetic"
    assert main.main(["models", "learned-sdr"]) == 0
    assert capsys.readouterr().out.endswith(
        "  synthetic test2, 2 sources, iss, 20 iterations, 20 mixtures: SI-SDR 3.5 [3.0, 4.0] dB, "
        "WER 31 [20, 55] % by pocketsphinx\n"
    )


def test_the_script_ships_then_tells_what_was_reached(trained, monkeypatch, capsys):
    shutil.copy(ROOT / "tests/report/params.yaml", "params.yaml")
    monkeypatch.setattr("sys.argv", ["ship", "learned-sdr"])
    layout.SUMMARY.rename("kept")
    ship.main()
    assert "without results" in capsys.readouterr().out
    Path("kept").rename(layout.SUMMARY)
    ship.main()
    table = pretrained.FOLDER / "learned-sdr.csv"
    assert read_table(table) and "its card" in capsys.readouterr().out
    layout.SUMMARY.unlink()
    ship.main()  # another one, perhaps
    assert not table.exists()


def test_only_what_is_the_shipped_by_content_is_its_result(trained):
    path = ship.ship(trained, "learned-sdr", pretrained.FOLDER)
    other = trained.separate.methods["learned-sdr-iss"].model_copy(update={"model": "other/x"})
    separate = trained.separate.model_copy(update={"methods": {"learned-sdr-iss": other}})
    chosen = trained.model_copy(update={"separate": separate})
    layout.model_of(other).parent.mkdir()
    layout.model_of(other).write_bytes(layout.model("learned-sdr").read_bytes())
    with pytest.raises(UserError, match="summary.csv: no method with learned-sdr; separate with"):
        ship.write_results(chosen, "learned-sdr", pretrained.FOLDER)
    layout.model_of(other).write_bytes(path.read_bytes())
    assert ship.write_results(chosen, "learned-sdr", pretrained.FOLDER).is_file()


def test_the_budget_is_that_of_all_trainings_that_led_to_it(trained):
    network = checkpoint.load(layout.model("learned-sdr"))
    card = {**network.card, "start": "learned-sdr", "steps": 750}
    checkpoint.save(layout.model("further"), network.network.state_dict(), card)
    further = trained.train.variants["learned-sdr"].model_copy(update={"start": "learned-sdr"})
    variants = {**trained.train.variants, "further": further}
    train = trained.train.model_copy(update={"variants": variants})
    told = ship.about(trained.model_copy(update={"train": train}), "further", card)
    assert told["budget"] == "250 + 750 steps, 4.0 h of mixtures seen"
    checkpoint.save(layout.model("learned-sdr"), network.network.state_dict(), network.card | told)
    told = ship.about(trained.model_copy(update={"train": train}), "further", card)
    assert told["budget"] == (
        "250 + 750 steps, 4.0 h of mixtures seen; then 750 steps, 3.0 h of mixtures seen"
    )


def test_values_beyond_fp16_are_refused(trained):
    with pytest.raises(UserError, match="encode.bias: holds values that fp16 cannot"):
        ship.to_half("encode.bias", torch.tensor([1.0, 1e5]))


def test_what_is_shipped_is_whole():
    for name in pretrained.names():
        card = checkpoint.load(pretrained.path(name)).card
        assert card["speakers"] and card["budget"] and card["command"] and card["limits"]
        assert card["fs"] == 16000 and card["separate"].keys() == ship.SEPARATE.keys()
        reached = read_table(pretrained.FOLDER / f"{name}.csv")
        assert {row["n_src"] for row in reached} == {"2", "3", "4"}
        for row in reached:
            least = 200 if row["set"].startswith("test") else 40
            assert int(row["mixtures"]) >= least and row["failures"] == "0"


@pytest.mark.parametrize(
    ("name", "si_sdr"),
    [("learned", 14.54), ("learned-sdr", 14.23), ("learned-coherence", 13.25), ("laplace", -0.95)],
)
def test_si_sdr_of_the_shipped_on_a_real_mixture(real_mixture, name, si_sdr):
    mix, ref = real_mixture
    window = {"n_fft": 2048} if name == "laplace" else {}
    est = torch.from_numpy(separate(mix, model=name, iterations=20, rule="iss", fs=16000, **window))
    assert float(-pit(-si_sdr_matrix(est, torch.from_numpy(ref)))[0]) == pytest.approx(
        si_sdr, abs=0.1
    )


@pytest.mark.slow
@pytest.mark.parametrize("name", ["learned", "learned-sdr", "learned-coherence"])
@pytest.mark.parametrize("rule", ["iss", "ip", "ip2"])
def test_the_shipped_hold_under_other_rules_and_more_iterations(real_mixture, name, rule):
    mix, ref = real_mixture

    def si_sdr(iterations):
        est = torch.from_numpy(
            separate(mix, model=name, rule=rule, iterations=iterations, fs=16000)
        )
        return float(-pit(-si_sdr_matrix(est, torch.from_numpy(ref)))[0])

    assert si_sdr(20) > 12 and si_sdr(100) > si_sdr(20) - 0.5
