"""A window and the digest of the frames before it have the covariances of all frames together."""

import math

import pytest
import torch

from ssml.files.errors import UserError
from ssml.iva import auxiva
from ssml.iva.models import CLASSICAL
from ssml.iva.online import Joined, Online, disagreement
from tests.conftest import spectrogram


def constant(power, memory=None):
    """Weights that depend on the bin and the source, not on the frames: nothing is lost."""
    K, F, _ = power.shape
    U = 1 + torch.arange(K)[:, None, None] + torch.arange(F)[:, None] / F
    return U.to(power).expand_as(power), memory


def test_the_digest_stands_for_the_frames(monkeypatch):
    """Where weights depend on the mixture alone, and nothing is forgotten, all frames count."""
    monkeypatch.setattr("ssml.iva.online.HASTE", 0)
    X = spectrogram(2, F=9, T=60)

    def of_mixture(X):
        return torch.stack([X[0].angle().square() + 0.1, X[1].angle().square() + 0.1])

    online = Online(lambda power, memory=None: (of_mixture(online.X), memory), "ip2", 2, 20, 1e12)
    for part in X.split(10, -1):
        # the frames of one level, as those of the window are brought to one level each
        found = online.update(part / part.abs().square().mean().sqrt(), 1).W
    assert online.X.shape[-1] == 20
    parts = [part / part.abs().square().mean().sqrt() for part in X.split(10, -1)]
    whole = torch.cat(parts, -1)
    U = of_mixture(whole)
    expected = auxiva.demix(whole, lambda power, memory=None: (U, memory), "ip2", 1).W
    # IP2 solves a pair exactly, but for the scale and phase of each row
    cross = (found * expected.conj()).sum(-1).abs()
    torch.testing.assert_close(cross, found.norm(dim=-1) * expected.norm(dim=-1), rtol=1e-5, atol=0)


def test_joined_frames_add_their_covariance():
    X = spectrogram(2, F=5, T=30)
    gone = spectrogram(2, F=5, T=40, seed=1).transpose(0, 1)
    U = torch.rand(2, 5, 40, dtype=torch.float64)
    past = (U.transpose(0, 1)[..., None, :] * gone[:, None]) @ gone.mH[:, None]
    model = Joined(constant, 30)
    joined = model.join(X, past, torch.tensor([40.0, 40.0], dtype=torch.float64))
    weights, _ = model(joined.abs().square())
    Y = joined.transpose(0, 1)
    found = (weights.transpose(0, 1)[..., None, :] * Y[:, None]) @ Y.mH[:, None] / Y.shape[-1]
    inside = X.transpose(0, 1)
    own = constant(X.abs().square())[0].transpose(0, 1)[..., None, :] * inside[:, None]
    torch.testing.assert_close(found, (own @ inside.mH[:, None] + past) / 70, rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize("rule", ["ip2", "iss-6-sweeps"])
def test_outputs_agree_with_their_weights_after_many_iterations(rule):
    X = spectrogram(2, F=33, T=120)
    *_, last = auxiva.iterate(X, CLASSICAL["laplace"](), rule, 100)
    power = last.Y.abs().square()
    U = CLASSICAL["laplace"]()(power)[0]
    assert disagreement(last.Y, U).max() < 0.01
    assert disagreement(X, U).min() > 0.1


def test_what_moved_is_forgotten_sooner():
    one, two = (spectrogram(2, F=65, T=200, seed=seed) for seed in (0, 1))
    online = Online(CLASSICAL["gauss"](), "ip2", 2, window=40, forget=400)
    for part in one.split(10, -1):
        online.update(part, 2)
    still = online._count.clone()
    for part in two[..., :60].split(10, -1):
        online.update(part, 2)
    assert (still > 100).all() and (online._count < still / 2).all()


def test_quiet_frames_change_nothing():
    X = spectrogram(2, F=9, T=60)
    online = Online(CLASSICAL["laplace"](), "ip2", 2, window=20, forget=100)
    before = online.update(X, 3)
    assert online.update(X[..., :10] * 1e-3, 3) is before
    assert not math.isclose(0, float((online.update(X[..., :10], 3).W - before.W).abs().max()))


def test_a_memory_is_refused():
    online = Online(CLASSICAL["nmf"](), "ip2", 2, window=20, forget=100)
    with pytest.raises(UserError, match="no stream can keep"):
        online.update(spectrogram(2, F=9, T=30), 1)
