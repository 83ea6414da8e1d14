"""Recordings of a narrow band: 8 kHz, nothing above 4 kHz, a telephone's."""

import numpy as np
import pytest
import soxr
from scipy import signal

import ssml
from ssml.separation.separator import Separator

FS = 16000
ALLOWED = 0.5  # dB


def low(x):
    """At 8 kHz."""
    return soxr.resample(np.ascontiguousarray(x.T), FS, FS // 2).T.astype(np.float32)


def high(x):
    """At 16 kHz, with nothing above 4 kHz."""
    return soxr.resample(np.ascontiguousarray(low(x).T), FS // 2, FS).T


def telephone(x):
    band = signal.butter(6, (300, 3400), "bandpass", fs=FS, output="sos")
    return signal.sosfiltfilt(band, x).astype(np.float32)


def gain(separator, mix, images, change):
    """SI-SDR in dB of the band that is left, over that of the mixture."""
    before = ssml.si_sdr(np.stack([change(mix)[0]] * 2), change(images))[0].mean()
    return ssml.si_sdr(separator(mix), change(images))[0].mean() - before


@pytest.mark.parametrize(("change", "fs"), [(low, FS // 2), (high, FS), (telephone, FS)])
def test_a_narrow_band_costs_nothing(real_mixture, change, fs):
    mix, images = (x.astype(np.float32) for x in real_mixture)
    whole, narrow = Separator(fs=FS), Separator(fs=fs)
    best = gain(lambda x: change(whole(x)), mix, images, change)
    assert best > 8
    assert gain(lambda x: narrow(change(x)), mix, images, change) > best - ALLOWED
