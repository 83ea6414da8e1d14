"""Measured rooms: a folder of responses made here, whose sources and microphones are known."""

import numpy as np
import pytest
import soundfile
import yaml

from ssml.config import params
from ssml.config.mixtures import MeasuredParams
from ssml.config.params import load
from ssml.data import measured, rooms, scenes
from ssml.data.corpora import Utterance
from ssml.files import io
from ssml.files.errors import UserError
from tests.conftest import ROOT
from tests.responses import CHANNELS, T60, response, write_response

FS = 16000
LINES, LINE = 2, CHANNELS // 2
CHOSEN = {"arrays": LINES, "pitch": 0.03, "spacing": 0.09}
ROOM = MeasuredParams(root=None, **CHOSEN)


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """Five sources with gaps in their numbers, in the folder that the environment names."""
    for source in (2, 4, 5, 6, 18):
        write_response(tmp_path, source)
    monkeypatch.setenv(measured.FOLDER, str(tmp_path))
    return tmp_path


def draw(K: int, seed: int):
    return measured.place("office", ROOM, K, np.random.default_rng(seed))


@pytest.mark.parametrize("K", [2, 3, 4])
def test_sources_differ_and_microphones_are_a_stated_spacing_apart_on_one_line(folder, K):
    starts, orders = set(), set()
    for seed in range(60):
        placed, mics = draw(K, seed)
        assert len(set(placed.sources)) == K and set(placed.sources) <= {2, 4, 5, 6, 18}
        lines = {channel // LINE for channel in placed.channels}
        assert len(lines) == 1
        channels = sorted(placed.channels)
        assert np.diff(channels).tolist() == [3] * (K - 1)
        places = 0.03 * (np.array(placed.channels) % LINE)
        np.testing.assert_allclose(mics, np.outer(places, [1, 0, 0]), atol=1e-9)
        starts.add(channels[0])
        orders.add(int(np.argmin(placed.channels)))
    assert len(starts) > 8 and len(orders) == K  # any place, any microphone as the reference


def test_responses_are_the_named_channels_of_the_named_files(folder):
    placed, _ = draw(4, 0)
    found = measured.responses(placed, ROOM, FS)
    for k, source in enumerate(placed.sources):
        whole = response(source, CHANNELS, 0)
        for m, channel in enumerate(placed.channels):
            assert found[k, m].argmax() == 10 * source + channel
            np.testing.assert_allclose(found[k, m], whole[channel], atol=2e-3)


def test_responses_of_another_rate_are_resampled(folder, tmp_path):
    (tmp_path / "fast").mkdir()
    for source in (1, 2):
        write_response(tmp_path / "fast", source, fs=48000)
    room = ROOM.model_copy(update={"root": str(tmp_path / "fast")})
    placed, _ = measured.place("office", room, 2, np.random.default_rng(0))
    found = measured.responses(placed, room, FS)
    assert found.shape == (2, 2, FS // 2)
    for k, source in enumerate(placed.sources):
        for m, channel in enumerate(placed.channels):
            place = (10 * source + channel) / 3
            assert np.abs(found[k, m]).argmax() == pytest.approx(place, abs=1)


@pytest.mark.parametrize("floor", [0.01, 0.003])
def test_the_noise_of_a_measurement_is_no_reverberation(floor):
    """The decay is found below the noise, and goes on at its rate where the noise took over."""
    clean, noisy = (response(3, 16, level) for level in (0, floor))
    found = measured.decay(noisy, FS, "x")
    assert found is not None and found.t60 == pytest.approx(T60, rel=0.05)
    # 0.05 of the peak falls to the floor
    expected = T60 * np.log10(0.05 / floor) / 3
    assert found.floor == pytest.approx(expected, abs=0.03)
    mended = measured.denoise(noisy, FS)
    start = int(found.floor * FS)
    assert np.array_equal(mended[:, :start], noisy[:, :start])
    tails = [10 * np.log10((h[:, start:] ** 2).sum()) for h in (clean, mended, noisy)]
    assert tails[1] == pytest.approx(tails[0], abs=4) and tails[2] > tails[1] + 6
    measures = [np.mean([rooms.t60(h, FS) for h in x]) for x in (clean, mended, noisy)]
    assert measures[1] == pytest.approx(measures[0], rel=0.15) and measures[2] > 2 * measures[0]


def test_a_response_without_noise_stays_as_it_is():
    clean = response(3, 16, 0)
    np.testing.assert_allclose(measured.denoise(clean, FS), clean, atol=1e-4)
    short = clean[:, :500]
    assert np.array_equal(measured.denoise(short, FS), short)


def test_a_file_that_does_not_decay_is_an_error_that_names_it(folder):
    random = np.random.default_rng(0)
    soundfile.write(folder / "source2.wav", 0.1 * random.standard_normal((FS, 32)), FS)
    drawn = (draw(4, seed)[0] for seed in range(9))
    placed = next(one for one in drawn if 2 in one.sources)
    with pytest.raises(UserError, match=r"source2.wav: its power does not decay"):
        measured.responses(placed, ROOM, FS)


def test_files_that_were_changed_after_the_draw_are_an_error(folder):
    placed, _ = draw(3, 0)
    write_response(folder, placed.sources[0], floor=0.01)
    with pytest.raises(UserError, match="not those that the scenes were drawn from; put the files"):
        measured.responses(placed, ROOM, FS)


@pytest.mark.parametrize(
    "change, K, words",
    [
        ({}, 6, r"scenes.measured.office: 5 sources where 6 are needed"),
        ({"arrays": 3}, 2, r"office.arrays: 32 channels are not 3 arrays of equal size"),
        ({"spacing": 0.3}, 3, r"office.spacing: no 3 microphones 0.3 m apart in an array of 16"),
        ({"root": "nowhere"}, 2, r"nowhere: no source1.wav"),
    ],
)
def test_a_room_too_small_is_an_error_that_says_what_it_lacks(folder, change, K, words):
    room = ROOM.model_copy(update=change)
    with pytest.raises(UserError, match=words) as caught:
        measured.place("office", room, K, np.random.default_rng(0))
    assert "\n" not in str(caught.value)


def test_files_that_do_not_fit_together_or_are_no_audio_are_named(folder):
    write_response(folder, 9, channels=8)
    with pytest.raises(UserError, match=r"channels differ in number: .*8 in source9.wav"):
        measured.survey("office", ROOM)
    (folder / "source9.wav").write_bytes(b"RIFF")
    with pytest.raises(UserError, match=r"source9.wav: cannot be read as audio"):
        measured.survey("office", ROOM)


def test_without_a_folder_the_error_says_where_to_name_one(monkeypatch):
    monkeypatch.delenv(measured.FOLDER, raising=False)
    with pytest.raises(UserError, match=r"measured.office.root: no folder; .*SSML_RESPONSES"):
        measured.survey("office", ROOM)


def values(**sets):
    """The default params with a measured room, and sets in it."""
    made = yaml.safe_load((ROOT / "params.yaml").read_text())
    made["scenes"]["measured"] = {"office": {"root": None, **CHOSEN}}
    for name, change in sets.items():
        made["scenes"]["sets"][name] = made["scenes"]["sets"]["test3"] | change
    return made


def test_a_scene_names_sources_and_channels_and_comes_back_from_its_line(folder):
    given = params.parse(values(real3={"measured": "office"})).scenes
    spoken = [
        Utterance("test", f"s{s}", "F", f"s{s}-0", f"{s}.flac", 48000, "0" * 64, "A")
        for s in range(4)
    ]
    scene = scenes.draw("real3", 0, given, 1, spoken, FS)
    assert scene.measured and len(scene.measured.channels) == 3 and scene.t60 is None
    line = scene.to_json()
    assert line["measured"]["room"] == "office"
    assert set(line["measured"]) == {"room", "sha256", "sources", "channels"}
    io.write_lines(folder / "0.jsonl", [line])
    assert scenes.read(folder / "0.jsonl") == [scene]
    found = rooms.respond(scene, given, 10, FS)
    assert found.shape[:2] == (3, 3)
    dry = np.random.default_rng(0).standard_normal((3, FS))
    mix = load(ROOT / "params.yaml").mix
    mixture = rooms.record(scene, dry, found, mix, 1, FS)
    assert mixture.mix.shape == (3, FS)
    assert mixture.t60 == pytest.approx(np.mean([rooms.t60(h, FS) for h in found[:, 0]]), abs=1e-4)
    # the references are the speech by the measured responses, and nothing else
    image = np.convolve(dry[0], found[0, 0])[:FS]
    likeness = image @ mixture.reverberant[0] / np.linalg.norm(image)
    assert likeness == pytest.approx(np.linalg.norm(mixture.reverberant[0]))


def test_no_training_hears_a_measured_room_unless_it_is_allowed():
    given = values(real2={"measured": "office", "speakers": 2})
    assert params.parse(given)
    for key in ("train", "dev"):
        trained = values(real2={"measured": "office", "speakers": 2})
        trained["train"][key] = "real2"
        with pytest.raises(UserError, match=rf"train.{key}: 'real2' is of the measured room"):
            params.parse(trained)
        trained["scenes"]["measured"]["office"]["training"] = True
        assert params.parse(trained)


@pytest.mark.parametrize(
    "key, value, words",
    [
        ("spacing", 0.1, "spacing: 0.1 is no multiple of pitch, 0.03"),
        ("spacing", 0.01, "spacing: 0.01 is no multiple of pitch"),
        ("arrays", 0, "arrays: .*greater"),
    ],
)
def test_a_wrong_key_of_a_measured_room_is_named(key, value, words):
    given = values()
    given["scenes"]["measured"]["office"][key] = value
    with pytest.raises(UserError, match=words):
        params.parse(given)
    given = values(real3={"measured": "attic"})
    with pytest.raises(UserError, match=r"scenes.sets.real3.measured: no 'attic' among office"):
        params.parse(given)


def test_the_digest_follows_the_content_and_not_the_place(folder, tmp_path_factory, monkeypatch):
    before = scenes.measured_in("office", ROOM, folder / "none")
    other = tmp_path_factory.mktemp("elsewhere")
    for path in folder.glob("*.wav"):
        (other / path.name).write_bytes(path.read_bytes())
    monkeypatch.setenv(measured.FOLDER, str(other))
    assert scenes.measured_in("office", ROOM, folder / "none") == before
    write_response(other, 2, floor=0.01)
    assert scenes.measured_in("office", ROOM, folder / "none") != before


def test_without_the_folder_the_digest_is_that_of_the_scenes(folder, monkeypatch):
    placed, _ = draw(2, 0)
    known = params.parse(values(real2={"measured": "office", "speakers": 2})).scenes
    spoken = [
        Utterance("test", f"s{s}", "F", f"s{s}-0", f"{s}.flac", 48000, "0" * 64, "A")
        for s in range(2)
    ]
    io.write_lines(folder / "0.jsonl", [scenes.draw("real2", 0, known, 1, spoken, FS).to_json()])
    monkeypatch.delenv(measured.FOLDER)
    assert scenes.measured_in("office", ROOM, folder / "0.jsonl") == placed.sha256
    assert scenes.measured_in("office", ROOM, folder / "none") == ""


def test_the_office_is_one_room(office):
    """Every source's responses decay alike, and meet the noise of the measurement early."""
    room = ROOM.model_copy(update={"root": str(office)})
    known = measured.survey("office", room)
    assert known.channels == 32 and len(known.files) == 5
    found = []
    for path in known.files.values():
        audio, rate = io.read_audio(path)
        one = measured.decay(audio.astype(float), rate, path.name)
        assert one is not None and one.floor < 0.2
        found.append(one.t60)
    assert 0.4 < np.mean(found) < 0.7 and np.ptp(found) < 0.05
