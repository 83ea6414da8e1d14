"""`ssml separate` without flags on real speech. All flags: `python -m benchmarks.defaults`."""

import numpy as np
import pytest

import ssml
from benchmarks import defaults
from ssml.iva.models import CLASSICAL
from tests.conftest import ROOT

ROOMS = 2  # of each size, one for each array
ABOVE = 1.0  # dB, of the default over the best known settings of any classical model


@pytest.mark.slow
@pytest.mark.parametrize("K", defaults.TALKERS)
def test_without_flags_it_is_above_every_classical_model(K, librispeech, tmp_path, monkeypatch):
    monkeypatch.chdir(ROOT)
    default: list[float] = []
    classical: dict[str, list[float]] = {name: [] for name in CLASSICAL}
    unprocessed: list[float] = []
    for index in range(ROOMS):
        mix, ref = defaults.mixture(librispeech, K, index)
        default.append(defaults.without_flags(tmp_path, mix, ref))
        unprocessed.append(float(ssml.si_sdr(np.stack([mix[0]] * K), ref)[0].mean()))
        for name, found in classical.items():
            est = ssml.separate(mix, model=name, fs=defaults.FS)
            found.append(float(ssml.si_sdr(est, ref)[0].mean()))
    best = max(np.mean(found) for found in classical.values())
    assert np.mean(default) > max(best, np.mean(unprocessed)) + ABOVE
