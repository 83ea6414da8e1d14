import pytest
import torch

from ssml.files.errors import UserError
from ssml.iva import auxiva, checkpoint
from ssml.iva.models import CLASSICAL, NETWORKS
from ssml.iva.models.nmf import Nmf
from ssml.iva.models.spherical import Gauss
from ssml.iva.models.surrogate import activity
from tests.conftest import spectrogram

BINS = 33
ARGUMENTS = {"banded": {"low": 3, "band": 6, "width": 8, "full": 1}}


def network(name, dtype=torch.float64, **arguments):
    """A network whose every weight matters: trained ones are not zero where fresh ones are."""
    torch.manual_seed(0)
    made = NETWORKS[name](bins=BINS, hidden=16, **ARGUMENTS.get(name, {}), **arguments).to(dtype)
    for value in made.parameters():
        torch.nn.init.normal_(value, std=0.3)
    return made


MODELS = {**CLASSICAL, **{name: lambda name=name: network(name) for name in NETWORKS}}
MODELS["glu, rivals"] = lambda: network("glu", rivals=True)


@pytest.fixture(params=sorted(MODELS))
def model(request):
    return MODELS[request.param]()


def power(K=3, batch=()):
    return spectrogram(K, BINS, batch=batch).abs().square()


def test_weights_are_positive_and_of_the_powers_shape(model):
    P = power(batch=(2,))
    U, _ = model(P)
    assert U.shape == P.shape and (U > 0).all() and torch.isfinite(U).all()


def test_permuting_the_sources_permutes_the_weights(model):
    P, order = power(), [2, 0, 1]
    torch.testing.assert_close(model(P[order])[0], model(P)[0][order])


def test_weights_scale_as_one_over_a_norm(model):
    """Scaling the outputs scales the weights of a source by one factor, so no direction changes."""
    P = power()
    ratio = model(1e4 * P)[0] / model(P)[0]
    torch.testing.assert_close(ratio, ratio[:, :1, :1].expand_as(ratio), rtol=1e-4, atol=0)


def test_batch_equals_loop(model):
    P = power(batch=(2,))
    torch.testing.assert_close(model(P)[0], torch.stack([model(p)[0] for p in P]))


@pytest.mark.parametrize("level", [0.0, 1e-30, 1e30])
def test_any_level_gives_finite_weights(model, level):
    P = (level * power()).float()
    if isinstance(model, torch.nn.Module):
        model = model.float()
    U, _ = model(P)
    assert torch.isfinite(U).all() and (U > 0).all()


def test_activity_knows_no_scale_of_a_bin():
    P = power(batch=(2,))
    gains = torch.rand(2, 3, BINS, 1, dtype=P.dtype) + 0.1
    torch.testing.assert_close(activity(P * gains), activity(P))
    torch.testing.assert_close(activity(P[:, :1].expand_as(P)), torch.zeros_like(P))


def test_activity_is_against_the_strongest_rival():
    P = power(2)
    both = P / P.mean(-1, keepdim=True)
    expected = (both + 1e-3).log() - (both.mean(0) + 1e-3).log()
    torch.testing.assert_close(activity(P), expected)
    gap = power(3)
    level = gap / gap.mean(-1, keepdim=True)
    rival = torch.stack([level[[1, 2]].amax(0), level[[0, 2]].amax(0), level[[0, 1]].amax(0)])
    expected = (level + 1e-3).log() - ((level + rival) / 2 + 1e-3).log()
    torch.testing.assert_close(activity(gap), expected)


def test_an_unlearned_network_does_not_look_at_the_others():
    plain, seeing = (NETWORKS["glu"](bins=BINS, hidden=16, rivals=o).double() for o in (0, 1))
    seeing.load_state_dict(plain.state_dict(), strict=False)
    assert torch.equal(plain(power())[0], seeing(power())[0])


@pytest.mark.parametrize("name", ["glu", "dilated"])
def test_a_kernel_without_a_middle_is_refused(name):
    with pytest.raises(UserError, match="network: kernel 4 must be odd"):
        checkpoint.build({"name": name, "kernel": 4}, BINS)


def test_laplace_and_gauss_are_their_formulas():
    P = power()
    norm = P.sum(-2, keepdim=True)
    torch.testing.assert_close(CLASSICAL["laplace"]()(P)[0], (0.5 / norm.sqrt()).expand_as(P))
    torch.testing.assert_close(CLASSICAL["gauss"]()(P)[0], (BINS / norm).expand_as(P))


def test_nmf_updates_lower_the_divergence():
    P, memory, costs = power(), None, []
    for _ in range(10):
        U, memory = CLASSICAL["nmf"]()(P, memory)
        costs.append(float((P * U - (P * U).log() - 1).sum()))  # Itakura-Saito
    assert costs == sorted(costs, reverse=True)


@pytest.mark.parametrize("rule", ["iss", "ip", "ip2"])
@pytest.mark.parametrize("name", sorted(CLASSICAL))
def test_a_mixture_that_is_silent_for_long_keeps_its_level(name, rule):
    X = spectrogram(2, BINS, 60).to(torch.complex64)
    X[..., 20:] = 0
    levels = [
        float(state.Y.abs().square().mean())
        for state in auxiva.iterate(X, CLASSICAL[name](), rule, 300)
    ]
    assert max(levels[20:]) < 3 * min(levels[20:])


def test_no_frame_takes_over():
    P, memory = power(1), None
    P[..., 3] = 0
    U = CLASSICAL["gauss"]()(P)[0]
    assert (U * P.sum(-2, keepdim=True).mean(-1, keepdim=True)).max() < 2 * BINS / Gauss().floor
    for _ in range(100):
        U, memory = CLASSICAL["nmf"]()(P, memory)
    assert (U * P.mean(-1, keepdim=True)).max() < 2 / Nmf().floor


@pytest.mark.parametrize("name, rivals", [*((n, False) for n in sorted(NETWORKS)), ("glu", True)])
def test_gradients_of_networks_are_right(name, rivals):
    made, P = network(name, **({"rivals": True} if rivals else {})), power(2)
    assert torch.autograd.gradcheck(lambda P: made(P)[0], (P[..., :4].detach().requires_grad_(),))
