"""What a step of training pays for: loss at the end and half way, and weights near the sources'."""

import pytest
import torch

from ssml.iva import auxiva, checkpoint
from ssml.iva.losses import LOSSES, Sources, pit
from ssml.iva.stft import Stft
from ssml.training import unrolled
from ssml.training.unrolled import Iterations, divergence, draw_iterations
from tests.conftest import spectrogram, speechlike
from tests.training.test_trainer import PARAMS

STFT, FS = Stft(256, 64), 16000
HIGH = Stft(256, 64, low=8)  # from 500 Hz on
ORDER = torch.tensor([[1, 0]])


@pytest.fixture(scope="module")
def pair():
    mix, images = speechlike(2, seconds=1)
    to = torch.get_default_dtype()
    return torch.from_numpy(mix)[None].to(to), torch.from_numpy(images[:, 0])[None].to(to)


@pytest.fixture(scope="module")
def network():
    torch.manual_seed(1)
    network = checkpoint.build(PARAMS.network, STFT.bins)
    with torch.no_grad():
        for parameter in network.parameters():
            parameter.add_(0.1 * torch.randn_like(parameter))
    return network


@pytest.mark.parametrize("extra", [{}, {"middle": 0.5}, {"recompute": True}])
def test_past_frames_are_trained_through(pair, network, extra):
    """Also after iterations without a gradient, whose filters over past frames go on."""
    params = PARAMS.model_copy(update={"taps": 2, "delay": 2, **extra})
    costs = []
    for chosen, before in ((params, 0), (params, 2), (PARAMS.model_copy(update=extra), 0)):
        network.zero_grad()
        cost = unrolled.cost(chosen, network, STFT, *pair, Iterations(before, 2))
        cost.backward()
        given = [p.grad for p in network.parameters() if p.grad is not None]
        assert all(torch.isfinite(g).all() for g in given) and any(g.any() for g in given)
        costs.append(cost.item())
    assert len(set(costs)) == 3


def best(S):
    """The weights without divergence, with a scale for each bin, in the order of the outputs."""
    power = S.abs().square()
    power = power + unrolled.FLOOR * power.mean(-1, keepdim=True)
    scale = torch.linspace(0.1, 10, S.shape[-2], dtype=power.dtype)[:, None]
    return (scale / power).flip(1)


def test_the_divergence_is_zero_at_the_inverse_powers_alone():
    S = spectrogram(2, batch=(1,))
    assert divergence([best(S)], S, ORDER).item() == pytest.approx(0, abs=1e-9)
    assert divergence([best(S)], S, ORDER.flip(-1)).item() > 0.1
    for wrong in (best(S) ** 0.5, best(S) ** 2, best(S) + best(S).mean()):
        assert divergence([wrong], S, ORDER).item() > 0.05


def test_the_divergence_is_that_of_itakura_and_saito_at_the_best_scale():
    S, U = spectrogram(2, batch=(1,)), spectrogram(2, batch=(1,), seed=1).abs() + 0.1
    power = S.abs().square()
    power = power + unrolled.FLOOR * power.mean(-1, keepdim=True)
    u = U.flip(1) / (U.flip(1) * power).mean(-1, keepdim=True)
    expected = (power * u - (power * u).log() - 1).mean()
    assert divergence([U], S, ORDER).item() == pytest.approx(expected.item())
    both = divergence([U, best(S)], S, ORDER).item()
    assert both == pytest.approx(expected.item() / 2)


def test_iterations_before_give_the_loss_of_all_iterations(pair, network):
    mix, ref = pair
    found = [
        unrolled.cost(PARAMS, network, STFT, mix, ref, iterations)
        for iterations in (Iterations(0, 5), Iterations(3, 2))
    ]
    assert found[0].item() == pytest.approx(found[1].item(), rel=1e-4)
    for cost in found:
        gradients = torch.autograd.grad(cost, list(network.parameters()))
        assert sum(float(g.abs().sum()) for g in gradients) > 0


@pytest.mark.parametrize("loss", LOSSES)
def test_all_parts_are_added(loss, pair, network):
    mix, ref = pair
    X, S = STFT.forward(mix), STFT.forward(ref)

    def after(iterations):
        Y = auxiva.demix(X, network, "iss", iterations).projected_back().Y
        est = Sources(STFT.inverse(Y, mix.shape[-1]), Y)
        return pit(LOSSES[loss](est, Sources(ref, S)))

    weights, W = [], None
    for iterations in range(5):
        W = auxiva.demix(X, network, "iss", iterations).W
        weights.append(network((W @ X.transpose(-3, -2)).transpose(-3, -2).abs().square())[0])
    expected = after(5)[0] + 0.5 * after(3)[0] + 2 * divergence(weights, S, after(5)[1])
    params = PARAMS.model_copy(update={"loss": loss, "middle": 0.5, "divergence": 2.0})
    found = unrolled.cost(params, network, STFT, mix, ref, Iterations(0, 5))
    assert found.item() == pytest.approx(expected.item(), rel=1e-3)


def test_what_lies_below_does_not_count(pair, network):
    mix, ref = pair
    params = PARAMS.model_copy(update={"divergence": 2.0})
    hum = torch.cos(2 * torch.pi * 125 * torch.arange(mix.shape[-1]) / FS)
    for stft, close in ((HIGH, True), (STFT, False)):
        found = [
            unrolled.cost(params, network, stft, m, ref + level * hum, Iterations(0, 2)).item()
            for m, level in ((mix, 0), (mix + 0.1 * hum, 0.1))
        ]
        assert (found[0] == pytest.approx(found[1], rel=1e-2)) == close


def test_half_of_the_steps_begin_at_the_mixture():
    params = PARAMS.model_copy(update={"before": (0, 12)})
    drawn = [draw_iterations(params, 1, step) for step in range(1000)]
    assert drawn == [draw_iterations(params, 1, step) for step in range(1000)]
    assert {i.derived for i in drawn} == {2, 3, 4}
    assert {i.before for i in drawn} == set(range(13))
    assert 450 < sum(i.before == 0 for i in drawn) < 620
    assert all(draw_iterations(PARAMS, 1, step).before == 0 for step in range(100))
