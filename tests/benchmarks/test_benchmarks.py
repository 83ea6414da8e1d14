"""Each benchmark runs to its end on a tiny size, and prints every case that it measures."""

import importlib
import json
import math

import pytest

from benchmarks import defaults, quality, seeds, separate, train
from ssml.config.params import load
from ssml.files.io import read_table, write_json
from tests.conftest import ROOT
from tests.project import copied


@pytest.fixture
def measured(monkeypatch, capsys):
    """A function that runs `python -m benchmarks.NAME WORDS --json`: its cases."""

    def run(name: str, *words: str) -> dict[str, dict[str, dict[str, float]]]:
        monkeypatch.setattr("sys.argv", [name, *words, "--json"])
        importlib.import_module(f"benchmarks.{name}").main()
        cases = json.loads(capsys.readouterr().out)["cases"]
        rows = [row for case in cases.values() for row in case.values()]
        assert rows and not any(math.isnan(value) for row in rows for value in row.values())
        return cases

    return run


@pytest.mark.slow
def test_separate(measured, monkeypatch):
    monkeypatch.setattr(separate, "CASES", {2: 0.5, 3: 0.5})
    monkeypatch.setattr(separate, "bandwidth", lambda: 1e9)
    cases = measured("separate", "--threads", "1", "--rounds", "1", "--iterations", "2")
    assert "iss, 2 channels, 0.5 s, 2 iterations" in cases and len(cases) == 2 + 4 * 2
    for name, rows in cases.items():
        if "channels" in name:
            assert rows.keys() >= {"ssml", "ssml, torch", "memory, 3 passes an iteration"}
    assert {"ssspy", "pyroomacoustics"} <= cases["ip, 3 channels, 0.5 s, 2 iterations"].keys()


@pytest.mark.slow
def test_defaults(librispeech, monkeypatch, tmp_path):
    monkeypatch.chdir(ROOT)
    monkeypatch.setenv("SSML_LIBRISPEECH", str(librispeech))
    monkeypatch.setattr("sys.argv", ["defaults", "--rooms", "1"])
    for name, value in {"TALKERS": (2,), "ITERATIONS": (1, 3), "TABLE": tmp_path / "t.csv"}.items():
        monkeypatch.setattr(defaults, name, value)
    defaults.main()
    default, *others = read_table(tmp_path / "t.csv")
    assert default["model"] == "default" and float(default["si_sdr"]) > 0
    assert {(row["model"], row["rule"], row["iterations"]) for row in others} >= {
        ("laplace", "iss", "1"), ("nmf", "ip2", "3"), ("learned-sdr", "iss-6-sweeps", "3")
    }  # fmt: skip


@pytest.mark.slow
def test_quality(librispeech, monkeypatch, tmp_path):
    monkeypatch.chdir(ROOT)
    monkeypatch.setenv("SSML_LIBRISPEECH", str(librispeech))
    monkeypatch.setattr("sys.argv", ["quality", "--fit", "1", "--test", "1", "--threads", "1"])
    monkeypatch.setattr(quality, "TALKERS", (2,))
    monkeypatch.setattr(quality, "TABLE", tmp_path / "t.csv")
    monkeypatch.setattr(quality.quality, "COEFFICIENTS", tmp_path / "c.json")
    quality.main()
    quality.quality.coefficients.cache_clear()
    both, _ = read_table(tmp_path / "t.csv")
    assert (both["talkers"], both["separations"]) == ("2", str(len(quality.METHODS)))


@pytest.mark.slow
def test_seeds(finished, monkeypatch, tmp_path):
    """A finished run is read; one that is missing is a clone with its own seed."""
    monkeypatch.setattr("sys.argv", ["seeds", str(tmp_path), "--seeds", "7"])
    monkeypatch.setattr(seeds, "TABLE", tmp_path / "t.csv")
    copied(finished, tmp_path / "7")
    write_json(tmp_path / "7/time.json", {"wall": 120.0, "processor": 200.0})
    seeds.main()
    (row,) = read_table(tmp_path / "t.csv")
    assert row["seed"] == "7" and row["minutes on two cores"] == "2.0"
    assert {row[f"claim {n}"] for n in range(1, 5)} <= {"shown", "open", "refuted"}
    gain = row["over the best classical method, test2"]
    assert " dB [" in gain and gain.endswith("]")
    seeds.clone(tmp_path / "8", 8)
    params = load(tmp_path / "8/params.yaml")
    assert params.seed == 8 and params.train.seeds == [8]


def test_a_copy_in_memory_moves_a_gigabyte_a_second_at_least():
    assert 1e9 < separate.bandwidth() < 1e13


@pytest.mark.slow
def test_train(measured, monkeypatch):
    monkeypatch.chdir(ROOT)
    monkeypatch.setattr(train, "find_spec", lambda name: None)  # torchiva is no dependency
    words = ["--threads", "1", "--rounds", "1", "--iterations", "2", "--seconds", "1"]
    cases = measured("train", *words)
    assert cases.keys() == {
        "network: glu, 2 iterations, 4 x 2 x 1 s",
        "network: nearly none, 2 iterations, 4 x 2 x 1 s",
        "ssml, recomputing, by iterations",
    }
    for rows in list(cases.values())[:2]:
        assert tuple(rows) == train.WAYS and all(row["peak MB"] > 10 for row in rows.values())


@pytest.mark.slow
def test_simulate(measured, monkeypatch):
    monkeypatch.chdir(ROOT)
    words = ["--threads", "1", "--rounds", "1", "--seconds", "2", "--mixtures", "1"]
    cases = measured("simulate", *words)
    assert cases.keys() == {"2 speakers, 2 s", "4 speakers, 2 s", "2 speakers, 6 s, in processes"}
    assert len(cases["2 speakers, 2 s"]) == 4


@pytest.mark.slow
def test_grow(measured):
    cases = measured("grow", "--most", "1", "--methods", "2")
    assert len(cases["1 training shards, 2 methods"]) == 7
    assert cases["MLflow, its start included"].keys() == {"6 runs", "list them"}


@pytest.mark.slow
def test_recogniser(measured, finished, tmp_path, monkeypatch):
    """On the tiny corpus: every condition, the settings as they are and others."""
    monkeypatch.chdir(copied(finished, tmp_path / "project").folder)
    cases = measured("recogniser", "--speakers", "2", "--try", "lw=8")
    assert [name.partition(":")[0] for name in cases] == ["clean", "room", "rest"]
    assert all(rows.keys() == {"as it is", "lw=8"} for rows in cases.values())
    heard = next(iter(cases.values()))["as it is"]
    assert heard["WER %"] < 100 and heard["seconds"] > 0


def test_coverage(measured, monkeypatch):
    """Where speakers differ much, intervals over mixtures alone are too narrow."""
    from benchmarks import coverage

    monkeypatch.setattr(coverage, "CASES", [(6, 2, 60, 3)])
    (rows,) = measured("coverage", "--threads", "1", "--trials", "20").values()
    ours, *others = (row["half width dB"] for row in rows.values())
    assert len(others) == 2 and ours > 1.5 * max(others)
    assert next(iter(rows.values()))["covered %"] >= 70


@pytest.mark.slow
def test_stream(measured, librispeech, monkeypatch, tmp_path):
    """One mixture, shorter than the published ones: a row for each way, scores of each stretch."""
    from benchmarks import stream

    monkeypatch.chdir(ROOT)
    monkeypatch.setenv("SSML_LIBRISPEECH", str(librispeech))
    short = {"TABLES": tmp_path, "STEPS": 2, "BEGIN": 6.0, "WALK": 1.0, "AFTER": 1.0}
    for name, value in short.items():
        monkeypatch.setattr(stream, name, value)
    column = stream.Column("after it", stream.walk, 6.5, 8.0)
    monkeypatch.setattr(stream, "SCENES", {"walk": ([stream.BATCH, stream.DEFAULT], [column])})
    cases = measured("stream", "--threads", "1", "--mixtures", "1")
    assert cases["walk"].keys() == {"batch all", "`Stream` 0.5 10"}
    batch, streamed = read_table(tmp_path / "walk.csv")
    assert batch.keys() == streamed.keys() == {"SI-SDR in dB", "latency in s", "after it"}
    assert cases["walk"]["`Stream` 0.5 10"]["real-time factor"] > 0
