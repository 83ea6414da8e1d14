"""Channels that are late, and clocks that differ."""

import json
import re

import numpy as np
import pytest
import soundfile
import soxr

import ssml
from ssml import samples
from ssml.files.io import read_audio
from tests.cli.shell import read, run
from tests.conftest import speechlike

FS = 16000
WORDS = ["--model", "gauss", "--n-fft", 2048, "--iterations", 20]


@pytest.fixture(scope="module")
def clean(tmp_path_factory):
    """Two sources at three microphones, noise, 40 s: mixture, images at the first, SI-SDR."""
    mix, images = speechlike(2, M=3, seconds=40, noise=5e-3)
    path = tmp_path_factory.mktemp("clean") / "m.wav"
    soundfile.write(path, mix.T, FS, subtype="FLOAT")
    est = ssml.separate(mix.astype(np.float32), fs=FS, model="gauss", n_fft=2048, iterations=20)
    return mix, images[:, 0], si_sdr(est, images[:, 0])


def si_sdr(est, images) -> float:
    """Of the best two of three outputs, away from the ends."""
    ref = images[:, FS : -2 * FS].astype(np.float64)
    est = est[:, FS : -2 * FS].astype(np.float64)
    pairs = [ssml.si_sdr(est[[i, j]], ref)[0].mean() for i, j in ((0, 1), (0, 2), (1, 2))]
    return float(max(pairs))


def late(x, ms):
    return np.roll(x, FS * ms // 1000)


def fast(x, ppm):
    y = soxr.resample(x, 1e6, 1e6 + ppm)
    return np.pad(y, (0, max(0, len(x) - len(y))))[: len(x)]


@pytest.mark.parametrize(
    "change, found",
    [
        (lambda x: late(x, 20), {"late_channels": [[2, 20]], "drifting_channels": []}),
        (lambda x: late(x, -80), {"late_channels": [[2, -80]], "drifting_channels": []}),
        (lambda x: late(x, 300), {"late_channels": [[2, 300]], "drifting_channels": []}),
        (lambda x: fast(x, 10), {"late_channels": [], "drifting_channels": [[2, 10]]}),
        (lambda x: fast(x, -100), {"late_channels": [], "drifting_channels": [[2, -100]]}),
        (
            lambda x: fast(late(x, 40), 50),
            {"late_channels": [[2, 40]], "drifting_channels": [[2, 50]]},
        ),
    ],
    ids=["20 ms", "-80 ms", "300 ms", "10 ppm", "-100 ppm", "40 ms and 50 ppm"],
)
def test_a_delay_is_found_hinted_at_and_removed(capsys, clean, change, found):
    mix, images, best = clean
    x = mix.copy()
    x[1] = change(mix[1])
    soundfile.write("m.wav", x.T, FS, subtype="FLOAT")
    (one,) = json.loads(run(capsys, "separate", "m.wav", "out", *WORDS, "--json")[1])["done"]
    for key, wanted in found.items():
        got = one["diagnosis"][key]
        assert [m for m, _ in got] == [m for m, _ in wanted]
        for (_, value), (_, right) in zip(got, wanted, strict=True):
            assert value == pytest.approx(right, abs=1)
    repeated = r"; ssml separate m\.wav out( --[\w-]+ \w+)+ --force --align$"
    assert re.search(repeated, one["diagnosis"]["hints"][0])
    words = ["separate", "m.wav", "out", "--force", "--align", *WORDS, "--json"]
    (one,) = json.loads(run(capsys, *words)[1])["done"]
    assert one["aligned"] and any("is aligned" in note for note in one["notes"])
    for hint in one["diagnosis"]["hints"]:  # what was given is repeated, and not advised
        assert not hint.endswith("--align") and ("; ssml" not in hint or " --align " in hint)
    assert si_sdr(read(*one["outputs"]), images) > best - 1


def test_a_clean_recording_has_no_delay_and_is_not_changed(capsys, clean):
    mix = clean[0]
    soundfile.write("m.wav", mix[:, : 10 * FS].T, FS, subtype="FLOAT")
    for folder, more in (("out", []), ("same", ["--align"])):
        words = ["separate", "m.wav", folder, *WORDS, *more, "--json"]
        (one,) = json.loads(run(capsys, *words)[1])["done"]
        assert not one["aligned"] and not any("--align" in h for h in one["diagnosis"]["hints"])
    np.testing.assert_array_equal(read("out/m-1.wav"), read("same/m-1.wav"))


@pytest.mark.slow
@pytest.mark.parametrize("change", [lambda x: late(x, 300), lambda x: fast(x, 100)])
def test_a_room_loses_at_most_a_decibel(capsys, change):
    """Two talkers in a room, said over and over for 30 s."""
    mix, ref = (
        np.tile(read_audio(path)[0], (1, 5)) for path in (samples.MIXTURE, samples.REFERENCES)
    )
    scores = []
    for x in (mix, np.stack([mix[0], change(mix[1])])):
        soundfile.write("m.wav", x.T, FS, subtype="FLOAT")
        assert (
            run(capsys, "separate", "m.wav", "out", "--align", "--force", "--iterations", 20)[0]
            == 0
        )
        est = read("out/m-1.wav", "out/m-2.wav").astype(np.float64)
        n = est.shape[1] - FS
        scores.append(ssml.si_sdr(est[:, :n], ref[:, :n].astype(np.float64))[0].mean())
    assert scores[1] > scores[0] - 1
