"""Methods whose source model, or whose trained network, is own code beside params.yaml."""

import sys
from pathlib import Path

import pytest
import torch
import yaml

from ssml.config import params
from ssml.evaluation import methods
from ssml.files.errors import UserError
from ssml.iva import checkpoint
from tests.conftest import ROOT

MINE = """import torch
from torch import nn

LIMIT = 3


class Powers(nn.Module):
    def __init__(self, bins):
        super().__init__()
        self.own = nn.Parameter(torch.full((bins, 1), 0.4))

    def forward(self, power, memory=None):
        return (power + 1e-5) ** -self.own, memory


class Cauchy:
    def __init__(self, floor=1e-9):
        self.floor = floor

    def __call__(self, power):
        return 1 / (self.floor + power.sum(-2, keepdim=True))


def cauchy(power):
    return Cauchy()(power)
"""
POWER = torch.ones(2, 9, 5)


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", [*sys.path])
    Path("mine.py").write_text(MINE)
    yield
    sys.modules.pop("mine", None)


def build(**method):
    values = yaml.safe_load((ROOT / "params.yaml").read_text())
    values["separate"]["methods"]["own"] = {"rule": "ip", "iterations": 3, **method}
    return methods.build(params.parse(values), "own")


def test_a_function_or_a_class_is_a_source_model():
    for model in ("mine:cauchy", "mine:Cauchy"):
        U, _ = build(model=model).model(POWER)
        torch.testing.assert_close(U, torch.full_like(POWER, 1 / 9))
    U, _ = build(model="mine:Cauchy", options={"floor": 1.0}).model(POWER)
    torch.testing.assert_close(U, torch.full_like(POWER, 1 / 10))


@pytest.mark.parametrize(
    "method, words",
    [
        ({"model": "mine:LIMIT"}, "model: mine:LIMIT is of type int, not a function"),
        ({"model": "mine:Cauchy", "options": {"flor": 1}}, "methods.own.options: .*'flor'"),
        ({"model": "mine:Gauss"}, "methods.own.model: mine.py: defines no Gauss"),
        ({"model": "gauss", "network": "mine:Powers"}, "own.network: is module:Class, of a model"),
    ],
)
def test_a_mistake_is_one_line(method, words):
    with pytest.raises(UserError, match=words):
        build(**method)


def test_the_network_of_a_model_at_a_path_is_named_in_the_parameters():
    card = {"network": {"name": "mine:Powers"}, "stft": {"n_fft": 64, "hop": 16}}
    checkpoint.save("models/m.safetensors", {"own": torch.full((33, 1), 0.3)}, card)
    with pytest.raises(UserError, match="models/m.json: network.name: mine:Powers is own code"):
        build(model="models/m.safetensors")
    assert "mine" not in sys.modules
    made = build(model="models/m.safetensors", network="mine:Powers")
    assert type(made.model).__name__ == "Powers"
