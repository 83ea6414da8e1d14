import pytest
import torch

from ssml.iva import demixing, linalg
from tests.conftest import spectrogram


def filters(K, M, F, batch=()):
    return torch.randn(*batch, F, K, M, dtype=torch.complex128)


@pytest.mark.parametrize("M", [2, 3, 5])
def test_power_is_that_of_the_outputs(M):
    X, W = spectrogram(M, batch=(2,)), filters(M, M, 33, (2,))
    power = demixing.power(W, demixing.outer_products(X))
    torch.testing.assert_close(power, demixing.apply(W, X).abs().square())


@pytest.mark.parametrize("M", [2, 3, 5])
def test_covariance_is_the_weighted_mean_of_outer_products(M):
    X, W = spectrogram(M, batch=(2,)), filters(M, M, 33, (2,))
    U = torch.rand(2, M, 33, 120, dtype=torch.float64)
    Y = demixing.apply(W, X)
    expected = torch.einsum("bmft,bift,bjft->bfmij", U.to(Y), Y, Y.conj()) / 120
    G = demixing.covariance(W, U, demixing.outer_products(X))
    torch.testing.assert_close(G, expected)


def test_pack_and_unpack_are_inverse():
    R = torch.randn(7, 4, 4, dtype=torch.complex128)
    R = R + R.mH
    torch.testing.assert_close(linalg.unpack(linalg.pack(R)), R)


def test_projected_back_outputs_sum_to_the_reference_microphone():
    X, W = spectrogram(3), filters(3, 3, 33)
    for mic in range(3):
        Y = demixing.apply(demixing.project_back(W, mic), X)
        torch.testing.assert_close(Y.sum(0), X[mic])


def test_projection_back_does_not_see_the_scale_of_the_filters():
    W = filters(3, 3, 33)
    scaled = W * torch.randn(33, 3, 1, dtype=torch.complex128)
    torch.testing.assert_close(demixing.project_back(scaled), demixing.project_back(W))


def test_projection_back_of_singular_filters_is_finite():
    W = torch.ones(4, 2, 2, dtype=torch.complex64)
    assert torch.isfinite(torch.view_as_real(demixing.project_back(W))).all()


def test_vectors_of_a_pencil_the_larger_eigenvalue_first():
    A, B = (torch.randn(9, 2, 2, dtype=torch.complex128) for _ in range(2))
    A, B = A @ A.mH, B @ B.mH
    values = torch.linalg.eigvals(torch.linalg.solve(B, A)).real.sort(-1).values
    for h, value in zip(linalg.pencil2(A, B), (values[:, 1], values[:, 0]), strict=True):
        torch.testing.assert_close(A @ h[..., None], value[:, None, None] * (B @ h[..., None]))


def test_sphered_mixtures_have_covariance_one_and_give_the_mixture_back():
    X = spectrogram(3, batch=(2,))
    Z, L = demixing.sphere(X)
    C = torch.einsum("...mft,...nft->...fmn", Z, Z.conj()) / X.shape[-1]
    torch.testing.assert_close(C, torch.eye(3, dtype=C.dtype).expand_as(C))
    torch.testing.assert_close(demixing.apply(L, Z), X)
