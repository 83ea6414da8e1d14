"""Recordings that are cut, spoiled or odd: nothing is written, or finite files that add up."""

import pickle
from io import BytesIO

import numpy as np
import pytest
import soundfile

from ssml.files.errors import UserError
from ssml.separation.recordings import Target, separate_file
from ssml.separation.separator import Separator
from tests.conftest import speechlike


def recording(change=lambda mix: mix, fs: int = 8000, **options) -> bytes:
    file = BytesIO()
    mix = change(speechlike(2, seconds=0.3, fs=8000)[0])
    soundfile.write(file, mix.T, fs, **{"format": "WAV", "subtype": "FLOAT", **options})
    return file.getvalue()


@pytest.mark.parametrize(
    "data, words",
    [
        (b"", "is empty"),
        (recording()[:40], "cannot be read as audio|holds no samples"),
        (recording(lambda mix: mix[:1]), "1 channel"),
        (recording(lambda mix: np.tile(mix, (17, 1))), "34 channel"),
        (recording(lambda mix: mix[:, :0]), "no samples"),
        (recording(lambda mix: mix[:, :1]), "too short"),
        (recording(lambda mix: mix * np.nan), "not finite"),
        (recording(lambda mix: mix * np.inf), "not finite"),
        (recording(format="FLAC", subtype="PCM_16")[:900], "cannot be read as audio|ends before"),
        (pickle.dumps([1.0] * 999), "cannot be read as audio"),
    ],
    ids=[
        *("nothing", "a cut header", "one channel", "34 channels", "no samples", "one sample"),
        *("NaN", "infinite", "cut", "no audio"),
    ],  # the data hold the time at which they were made
)
@pytest.mark.filterwarnings("ignore:.*invalid value")
def test_a_recording_that_cannot_be_separated_leaves_nothing(data, words, tmp_path):
    (tmp_path / "r.wav").write_bytes(data)
    with pytest.raises(UserError, match=f"r.wav: .*({words})") as caught:
        separate_file(tmp_path / "r.wav", Target(tmp_path / "out"), separator)
    assert "\n" not in str(caught.value) and not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    "change",
    [
        lambda mix: mix * 1000,  # clips in any integer format
        lambda mix: np.tile(mix, (5, 1))[:9],  # nine channels, of rank two
        lambda mix: mix * [[1], [1e-5]],
        lambda mix: mix[[0, 0]],
        lambda mix: 0 * mix,
    ],
)
@pytest.mark.parametrize("format", ["wav", "flac"])
def test_an_odd_recording_gives_finite_files_that_add_up(change, format, tmp_path):
    (tmp_path / "r.wav").write_bytes(recording(change))
    done = separate_file(tmp_path / "r.wav", Target(tmp_path / "out", format), separator)
    mix = soundfile.read(tmp_path / "r.wav", always_2d=True)[0][:, 0]
    total = sum(soundfile.read(path)[0] for path in done["outputs"]) / done["gain"]
    assert np.abs(total - mix).max() <= 1e-3 * max(np.abs(mix).max(), 1e-9)


def separator(fs: int) -> Separator:
    return Separator(fs=fs, iterations=5)
