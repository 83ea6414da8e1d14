"""Separators of other packages as methods."""

import numpy as np
import pytest
import torch

from ssml.config import names, params
from ssml.evaluation import methods, peers
from ssml.files.errors import UserError
from tests.conftest import speechlike
from tests.report import fake_tables as fake

CASES = [(name, rule) for name, rules in names.PEER_RULES.items() for rule in rules]


def mixture(seconds):
    """(2, N) of two talkers, and their images at the first microphone."""
    mix, images = (torch.from_numpy(x).float() for x in speechlike(2, seconds=seconds))
    return mix, images[:, 0]


def method(name, rule="ip", iterations=30, **given):
    chosen = fake.settings().model_dump(mode="json")
    one = {"model": name, "rule": rule, "iterations": iterations, **given}
    chosen["separate"]["methods"]["peer"] = one | {"stft": {"n_fft": 512, "hop": 128}}
    return methods.build(params.parse(chosen), "peer")


def test_each_name_has_a_separator():
    assert peers.PEERS.keys() == names.PEER_RULES.keys()


@pytest.mark.parametrize(("name", "rule"), CASES)
def test_a_peer_separates_into_images_at_the_first_microphone(name, rule):
    mix, ref = mixture(4)
    found = methods.separate(method(name, rule), mix, ref)
    assert not found.failed and found.curve.keys() == {0, 30}
    assert np.mean(found.curve[30]) > np.mean(found.curve[0]) + 3  # dB
    if "ssspy" in name:  # by projection back; pyroomacoustics scales each output to fit
        torch.testing.assert_close(found.est.sum(0), mix[0], atol=1e-3, rtol=0)


@pytest.mark.parametrize("name", ["peer:ssspy-ilrma", *(n for n, r in CASES if "pyroom" in n)])
def test_a_peer_gives_the_same_each_time_and_leaves_the_generator_alone(name):
    mix, ref = mixture(1)
    np.random.seed(3)
    expected = np.random.random()
    np.random.seed(3)
    one, two = (methods.separate(method(name, iterations=2), mix, ref).est for _ in range(2))
    assert np.random.random() == expected and torch.equal(one, two)


def test_options_are_the_packages_own():
    X = torch.randn(2, 9, 60, dtype=torch.complex64)
    plain, other = (
        peers.build("peer:ssspy-laplace", options)(X, "iss", 3)
        for options in ({}, {"spatial_algorithm": "IPA"})
    )
    assert not torch.allclose(plain, other, atol=1e-3)
    with pytest.raises(UserError, match="peer:pyroomacoustics-ilrma: options: .*rank"):
        peers.build("peer:pyroomacoustics-ilrma", {"rank": 2})


def test_a_package_that_is_missing_is_one_line(monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "ssspy.bss.iva", None)
    with pytest.raises(UserError, match="ssspy is missing .*pip install"):
        peers.build("peer:ssspy-laplace", {})


def test_failed_algebra_is_a_failure(monkeypatch):
    def fail(*_):
        raise np.linalg.LinAlgError("Singular matrix")

    chosen = method("peer:ssspy-laplace", "iss")
    monkeypatch.setitem(peers.PEERS, "peer:ssspy-laplace", fail)
    mix, ref = mixture(1)
    found = methods.separate(chosen, mix, ref)
    assert found.failed and not found.est.any()


def test_a_rule_that_a_peer_lacks_is_refused():
    with pytest.raises(UserError, match=r"separate.methods.peer.rule: no 'iss' among ip"):
        method("peer:pyroomacoustics-ilrma", "iss")
