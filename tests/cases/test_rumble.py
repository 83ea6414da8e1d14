"""What lies below the voice: a constant, hum and wind, up to 20 dB above the mixture."""

import numpy as np
import pytest
import soundfile
import torch
from scipy import fft, signal

import ssml
from ssml.files.io import read_audio
from ssml.iva import rumble
from ssml.iva.stft import Stft
from ssml.separation.separator import Separator
from tests.cli.shell import run

FS = 16000
SCORED = 120  # Hz, from which on both sides are compared
ALLOWED = 0.3  # dB


def high(x):
    sos = signal.butter(8, SCORED, "high", fs=FS, output="sos")
    return signal.sosfiltfilt(sos, np.asarray(x, float))


def wind(shape):
    """Noise of its own for each channel, below 60 Hz."""
    X = fft.rfft(np.random.default_rng(3).standard_normal(shape))
    X[..., fft.rfftfreq(shape[-1], 1 / FS) > 60] = 0
    return fft.irfft(X, shape[-1])


def disturbed(mix, kind, dB):
    t = np.arange(mix.shape[-1]) / FS
    added = {"DC": np.ones_like(mix), "hum": np.sin(2 * np.pi * 40 * t) * np.ones_like(mix)}
    one = added[kind] if kind in added else wind(mix.shape)
    level = np.sqrt(np.mean(mix**2) / np.mean(one**2)) * 10 ** (dB / 20)
    return (mix + level * one).astype(np.float32)


@pytest.fixture(scope="module")
def clean(real_mixture):
    """Two talkers (2, N), their images, and the SI-SDR without a disturbance."""
    mix, images = real_mixture
    return mix, images, si_sdr(ssml.separate(mix.astype(np.float32), fs=FS), images)


def si_sdr(est, images):
    """Away from the ends, where the filter of the score itself rings."""
    est, images = (high(x)[:, FS // 4 : -FS // 4] for x in (est, images))
    return float(ssml.si_sdr(est, images)[0].mean())


@pytest.mark.parametrize("dB", [0, 10, 20])
@pytest.mark.parametrize("kind", ["DC", "hum", "wind"])
def test_a_trained_model_loses_nothing(clean, kind, dB):
    mix, images, best = clean
    est = ssml.separate(disturbed(mix, kind, dB), fs=FS)
    assert si_sdr(est, images) > best - ALLOWED


def test_the_command_loses_nothing(clean, capsys):
    mix, images, best = clean
    soundfile.write("m.wav", disturbed(mix, "wind", 20).T, FS, subtype="FLOAT")
    run(capsys, "separate", "m.wav", "out")
    est = np.concatenate([read_audio(f"out/m-{k}.wav")[0] for k in (1, 2)])
    assert si_sdr(est, images) > best - ALLOWED


def test_outputs_still_add_up_to_the_microphone(clean):
    x = disturbed(clean[0], "wind", 20)
    est = Separator(fs=FS)(x)
    assert np.abs(est.sum(0) - x[0]).max() < 1e-4 * np.abs(x).max()


LOW, N_FFT = 21, 4096


@pytest.mark.parametrize("n", [1, 2, 100, 3000, FS, 5 * FS])
def test_what_lies_below_is_taken_out_without_a_delay(n):
    t = torch.arange(n, dtype=torch.float64) / FS
    line = torch.stack([torch.ones_like(t), 3 - 2 * t])
    error = rumble.below(line, LOW, N_FFT) - line
    assert (error.abs() < 1e-2 * line.abs().amax(-1, keepdim=True)).all()
    if n < FS:
        return
    inside = slice(FS // 4, -FS // 4)
    for hertz, share in ((20, 1), (50, 1), (85, 0), (120, 0), (500, 0), (4000, 0)):
        x = torch.sin(2 * torch.pi * hertz * t)
        error = rumble.below(x, LOW, N_FFT) - share * x
        assert error[inside].abs().max() < 2e-3, hertz


def test_the_stft_of_a_signal_is_of_what_lies_above():
    x = torch.from_numpy(np.random.default_rng(1).standard_normal((2, 3, FS)))
    stft, plain = Stft(N_FFT, 1024, low=LOW), Stft(N_FFT, 1024)
    torch.testing.assert_close(stft.forward(x), plain.forward(x - stft.below(x)))
    assert stft.below(x).shape == x.shape and not plain.below(x).any()
    low, high = (plain.forward(x)[..., part, :].abs() for part in (slice(10), slice(LOW, None)))
    ratio = stft.forward(x)[..., :10, 2:-2].abs().mean() / low[..., 2:-2].mean()
    assert ratio < 0.02
    torch.testing.assert_close(
        stft.forward(x).abs()[..., LOW:, 3:-3], high[..., 3:-3], rtol=0.1, atol=1
    )


def test_a_network_sees_what_is_just_above_in_place_of_what_is_below():
    seen = []

    class Network(torch.nn.Module):
        def forward(self, power, memory=None):
            seen.append(power)
            return power, memory

    power = torch.rand(2, 20, 4)
    rumble.hide(Network(), 4)(power, None)
    torch.testing.assert_close(seen[0][:, 4:], power[:, 4:])
    torch.testing.assert_close(
        seen[0][:, :4], power[:, 4:8].mean(-2, keepdim=True).expand(-1, 4, -1)
    )
