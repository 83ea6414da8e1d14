"""The library's entry: one result for arrays, tensors and the loop itself; errors in one line."""

import numpy as np
import pytest
import torch

import ssml
from ssml.files.errors import UserError
from ssml.iva import auxiva, checkpoint, demixing
from ssml.iva.models import CLASSICAL
from ssml.iva.stft import Stft
from ssml.iva.updates import UPDATES
from ssml.separation.separator import Separator, separate
from tests.conftest import speechlike

SMALL = {"n_fft": 256, "hop": 64, "iterations": 5}
LAPLACE = {"model": "laplace", "rule": "iss", **SMALL}
laplace = CLASSICAL["laplace"]()


@pytest.fixture
def model(tmp_path):
    """The path of a small untrained checkpoint."""
    network = checkpoint.build({"name": "glu", "hidden": 8}, 129)
    card = {"network": {"name": "glu", "hidden": 8}, "stft": {"n_fft": 256, "hop": 64}}
    checkpoint.save(tmp_path / "small.safetensors", network.state_dict(), card)
    return tmp_path / "small.safetensors"


@pytest.mark.parametrize("rule", sorted(UPDATES))
@pytest.mark.parametrize("name", sorted(CLASSICAL))
def test_arrays_tensors_and_the_loop_agree(name, rule):
    mix = speechlike(3)[0]
    tensor = torch.from_numpy(mix)
    loop = auxiva.separate(tensor, CLASSICAL[name](), rule, 5, Stft(256, 64), mic=1)
    est = separate(mix, model=name, rule=rule, mic=1, **SMALL)
    assert isinstance(est, np.ndarray) and est.dtype == mix.dtype
    np.testing.assert_allclose(est, loop, atol=1e-6)
    found = separate(tensor, model=name, rule=rule, mic=1, **SMALL)
    torch.testing.assert_close(found, loop, atol=1e-6, rtol=0)


def test_a_checkpoint_brings_its_stft(model):
    mix = speechlike(2)[0].astype(np.float32)
    trained = checkpoint.load(model)
    with torch.no_grad():
        loop = auxiva.separate(torch.from_numpy(mix), trained.network, "iss", 5, trained.stft)
    for named in (model, str(model)):
        np.testing.assert_allclose(
            separate(mix, model=named, iterations=5, rule="iss", fs=16000), loop, atol=1e-6
        )
    wide = separate(mix.astype(np.float64), model=model, iterations=5, rule="iss", fs=16000)
    assert wide.dtype == np.float64
    np.testing.assert_allclose(wide, loop, atol=1e-2)
    with pytest.raises(UserError, match="hop: 128, but .*small.safetensors was trained for 64"):
        separate(mix, model=model, hop=128, rule="iss", iterations=20, fs=16000)


@pytest.mark.filterwarnings("error")
def test_views_and_read_only_arrays_are_mixtures_too():
    mix = speechlike(2)[0]
    expected = separate(mix, **LAPLACE)
    view = np.ascontiguousarray(mix.T).T
    view.flags.writeable = False
    np.testing.assert_array_equal(separate(view, **LAPLACE), expected)


def test_the_window_has_the_same_duration_at_any_rate():
    assert Separator("laplace").stft == Stft(4096, 1024)
    assert Separator("laplace", fs=8000).stft == Stft(2048, 512)
    assert Separator("laplace", fs=48000).stft == Stft(16384, 4096)
    assert Separator("nmf").stft == Separator(lambda power: 1 / power).stft == Stft(2048, 512)
    assert Separator("laplace", fs=48000, n_fft=512).stft == Stft(512, 128)


@pytest.mark.parametrize("sources", [None, 2])
def test_a_batch_equals_a_loop(sources):
    mix = np.stack([speechlike(3, seed=i)[0] for i in range(4)])
    separator = Separator(sources=sources, **LAPLACE)
    est = separator(mix.reshape(2, 2, *mix.shape[1:]))
    assert est.shape == (2, 2, sources or 3, mix.shape[-1])
    for one, alone in zip(est.reshape(4, *est.shape[2:]), mix, strict=True):
        np.testing.assert_allclose(one, separator(alone), atol=1e-6)


def test_fewer_sources_than_microphones():
    """Two sources at four microphones, little noise: the images at the one asked for."""
    mix, images = speechlike(2, M=4, seconds=4, noise=1e-3)
    for mic in (0, 2):
        est = separate(
            mix, sources=2, mic=mic, n_fft=1024, iterations=30, model="laplace", rule="iss"
        )
        assert est.shape == (2, mix.shape[-1])
        errors = [
            sum(np.square(e - images[k, mic]).sum() for e, k in zip(est, order, strict=True))
            for order in ((0, 1), (1, 0))
        ]
        assert min(errors) < 0.05 * np.square(images[:, mic]).sum()
        np.testing.assert_allclose(est.sum(0), mix[mic], atol=0.02)


@pytest.mark.parametrize("second", ["silent", "a copy", "a faint copy"])
def test_a_microphone_that_tells_nothing_is_not_one_of_those_reduced_to(second):
    mix = speechlike(2, M=3, seconds=2)[0].astype(np.float32)
    expected = separate(mix[[0, 2]], **LAPLACE)
    mix[1] = {"silent": 0, "a copy": mix[0], "a faint copy": 1e-3 * mix[0]}[second]
    est = separate(mix, sources=2, **LAPLACE)
    assert np.abs(est - expected).max() < 1e-3 * np.abs(mix).max()


@pytest.mark.parametrize("decibels", [-60, -100])
def test_a_microphone_may_be_far_below_the_others(decibels):
    mix = speechlike(2, seconds=2)[0].astype(np.float32)
    expected = separate(mix, **LAPLACE)
    mix[1] *= np.float32(10 ** (decibels / 20))
    assert np.abs(separate(mix, **LAPLACE) - expected).max() < 1e-4 * np.abs(mix).max()
    images = separate(mix, mic=1, **LAPLACE)
    np.testing.assert_allclose(images.sum(0), mix[1], atol=1e-4 * np.abs(mix[1]).max())
    assert np.abs(images).max(-1).min() > 0.05 * np.abs(mix[1]).max()


def test_half_a_window_of_hop_makes_no_loud_end():
    mix = speechlike(2, seconds=1)[0][:, : 20 * 512 + 511]
    assert (
        np.abs(separate(mix, n_fft=1024, hop=512, model="laplace", rule="iss", iterations=20)).max()
        < 2
    )


@pytest.mark.parametrize("sources", [None, 2])
def test_filters_give_the_outputs(sources):
    mix = speechlike(3)[0]
    separator = Separator(sources=sources, **LAPLACE)
    W = separator.filters(mix)
    assert W.shape == (129, sources or 3, 3)
    X = separator.stft.forward(torch.from_numpy(mix))
    Y = demixing.apply(torch.from_numpy(W), X)
    np.testing.assert_allclose(separator.stft.inverse(Y, mix.shape[-1]), separator(mix), atol=1e-9)


def test_states_end_with_the_outputs():
    mix = torch.from_numpy(speechlike(3)[0])
    separator = Separator(sources=2, **LAPLACE)
    states = list(separator.states(mix))
    assert len(states) == SMALL["iterations"] + 1
    torch.testing.assert_close(separator.stft.inverse(states[-1].Y, mix.shape[-1]), separator(mix))


@pytest.mark.parametrize("sources", [None, 2])
def test_going_on_begins_with_the_filters_given(sources):
    """They set the order of the sources; those of silence are replaced by a fresh start."""
    mix = speechlike(3, seconds=2)[0]
    separator = Separator(sources=sources, n_fft=512, model="laplace", rule="iss", iterations=20)
    est, W = separator.separate_from(mix)
    assert W.shape == (257, sources or 3, 3)
    np.testing.assert_allclose(separator.separate_from(mix, 0 * W)[0], est, atol=1e-6)
    order = np.roll(np.arange(sources or 3), 1)
    again, _ = separator.separate_from(mix, W[:, order])
    assert list(np.corrcoef(again, est)[: len(est), len(est) :].argmax(1)) == list(order)


def test_what_was_loaded_is_a_source_model(model):
    mix = speechlike(2)[0]
    trained = ssml.load(model)
    given = {"iterations": 3, "fs": 16000}
    np.testing.assert_array_equal(
        separate(mix, model=trained, **given), separate(mix, model=model, **given)
    )
    assert ssml.load("learned-sdr").stft == Stft(4096, 1024, low=21)  # 80 Hz
    with pytest.raises(UserError, match="n_fft: 512, but the model was trained for 256"):
        Separator(trained, n_fft=512, rule="iss", iterations=20, fs=16000)


def test_any_callable_is_a_source_model():
    mix = speechlike(2)[0]
    expected = separate(mix, **LAPLACE)

    class Module(torch.nn.Module):
        def forward(self, power):
            return laplace(power)[0]

    def one(power, floor=0.0):
        return laplace(power)[0] + floor

    def narrow(power):
        return laplace(power)[0][..., :1, :]

    for model in (laplace, Module(), one, narrow, lambda power: laplace(power)):
        np.testing.assert_allclose(
            separate(mix, model=model, rule="iss", **SMALL), expected, atol=1e-9
        )


def test_a_callable_gets_its_memory_back():
    seen = []

    def counting(power, memory):
        seen.append(memory)
        return laplace(power)[0], (memory or 0) + 1

    separate(speechlike(2)[0], model=counting, rule="iss", **SMALL)
    assert seen == [None, 1, 2, 3, 4]


def test_learned_models_resample_to_their_rate_and_back(model):
    mix = speechlike(2, fs=44100)[0][:, :-5]
    est = separate(mix, model=model, fs=44100, iterations=5, rule="iss")
    assert est.shape == mix.shape and est.dtype == mix.dtype
    # what is above 8 kHz is lost; the rest adds up to the microphone
    spectrum, kept = (np.abs(np.fft.rfft(x)) for x in (mix[0], est.sum(0)))
    low = slice(0, int(7000 / 44100 * mix.shape[-1]))
    np.testing.assert_allclose(kept[low], spectrum[low], atol=0.02 * spectrum[low].max())


@pytest.mark.parametrize(
    "change, message",
    [
        (lambda x: x[0], "mix: 1-D"),
        (lambda x: x[:1], "mix: 1 channel"),
        (lambda x: x[:, :0], "mix: no samples"),
        (lambda x: x.T, "mix: 16000 channels of 2 samples"),
        (lambda x: np.where(np.arange(x.shape[1]) == 7, np.nan, x), "mix: .*not finite"),
        (lambda x: (x * 9).astype(np.int16), "mix: int16 samples"),
        (lambda x: torch.from_numpy(x).half(), "mix: torch.float16 samples"),
        (lambda x: x.tolist(), "mix: list"),
    ],
)
def test_bad_mixtures_are_named(change, message):
    with pytest.raises(UserError, match=message):
        separate(change(speechlike(2)[0]), **LAPLACE)


@pytest.mark.parametrize(
    "options, message",
    [
        ({"iterations": -1}, "iterations: -1 is below 0"),
        ({"iterations": 2.5}, "iterations: 2.5 is not a whole number"),
        ({"sources": 3}, "sources: 3 sources need as many microphones, not 2"),
        ({"sources": 1}, "sources: 1 is below 2"),
        ({"mic": 2}, "mic: 2 is not within 0..1"),
        ({"mic": -1}, "mic: -1 is below 0"),
        ({"fs": 0}, "fs: 0 is below 1"),
        ({"rule": "newton"}, "rule: no 'newton' among iss, iss-6-sweeps, ip, ip2"),
        ({"model": "lapalce"}, "model: no 'lapalce' among laplace, gauss, nmf"),
        ({"model": None}, "model: None is neither a name"),
        ({"model": "none/here.safetensors"}, "none/here.safetensors: no such model"),
        ({"hop": 256}, "n_fft: 256 must be even, and hop 256"),
        ({"model": lambda power: power[..., 0]}, "model: returned weights .* for power"),
        ({"model": lambda power: -power}, "model: .* not positive and finite"),
        ({"model": lambda power: None}, "model: returned NoneType"),
    ],
)
def test_bad_options_are_named(options, message):
    with pytest.raises(UserError, match=message) as caught:
        separate(speechlike(2)[0], **{**LAPLACE, **options})
    assert "\n" not in str(caught.value)


def test_copies_of_a_channel_give_finite_outputs():
    mix = speechlike(2)[0][[0, 0]]
    assert np.isfinite(separate(mix, **LAPLACE)).all()
