import itertools

import fast_bss_eval
import numpy as np
import pytest
import torch

from ssml.evaluation.metrics import measure
from ssml.iva.losses import LOSSES, Sources, coherence, pit, si_sdr_matrix
from ssml.iva.stft import Stft


def sources(K=2, N=4000, seed=0):
    return torch.randn(K, N, dtype=torch.float64, generator=torch.Generator().manual_seed(seed))


def both(signals):
    return Sources(signals, Stft(256, 64).forward(signals))


def orthogonal(signal, other):
    """`other` without its part along `signal`, of the same norm as `signal`."""
    other = other - (other @ signal) / (signal @ signal) * signal
    return other * signal.norm() / other.norm()


@pytest.mark.parametrize("ratio", [0.1, 1.0, 10.0])
def test_si_sdr_of_orthogonal_noise_is_the_ratio_of_powers(ratio):
    signal, other = sources()
    est = signal + orthogonal(signal, other) / ratio
    found = si_sdr_matrix(3 * est[None], signal[None])  # scale does not matter
    torch.testing.assert_close(found, torch.full((1, 1), 20 * np.log10(ratio), dtype=found.dtype))


def test_si_sdr_agrees_with_fast_bss_eval():
    ref = sources(3)
    est = ref + 0.3 * sources(3, seed=1)
    expected = fast_bss_eval.si_sdr(ref.numpy(), est.numpy(), zero_mean=False)
    found = si_sdr_matrix(est, ref).diagonal().numpy()
    np.testing.assert_allclose(found, expected, atol=1e-6)


def test_sdr_loss_agrees_with_fast_bss_eval():
    ref = sources(2)
    est = (ref + 0.3 * sources(2, seed=1)).flip(0)
    found = pit(LOSSES["sdr"](both(est), both(ref)))[0]
    expected = fast_bss_eval.si_sdr_pit_loss(est, ref, zero_mean=False, clamp_db=30).mean()
    torch.testing.assert_close(found, expected, atol=1e-6, rtol=0)


def test_metrics_agree_with_mir_eval():
    from mir_eval.separation import bss_eval_sources

    ref = sources(2, 8000)
    est = ref + 0.5 * sources(2, 8000, seed=1) + 0.3 * ref.flip(0)
    with pytest.warns(FutureWarning):
        sdr, sir, sar, _ = bss_eval_sources(ref.numpy(), est.numpy(), compute_permutation=False)
    rows = measure(est.numpy(), ref.numpy(), 16000, 512)
    np.testing.assert_allclose([row["sdr"] for row in rows], sdr, atol=1e-3)
    np.testing.assert_allclose([row["sir"] for row in rows], sir, atol=1e-3)
    np.testing.assert_allclose([row["sar"] for row in rows], sar, atol=1e-3)


def test_a_silent_estimate_is_a_failure():
    ref = sources(2).numpy()
    assert all(np.isnan(list(row.values())).all() for row in measure(0 * ref, ref, 16000, 32))


def test_coherence_is_zero_for_any_filter_of_each_bin():
    ref = both(sources())
    gain = torch.randn(129, 1, dtype=torch.complex128)
    cost = coherence(Sources(ref.signals, gain * ref.spectra), ref)
    torch.testing.assert_close(cost.diagonal(), torch.zeros(2, dtype=cost.dtype))
    assert (cost[[0, 1], [1, 0]] > 0.3).all()


@pytest.mark.parametrize("loss", sorted(LOSSES))
class TestEveryLoss:
    def test_prefers_the_right_pairs(self, loss):
        ref = sources(3)
        order = torch.tensor([2, 0, 1])
        est = (ref + 0.1 * sources(3, seed=1))[order]
        best = pit(LOSSES[loss](both(est), both(ref)))[1]
        assert est[best].sub(ref).norm() < 0.2 * ref.norm()

    def test_does_not_see_scale(self, loss):
        ref = sources()
        est = ref + sources(seed=1)
        one = LOSSES[loss](both(est), both(ref))
        torch.testing.assert_close(LOSSES[loss](both(1e3 * est), both(ref)), one)

    def test_is_differentiable(self, loss):
        ref = sources(2, 600)
        est = (ref + sources(2, 600, seed=1)).requires_grad_()

        def mean_cost(est):
            return pit(LOSSES[loss](both(est), both(ref)))[0]

        assert torch.autograd.gradcheck(mean_cost, (est,), atol=1e-5)

    def test_silence_has_a_finite_cost_and_gradient(self, loss):
        est = torch.zeros(2, 600, requires_grad=True)
        cost = pit(LOSSES[loss](both(est), both(sources(2, 600).float())))[0]
        cost.backward()
        assert torch.isfinite(cost) and torch.isfinite(est.grad).all()


def test_pit_is_the_best_of_all_assignments():
    cost = torch.tensor([[3.0, 1.0, 9.0], [2.0, 7.0, 8.0], [9.0, 9.0, 4.0]])
    loss, order = pit(cost)
    assert order.tolist() == [1, 0, 2]
    assert loss.item() == pytest.approx((2 + 1 + 4) / 3)


@pytest.mark.parametrize("K", [2, 5, 6])
def test_pit_has_the_value_and_the_gradient_of_all_assignments_compared(K):
    """Beyond `ENUMERATED` sources too, where it does not compare them."""
    cost = torch.randn(3, 2, K, K, generator=torch.manual_seed(K), dtype=torch.float64)
    cost.requires_grad_()
    permutations = torch.tensor(list(itertools.permutations(range(K))))
    expected = cost[..., permutations, torch.arange(K)].mean(-1).min(-1).values
    loss, order = pit(cost)
    torch.testing.assert_close(loss, expected)
    assert (order.sort(-1).values == torch.arange(K)).all()
    gradients = [torch.autograd.grad(x.square().sum(), cost)[0] for x in (loss, expected)]
    torch.testing.assert_close(*gradients)


@pytest.mark.parametrize("K", [2, 6])
def test_a_cost_that_is_no_number_gives_a_loss_that_is_none(K):
    assert pit(torch.full((K, K), torch.nan))[0].isnan()
