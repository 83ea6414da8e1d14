"""The separator as a torch module: its state, its gradients, where it starts, what it tells."""

import copy
import pickle

import numpy as np
import pytest
import torch

import ssml
from ssml.files.errors import UserError
from ssml.iva import checkpoint, kernels
from ssml.separation.separator import Separator, separate
from tests.conftest import speechlike, tiny_model

SMALL = {"n_fft": 128, "hop": 32, "iterations": 3}
LAPLACE = {"model": "laplace", "rule": "iss", **SMALL}


@pytest.fixture
def path(tmp_path):
    """A small network that says more than it does at first."""
    path, random = tiny_model(tmp_path / "small.safetensors"), torch.Generator().manual_seed(0)
    trained = checkpoint.load(path)
    tensors = {
        key: value + 0.05 * torch.randn(value.shape, generator=random)
        for key, value in trained.network.state_dict().items()
    }
    checkpoint.save(path, tensors, trained.card)
    return path


def learned(path, **options):
    return Separator(path, fs=16000, **{"rule": "iss", "iterations": 3, **options})


def mixture(K=2, seconds=0.25):
    return torch.from_numpy(speechlike(K, seconds=seconds)[0])


def test_its_state_is_that_of_the_network(path):
    separator, trained = learned(path), ssml.load(path)
    assert isinstance(separator, torch.nn.Module)
    assert separator.network.state_dict().keys() == trained.network.state_dict().keys()
    state = separator.state_dict()
    assert len(state) == len(trained.network.state_dict())
    assert sum(p.numel() for p in separator.parameters()) == checkpoint.parameters(trained.network)
    other = Separator(path, fs=16000, rule="iss", iterations=3)
    with torch.no_grad():
        for value in other.parameters():
            value.zero_()
    mix = mixture()
    assert not torch.allclose(other(mix), separator(mix), atol=1e-3)
    other.load_state_dict(state)
    assert torch.equal(other(mix), separator(mix))
    assert not list(Separator("laplace").parameters()) and not Separator("laplace").state_dict()


def test_to_moves_precision_and_where_arrays_are_computed(path):
    separator, mix = learned(path), mixture()
    narrow = separator(mix)
    assert separator.to(torch.float64) is separator
    assert {value.dtype for value in separator.parameters()} == {torch.float64}
    torch.testing.assert_close(separator(mix), narrow, atol=1e-4, rtol=0)
    assert Separator("laplace", device="meta").device.type == "meta"
    assert Separator("laplace").to("meta").device.type == "meta"


@pytest.mark.parametrize("again", [copy.deepcopy, lambda x: pickle.loads(pickle.dumps(x))])
def test_a_copy_has_a_network_of_its_own(path, again):
    separator, mix = learned(path), mixture()
    expected = separator(mix)
    copied = again(separator)
    with torch.no_grad():
        for value in separator.parameters():
            value.zero_()
    assert torch.equal(copied(mix), expected)
    auto = again(Separator(fs=8000, iterations=2))
    assert auto(mix).shape == mix.shape


def test_nothing_keeps_a_graph_where_nothing_asks_for_one(path, monkeypatch):
    """The compiled iterations run: neither the mixture nor a named network requires a gradient."""
    calls = []
    iterate = kernels.iterate
    monkeypatch.setattr(kernels, "iterate", lambda *a: calls.append(a) or iterate(*a))
    mix = mixture()
    assert not learned(path)(mix).requires_grad
    assert not Separator("nmf", **SMALL)(mix).requires_grad
    trainable = learned(path).requires_grad_()
    assert isinstance(trainable(mix.numpy()), np.ndarray)
    with torch.no_grad():
        assert not trainable(mix).requires_grad
    assert len(calls) == 4
    assert trainable(mix).requires_grad and len(calls) == 4


def slope(function, x, along):
    """The derivative of `function` at x along a direction, by central differences."""
    step = 1e-7
    with torch.no_grad():
        return (function(x + step * along) - function(x - step * along)) / (2 * step)


def loss(est):
    return (est * torch.linspace(-1, 1, est.numel(), dtype=est.dtype).reshape(est.shape)).sum()


@pytest.mark.parametrize("name, rule", [("laplace", "iss"), ("gauss", "ip"), ("nmf", "ip2")])
@pytest.mark.parametrize("begun", [False, True])
def test_the_gradient_of_the_mixture_and_of_the_start_is_the_slope(name, rule, begun):
    separator = Separator(name, rule=rule, **SMALL)
    mix = mixture()
    along = torch.randn(mix.shape, dtype=mix.dtype, generator=torch.Generator().manual_seed(0))
    start = separator.filters(mix) if begun else None

    def value(x):
        return loss(separator(x, start))

    x = mix.clone().requires_grad_()
    value(x).backward()
    assert float((x.grad * along).sum()) == pytest.approx(float(slope(value, mix, along)), rel=1e-4)
    if start is None:
        return

    def of_start(W):
        return loss(separator(mix, W))

    W, turned = start.clone().requires_grad_(), 1j * start.roll(1, -1)
    of_start(W).backward()
    found = float((W.grad.conj() * turned).real.sum())
    assert found == pytest.approx(float(slope(of_start, start, turned)), rel=1e-4, abs=1e-7)


@pytest.mark.parametrize("rule", ["iss", "iss-6-sweeps", "ip"])
@pytest.mark.parametrize("sources", [None, 2])
def test_the_gradient_of_the_network_is_the_slope(path, rule, sources):
    separator = learned(path, rule=rule, sources=sources).to(torch.float64).requires_grad_()
    mix, parameters = mixture(3), list(separator.parameters())
    random = torch.Generator().manual_seed(0)
    along = [torch.randn(p.shape, dtype=p.dtype, generator=random) for p in parameters]
    loss(separator(mix)).backward()
    found = sum(float((p.grad * d).sum()) for p, d in zip(parameters, along, strict=True))

    def value(step):
        with torch.no_grad():
            for p, d in zip(parameters, along, strict=True):
                p.add_(step * d)
            result = loss(separator(mix))
            for p, d in zip(parameters, along, strict=True):
                p.sub_(step * d)
        return float(result)

    assert found == pytest.approx((value(1e-6) - value(-1e-6)) / 2e-6, rel=1e-3)


def test_steps_lower_a_loss_behind_it_and_move_both(path):
    """What stands for a recogniser, one layer, learns with the separator before it."""
    mix, images = speechlike(2, seconds=0.5)
    wanted = torch.from_numpy(images[:, 0]).float().unfold(-1, 100, 100)
    separator, behind = learned(path, iterations=2).requires_grad_(), torch.nn.Linear(100, 100)
    modules = torch.nn.ModuleList([separator, behind])
    before = copy.deepcopy(modules.state_dict())
    optimiser = torch.optim.Adam(modules.parameters(), lr=1e-2)
    losses = []
    for _ in range(6):
        heard = behind(separator(torch.from_numpy(mix).float()).unfold(-1, 100, 100))
        cost = torch.minimum(*(((heard - x).square().mean()) for x in (wanted, wanted.flip(0))))
        optimiser.zero_grad()
        cost.backward()
        optimiser.step()
        losses.append(cost.item())
    assert losses[-1] < 0.8 * losses[0]
    moved = {key for key, value in modules.state_dict().items() if not value.equal(before[key])}
    assert len({key.split(".")[0] for key in moved}) == 2


def test_steps_on_the_network_alone_separate_better(path):
    mix, images = speechlike(2, seconds=1)
    mix, ref = torch.from_numpy(mix).float(), torch.from_numpy(images[:, 0])
    separator = learned(path).requires_grad_()
    optimiser = torch.optim.Adam(separator.parameters(), lr=1e-2)
    reached = []
    for _ in range(6):
        value = ssml.si_sdr(separator(mix), ref)[0].mean()
        optimiser.zero_grad()
        (-value).backward()
        optimiser.step()
        reached.append(value.item())
    assert reached[-1] > reached[0] + 0.5


def test_resampling_refuses_a_gradient(path):
    mix = mixture().requires_grad_()
    with pytest.raises(UserError, match="fs: 8000 -> 16000 Hz has no gradient"):
        Separator(path, fs=8000, iterations=1)(mix)


def test_an_own_module_is_trained_through_it():
    class Powers(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.own = torch.nn.Parameter(torch.tensor(0.3))

        def forward(self, power):
            return (power / power.mean((-2, -1), keepdim=True) + 1e-5) ** -self.own

    separator = Separator(Powers(), rule="iss", **SMALL)
    assert list(separator.state_dict()) == ["model.given.own"]
    loss(separator(mixture())).backward()
    assert separator.network.own.grad.abs() > 0


@pytest.mark.parametrize("sources", [None, 2])
def test_each_iteration_is_told_with_its_number(sources):
    mix, seen = mixture(3), []
    separator = Separator(sources=sources, **LAPLACE)
    est = separator(mix, each=lambda i, state: seen.append((i, state)))
    assert [i for i, _ in seen] == [0, 1, 2, 3]
    for (_, state), expected in zip(seen, separator.states(mix), strict=True):
        torch.testing.assert_close(state.W, expected.W)
        assert torch.equal(state.X, expected.X) and not state.W.requires_grad
    last = separator.stft.inverse(seen[-1][1].Y, mix.shape[-1])
    torch.testing.assert_close(last, est, atol=1e-9, rtol=0)
    told = []
    separate(mix.numpy(), each=lambda i, _: told.append(i), **LAPLACE)
    assert told == [0, 1, 2, 3]


@pytest.mark.parametrize("sources", [None, 2])
def test_no_iteration_from_filters_gives_their_outputs(sources):
    mix = speechlike(3)[0]
    separator = Separator(sources=sources, **LAPLACE)
    W, expected = separator.filters(mix), separator(mix)
    for start in (W, torch.from_numpy(W)):
        found = separate(mix, sources=sources, start=start, **{**LAPLACE, "iterations": 0})
        np.testing.assert_allclose(found, expected, atol=1e-6)
    batch = np.stack([mix, mix])
    found = Separator(sources=sources, **{**LAPLACE, "iterations": 0})(batch, W)
    np.testing.assert_allclose(found, np.stack([expected] * 2), atol=1e-6)


def test_a_good_start_saves_iterations():
    mix, images = speechlike(3, seconds=3)

    def reached(iterations, start=None):
        est = separate(mix, start=start, **{**LAPLACE, "n_fft": 1024, "iterations": iterations})
        return ssml.si_sdr(est, images[:, 0])[0].mean()

    W = Separator(**{**LAPLACE, "n_fft": 1024, "iterations": 30}).filters(mix)
    assert reached(2, W) > reached(2) + 3


@pytest.mark.parametrize(
    "start, message",
    [
        (np.ones((65, 3, 2)), r"start: shape \(65, 3, 2\); .* \(65, 2, 2\)"),
        (np.ones((1, 65, 2, 2)), r"start: shape \(1, 65, 2, 2\)"),
        (np.full((65, 2, 2), np.nan), "start: holds values that are not finite"),
        ([[1]], "start: list"),
    ],
)
def test_bad_filters_are_named(start, message):
    with pytest.raises(UserError, match=message):
        separate(speechlike(2)[0], start=start, **LAPLACE)


def test_it_says_what_it_is(path):
    assert "laplace, iss, 3 iterations, 16000 Hz" in repr(Separator(**LAPLACE))
    assert "Glu" in repr(learned(path))
