"""What is chosen where nothing is said: the learned model, or the best classical one."""

import numpy as np
import pytest
import soxr

import ssml
from ssml import samples
from ssml.files.errors import UserError
from ssml.files.io import read_audio
from ssml.separation.separator import Separator
from tests.conftest import tiny_model


@pytest.fixture(scope="module")
def sample():
    """The sample recording (2, N) and its references (2, N)."""
    return read_audio(samples.MIXTURE)[0], read_audio(samples.REFERENCES)[0]


def chosen(separator):
    return str(separator.name), separator.rule, separator.iterations


def test_a_shipped_model_brings_its_rule_iterations_and_window():
    separator = Separator("learned-sdr", fs=16000)
    assert chosen(separator) == ("learned-sdr", "iss-6-sweeps", 50)
    assert chosen(Separator("learned-sdr", rule="ip", iterations=3, fs=16000))[1:] == ("ip", 3)
    assert separator.stft == ssml.load("learned-sdr").stft


def test_a_model_trained_here_is_run_by_the_rule_it_was_trained_with(tmp_path):
    path = tiny_model(tmp_path / "m.safetensors")
    assert chosen(Separator(path, fs=16000))[1:] == ("iss", 20)


def test_without_flags_the_learned_model_separates_best(sample):
    mix, ref = sample
    before = ssml.si_sdr(np.stack([mix[0]] * 2), ref)[0].mean()
    found = ssml.si_sdr(ssml.separate(mix, fs=16000), ref)[0].mean()
    assert found > before + 9
    others = [{"model": name} for name in ("laplace", "gauss", "learned-sdr", "learned-coherence")]
    others += [{"rule": "ip2"}, {"rule": "iss"}, {"iterations": 100}]
    for flags in others:
        assert ssml.si_sdr(ssml.separate(mix, fs=16000, **flags), ref)[0].mean() < found + 0.2


def test_a_narrow_band_is_separated_by_the_learned_model_too(sample):
    mix, ref = sample
    separator = Separator(fs=8000)
    assert chosen(separator) == chosen(Separator(fs=16000))
    low, images = (
        soxr.resample(np.ascontiguousarray(x.T), 16000, 8000).T.astype(np.float32)
        for x in (mix, ref)
    )
    before = ssml.si_sdr(np.stack([low[0]] * 2), images)[0].mean()
    found = ssml.si_sdr(separator(low), images)[0].mean()
    assert found > before + 9
    assert ssml.si_sdr(ssml.separate(low, fs=8000, model="gauss"), images)[0].mean() < found
    # the same band at a higher rate
    upsampled = soxr.resample(np.ascontiguousarray(low.T), 8000, 16000).T
    assert ssml.si_sdr(ssml.separate(upsampled, fs=16000), ref)[0].mean() > found - 1


def test_a_lower_rate_is_for_the_classical_model():
    assert chosen(Separator(fs=4000)) == ("gauss", "ip2", 50)


def test_an_own_window_is_for_the_classical_model():
    assert chosen(Separator(n_fft=2048))[0] == "gauss"


@pytest.mark.parametrize(("M", "seconds"), [(2, 0.1), (9, 0.5), (16, 1)])
def test_a_short_recording_gets_a_window_that_has_frames_enough(M, seconds):
    mix = np.random.default_rng(0).standard_normal((M, int(seconds * 16000))) / 10
    for fs in (4000, 16000):
        separator = Separator(fs=fs, iterations=2)
        assert chosen(separator.for_mixture(mix))[0] == "gauss"
        assert np.isfinite(separator(mix)).all()


def test_the_rate_is_asked_for_where_a_model_would_resample():
    for model in ("auto", "learned-sdr"):
        with pytest.raises(UserError, match="fs: missing; give the sampling rate"):
            Separator(model)


def test_a_stream_keeps_the_model_of_its_first_block(sample):
    mix, _ = sample
    separator = Separator(fs=16000, iterations=2)
    quiet = np.concatenate([mix[:, :32000], np.zeros_like(mix[:, :32000])], -1)
    stream = ssml.Blocks(separator, block=1)
    est = np.concatenate([stream.push(quiet), stream.flush()], -1)
    assert est.shape == quiet.shape and np.isfinite(est).all()
