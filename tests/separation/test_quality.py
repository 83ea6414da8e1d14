"""The estimate of how good a separation is, without references."""

import csv

import numpy as np
import pytest
import soundfile
import torch

import ssml
from ssml.files.errors import UserError
from ssml.files.io import read_audio
from ssml.samples import MIXTURE, REFERENCES
from ssml.separation import quality, recordings
from tests.conftest import ROOT

FS = 16000


@pytest.fixture(scope="module")
def sample():
    mix, ref = (read_audio(path)[0] for path in (MIXTURE, REFERENCES))
    return mix, ref


def leaking(ref, share):
    """Outputs that hold `share` of the power of the other talker."""
    return np.sqrt(1 - share) * ref + np.sqrt(share) * ref[::-1]


def test_the_estimate_falls_as_talkers_leak_into_each_other(sample):
    mix, ref = sample
    gains = [ssml.quality(leaking(ref, s), mix[0], FS).gain for s in (0.01, 0.03, 0.1, 0.3)]
    assert gains == sorted(gains, reverse=True)
    assert ssml.quality(leaking(ref, 0.0), mix[0], FS).verdict == quality.GOOD
    assert ssml.quality(leaking(ref, 0.3), mix[0], FS).verdict == quality.FAILED


def test_neither_scale_nor_order_nor_sign_counts(sample):
    mix, ref = sample
    first = ssml.quality(ref, mix[0], FS).gain
    for other in (1e-3 * ref, ref[::-1], -ref, ref * [[1], [0.2]]):
        assert ssml.quality(other, 7 * mix[0], FS).gain == pytest.approx(first, abs=0.02)


def test_real_separations_are_told_apart(sample):
    mix, ref = sample
    before = ssml.si_sdr(np.stack([mix[0]] * 2), ref)[0].mean()
    for given, word in (({}, quality.GOOD), ({"model": "laplace"}, quality.FAILED)):
        est = ssml.separate(mix, fs=FS, iterations=20, **given)
        gain = ssml.si_sdr(est, ref)[0].mean() - before
        assert (gain > 5) == (word == quality.GOOD)
        assert ssml.quality(est, mix[0], FS).verdict == word


@pytest.mark.parametrize(
    "est, mix, fs, words",
    [
        (np.ones((1, 8)), np.ones(8), FS, "two or more"),
        (np.ones((2, 8)), np.ones((2, 8)), FS, "two or more"),
        (np.ones((2, 8)), np.ones(9), FS, "two or more"),
        (np.eye(2, 8), np.ones(8), FS, "mix: 0.0 s of sound; an estimate needs 2 s"),
        (np.zeros((2, 8)), np.ones(8), FS, "est: a signal is silent"),
        (np.ones((2, 8)), np.zeros(8), FS, "mix: a signal is silent"),
        (np.full((2, 8), np.nan), np.ones(8), FS, "est: holds samples that are not finite"),
        (np.ones((2, 8)), np.ones(8), 0, "fs: 0 is below 4000"),
        (np.ones((2, 8)), np.ones(8), "16000", "fs: '16000' is not a whole number"),
        (
            np.ones((2, 8), int),
            np.ones(8),
            FS,
            "est: int64 samples; convert them",
        ),
        ([[1.0], [2.0]], np.ones(1), FS, "est: list; give a NumPy array or a torch tensor"),
    ],
)
def test_what_cannot_be_judged_is_an_error(est, mix, fs, words):
    with pytest.raises(UserError, match=words):
        ssml.quality(est, mix, fs)


def test_what_is_out_of_the_range_is_its_end(sample):
    """No talker in an output, in the band that is looked at, is a failure."""
    mix, ref = sample
    faint = 1e-2 * mix[0].std() * np.random.default_rng(1).standard_normal(mix[0].shape)
    assert ssml.quality(np.stack([mix[0] - faint, faint]), mix[0], FS) == (-2, quality.FAILED)
    disjoint = np.kron(np.eye(2), np.ones(FS)).repeat(4, 0)[::4] * ref[0, : 2 * FS]
    assert ssml.quality(np.tile(disjoint, 3), np.tile(disjoint.sum(0), 3), FS).gain == 12


def test_pauses_and_levels_do_not_count(sample):
    mix, ref = sample
    first = ssml.quality(ref, mix[0], FS).gain
    padded = [np.pad(x, [(0, 0)] * (x.ndim - 1) + [(0, 24 * FS)]) for x in (ref, mix[0])]
    assert ssml.quality(*padded, FS).gain == pytest.approx(first, abs=0.5)
    hissing = [x + 1e-3 * np.random.default_rng(1).standard_normal(x.shape) for x in padded]
    assert ssml.quality(*hissing, FS).gain == pytest.approx(first, abs=1.5)
    loud = [torch.from_numpy(1e25 * x.astype(np.float64)) for x in (ref, mix[0])]
    assert ssml.quality(*loud, FS).gain == pytest.approx(first, abs=1e-3)


def test_the_command_judges_at_the_reference_microphone(sample, tmp_path):
    """A first microphone in noise is no measure of what the outputs were made of."""
    mix, _ = sample
    noise = 0.3 * np.random.default_rng(1).standard_normal(mix.shape[-1])
    found = []
    for name, channels, mic in (("a", [noise, *mix], 1), ("b", [*mix, noise], 0)):
        soundfile.write(tmp_path / f"{name}.wav", np.stack(channels).T, FS, subtype="FLOAT")
        take = recordings.Take(channels=(0, 1, 2), mic=mic)
        target = recordings.Target(tmp_path / "out", "wav", True)
        one = recordings.separate_file(
            tmp_path / f"{name}.wav", target, lambda fs: ssml.Separator("gauss", fs=fs), take=take
        )
        assert one is not None
        found.append(one["diagnosis"]["estimated_gain"])
    assert found[0] == pytest.approx(found[1], abs=1.5)


def test_errors_in_the_docs_keep_what_is_promised():
    """Failed separations and good ones are taken for each other in at most a tenth of the cases."""
    with (ROOT / "docs/results/quality.csv").open() as file:
        *_, both = csv.DictReader(file)
    wrong = [
        float(x) for name, x in both.items() if name.startswith(("good called", "failed called"))
    ]
    halves = [float(x) for name, x in both.items() if "estimated" in name]
    assert len(wrong) == len(halves) == 2
    assert max(wrong + halves) <= 10
