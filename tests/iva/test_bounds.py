import pytest
import torch

from ssml.config.params import load
from ssml.config.sections import MethodParams
from ssml.evaluation import methods
from ssml.iva import bounds
from ssml.iva.losses import si_sdr_matrix
from ssml.iva.models import CLASSICAL
from ssml.iva.stft import Stft
from tests.conftest import ROOT, spectrogram


def test_what_least_squares_leaves_is_orthogonal_to_the_mixture():
    X, S = spectrogram(3, 9, 80), spectrogram(3, 9, 80, batch=(2,))[1]
    left = S - bounds.least_squares(X, S)
    inner = torch.einsum("kft,mft->fkm", left, X.conj())
    assert inner.abs().max() < 1e-6 * torch.einsum("kft,mft->fkm", S, X.conj()).abs().max()


def test_least_squares_is_finite_for_silence():
    X = torch.zeros(2, 5, 20, dtype=torch.complex64)
    assert torch.isfinite(torch.view_as_real(bounds.least_squares(X, X))).all()


def test_bounds_are_above_what_they_bound(real_mixture):
    mix, ref = (torch.from_numpy(audio).float() for audio in real_mixture)
    stft = Stft(2048, 512)

    def si_sdr(model, rule="iss", iterations=30):
        method = methods.Method(model, rule, iterations, stft)
        return sum(methods.separate(method, mix, ref).curve[iterations]) / len(ref)

    blind, true = si_sdr(CLASSICAL["laplace"]()), si_sdr("true-source")
    assert blind + 1 < true < si_sdr("least-squares", iterations=1)
    assert abs(true - si_sdr("true-source", "ip")) < 1


def test_a_method_has_its_own_stft_or_that_of_all():
    params = load(ROOT / "params.yaml")
    own = MethodParams(model="laplace", rule="iss", iterations=1, stft={"n_fft": 512, "hop": 128})
    chosen = params.separate.methods | {
        "own": own,
        "bound": own.model_copy(update={"model": "true-source"}),
    }
    separate = params.separate.model_copy(update={"methods": chosen})
    params = params.model_copy(update={"separate": separate})
    assert methods.build(params, "own").stft == Stft(512, 128)
    assert methods.build(params, "laplace-iss").stft == Stft(2048, 512)
    assert methods.build(params, "bound").model == "true-source"


def test_the_curve_has_some_iterations_and_the_last(real_mixture):
    mix, ref = (torch.from_numpy(audio).float()[..., :16000] for audio in real_mixture)
    method = methods.Method(CLASSICAL["laplace"](), "iss", 43, Stft(512, 128))
    found = methods.separate(method, mix, ref)
    assert list(found.curve) == [*range(7), 8, 10, 12, 15, 20, 30, 43]
    measured = si_sdr_matrix(found.est.double(), ref.double()).diagonal()
    assert found.curve[43] == pytest.approx(measured.tolist(), abs=1e-6)
    assert methods.iterations_to_measure(3) == {0, 1, 2, 3}
    assert methods.iterations_to_measure(7) == {*range(7), 7}
    assert {0, 5, 10, 20, 50, 100} < methods.iterations_to_measure(100)
