"""A trained model whose network is own code: the command imports it only where it is told to."""

import json
import sys
from pathlib import Path

import pytest
import torch

from ssml.iva import checkpoint
from tests.cli.shell import listed, record, refused, run

MINE = """from pathlib import Path

import torch
from torch import nn

Path("imported").touch()


class Powers(nn.Module):
    def __init__(self, bins):
        super().__init__()
        self.own = nn.Parameter(torch.full((bins, 1), 0.4))

    def forward(self, power, memory=None):
        p = power / power.mean((-2, -1), keepdim=True) + 1e-5
        return p**-self.own, memory
"""


@pytest.fixture(autouse=True)
def model(folder, monkeypatch):
    monkeypatch.setattr(sys, "path", [*sys.path])
    Path("mine.py").write_text(MINE)
    card = {"network": {"name": "mine:Powers"}, "stft": {"n_fft": 256, "hop": 64}}
    checkpoint.save("models/own.safetensors", {"own": torch.full((129, 1), 0.3)}, card)
    record("talk.wav")
    yield
    sys.modules.pop("mine", None)


@pytest.mark.parametrize("name", ["models/own.safetensors", "own"])
def test_the_module_that_is_named_is_used(capsys, name):
    words = ["separate", "talk.wav", "out", "--model", name, "--iterations", 3]
    error = refused(capsys, *words)
    assert "models/own.json: network.name: mine:Powers is own code" in error
    assert "give the command --own mine" in error and not Path("imported").exists()
    assert run(capsys, *words, "--own", "mine")[0] == 0
    assert listed("out") == ["talk-1.wav", "talk-2.wav"]


def test_its_card_is_shown(capsys):
    assert "mine:Powers, STFT 256/64" in run(capsys, "models")[1]
    assert "--own mine" in refused(capsys, "models", "own")
    code, out, _ = run(capsys, "models", "own", "--own", "mine.py")
    assert code == 0 and "trained values: 129" in out
    assert "network: mine:Powers, stft hop 64 n_fft 256" in out
    card = run(capsys, "models", "own", "--own", "mine", "--json")[1]
    assert json.loads(card)["network"] == {"name": "mine:Powers"}


def test_a_module_that_is_not_there_is_one_line(capsys):
    error = refused(capsys, "models", "own", "--own", "yours")
    assert "no yours.py or yours/__init__.py in /" in error


@pytest.mark.slow
def test_it_is_exported(capsys):
    out = run(capsys, "export", "own", "out.pt2", "--iterations", 2, "--own", "mine")[1]
    assert "iss" in out and Path("out.pt2").is_file()
