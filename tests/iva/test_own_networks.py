"""Networks and losses of a user: built and checked as the package's own; a card imports nothing."""

import sys
from pathlib import Path

import pytest
import torch

from ssml.files.errors import UserError
from ssml.iva import checkpoint, losses
from ssml.iva.losses import Sources

BINS, STFT = 33, {"n_fft": 64, "hop": 16}
MINE = '''"""Networks and losses, some of them wrong."""

from pathlib import Path

import torch
from torch import nn

Path("imported").touch()
LIMIT = 3


class Powers(nn.Module):
    def __init__(self, bins, start=0.4):
        super().__init__()
        self.frame = nn.Parameter(torch.full((bins, 1), float(start)))

    def forward(self, power, memory=None):
        p = power / power.mean((-2, -1), keepdim=True) + 1e-5
        return (p.mean(-2, keepdim=True) ** -self.frame).expand_as(p), memory


class NoBins(nn.Module):
    pass


class OnePower(Powers):
    def forward(self, power):
        return power, None


class Alone(Powers):
    def forward(self, power, memory=None):
        return super().forward(power)[0]


class Narrow(Powers):
    def forward(self, power, memory=None):
        return power[..., :1, :], memory


class Negative(Powers):
    def forward(self, power, memory=None):
        return -power, memory


def energy(est, ref):
    gap = est.signals[..., :, None, :] - ref.signals[..., None, :, :]
    return gap.square().sum(-1)


def single(est, ref):
    return est.signals.sum()


def nothing(est, ref):
    return None
'''


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    (tmp_path / "mine.py").write_text(MINE)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", [*sys.path])
    yield tmp_path
    sys.modules.pop("mine", None)


def save(name="mine:Powers", **arguments):
    network = checkpoint.build({"name": "mine:Powers"}, BINS)
    card = {"network": {"name": name, **arguments}, "stft": STFT}
    checkpoint.save("m.safetensors", network.state_dict(), card)
    sys.modules.pop("mine")
    Path("imported").unlink()


def test_arguments_are_passed_on():
    made = checkpoint.build({"name": "mine:Powers", "start": 0.25}, BINS)
    assert made.training and made.frame.shape == (BINS, 1) and made.frame.eq(0.25).all()


@pytest.mark.parametrize(
    "network, words",
    [
        ({"name": "mine:Powers", "sart": 1}, "network: got an unexpected keyword argument 'sart'"),
        ({"name": "mine:Powers", "start": "x"}, "network: could not convert string to float: 'x'"),
        ({"name": "mine:energy"}, "mine:energy is no class of torch.nn.Module but function"),
        ({"name": "mine:Path"}, "mine:Path is no class of torch.nn.Module but Path"),
        ({"name": "mine:LIMIT"}, "mine:LIMIT is no class of torch.nn.Module but int"),
        ({"name": "mine:NoBins"}, "mine:NoBins takes no argument bins"),
        ({"name": "mine:OnePower"}, r"mine:OnePower.forward does not take \(power, memory\)"),
        ({"name": "mine:Alone"}, r"mine:Alone returned no tuple \(weights, memory\)"),
        ({"name": "mine:Narrow"}, r"returned weights \(2, 1, 8\) for power \(2, 33, 8\)"),
        ({"name": "mine:Negative"}, "returned weights that are not positive and finite"),
        ({"name": "mine:Nothing"}, "mine.py: defines no Nothing"),
        ({"name": "glo"}, "network.name: no 'glo' among .*; an own one is module:Class"),
    ],
)
def test_a_mistake_is_one_line(network, words):
    with pytest.raises(UserError, match=words) as error:
        checkpoint.build(network, BINS)
    assert "\n" not in str(error.value)


def test_a_card_alone_has_nothing_imported():
    """Not even where code of that name lies beside the model, with parameters that name it."""
    save(start=0.3)
    Path("params.yaml").write_text("train: {variants: {m: {network: {name: 'mine:Powers'}}}}")
    with pytest.raises(UserError, match="m.json: network.name: mine:Powers is own code.*--own"):
        checkpoint.load("m.safetensors")
    assert not Path("imported").exists() and "mine" not in sys.modules


def test_a_card_finds_what_the_user_has_imported(folder):
    save(start=0.3)
    sys.path.insert(0, str(folder))
    import mine  # pyright: ignore[reportMissingImports]

    trained = checkpoint.load("m.safetensors")
    assert isinstance(trained.network, mine.Powers) and not trained.network.training


@pytest.mark.parametrize("name", ["subprocess:Popen", "os:system", "pathlib:Path", "torch.nn:GRU"])
def test_a_card_calls_nothing_but_a_network(name):
    """What is imported already, by anyone, is code that a card could otherwise call."""
    save(name, args="touch called", cmd="touch called", command="touch called")
    with pytest.raises(UserError, match="is no class of torch.nn.Module|takes no argument bins"):
        checkpoint.load("m.safetensors")
    assert not Path("called").exists()


SIGNALS = torch.arange(24.0).reshape(2, 3, 4)  # (batch, K, N)
PAIR = Sources(SIGNALS, SIGNALS[..., None, :].to(torch.complex64))


def test_an_own_loss_is_that_function():
    assert losses.find("sdr") is losses.sdr
    cost = losses.find("mine:energy")(PAIR, PAIR)
    assert cost.shape == (2, 3, 3) and losses.pit(cost)[0].eq(0).all()


@pytest.mark.parametrize(
    "name, words",
    [
        ("mine:single", r"loss: mine:single returned \(\), not the costs of all pairs, \(2, 3, 3"),
        ("mine:nothing", "loss: mine:nothing returned NoneType, not the costs of all pairs"),
        ("mine:LIMIT", "loss: mine:LIMIT is of type int, not a function"),
        ("mine:none", "mine.py: defines no none"),
    ],
)
def test_a_wrong_loss_is_one_line(name, words):
    with pytest.raises(UserError, match=words):
        losses.find(name)(PAIR, PAIR)
