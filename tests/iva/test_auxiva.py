"""The loop against ssspy, on a real mixture and on synthetic ones."""

import functools

import numpy as np
import pytest
import torch
from ssspy.bss.iva import AuxGaussIVA, AuxLaplaceIVA
from ssspy.utils.select_pair import combination_pair_selector

from ssml.iva import auxiva
from ssml.iva.losses import pit, si_sdr_matrix
from ssml.iva.models import CLASSICAL, NETWORKS
from ssml.iva.stft import Stft
from ssml.iva.updates import UPDATES
from tests.conftest import spectrogram

PEERS = {"laplace": AuxLaplaceIVA, "gauss": AuxGaussIVA}


def last(X, model, rule, iterations):
    return list(auxiva.iterate(X, CLASSICAL[model](), rule, iterations))[-1].projected_back()


def peer(X, model, rule, iterations):
    # one pair an iteration: ssspy computes new weights between pairs
    pairs = {"pair_selector": combination_pair_selector} if rule == "ip2" else {}
    separator = PEERS[model](
        spatial_algorithm=rule.upper(), scale_restoration="projection_back", **pairs
    )
    return separator(X.numpy(), n_iter=iterations)


@pytest.mark.parametrize("rule", ["iss", "ip", "ip2"])  # those it has
@pytest.mark.parametrize("model", sorted(PEERS))
def test_agrees_with_ssspy_on_a_real_mixture(real_mixture, model, rule):
    X = Stft(1024, 256).forward(torch.from_numpy(real_mixture[0][:, :32000]))
    Y, expected = last(X, model, rule, 10).Y, peer(X, model, rule, 10)
    error = np.abs(Y.numpy() - expected).max() / np.abs(expected).max()
    assert error < 1e-6


@pytest.mark.parametrize("K", [3, 4])
@pytest.mark.parametrize("rule", ["iss", "ip"])
def test_agrees_with_ssspy_on_more_channels(rule, K):
    X = spectrogram(K)
    error = np.abs(last(X, "laplace", rule, 8).Y.numpy() - peer(X, "laplace", rule, 8)).max()
    assert error < 1e-6 * X.abs().max()


def test_rules_agree_in_what_they_separate(real_mixture):
    mix, ref = (torch.from_numpy(audio) for audio in real_mixture)
    found = {}
    for rule in UPDATES:
        est = auxiva.separate(mix, CLASSICAL["laplace"](), rule, 40, Stft(2048, 512))
        found[rule] = -pit(-si_sdr_matrix(est, ref))[0].item()
    mixed = -pit(-si_sdr_matrix(mix[:1].expand(2, -1), ref))[0].item()
    assert max(found.values()) - min(found.values()) < 1.0
    assert min(found.values()) > mixed + 3


def test_outputs_are_the_filters_times_the_mixture():
    X = spectrogram(3)
    for state in auxiva.iterate(X, CLASSICAL["nmf"](), "iss", 3):
        state = state.projected_back(1)
        torch.testing.assert_close(state.Y, torch.einsum("fkm,mft->kft", state.W, X))
        torch.testing.assert_close(state.Y.sum(0), X[1])


@pytest.mark.parametrize("scale", [1e15, 1e-15])
def test_single_precision_takes_any_scale_that_can_be_squared(scale):
    X = spectrogram(2).to(torch.complex64)
    found = last(scale * X, "laplace", "iss", 5).projected_back().Y / scale
    expected = last(X, "laplace", "iss", 5).projected_back().Y
    torch.testing.assert_close(found, expected, rtol=1e-3, atol=1e-3)


@pytest.mark.parametrize("model", sorted(CLASSICAL))
@pytest.mark.parametrize("rule", sorted(UPDATES))
class TestEveryMethod:
    def test_batch_equals_loop(self, model, rule):
        X = spectrogram(2, batch=(3,))
        looped = torch.stack([last(x, model, rule, 4).Y for x in X])
        torch.testing.assert_close(last(X, model, rule, 4).Y, looped, rtol=1e-6, atol=1e-6)

    @pytest.mark.parametrize("scale", [1e-6, 1e6])
    def test_scale_of_the_mixture_only_scales_the_outputs(self, model, rule, scale):
        X = spectrogram(2)
        scaled = last(scale * X, model, rule, 5).Y / scale
        torch.testing.assert_close(scaled, last(X, model, rule, 5).Y, rtol=1e-6, atol=1e-6)

    def test_a_microphone_may_be_far_quieter_than_the_others(self, model, rule):
        X = spectrogram(2).to(torch.complex64)
        quiet = X * torch.tensor([1, 1e-3])[:, None, None]
        error = (last(quiet, model, rule, 5).Y - last(X, model, rule, 5).Y).abs().max()
        assert error < 1e-2 * X.abs().max()

    def test_float32_is_near_float64(self, model, rule):
        X = spectrogram(2)
        single = last(X.to(torch.complex64), model, rule, 5).Y
        error = (single - last(X, model, rule, 5).Y).abs().max() / X.abs().max()
        assert error < 1e-2

    def test_one_frame_gives_finite_output(self, model, rule):
        """Other odd mixtures are in test_degenerate."""
        X = spectrogram(2)[..., :1].to(torch.complex64)
        for state in auxiva.iterate(X, CLASSICAL[model](), rule, 30):
            assert torch.isfinite(torch.view_as_real(state.projected_back().Y)).all()


def test_signals_in_signals_out():
    mix = torch.randn(2, 3, 8000)
    separate = functools.partial(auxiva.separate, model=CLASSICAL["laplace"](), rule="iss")
    est = separate(mix, iterations=2, stft=Stft(512, 128))
    assert est.shape == mix.shape
    torch.testing.assert_close(est.sum(1), mix[:, 0], atol=1e-3, rtol=1e-3)


@pytest.mark.parametrize("rule", sorted(UPDATES))
def test_nearly_equal_channels_are_separated_in_float32_as_in_float64(rule):
    """Such as low frequencies are: the channels differ by a hundredth."""
    X = spectrogram(2)
    X = torch.stack([X[0], X[0] + 1e-2 * X[1]])
    single = last(X.to(torch.complex64), "laplace", rule, 20).Y
    error = (single - last(X, "laplace", rule, 20).Y).abs().max() / X.abs().max()
    assert error < 0.05


@pytest.mark.parametrize("rule", sorted(UPDATES))
def test_no_iteration_waits_for_a_value(rule):
    """Tensors without data go through: on a GPU the loop never stops for the host."""
    X = torch.empty(3, 2, 65, 40, dtype=torch.complex64, device="meta")
    for model in [
        *(make() for make in CLASSICAL.values()),
        NETWORKS["glu"](65, hidden=8).to("meta"),
    ]:
        assert auxiva.demix(X, model, rule, 3).projected_back().Y.shape == X.shape
