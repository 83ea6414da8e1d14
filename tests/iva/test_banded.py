"""The network of bands: what is compiled against its reference, and what it must not see."""

import pytest
import torch

from ssml.files.errors import UserError
from ssml.iva.checkpoint import build
from ssml.iva.models.banded import derived, views
from tests.iva.test_models import network

LOW, SIZE, COUNT, BINS, T = 3, 4, 2, 13, 7


def problem(K, requires_grad=True):
    """Power (2, K, BINS, T), and all else that `weigh` wants."""
    random = torch.Generator().manual_seed(K)

    def draw(*shape):
        values = torch.randn(*shape, dtype=torch.float64, generator=random)
        return values.requires_grad_(requires_grad)

    power = draw(2, K, BINS, T).detach().square().requires_grad_(requires_grad)
    scale = draw(2, K).detach().exp().requires_grad_(requires_grad)
    seen, net = draw(2, K, COUNT, T, 2 * SIZE + 1), draw(2, K, COUNT, T, SIZE + 2)
    shares = draw(COUNT * SIZE), draw(COUNT * SIZE), draw(BINS)
    level = seen[:, :, :1, :, -1:].expand(-1, -1, COUNT, -1, -1)  # of a frame, alike in all bands
    seen = torch.cat([seen[..., :-1], level], -1).detach().requires_grad_(requires_grad)
    return power, scale, seen, net, *shares


def agree(found, expected, inputs, tolerance=1e-9):
    given = [torch.randn(y.shape, dtype=y.dtype) for y in expected]
    for one, other in zip(found, expected, strict=True):
        torch.testing.assert_close(one, other)
    back = [torch.autograd.grad(y, inputs, given) for y in (found, expected)]
    for one, other in zip(*back, strict=True):
        torch.testing.assert_close(one, other, rtol=tolerance, atol=tolerance)


@pytest.mark.parametrize("K", [2, 3, 4])
def test_what_is_seen_is_the_references(K):
    power, *_ = problem(K)
    given = power, LOW, SIZE, COUNT, 1e-3
    agree(derived.See.apply(*given), views.see(*given), [power])


@pytest.mark.parametrize("K", [2, 4])
def test_weights_are_the_references(K):
    inputs = problem(K)
    given = *inputs, LOW, 1e-3, 0.1
    agree([derived.Weigh.apply(*given)], [views.weigh(*given)], inputs)


@pytest.mark.parametrize("dilation", [1, 2, 4])
def test_depthwise_convolutions_have_the_librarys_derivative(dilation):
    x = torch.randn(2, 4, 9, 3, dtype=torch.float64).requires_grad_()
    weight = torch.randn(3, 1, 3, 3, dtype=torch.float64).requires_grad_()
    found = derived.Depthwise.apply(x, weight, dilation)
    agree([found], [derived.convolve(x, weight, dilation)], [x, weight])


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_a_network_is_the_same_without_what_is_compiled(monkeypatch, dtype):
    made = network("banded", dtype)
    power = torch.rand(2, 3, 33, 20, dtype=dtype).square()
    found = made(power)[0]
    monkeypatch.setattr("ssml.iva.models.banded.network.usable", lambda x: False)
    monkeypatch.setattr("ssml.iva.models.banded.depthwise.usable", lambda x: False)
    bound = 1e-3 if dtype == torch.float32 else 1e-9
    torch.testing.assert_close(found, made(power)[0], rtol=bound, atol=bound)


def test_rumble_below_the_lowest_band_changes_no_other_weight():
    made = network("banded")
    power = torch.rand(2, 33, 20, dtype=torch.float64)
    loud = power.clone()
    loud[:, :3] *= 1e6
    torch.testing.assert_close(made(loud)[0][:, 3:], made(power)[0][:, 3:])


def test_rivals_are_the_largest_and_the_mean_of_the_others():
    x = torch.tensor([[1.0, 5.0, 3.0]])
    most, mean = views.rivals(x)
    assert most.tolist() == [[5, 3, 5]] and mean.tolist() == [[4, 2, 3]]


def test_a_band_that_goes_with_its_source_belongs_to_it():
    of_source = torch.randn(2, 30, dtype=torch.float64)
    activity = of_source[None, :, None].repeat(1, 1, 9, 1)
    activity[0, :, 4] = activity[0, :, 4].flip(0)  # one band is in the wrong output
    own, rival = views.belonging(activity).unbind(-1)
    assert (own[..., :4] > 0.9).all() and (own > rival).sum() == 16
    assert (rival[..., 4] > 0.9).all()


@pytest.mark.parametrize(
    "given, reason",
    [
        ({"band": 5}, "band 5 must be even"),
        ({"band": 40}, "band 40 is wider than the 30 bins"),
        ({"layers": 1}, "layers 1: two at least"),
    ],
)
def test_bands_that_fit_nothing_are_refused(given, reason):
    with pytest.raises(UserError, match=f"network: {reason}"):
        build({"name": "banded", "low": 3, **given}, 33)
