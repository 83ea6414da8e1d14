"""Files that were cut, emptied, swapped or spoiled: a whole result or one line that names them."""

import json
import pickle
import tarfile
from io import BytesIO
from pathlib import Path

import numpy as np
import pytest
import torch
import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from safetensors import safe_open

from ssml.config import params
from ssml.config.sections import VariantParams
from ssml.data import corpora, scenes
from ssml.data.corpora.utterance import Utterance
from ssml.data.shards import ShardReader, StoredMixture, encode_mixture, write_tar
from ssml.evaluation.asr.cached import CachedRecogniser
from ssml.files import io
from ssml.files.errors import UserError
from ssml.iva import checkpoint
from ssml.training.trainer import Trainer, resume, suspend
from tests.conftest import ROOT, speechlike, tiny_model

SCENE = {
    "id": "m-0",
    "split": "test",
    "n_samples": 9,
    "room": [5, 5, 3],
    "t60": 0.3,
    "levels": [0, 1],
    "snr": 20,
    "mics": [[1, 1, 1]] * 2,
    "speakers": [[2, 2, 1]] * 2,
    "cuts": [[0, 9]] * 2,
    "utterances": ["a", "b"],
}
VARIANT = VariantParams.model_validate(
    yaml.safe_load((ROOT / "tests/params.yaml").read_text())["train"]["variants"]["learned-sdr"]
)
SPOKEN = Utterance("train", "1", "F", "1-2-0003", "train/1/2/1-2-0003.flac", 9, "0" * 64, "SO")


def write_shard(path: Path) -> None:
    audio = np.random.default_rng(0).uniform(-0.5, 0.5, (3, 2, 900))
    example = StoredMixture(*audio, {"id": "m"})
    write_tar(path, ((f"m-{i}", encode_mixture(example, 16000)) for i in range(3)))


def read_shard(path: Path) -> None:
    found = list(ShardReader([path], 16000))
    assert len(found) == 3  # never fewer than were written
    for one in found:
        assert all(part.shape == (2, 900) and np.isfinite(part).all() for part in one[:3])


def write_training(path: Path) -> None:
    suspend(Trainer(VARIANT, 1, 16000, torch.device("cpu")), path, "key")


def read_training(path: Path) -> None:
    """A damaged checkpoint is never half used: a trainer is as it was, or as it was written."""
    trainer = Trainer(VARIANT, 2, 16000, torch.device("cpu"))
    before = {key: value.clone() for key, value in trainer.state()[0].items()}
    if not resume(trainer, path, "key"):
        after = trainer.state()[0]
        assert before.keys() == after.keys()
        assert all(torch.equal(before[key], after[key]) for key in before)


def read_manifest(path: Path) -> None:
    assert len(corpora.read_manifest(path)) <= 3


def read_heard(path: Path) -> None:
    CachedRecogniser(None, path, "key")  # type: ignore[arg-type]


FORMATS = {
    "params.yaml": (
        lambda path: path.write_bytes((ROOT / "params.yaml").read_bytes()),
        params.load,
    ),
    "a.json": (lambda path: io.write_json(path, {"a": [1, 2.5, "x"]}), io.read_json),
    "a.csv": (
        lambda path: io.write_table(path, [{"a": 1, "b": 'x, "y"'}] * 3, ("a", "b")),
        io.read_table,
    ),
    "a.jsonl": (lambda path: io.write_lines(path, [SCENE] * 3), scenes.read),
    "manifest.csv": (lambda path: corpora.write_manifest(path, [SPOKEN] * 3), read_manifest),
    "a.flac": (
        lambda path: path.write_bytes(io.encode_flac(speechlike(2, seconds=0.05)[0], 16000)),
        lambda path: io.read_audio(path, 16000),
    ),
    "a.tar": (write_shard, read_shard),
    "m.safetensors": (tiny_model, checkpoint.load),
    "t.safetensors": (write_training, read_training),
    "h.jsonl": (lambda path: path.write_text('["0a", "words"]\n' * 3), read_heard),
}


def survives(read, path: Path, data: bytes) -> None:
    """`read` gives a result, or an error of one line that names the file."""
    path.write_bytes(data)
    try:
        read(path)
    except UserError as error:
        assert path.stem in str(error) and "\n" not in str(error)


@pytest.mark.parametrize("name", FORMATS)
def test_what_is_whole_is_read(name, tmp_path):
    write, read = FORMATS[name]
    write(tmp_path / name)
    read(tmp_path / name)


@pytest.mark.parametrize("name", FORMATS)
def test_a_file_cut_anywhere_or_with_spoiled_bytes(name, tmp_path):
    write, read = FORMATS[name]
    path = tmp_path / name
    write(path)
    whole = path.read_bytes()
    places = st.integers(0, len(whole) - 1)

    @settings(max_examples=40, deadline=None, suppress_health_check=list(HealthCheck))
    @given(cut=places, place=places, spoiled=st.binary(min_size=1, max_size=40))
    def damage(cut, place, spoiled):
        survives(read, path, whole[:cut])
        survives(read, path, whole[:place] + spoiled + whole[place + len(spoiled) :])
        survives(read, path, whole[:place] + spoiled + whole[place:])

    damage()


@pytest.mark.parametrize("name", FORMATS)
@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\n",
        b"\0" * 2000,
        b"\xff" * 2000,
        b"[" * 100_000,
        pickle.dumps({"network": [1.0]}),
        b"null\n",
        b'{"a": NaN}\n',
        (2**32).to_bytes(8, "little") + b"{}",  # a header of 4 GB
        b"RIFF" + (2**32 - 1).to_bytes(4, "little") + b"WAVEfmt ",
    ],
)
def test_a_file_that_is_something_else(name, data, tmp_path):
    survives(FORMATS[name][1], tmp_path / name, data)


def test_a_cut_table_or_shard_never_passes_for_a_whole_one(tmp_path):
    write, read = FORMATS["a.csv"]
    write(tmp_path / "a.csv")
    whole = (tmp_path / "a.csv").read_bytes()
    (tmp_path / "a.csv").write_bytes(whole[:-2])
    with pytest.raises(UserError, match="cut short|not a CSV table"):
        read(tmp_path / "a.csv")
    write_shard(tmp_path / "a.tar")
    data = (tmp_path / "a.tar").read_bytes()
    with tarfile.open(tmp_path / "a.tar") as tar:
        ends = [member.offset for member in tar][4::4]  # between two mixtures
    for end in ends:
        (tmp_path / "a.tar").write_bytes(data[:end])
        with pytest.raises(UserError, match=r"a.tar: .*cut short"):
            ShardReader([tmp_path / "a.tar"], 16000)


@pytest.mark.parametrize("name", ["../../m-0.json", "/m-0.json", "m-0.json", "link"])
def test_a_member_of_another_place_or_twice_is_refused(name, tmp_path):
    with tarfile.open(tmp_path / "a.tar", "w") as tar:
        for one in ("m-0.json", name):
            member = tarfile.TarInfo(one)
            if one == "link":
                member.type, member.linkname = tarfile.SYMTYPE, "../../secret"
            tar.addfile(member, BytesIO())
    with pytest.raises(UserError, match=r"a.tar: .*does not belong in a shard"):
        ShardReader([tmp_path / "a.tar"], 16000)
    assert [path.name for path in tmp_path.iterdir()] == ["a.tar"]


def test_a_member_that_claims_four_gigabytes_is_refused(tmp_path):
    member = tarfile.TarInfo("m-0.json")
    member.size = 2**32
    (tmp_path / "a.tar").write_bytes(member.tobuf() + bytes(2048))
    with pytest.raises(UserError, match=r"a.tar: cannot be read as a tar file"):
        ShardReader([tmp_path / "a.tar"], 16000)


def test_a_flac_header_of_a_year_of_sound_is_refused(tmp_path):
    data = bytearray(io.encode_flac(np.zeros((2, 100)), 16000))
    data[21] |= 0x0F  # STREAMINFO: 36 bits of samples
    data[22:26] = b"\xff" * 4
    with pytest.raises(UserError, match="cannot be read as audio"):
        io.read_audio(bytes(data), 16000, "long")


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_weights_that_are_not_finite_are_refused(value, tmp_path):
    path = tiny_model(tmp_path / "m.safetensors")
    card = io.read_json(path.with_suffix(".json"))
    tensors = checkpoint.read_tensors(path)
    tensors["encode.bias"][0] = value
    checkpoint.save(path, tensors, card)
    with pytest.raises(UserError, match="m.safetensors: holds weights that are not finite"):
        checkpoint.load(path)


@pytest.mark.parametrize(
    "card",
    [
        [],
        {"network": "glu", "stft": {"n_fft": 256, "hop": 64}},
        {"network": {"name": "glu", "hidden": "many"}, "stft": {"n_fft": 256, "hop": 64}},
        {"network": {"name": "glu", "hidden": -1}, "stft": {"n_fft": 256, "hop": 64}},
        {"network": {"name": "glu", "hidden": 10**12}, "stft": {"n_fft": 256, "hop": 64}},
        {"network": {"name": "glu"}, "stft": {"n_fft": "256", "hop": 64}},
        {"network": {"name": "glu"}, "stft": {"n_fft": 256, "hop": 512}},
        {"network": {"name": "glu"}, "stft": [256, 64]},
        {"network": {"name": {}}, "stft": {"n_fft": 256, "hop": 64}},
    ],
)
def test_a_card_that_describes_no_model_is_named(card, tmp_path):
    path = tiny_model(tmp_path / "m.safetensors")
    path.with_suffix(".json").write_text(json.dumps(card))
    with pytest.raises(UserError, match=r"m\.(json|safetensors): ") as caught:
        checkpoint.load(path)
    assert "\n" not in str(caught.value)


def test_a_number_that_is_none_is_no_parameter(tmp_path):
    text = (ROOT / "params.yaml").read_text()
    for value in (".nan", ".inf", "-.inf"):
        (tmp_path / "p.yaml").write_text(
            text.replace("array_jitter: 0.2", f"array_jitter: {value}")
        )
        with pytest.raises(UserError, match="array_jitter"):
            params.load(tmp_path / "p.yaml")


def test_a_checkpoint_is_data_that_no_pickle_is_in(tmp_path):
    """What is written can be read by a reader that knows no code."""
    write_training(tmp_path / "t.safetensors")
    with safe_open(tmp_path / "t.safetensors", framework="np") as file:
        assert {"notes"} == set(file.metadata())
