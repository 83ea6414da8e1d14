"""Several processes train as one: parts of a batch, gradients averaged, the same weights."""

import os
import socket
import subprocess
import sys
from functools import partial
from pathlib import Path

import numpy as np
import pytest
import torch

from ssml.config.sections import VariantParams
from ssml.data.shards import ShardReader, draw_batch
from ssml.files.errors import UserError
from ssml.training import distributed
from ssml.training.distributed import Share
from ssml.training.trainer import Trainer, fit, resume
from tests.conftest import ROOT, noise_shard

PARAMS = VariantParams.model_validate(
    {
        "loss": "sdr",
        "network": {"name": "glu", "hidden": 8, "layers": 1},
        "rule": "iss",
        "stft": {"n_fft": 256, "hop": 64},
        "iterations": (2, 3),
        "batch": 4,
        "seconds": 0.3,
        "steps": 6,
        "lr": 0.01,
        "warmup": 2,
        "decay": 0.05,
        "clip": 50,
        "average": 0.5,
        "recompute": False,
        "validate_every": 3,
        "checkpoint_every": 2,
    }
)


@pytest.fixture(scope="module")
def shard(tmp_path_factory):
    return noise_shard(tmp_path_factory.mktemp("mixtures") / "0.tar", 0.4)


def train(share: Share, shard: Path, path: Path) -> None:
    torch.set_num_threads(1)
    mixtures = ShardReader([shard], 16000)
    trainer = Trainer(PARAMS, 1, 16000, torch.device("cpu"), share)
    resume(trainer, path, "key")
    fit(trainer, partial(draw_batch, mixtures), mixtures, path, "key")


def fail(share: Share) -> None:
    raise SystemExit(2 if share.rank == 1 else 0)


def trained(path: Path) -> Trainer:
    trainer = Trainer(PARAMS, 1, 16000, torch.device("cpu"))
    assert resume(trainer, path, "key")
    return trainer


@pytest.mark.parametrize("ranks", [1, 2, 4])
def test_the_parts_of_a_batch_are_the_batch(shard, ranks):
    mixtures = ShardReader([shard], 16000)
    whole = draw_batch(mixtures, 3, 4, 2000, 5)
    parts = [draw_batch(mixtures, 3, 4, 2000, 5, rank, ranks) for rank in range(ranks)]
    assert all(len(part.mix) == 4 // ranks for part in parts)
    assert np.array_equal(np.concatenate([part.mix for part in parts]), whole.mix)
    assert np.array_equal(np.concatenate([part.ref for part in parts]), whole.ref)


@pytest.mark.slow
def test_two_processes_train_as_one(shard, tmp_path):
    train(Share(), shard, tmp_path / "one.safetensors")
    distributed.each(2, train, shard, tmp_path / "two.safetensors")
    assert_equal(tmp_path / "one.safetensors", tmp_path / "two.safetensors")


@pytest.mark.slow
def test_two_machines_train_as_one_process(shard, tmp_path):
    """Two nodes of torchrun on the loopback interface, of one process each."""
    train(Share(), shard, tmp_path / "one.safetensors")
    (tmp_path / "node.py").write_text(
        "import sys; from pathlib import Path\n"
        "from ssml.training import distributed\n"
        "from tests.training.test_distributed import train\n"
        "distributed.check(2)\n"
        "distributed.each(2, train, *map(Path, sys.argv[1:]))\n"
    )
    with socket.socket() as tried:
        tried.bind(("127.0.0.1", 0))
        port = tried.getsockname()[1]
    command = [sys.executable, "-m", "torch.distributed.run", "--nnodes=2", "--nproc-per-node=1"]
    command += ["--master-addr=127.0.0.1", f"--master-port={port}"]
    script = [str(tmp_path / name) for name in ("node.py", "two.safetensors")]
    script.insert(1, str(shard))
    nodes = [
        subprocess.Popen(
            [*command, f"--node-rank={rank}", *script],
            env={**os.environ, "PYTHONPATH": str(ROOT), "GLOO_SOCKET_IFNAME": "lo"},
            stderr=subprocess.PIPE,
            text=True,
        )
        for rank in range(2)
    ]
    said = [node.communicate(timeout=300)[1] for node in nodes]
    assert [node.returncode for node in nodes] == [0, 0], said
    assert_equal(tmp_path / "one.safetensors", tmp_path / "two.safetensors")


def assert_equal(alone: Path, together: Path) -> None:
    """Both trainings have the same history and end, up to rounding."""
    one, two = trained(alone), trained(together)
    for key in ("loss", "grad_norm"):
        first, second = ([row[key] for row in it.history] for it in (one, two))
        np.testing.assert_allclose(second, first, rtol=1e-3)
    checked = [row["si_sdr"] for row in two.history if "si_sdr" in row]
    assert len(checked) == 2
    for key, value in one.state()[0].items():
        if key.startswith(("network.", "average.")):
            # Adam divides by the gradient's size: where that is rounding alone, so is the step
            torch.testing.assert_close(two.state()[0][key], value, rtol=1e-3, atol=1e-3)


@pytest.mark.slow
def test_a_process_that_fails_ends_the_training():
    with pytest.raises(SystemExit) as caught:
        distributed.each(2, fail)
    assert caught.value.code == 2


def test_fewer_gpus_than_processes_are_an_error(monkeypatch):
    """That a batch cannot be shared is an error of the params file, see `tests/config`."""
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    distributed.check(3)
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    distributed.check(2)
    with pytest.raises(UserError, match=r"train.devices: 3, but there are 2 GPUs"):
        distributed.check(3)


def test_torchrun_counts_the_gpus_of_one_machine(monkeypatch):
    """Its global rank is no index of a GPU, where there are several machines."""
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 8)
    with pytest.raises(UserError, match="16, but there are 8 GPUs"):
        distributed.check(16)
    given = {"RANK": "11", "WORLD_SIZE": "16", "LOCAL_RANK": "3", "LOCAL_WORLD_SIZE": "8"}
    for name, value in given.items():
        monkeypatch.setenv(name, value)
    distributed.check(16)
    assert Share(11, 16).device() == torch.device("cuda", 3)
    with pytest.raises(UserError, match="8, but torchrun started 16 processes; make them equal"):
        distributed.check(8)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 4)
    with pytest.raises(UserError, match="started 8 processes here, but there are 4 GPUs"):
        distributed.check(16)


def test_training_uses_repeatable_operations_where_asked(shard, tmp_path, monkeypatch):
    """On a CPU they change nothing; an operation without such a form would be an error."""
    train(Share(), shard, tmp_path / "plain.safetensors")
    monkeypatch.setenv("SSML_DETERMINISTIC", "1")
    monkeypatch.setenv("CUBLAS_WORKSPACE_CONFIG", ":16:8")
    distributed.repeatable()
    try:
        assert torch.are_deterministic_algorithms_enabled()
        train(Share(), shard, tmp_path / "strict.safetensors")
    finally:
        torch.use_deterministic_algorithms(False)
    plain, strict = (
        (tmp_path / f"{name}.safetensors").read_bytes() for name in ("plain", "strict")
    )
    assert strict == plain
