"""Update rules: textbook forms, descent, derivatives, and ssspy as oracle."""

import numpy as np
import pytest
import torch
from ssspy.bss._update_spatial_model import update_by_ip1, update_by_ip2_one_pair

from ssml.iva import auxiva, demixing
from ssml.iva.models import CLASSICAL
from ssml.iva.updates import UPDATES
from tests.conftest import spectrogram

RULES = sorted(UPDATES)


def covariances(K, F=6, T=50, seed=0):
    X = spectrogram(K, F, T, seed=seed)
    U = torch.rand(K, F, T, dtype=torch.float64, generator=torch.Generator().manual_seed(seed))
    W = torch.eye(K, dtype=X.dtype).expand(F, K, K)
    return X, U, demixing.covariance(W, U, demixing.outer_products(X))


@pytest.mark.parametrize("K", [2, 3, 4])
def test_iss_is_the_rank_one_form(K):
    X, U, G = covariances(K)
    Y = X.clone()
    for k in range(K):  # Scheibler & Ono 2020, on the outputs themselves
        v = (U * Y * Y[k].conj()).sum(-1) / (U * Y[k].abs() ** 2).sum(-1)
        v[k] = 1 - (U[k] * Y[k].abs() ** 2).mean(-1) ** -0.5
        Y = Y - v[..., None] * Y[k]
    torch.testing.assert_close(demixing.apply(UPDATES["iss"](G), X), Y)


@pytest.mark.parametrize("K", [2, 3, 4])
def test_iss_6_sweeps_is_six_times_iss_on_the_covariances_of_what_came_before(K):
    X, U, G = covariances(K)
    W = torch.eye(K, dtype=X.dtype).expand(6, K, K)
    for _ in range(6):
        W = UPDATES["iss"](demixing.covariance(W, U, demixing.outer_products(X))) @ W
    torch.testing.assert_close(UPDATES["iss-6-sweeps"](G), W)


@pytest.mark.parametrize("K", [2, 3, 4])
def test_ip_is_ssspys(K):
    _, _, G = covariances(K)
    expected = update_by_ip1(
        np.tile(np.eye(K, dtype=complex), (6, 1, 1)), G.numpy(), overwrite=False
    )
    np.testing.assert_allclose(UPDATES["ip"](G).numpy(), expected, atol=1e-9)


@pytest.mark.parametrize("K", [2, 3, 4])
def test_ip2_is_ssspys_pair_after_pair(K):
    _, _, G = covariances(K)
    W = np.tile(np.eye(K, dtype=complex), (6, 1, 1))
    for m, n in [(0, 1)] if K == 2 else [(k, (k + 1) % K) for k in range(K)]:
        W[:, (m, n), :] = update_by_ip2_one_pair(W, G.numpy()[:, (m, n)], pair=(m, n))
    A = UPDATES["ip2"](G).numpy()
    phase = np.exp(1j * np.angle((W * A.conj()).sum(-1, keepdims=True)))  # of an eigenvector
    np.testing.assert_allclose(A * phase, W, atol=1e-9)


def cost(X, W):
    """Laplace IVA: `sum_k mean_t norm(Y[k,:,t]) - 2 sum_f log|det W_f|`."""
    Y = demixing.apply(W, X)
    contrast = Y.abs().square().sum(-2).sqrt().sum(-2).mean(-1)
    return contrast - 2 * torch.linalg.slogdet(W).logabsdet.sum(-1)


@pytest.mark.parametrize("K", [2, 3, 4])
@pytest.mark.parametrize("rule", RULES)
def test_no_rule_raises_the_laplace_cost(rule, K):
    # unit mean power, which iterate() brings a mixture to
    X = spectrogram(K, batch=(2,))
    X = X / X.abs().square().mean((-3, -2, -1), keepdim=True).sqrt()
    states = auxiva.iterate(X, CLASSICAL["laplace"](), rule, 12)
    costs = torch.stack([cost(X, state.W) for state in states])
    assert (costs.diff(dim=0) <= 1e-9).all()
    assert (costs[-1] < costs[0] - 1).all()


@pytest.mark.parametrize("rule", RULES)
def test_rules_are_differentiable(rule):
    _, _, G = covariances(3, F=2)
    parts = torch.view_as_real(G).requires_grad_()

    def invariant(parts):
        G = torch.view_as_complex(parts)
        A = UPDATES[rule]((G + G.mH) / 2)
        return demixing.project_back(A).abs()  # free of the phase an eigenvector may have

    assert torch.autograd.gradcheck(invariant, (parts,), atol=1e-5)


@pytest.mark.parametrize("rule", RULES)
def test_batch_equals_loop(rule):
    G = torch.stack([covariances(3, seed=seed)[2] for seed in range(3)])
    looped = torch.stack([UPDATES[rule](g) for g in G])
    torch.testing.assert_close(UPDATES[rule](G), looped)


@pytest.mark.parametrize("rule", RULES)
@pytest.mark.parametrize("dtype", [torch.complex64, torch.complex128])
def test_silence_gives_finite_transforms(rule, dtype):
    A = UPDATES[rule](torch.zeros(3, 2, 2, 2, dtype=dtype))
    assert torch.isfinite(torch.view_as_real(A)).all()


@pytest.mark.parametrize("rule", RULES)
@pytest.mark.parametrize("dtype", [torch.complex64, torch.complex128])
def test_sources_that_cannot_be_told_apart_are_left_apart(rule, dtype):
    """All weights equal, with or without rounding: the transform stays well-conditioned."""
    random = torch.Generator().manual_seed(0)
    H = torch.randn(200, 3, 3, dtype=torch.complex128, generator=random)
    H = H @ H.mH + torch.eye(3)
    noise = torch.randn(200, 3, 3, 3, dtype=torch.complex128, generator=random)
    size = torch.tensor([0, 1e-8, 1e-7, 1e-6]).repeat_interleave(50)[:, None, None, None]
    G = torch.tensor([1.0, 1.9, 2.8])[:, None, None] * (H[:, None] + size * (noise + noise.mH))
    A = UPDATES[rule](G.to(dtype))
    assert torch.linalg.cond(A).max() < 1e3
    assert A.abs().max() < 1e2


@pytest.mark.parametrize("rule", RULES)
@pytest.mark.parametrize("dtype", [torch.complex64, torch.complex128])
def test_an_output_far_below_the_others_is_updated_alike(rule, dtype):
    """The scale of an output is arbitrary: a weak one is no rounding of the others."""
    _, _, G = covariances(3)
    level = torch.tensor([1e-4, 1.0, 1e3], dtype=G.dtype)
    A = UPDATES[rule]((level[:, None] * G * level).to(dtype)).to(G.dtype) * level
    expected = demixing.project_back(UPDATES[rule](G))
    error = (demixing.project_back(A) - expected).abs().amax() / expected.abs().amax()
    assert error < (1e-3 if dtype == torch.complex64 else 1e-9)
