import numpy as np
import pytest
import soundfile

from ssml.config.mixtures import DisturbanceParams, RedrawParams
from ssml.config.params import load
from ssml.data import bank as module
from ssml.data.bank import Bank, at_speed, colour, draw_batch, encode_room, load_audible
from ssml.data.corpora import Utterance
from ssml.data.mixing import PEAK, convolve
from ssml.data.rooms import by_speaker, responses, simulate
from ssml.data.scenes import draw
from ssml.data.shards import write_tar
from ssml.files.errors import UserError
from ssml.files.io import sha256
from tests.conftest import ROOT

FS = 16000
PARAMS = load(ROOT / "params.yaml")
SCENES = PARAMS.scenes.model_copy(update={"t60": (0.2, 0.25)})
CHOSEN, NOISE = SCENES.sets["train"], PARAMS.mix.noise
REDRAW = RedrawParams(level=(-5, 5), snr=(10, 30), speed=(1, 1), tone=0)
SPEAKERS = [f"{i}" for i in range(6)]


@pytest.fixture(scope="module")
def bank(tmp_path_factory):
    """Three rooms; every speaker is a noise of another spectrum, which tells who is heard."""
    folder = tmp_path_factory.mktemp("bank")
    random, utterances = np.random.default_rng(0), []
    for i, name in enumerate(SPEAKERS):
        audio = 0.1 * np.cos(2 * np.pi * (300 + 200 * i) * np.arange(4 * FS) / FS)
        audio *= random.uniform(0.5, 1, 4 * FS)
        soundfile.write(folder / f"{name}.flac", audio, FS)
        sha = sha256(folder / f"{name}.flac")
        utterances.append(Utterance("train", name, "F", name, f"{name}.flac", 4 * FS, sha, "TEXT"))
    scenes = [draw("train", i, SCENES, 1, utterances, FS) for i in range(3)]
    items = ((s.id, encode_room(s, by_speaker(responses(s, FS, 10)))) for s in scenes)
    write_tar(folder / "0000.tar", items)
    return Bank([folder / "0000.tar"], utterances, folder, "train", CHOSEN, NOISE, REDRAW, FS)


def pitches(batch):
    """The strongest frequency of each reference, Hz."""
    spectra = np.abs(np.fft.rfft(batch.ref * np.hanning(batch.ref.shape[-1])))
    return np.round(spectra.argmax(-1) * FS / batch.ref.shape[-1] / 100) * 100


def test_a_batch_depends_on_seed_and_step_alone(bank):
    one, two = draw_batch(bank, 4, 2, FS, 3), draw_batch(bank, 4, 2, FS, 3)
    assert np.array_equal(one.mix, two.mix) and np.array_equal(one.ref, two.ref)
    assert not np.array_equal(one.mix, draw_batch(bank, 4, 2, FS, 4).mix)


def test_a_room_comes_back_with_other_speech(bank):
    heard = {tuple(pair) for step in range(6) for pair in pitches(draw_batch(bank, step, 3, FS, 0))}
    assert len(heard) > 10
    assert all(one != two for one, two in heard)  # two speakers


def test_levels_and_noise_are_within_their_ranges(bank):
    for step in range(4):
        mix, ref = draw_batch(bank, step, 2, FS, 1)
        energy = 10 * np.log10((ref**2).mean(-1))
        assert (np.abs(energy[:, 1] - energy[:, 0]) <= REDRAW.level[1] + 1e-3).all()
        noise = mix[:, 0] - ref.sum(1)
        snr = 10 * np.log10((ref.sum(1) ** 2).mean(-1) / (noise**2).mean(-1))
        assert (snr >= REDRAW.snr[0] - 0.01).all() and (snr <= REDRAW.snr[1] + 0.01).all()
        assert np.abs(mix).max() <= PEAK + 1e-6


@pytest.fixture(scope="module")
def large(tmp_path_factory, bank):
    """A room for four, in which two, three or four talk."""
    folder = tmp_path_factory.mktemp("large")
    utterances = [one for spoken in bank.pool.values() for one in spoken]
    chosen = CHOSEN.model_copy(update={"speakers": 4})
    scenes = SCENES.model_copy(update={"sets": {"train": chosen}})
    scene = draw("train", 0, scenes, 1, utterances, FS)
    item = scene.id, encode_room(scene, by_speaker(responses(scene, FS, 5)))
    write_tar(folder / "0000.tar", [item])
    redraw = REDRAW.model_copy(update={"talkers": [2, 3, 4]})
    found = Bank([folder / "0000.tar"], utterances, folder, "train", chosen, NOISE, redraw, FS)
    found.speech = bank.speech
    return found


def test_the_number_of_talkers_is_drawn_and_a_step_costs_the_same(large):
    shapes = {draw_batch(large, step, 4, 2000, 1).mix.shape for step in range(12)}
    assert shapes == {(4, 2, 2000), (2, 3, 2000), (2, 4, 2000)}
    parts = [draw_batch(large, 0, 4, 2000, 1, rank, 2).mix for rank in range(2)]
    assert parts[0].shape == parts[1].shape and not np.array_equal(*parts)


def test_fewer_talkers_are_any_of_the_room(large):
    """Their order and the microphones' differ from turn to turn: levels against each other do."""
    found = {float((large.draw(p, 2000, 1, 2)[1][0] ** 2).mean().round(6)) for p in range(6)}
    assert len(found) == 6


def shares(**changed):
    none = dict.fromkeys(("pause", "offset", "hum", "wind", "band"), 0.0)
    return DisturbanceParams(**(none | {"noises": {}} | changed))


def disturbed(bank, monkeypatch, **changed):
    """A mixture and its references without and with disturbances, of the same speech."""
    drawn = []
    for chosen in (None, shares(**changed)):
        redraw = bank.redraw.model_copy(update={"disturbances": chosen, "snr": (60, 60)})
        monkeypatch.setattr(bank, "redraw", redraw)
        drawn.append(bank.draw(1, FS, 1, 2))
    return drawn


def octaves(x):
    """Power of x (N,) below 100 Hz and above 5.6 kHz, and in all, in dB."""
    power, f = np.abs(np.fft.rfft(x)) ** 2, np.fft.rfftfreq(len(x), 1 / FS)
    parts = power[f < 100].sum(), power[f > 5600].sum(), power.sum()
    return [10 * np.log10(part + 1e-12) for part in parts]


@pytest.mark.parametrize("kind", ["offset", "hum", "wind"])
def test_low_disturbances_are_in_the_mixture_alone(kind, large, monkeypatch):
    (mix, ref), (other, same) = disturbed(large, monkeypatch, **{kind: 1.0})
    np.testing.assert_allclose(same, ref)
    assert octaves(other[0])[0] > octaves(mix[0])[0] + 10
    assert not np.allclose(*(other - mix))  # of another size or phase at each microphone


def test_a_narrow_band_is_that_of_the_references_too(large, monkeypatch):
    (_, ref), (mix, narrow) = disturbed(large, monkeypatch, band=1.0)
    for x in (mix[0], narrow[0]):
        assert octaves(x)[1] < octaves(x)[2] - 40
    assert octaves(ref[0])[1] > octaves(narrow[0])[1] + 20


def test_one_who_pauses_is_heard_for_half_of_the_time_at_most(large, monkeypatch):
    (_, ref), (_, paused) = disturbed(large, monkeypatch, pause=1.0)
    heard = [(np.abs(x[:, ::50]) > 1e-3 * np.abs(x).max()).mean(-1) for x in (ref, paused)]
    assert heard[0].min() > 0.8 and heard[1].min() < 0.6 and heard[1].max() > 0.8


@pytest.mark.parametrize("kind", ["white", "pink", "point"])
def test_other_noises_have_the_level_of_the_noise(kind, large, monkeypatch):
    (mix, ref), (other, same) = disturbed(large, monkeypatch, noises={kind: 1.0})
    noises = [x - r.sum(0) for x, r in ((mix[0], ref), (other[0], same))]
    levels = [10 * np.log10((x**2).sum() / (ref.sum(0) ** 2).sum()) for x in noises]
    assert levels == pytest.approx([-60, -60], abs=0.5)
    assert not np.allclose(noises[0] / noises[0].std(), noises[1] / noises[1].std(), atol=0.1)


def test_shares_of_noises_are_at_most_one():
    with pytest.raises(ValueError, match="noises: their shares add up to more than 1"):
        shares(noises={"white": 0.6, "pink": 0.6})


def test_voices_are_heard_at_other_speeds_and_tones(bank, monkeypatch):
    known = {300 + 200 * i for i in range(len(SPEAKERS))}
    plain = draw_batch(bank, 0, 3, FS, 0)
    assert set(pitches(plain).ravel()) <= known
    told = bank.redraw
    monkeypatch.setattr(bank, "redraw", told.model_copy(update={"speed": (0.8, 0.8)}))
    assert set(pitches(draw_batch(bank, 0, 3, FS, 0)).ravel()) <= {
        round(0.8 * pitch / 100) * 100 for pitch in known
    }
    monkeypatch.setattr(bank, "redraw", told.model_copy(update={"tone": 12}))
    toned = [draw_batch(bank, 0, 3, FS, 0) for _ in range(2)]
    assert np.array_equal(toned[0].mix, toned[1].mix)
    assert np.abs(toned[0].mix - plain.mix).max() > 0.01


def test_speech_at_another_speed_is_as_long_and_as_high_as_it_should_be():
    speech = np.cos(2 * np.pi * 440 * np.arange(FS) / FS).astype(np.float32)
    faster = at_speed(speech, 1.25, 0, FS)
    assert len(faster) == pytest.approx(FS / 1.25, abs=2)
    expected = np.cos(2 * np.pi * 550 * np.arange(4000, 8000) / FS)
    np.testing.assert_allclose(faster[4000:8000], expected, atol=1e-2)
    np.testing.assert_allclose(at_speed(speech, 1.25, 3000, 9000)[1000:5000], expected, atol=1e-2)
    assert len(at_speed(speech, 0.8, 900, 900)) == len(at_speed(speech, 0.8, 900, 500)) == 0


def test_the_tone_changes_an_octave_by_so_many_decibels():
    dry = np.eye(2, 8000, 4000, dtype=np.float32)
    tone = np.array([[0, 0, 0, 0, 0, 6, -6], [0] * 7])
    spectra = np.abs(np.fft.rfft(colour(dry, tone, FS), FS))
    np.testing.assert_allclose(spectra[1], 1, atol=1e-5)
    found = 20 * np.log10(spectra[0, [1000, 2000, 4000, 8000]])
    np.testing.assert_allclose(found, [0, 0, 6, -6], atol=0.1)


def test_the_early_reference_is_of_the_same_mixture(bank):
    """What is left of the reverberant one has arrived later than 50 ms after the direct sound."""
    mix, ref = draw_batch(bank, 0, 2, FS, 1)
    same, near = draw_batch(bank, 0, 2, FS, 1, reference="early")
    np.testing.assert_array_equal(mix, same)
    for late, whole, early in zip(ref - near, ref, near, strict=True):
        energy = [(x**2).sum(-1) for x in (late, whole, early)]
        assert (energy[0] < energy[1]).all() and (energy[0] > 0).all()
        assert (np.abs(energy[2] - energy[1]) < energy[1]).all()


def test_images_are_those_of_the_simulation(bank):
    """A stored room and the room's own simulation agree to the precision it is stored with."""
    scene = draw("train", 0, SCENES, 1, [u for us in bank.pool.values() for u in us], FS)
    dry = np.random.default_rng(2).standard_normal((2, scene.n_samples)).astype(np.float32)
    expected = simulate(scene, dry, PARAMS.mix.model_copy(update={"max_order": 10}), 1, FS).images
    found = convolve(dry, bank.room(0).responses)
    found *= np.linalg.norm(expected, axis=(1, 2), keepdims=True) / np.linalg.norm(
        found, axis=(1, 2), keepdims=True
    )  # levels
    assert np.abs(found - expected).max() < 1e-5 * np.abs(expected).max()


def test_what_was_said_before_a_cut_is_still_heard():
    random = np.random.default_rng(0)
    dry, response = random.standard_normal((2, 900)), random.standard_normal((2, 3, 200))
    whole = convolve(dry, response)
    np.testing.assert_allclose(convolve(dry[:, 101:], response, 199), whole[..., 300:], atol=1e-9)
    direct = np.stack(
        [[np.convolve(d, h)[:900] for h in r] for d, r in zip(dry, response, strict=True)]
    )
    np.testing.assert_allclose(whole, direct, atol=1e-9)


def test_a_broken_room_is_an_error_that_names_it(tmp_path, bank):
    scene = draw("train", 0, SCENES, 1, [u for us in bank.pool.values() for u in us], FS)
    whole = encode_room(scene, np.zeros((2, 2, 9)))
    write_tar(tmp_path / "0.tar", [(scene.id, whole | {"npy": whole["npy"][:70]})])
    utterances = [u for us in bank.pool.values() for u in us]
    broken = Bank([tmp_path / "0.tar"], utterances, tmp_path, "train", CHOSEN, NOISE, REDRAW, FS)
    with pytest.raises(UserError, match=r"0.tar: train-000000.npy"):
        broken.room(0)


def test_a_silent_recording_is_an_error_that_names_it(bank, monkeypatch):
    monkeypatch.setattr(module, "load", lambda utterance, root: np.zeros(FS, np.float32))
    with pytest.raises(UserError, match="^3: is silent; replace the recording$"):
        load_audible(bank.pool["3"][0], "nowhere")


def test_silent_parts_are_passed_over_or_an_error_that_names_one(bank, monkeypatch):
    """An error where a mixture cannot do without them: two speakers are needed."""
    spoken = bank.speech

    def without(*names):
        monkeypatch.setattr(bank, "speech", lambda one: spoken(one) * (one.utterance not in names))
        return draw_batch(bank, 0, 3, FS, 0)

    assert np.isfinite(without("0").mix).all()
    with pytest.raises(UserError, match=r"^[0-4]: is silent where .* replace the recording$"):
        without(*SPEAKERS[:5])
