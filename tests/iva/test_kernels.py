"""The compiled iterations against the reference in torch, and their derivatives."""

import pytest
import torch
from torch import nn

from ssml.iva import auxiva, demixing, kernels
from ssml.iva.kernels.autograd import DERIVED, Iterate, Power
from ssml.iva.losses import pit, si_sdr_matrix
from ssml.iva.models import CLASSICAL, NETWORKS
from ssml.iva.stft import Stft
from ssml.iva.updates import UPDATES
from tests.conftest import spectrogram

RULES = sorted(UPDATES)


@pytest.fixture
def reference(monkeypatch):
    """Call a function without the compiled kernels."""

    def call(function, *args, **kwargs):
        with monkeypatch.context() as patch:
            patch.setattr(kernels, "available", lambda X: False)
            return function(*args, **kwargs)

    return call


def outputs(X, model, rule, iterations=6):
    with torch.no_grad():
        return auxiva.demix(X, model, rule, iterations).projected_back().Y


@pytest.mark.parametrize("K", [2, 3, 4, 5, 8])
@pytest.mark.parametrize("rule", RULES)
@pytest.mark.parametrize("model", sorted(CLASSICAL))
def test_compiled_is_the_reference(reference, model, rule, K):
    X = spectrogram(K, 9, 80)
    expected = reference(outputs, X, CLASSICAL[model](), rule)
    found = outputs(X, CLASSICAL[model](), rule)
    assert (found - expected).abs().max() < 1e-8 * expected.abs().max()


@pytest.mark.parametrize("K", [2, 3])
def test_single_precision_is_as_near_as_the_references(reference, K):
    X = spectrogram(K, 33, 200)
    exact = outputs(X, CLASSICAL["laplace"](), "iss")

    def error(Y):
        return float((Y - exact).abs().max() / exact.abs().max())

    single = X.to(torch.complex64)
    found = error(outputs(single, CLASSICAL["laplace"](), "iss"))
    assert found < max(1e-5, 2 * error(reference(outputs, single, CLASSICAL["laplace"](), "iss")))


def test_real_mixtures_in_single_precision_separate_alike(reference, real_mixture):
    mix, ref = (torch.from_numpy(audio).float() for audio in real_mixture)

    def si_sdr():
        est = auxiva.separate(mix, CLASSICAL["laplace"](), "iss", 30, Stft(2048, 512))
        return float(-pit(-si_sdr_matrix(est, ref))[0])

    assert si_sdr() == pytest.approx(reference(si_sdr), abs=0.01)


def of_no_scale(power, memory=None):
    """Weights whose weighted power is one, whatever the level of an output in a bin."""
    mean = power.mean(-1, keepdim=True)
    weights = 1 / (power / mean + 0.1)
    return weights / (weights * power).mean(-1, keepdim=True), memory


@pytest.mark.parametrize("rule", RULES)
def test_an_output_far_below_the_others_is_updated_alike(rule):
    P = demixing.outer_products(spectrogram(3, 9, 80).to(torch.complex64))

    def filters(levels):
        W = torch.diag(torch.tensor(levels, dtype=torch.complex128)).repeat(9, 1, 1)
        *_, W = kernels.iterate(P, W, of_no_scale, rule, 5)
        return demixing.project_back(W)

    expected = filters([1, 1, 1])
    assert (filters([1e-5, 1, 1e2]) - expected).abs().max() < 1e-3 * expected.abs().max()


@pytest.mark.parametrize("model", ["laplace", "nmf"])
def test_batches_and_threads_change_nothing(model):
    X = spectrogram(2, 130, 40, batch=(3,))
    alone = torch.stack([outputs(x, CLASSICAL[model](), "iss") for x in X])
    torch.testing.assert_close(outputs(X, CLASSICAL[model](), "iss"), alone)
    try:
        torch.set_num_threads(2)
        torch.testing.assert_close(outputs(X, CLASSICAL[model](), "iss"), alone)
        torch.testing.assert_close(outputs(X[0], CLASSICAL[model](), "iss"), alone[0])
    finally:
        torch.set_num_threads(1)


def problem(K, F=3, T=20, batch=(2,)):
    P = demixing.outer_products(spectrogram(K, F, T, batch=batch))
    random = torch.Generator().manual_seed(K)
    W = torch.randn(*batch, F, K, K, dtype=torch.complex128, generator=random)
    U = 0.1 + torch.rand(*batch, K, F, T, dtype=torch.float64, generator=random)
    return W.requires_grad_(), U.requires_grad_(), P


@pytest.mark.parametrize("rule", sorted(DERIVED))
@pytest.mark.parametrize("K", [2, 3])
def test_derivatives_are_finite_differences(K, rule):
    W, U, P = problem(K, F=2, T=9, batch=())
    assert torch.autograd.gradcheck(lambda W: Power.apply(W, P), (W,))
    assert torch.autograd.gradcheck(lambda W, U: Iterate.apply(W, U, P, rule), (W, U))


@pytest.mark.parametrize("rule", sorted(DERIVED))
@pytest.mark.parametrize("K", [2, 3, 4])
def test_derivatives_are_the_references(K, rule):
    W, U, P = problem(K)
    A = UPDATES[rule](demixing.covariance(W, U, P))
    for found, expected, inputs in (
        (Power.apply(W, P), demixing.power(W, P), (W,)),
        (Iterate.apply(W, U, P, rule), A @ W, (W, U)),
    ):
        given = torch.randn(found.shape, dtype=found.dtype)
        torch.testing.assert_close(found, expected)
        back = [torch.autograd.grad(y, inputs, given, retain_graph=True) for y in (found, expected)]
        for one, other in zip(*back, strict=True):
            torch.testing.assert_close(one, other)


def gradients(network, X, iterations, recompute, rule="iss"):
    network.zero_grad()
    torch.manual_seed(0)  # of a dropout
    Y = auxiva.demix(X, network, rule, iterations, recompute).projected_back().Y
    torch.view_as_real(Y).square().mean().sqrt().backward()
    return [parameter.grad.clone() for parameter in network.parameters()]


@pytest.mark.parametrize("dtype", [torch.complex64, torch.complex128])
@pytest.mark.parametrize("rule", RULES)
def test_recomputing_gives_the_gradients_of_plain_autograd(reference, rule, dtype):
    X = spectrogram(2, 17, 60).to(dtype)
    torch.manual_seed(1)
    network = NETWORKS["glu"](17, hidden=8).to(X.real.dtype)
    for parameter in network.parameters():
        nn.init.normal_(parameter, std=0.1)
    expected = reference(gradients, network, X, 5, False, rule)
    for recompute in (False, True):
        for found, wanted in zip(gradients(network, X, 5, recompute, rule), expected, strict=True):
            bound = 1e-3 if dtype == torch.complex64 else 1e-9
            assert (found - wanted).norm() <= bound * wanted.norm() + 1e-12


class Noisy(nn.Module):
    """Weights that hang on a dropout and on batch statistics."""

    def __init__(self):
        super().__init__()
        self.norm, self.drop = nn.BatchNorm1d(17), nn.Dropout(0.3)

    def forward(self, power, memory=None):
        U = torch.sigmoid(self.drop(self.norm(torch.log(power.flatten(0, -3) + 1e-6))))
        return 0.1 + U.reshape(power.shape), memory


def test_recomputing_draws_and_counts_once():
    X = spectrogram(2, 17, 60)
    found = []
    for recompute in (False, True):
        model = Noisy().double()
        found.append([*gradients(model, X, 4, recompute), *model.norm.buffers()])
    assert found[0][-1] == 4  # batches counted
    for one, other in zip(*found, strict=True):
        torch.testing.assert_close(one, other)


class Remembering(nn.Module):
    """Weights that hang on those of all iterations before."""

    def __init__(self):
        super().__init__()
        self.share, self.unused = nn.Parameter(torch.tensor(0.4)), nn.Parameter(torch.zeros(2))

    def forward(self, power, memory=None):
        U = 1 / (1 + power)
        U = U if memory is None else (1 - self.share) * U + self.share * memory["U"]
        return U, {"U": U, "count": 1 if memory is None else memory["count"] + 1}


def test_recomputing_goes_back_through_what_a_model_remembers():
    X, model = spectrogram(2, 9, 40), Remembering().double()
    found = []
    for recompute in (False, True):
        model.share.grad = None
        Y = auxiva.demix(X, model, "iss", 5, recompute).projected_back().Y
        torch.view_as_real(Y).square().mean().sqrt().backward()
        found.append(model.share.grad)
    assert found[0] != 0 and model.unused.grad is None
    torch.testing.assert_close(*found)


def test_what_a_model_remembers_of_the_power_stays():
    seen = []

    def keeping(power, memory=None):
        seen.append((power, power.clone()))
        return 1 / (1e-3 + power), power

    with torch.no_grad():
        auxiva.demix(spectrogram(2, 9, 40), keeping, "iss", 4)
    assert len(seen) == 4 and all(torch.equal(kept, then) for kept, then in seen)


def test_recomputing_goes_back_to_the_mixture():
    X = spectrogram(2, 9, 40)
    found = []
    for recompute in (False, True):
        given = X.clone().requires_grad_()
        model = NETWORKS["glu"](9, hidden=4).double()
        Y = auxiva.demix(given, model, "ip", 3, recompute).projected_back().Y
        torch.view_as_real(Y).square().mean().backward()
        found.append(given.grad)
    torch.testing.assert_close(*found)


def kept(iterations, recompute):
    """Bytes that autograd keeps for the way back."""
    sizes = {}

    def pack(tensor):
        sizes[tensor.untyped_storage().data_ptr()] = tensor.untyped_storage().nbytes()
        return tensor

    X = spectrogram(2, 33, 100).to(torch.complex64)
    network = NETWORKS["glu"](33, hidden=16)
    with torch.autograd.graph.saved_tensors_hooks(pack, lambda tensor: tensor):
        state = auxiva.demix(X, network, "iss", iterations, recompute)
    assert state.W.requires_grad
    return sum(sizes.values())


def test_recomputing_keeps_the_filters_of_an_iteration_alone():
    filters, weights = 33 * 2 * 2 * 16, 2 * 33 * 100 * 4  # bytes
    assert (kept(20, True) - kept(2, True)) / 18 <= filters
    assert (kept(20, False) - kept(2, False)) / 18 > 5 * weights


def test_every_rule_has_its_kernel():
    assert set(kernels.RULES) == set(UPDATES)
