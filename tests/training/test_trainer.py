from functools import partial

import numpy as np
import pytest
import torch

from ssml.config.sections import VariantParams
from ssml.data.shards import Batch, ShardReader, draw_batch
from ssml.files.errors import UserError
from ssml.iva import checkpoint
from ssml.training.trainer import Trainer, fit, resume
from ssml.training.unrolled import Iterations
from tests.conftest import noise_shard, spectrogram

PARAMS = VariantParams(
    loss="sdr",
    network={"name": "glu", "hidden": 8, "layers": 1},
    rule="iss",
    stft={"n_fft": 256, "hop": 64},
    iterations=(2, 4),
    batch=2,
    seconds=0.5,
    steps=8,
    lr=0.01,
    warmup=2,
    decay=0.05,
    clip=50,
    average=0.5,
    recompute=False,
    validate_every=4,
    checkpoint_every=2,
)


@pytest.fixture(scope="module")
def mixtures(tmp_path_factory):
    return ShardReader([noise_shard(tmp_path_factory.mktemp("mixtures") / "0.tar", 0.8)], 16000)


def train(mixtures, path, params=PARAMS, stop=None, seed=1):
    """Train to the end, or until `stop` steps are done as if killed then."""
    trainer = Trainer(params, seed, 16000, torch.device("cpu"))
    resume(trainer, path, "key")

    def log(row):
        if row["step"] == stop:
            raise KeyboardInterrupt

    try:
        fit(trainer, partial(draw_batch, mixtures), mixtures, path, "key", log)
    except KeyboardInterrupt:
        assert stop is not None
    return trainer


def test_a_resumed_training_ends_with_the_same_bits(mixtures, tmp_path):
    whole = train(mixtures, tmp_path / "whole.safetensors")
    for stop in (3, 6, 7):
        train(mixtures, tmp_path / "cut.safetensors", stop=stop)
    cut = train(mixtures, tmp_path / "cut.safetensors")
    assert cut.history == whole.history
    one, two = whole.state()[0], cut.state()[0]
    assert one.keys() == two.keys()
    assert all(torch.equal(one[key], two[key]) for key in one)
    files = [(tmp_path / f"{name}.safetensors").read_bytes() for name in ("whole", "cut")]
    assert files[0] == files[1]


def test_a_checkpoint_of_another_key_or_a_broken_one_is_not_used(mixtures, tmp_path, capsys):
    path = tmp_path / "a.safetensors"
    train(mixtures, path)
    fresh = Trainer(PARAMS, 1, 16000, torch.device("cpu"))
    assert not resume(fresh, path, "other") and "starting from step 0" in capsys.readouterr().err
    path.write_bytes(path.read_bytes()[:500])
    assert not resume(fresh, path, "key") and "starting from step 0" in capsys.readouterr().err
    assert fresh.history == []


def test_training_separates_better_than_it_began(mixtures, tmp_path):
    params = PARAMS.model_copy(update={"steps": 40, "validate_every": 40})
    trainer = Trainer(params, 1, 16000, torch.device("cpu"))
    before = trainer.validate(mixtures)
    fit(trainer, partial(draw_batch, mixtures), mixtures, tmp_path / "a.safetensors", "key")
    assert trainer.history[-1]["si_sdr"] > before + 1


def test_a_training_starts_from_the_weights_of_another(mixtures):
    """Those of a smaller network too: what it lacks begins without effect."""
    before = checkpoint.build(PARAMS.network, 129).state_dict()
    seeing = PARAMS.model_copy(update={"network": {**PARAMS.network, "rivals": True}})
    for params in (PARAMS, seeing):
        trainer = Trainer(params, 1, 16000, torch.device("cpu"), start=before)
        for state in (trainer.network.state_dict(), trainer.average):
            assert all(torch.equal(state[key], value) for key, value in before.items())
    deeper = checkpoint.build({**PARAMS.network, "layers": 4}, 129).state_dict()
    with pytest.raises(UserError, match="start: the network has no mix"):
        Trainer(PARAMS, 1, 16000, torch.device("cpu"), start=deeper)
    with pytest.raises(UserError, match="start: .*size mismatch"):
        Trainer(PARAMS, 1, 16000, torch.device("cpu"), start={"frame": torch.ones(3, 1)})


@pytest.mark.parametrize("loss", ["sdr", "coherence"])
def test_more_iterations_cost_less(loss, mixtures):
    params = PARAMS.model_copy(update={"loss": loss})
    trainer = Trainer(params, 1, 16000, torch.device("cpu"))
    example = mixtures[0]
    batch = Batch(example.mix[None], example.reverberant[None])
    first, last = (trainer.cost(batch, Iterations(0, n)).item() for n in (1, 30))
    assert last < first


def test_a_step_that_is_not_finite_is_skipped_and_counted(mixtures):
    trainer = Trainer(PARAMS, 1, 16000, torch.device("cpu"))
    before = {key: value.clone() for key, value in trainer.network.state_dict().items()}
    nothing = np.full((2, 2, 8000), np.nan, np.float32)
    row = trainer.step(0, Batch(nothing, nothing))
    assert row["skipped"] == 1 and not np.isfinite(row["grad_norm"])
    after = trainer.network.state_dict()
    assert all(torch.equal(before[key], after[key]) for key in before)


def test_a_saved_model_gives_the_same_weights(tmp_path):
    network = checkpoint.build(PARAMS.network, 129)
    card = {"network": PARAMS.network, "stft": PARAMS.stft.model_dump()}
    checkpoint.save(tmp_path / "m.safetensors", network.state_dict(), card)
    loaded = checkpoint.load(tmp_path / "m.safetensors")
    power = spectrogram(2, 129).abs().square().float()
    assert torch.equal(loaded.network(power)[0], network(power)[0])
    assert loaded.stft.n_fft == 256


@pytest.mark.parametrize(
    "spoil, words",
    [
        (lambda path: path.unlink(), "no such model; train it"),
        (lambda path: path.write_bytes(b"\x80\x04pickle"), "not a safetensors file"),
        (lambda path: path.with_suffix(".json").unlink(), "m.json: cannot be read"),
        (lambda path: path.with_suffix(".json").write_text("{}"), "no model card"),
        (
            lambda path: path.with_suffix(".json").write_text(
                '{"network": {"name": "glu", "hidden": 9}, "stft": {"n_fft": 256, "hop": 64}}'
            ),
            "does not fit its card",
        ),
        (
            lambda path: path.with_suffix(".json").write_text(
                '{"network": {"name": "x"}, "stft": {"n_fft": 256, "hop": 64}}'
            ),
            "no 'x' among banded, dilated",
        ),
    ],
)
def test_a_broken_model_is_an_error_that_names_the_file(tmp_path, spoil, words):
    path = tmp_path / "m.safetensors"
    network = checkpoint.build(PARAMS.network, 129)
    card = {"network": PARAMS.network, "stft": PARAMS.stft.model_dump()}
    checkpoint.save(path, network.state_dict(), card)
    spoil(path)
    with pytest.raises(UserError, match=words):
        checkpoint.load(path)


def test_an_unknown_argument_of_a_network_is_named():
    with pytest.raises(UserError, match="widht"):
        checkpoint.build({"name": "glu", "widht": 3}, 129)


@pytest.mark.parametrize(("decay", "last"), [(0.05, 0.25), (0.5, 0.5), (1, 1)])
def test_the_learning_rate_rises_stays_and_falls_to_its_share(decay, last):
    params = PARAMS.model_copy(update={"lr": 1.0, "decay": decay})
    trainer = Trainer(params, 1, 16000, torch.device("cpu"))
    rates = [trainer.learning_rate(step) for step in range(params.steps)]
    assert rates[:5] == pytest.approx([1 / 3, 2 / 3, 1, 1, 1])
    assert rates[-1] == pytest.approx(last) and sorted(rates[4:], reverse=True) == rates[4:]
