"""Past frames and a background: descent, closed forms, the rank-1 form, and derivatives."""

import itertools

import numpy as np
import pyroomacoustics as pra
import pytest
import torch

from ssml.iva import auxiva, demixing, kernels, regression
from ssml.iva.models import CLASSICAL, NETWORKS
from ssml.iva.updates import UPDATES
from tests.conftest import spectrogram

RULES = sorted(UPDATES)
# microphones, sources, past frames, the first of them
FORMS = [(2, 2, 2, 1), (2, 2, 3, 2), (3, 2, 0, 1), (4, 2, 0, 1), (4, 3, 2, 1)]


def echoing(M, F=5, T=90, seed=0):
    """A mixture whose frames depend on the frames before, (M, F, T)."""
    X = spectrogram(M, F, T, seed=seed)
    for lag, gain in ((1, 0.5), (2, 0.3), (3, 0.2)):
        X[..., lag:] = X[..., lag:] + gain * X.flip(-3)[..., :-lag]
    return X / X.abs().square().mean().sqrt()  # the loop's scale


def first(M, K, F=5, seed=1):
    """Demixing matrices (F, K, M) to start from; None where K = M."""
    random = torch.Generator().manual_seed(seed)
    start = torch.randn(F, K, M, dtype=torch.complex128, generator=random)
    return None if K == M else torch.eye(K, M, dtype=start.dtype) + 0.1 * start


def gauss(power, memory=None):
    """Weights of Gauss whose likelihood is bounded: that of F log (norm^2 + 1)."""
    U = power.shape[-2] / (power.sum(-2, keepdim=True) + 1)
    return U.expand_as(power), memory


MODELS = {"laplace": CLASSICAL["laplace"](floor=0), "gauss": gauss}


def contrast(X, W, Y, model):
    """The cost that an iteration must not raise, with all that is subtracted eliminated."""
    norms = Y.abs().square().sum(-2)
    phi = norms.sqrt() if model == "laplace" else X.shape[-2] * (norms + 1).log()
    x = X.transpose(-3, -2)
    C = x @ x.mH / X.shape[-1]
    W = W[..., : X.shape[-3]]
    return phi.mean(-1).sum() - torch.logdet(W @ C @ W.mH).real.sum()


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("rule", RULES)
@pytest.mark.parametrize("model", MODELS)
@pytest.mark.parametrize("load", [1e-4, 0.5, 0])
def test_the_cost_never_rises(monkeypatch, model, rule, form, load):
    M, K, taps, delay = form
    monkeypatch.setattr(regression, "LOAD", load)
    X = echoing(M)
    states = auxiva.iterate(X, MODELS[model], rule, 12, first(M, K), taps, delay)
    costs = [float(contrast(X, s.W, s.Y, model)) for s in states]
    assert all(b <= a + 1e-9 * abs(a) for a, b in itertools.pairwise(costs))
    assert costs[-1] < costs[0] - 0.1


def steered(Y, z, U, sweeps):
    """T-ISS, rank-1 steps on the signals themselves (Nakashima et al. 2021, eq. 14 to 17)."""
    Y, K = Y.copy(), len(Y)
    for _ in range(sweeps):
        for k in range(K):
            v = (U * Y * Y[k].conj()).sum(-1) / (U * np.abs(Y[k]) ** 2).sum(-1)
            v[k] = 1 - (U[k] * np.abs(Y[k]) ** 2).mean(-1) ** -0.5
            Y = Y - v[:, None] * Y[k]
        for one in z:
            v = (U * Y * one.conj()).sum(-1) / (U * np.abs(one) ** 2).sum(-1)
            Y = Y - v[:, None] * one
    return Y


@pytest.mark.parametrize("taps, delay", [(1, 1), (2, 1), (3, 2)])
def test_t_iss_comes_to_the_same_on_given_weights(monkeypatch, taps, delay):
    """Both minimise one cost; for two sources the rule ip2 does so in one iteration."""
    monkeypatch.setattr(regression, "LOAD", 0)
    X, F = echoing(2), 5
    U = torch.rand(2, F, 90, dtype=torch.float64, generator=torch.Generator().manual_seed(3))
    *_, state = auxiva.iterate(X, lambda power, memory: (U, memory), "ip2", 1, None, taps, delay)
    past = demixing.with_past(X, taps, delay)[2:]
    for f in range(F):
        expected = steered(X[:, f].numpy(), past[:, f].numpy(), U[:, f].numpy(), 3000)
        found = state.Y[:, f].numpy()
        # level: of unit weighted power; the phase of a row is arbitrary
        np.testing.assert_allclose((U[:, f].numpy() * np.abs(expected) ** 2).mean(-1), 1, atol=1e-6)
        scale = (U[:, f].numpy() * np.abs(found) ** 2).mean(-1, keepdims=True) ** -0.5
        np.testing.assert_allclose(scale * np.abs(found), np.abs(expected), rtol=0, atol=1e-6)


def test_past_frames_are_regressed_on_where_nothing_is_to_separate(monkeypatch):
    """With equal weights the outputs are what least squares cannot predict of the frame."""
    monkeypatch.setattr(regression, "LOAD", 0)
    X = echoing(2)
    U = torch.ones(2, 5, 90, dtype=torch.float64)
    *_, state = auxiva.iterate(X, lambda power, memory: (U, memory), "iss", 1, None, 3, 1)
    past = demixing.with_past(X, 3, 1)[2:].transpose(0, 1)
    x = X.transpose(0, 1)
    B = torch.linalg.lstsq(past.mT, x.mT).solution.mT
    W = state.W[..., :2]
    torch.testing.assert_close(state.Y.transpose(0, 1), W @ (x - B @ past))


def test_a_background_is_over_iva(monkeypatch):
    """One source of three microphones by ip: the row of Scheibler & Ono 2019."""
    monkeypatch.setattr(regression, "LOAD", 0)
    X = echoing(3)
    U = torch.rand(1, 5, 90, dtype=torch.float64, generator=torch.Generator().manual_seed(3))
    start = first(3, 1)
    *_, state = auxiva.iterate(X, lambda power, memory: (U, memory), "ip", 1, start)
    x = X.transpose(0, 1)
    V, C = (u * x @ x.mH / 90 for u in (U[0][:, None], 1))
    J = torch.linalg.solve((start @ C)[..., :1], (start @ C)[..., 1:]).mH
    full = torch.cat([start, torch.cat([J, -torch.eye(2).expand(5, 2, 2)], -1)], -2)
    w = torch.linalg.solve(full @ V, torch.eye(3, dtype=V.dtype)[:, :1])
    expected = (w / (w.mH @ V @ w).sqrt()).mH
    ratio = state.W / expected
    torch.testing.assert_close(ratio, ratio[..., :1].expand_as(ratio))


def test_a_background_converges_to_what_pyroomacoustics_finds():
    random = torch.Generator().manual_seed(0)

    def normal(*shape):
        return torch.randn(*shape, generator=random, dtype=torch.complex128)

    sources = normal(2, 9, 300) * normal(2, 1, 300).abs() ** 2
    X = torch.einsum("fmk,kft->mft", normal(9, 4, 2), sources) + 0.1 * normal(4, 9, 300)
    *_, state = auxiva.iterate(
        X, CLASSICAL["laplace"](), "ip", 100, torch.eye(2, 4).expand(9, 2, 4)
    )
    given = {"n_src": 2, "n_iter": 100, "model": "laplace", "proj_back": False}
    expected = pra.bss.auxiva(X.numpy().transpose(2, 1, 0), **given).transpose(2, 1, 0)
    found = state.Y.numpy()
    size = np.linalg.norm(found, axis=-1) * np.linalg.norm(expected, axis=-1)
    coherence = np.abs((found * expected.conj()).sum(-1)) / size
    np.testing.assert_allclose(coherence, 1, atol=1e-9)


def test_the_background_is_uncorrelated_with_the_outputs():
    W = torch.randn(4, 2, 5, dtype=torch.complex128, generator=torch.Generator().manual_seed(0))
    assert (W @ regression.background(W).mH).abs().max() < 1e-12


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("rule", RULES)
def test_gradients_are_those_of_finite_differences(rule, form):
    M, K, taps, delay = form
    X = echoing(M, 2, 30)

    def outputs(X, slope):
        def model(power, memory):
            mean = power.mean(-1, keepdim=True)
            return 1 / (power / mean + 0.3) ** slope / mean, memory

        return (
            auxiva.demix(X, model, rule, 2, False, first(M, K, 2), taps, delay).projected_back().Y
        )

    slope = torch.tensor(0.7, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(outputs, (X.requires_grad_(), slope), fast_mode=True)


@pytest.mark.parametrize("form", FORMS)
def test_recomputing_gives_the_same_gradient(form):
    M, K, taps, delay = form
    X, found = echoing(M), []
    for recompute in (False, True):
        slope = torch.nn.Parameter(torch.full((1,), 0.7, dtype=torch.float64))

        class Model(torch.nn.Module):
            def __init__(self, slope=slope):
                super().__init__()
                self.slope = slope

            def forward(self, power, memory=None):
                return (power + 1e-3) ** -self.slope, memory

        state = auxiva.demix(X, Model(), "iss", 4, recompute, first(M, K), taps, delay)
        state.projected_back().Y.abs().sum().backward()
        found.append(slope.grad)
    torch.testing.assert_close(*found)


@pytest.mark.parametrize("form", FORMS)
def test_outputs_are_images_of_the_microphone(form):
    """Projection back: the present frame's filters give the images that regression gives."""
    M, K, taps, delay = form
    X = echoing(M)
    *_, state = auxiva.iterate(X, CLASSICAL["laplace"](), "iss", 3, first(M, K), taps, delay)
    W = state.projected_back(1).W[..., :M]
    Y = demixing.apply(W, X).transpose(0, 1)
    x = X[1, :, None]
    # the sum of the images is what least squares explains of the microphone by them
    gains = torch.linalg.lstsq(Y.mT, x.mT).solution
    torch.testing.assert_close(gains, torch.ones_like(gains))
    if taps:
        H = state.W[..., M:] / state.projected_back(1).W[..., M:]
        torch.testing.assert_close(H, (state.W[..., :1] / W[..., :1]).expand_as(H))


def test_more_past_frames_than_a_mixture_has_stay_finite():
    X = echoing(2, 3, 4)
    for taps in (1, 6):
        *_, state = auxiva.iterate(X, CLASSICAL["laplace"](), "iss", 20, None, taps, 2)
        assert torch.isfinite(torch.view_as_real(state.Y)).all()


def by_torch(monkeypatch, function):
    """What `function` returns without the compiled kernels."""
    with monkeypatch.context() as patch:
        patch.setattr(kernels, "available", lambda X: False)
        return function()


WIDE = [*FORMS, (2, 2, 5, 1), (3, 3, 2, 4), (5, 2, 3, 2)]


@pytest.mark.parametrize("form", WIDE)
@pytest.mark.parametrize("rule", RULES)
@pytest.mark.parametrize("model", ["laplace", "nmf"])
def test_compiled_is_the_reference(monkeypatch, model, rule, form):
    M, K, taps, delay = form
    X = echoing(M)

    @torch.no_grad()
    def outputs():
        given = X, CLASSICAL[model](), rule, 6, False, first(M, K), taps, delay
        return auxiva.demix(*given).projected_back().Y

    expected = by_torch(monkeypatch, outputs)
    assert (outputs() - expected).abs().max() < 1e-7 * expected.abs().max()


@pytest.mark.parametrize("form", WIDE)
def test_compiled_derivatives_are_the_references(monkeypatch, form):
    M, K, taps, delay = form
    X, network = echoing(M), NETWORKS["glu"](bins=5, hidden=8).double()

    def gradients():
        network.zero_grad()
        given = X, network, "iss-6-sweeps", 3, False, first(M, K), taps, delay
        Y = auxiva.demix(*given).projected_back().Y
        (Y * Y.detach().sgn().conj() / (1 + Y.detach().abs())).real.sum().backward()
        return [p.grad.clone() for p in network.parameters() if p.grad is not None]

    expected = by_torch(monkeypatch, gradients)
    for a, b in zip(gradients(), expected, strict=True):
        assert (a - b).abs().max() < 1e-7 * max(1e-3, float(b.abs().max()))


@pytest.mark.parametrize("form", [(2, 2, 5, 1), (4, 2, 2, 2)])
def test_single_precision_separates_alike(form):
    M, K, taps, delay = form
    X = echoing(M, 9, 200)
    found = []
    for dtype in (torch.complex128, torch.complex64):
        given = X.to(dtype), CLASSICAL["laplace"](), "ip2", 20, False, first(M, K, 9), taps, delay
        found.append(auxiva.demix(*given).projected_back().Y)
    assert (found[0] - found[1]).abs().max() < 1e-3 * found[0].abs().max()


def test_a_batch_is_its_mixtures():
    X = torch.stack([echoing(3, seed=seed) for seed in (0, 1)])
    start = first(3, 2).expand(2, 5, 2, 3)
    given = CLASSICAL["laplace"](), "iss", 4
    both = auxiva.demix(X, *given, False, start, 2, 1).Y
    for one, x in zip(both, X, strict=True):
        torch.testing.assert_close(one, auxiva.demix(x, *given, False, start[0], 2, 1).Y)
