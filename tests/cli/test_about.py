"""`ssml params`, `models` and `doctor`; what is imported for what."""

import json
import os
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import numpy as np
import pytest
import yaml

from pipeline import publish
from ssml import pretrained
from ssml.cli import best, doctor, models
from ssml.config.names import CLASSICAL_NAMES
from ssml.files.io import read_json, read_table
from ssml.separation import defaults
from tests.cli.shell import record, refused, run
from tests.conftest import ROOT


def test_params_are_checked_and_compared(capsys):
    shutil.copy(ROOT / "params.yaml", "params.yaml")
    assert run(capsys, "params", "check", "params.yaml")[1] == "params.yaml: valid\n"
    values = yaml.safe_load((ROOT / "params.yaml").read_text())
    values["seed"] = 5
    Path("other.yaml").write_text(yaml.safe_dump(values))
    for names in (("params.yaml", "other.yaml"), ("other.yaml",)):
        code, out, _ = run(capsys, "params", "diff", *names)
        head, row = (line.split() for line in out.splitlines())
        assert head == ["key", "params.yaml", "other.yaml"] and row == ["seed", "1", "5"]
        assert code == 1
    assert run(capsys, "params", "diff", "other.yaml", "other.yaml")[:2] == (0, "")
    explained = run(capsys, "params", "explain", "scenes.snr", "--file", "params.yaml")[1]
    assert explained.startswith(
        "scenes.snr = [10.0, 30.0]\n    of the mixture against the noise, dB"
    )
    assert len(run(capsys, "params", "explain")[1].splitlines()) > 150
    assert "snrr: no such key" in refused(capsys, "params", "explain", "scenes.snrr")
    Path("other.yaml").write_text(yaml.safe_dump({**values, "sede": 1}))
    assert "sede: unknown key" in refused(capsys, "params", "check", "other.yaml")
    assert "none.yaml: cannot be read" in refused(capsys, "params", "check", "none.yaml")
    assert "none.yaml: cannot be read" in refused(capsys, "params", "diff", "none.yaml", "excerpt")


def test_a_preset_is_known_by_its_name_and_what_is_in_one_file_alone_is_listed(capsys):
    assert run(capsys, "params", "check", "excerpt")[1] == "excerpt: valid\n"
    code, out, _ = run(capsys, "params", "diff", "excerpt", "librispeech")
    rows = {line.split()[0]: line.split()[1:] for line in out.splitlines()}
    first, second = (
        yaml.safe_load((ROOT / f"presets/{name}.yaml").read_text())
        for name in ("excerpt", "librispeech")
    )
    assert code == 1 and "seed" not in rows
    mixtures = [one["scenes"]["sets"]["train"]["mixtures"] for one in (first, second)]
    assert rows["scenes.sets.train.mixtures"] == [str(number) for number in mixtures]
    alone = set(second["separate"]["methods"]).symmetric_difference(first["separate"]["methods"])
    for method in alone:
        assert "-" in rows[f"separate.methods.{method}.rule"]
    error = refused(capsys, "params", "diff", "excerptt", "study")
    assert "excerptt: neither a params file nor a preset; presets: excerpt, learned, " in error


def test_a_key_is_found_by_its_part(capsys):
    shutil.copy(ROOT / "params.yaml", "params.yaml")
    whole = run(capsys, "params", "explain", "scenes.t60")[1]
    assert whole.startswith("scenes.t60 = ")
    assert run(capsys, "params", "explain", "t60")[1] == whole
    assert run(capsys, "params", "explain", "jitter")[1].startswith("scenes.array_jitter = ")
    code, out, _ = run(capsys, "params", "explain", "laplace-iss.iterations")
    assert out.startswith("separate.methods.laplace-iss.iterations = 20\n    ")
    code, out, _ = run(capsys, "params", "explain", "iterations")
    head, *keys = out.splitlines()
    methods = yaml.safe_load(Path("params.yaml").read_text())["separate"]["methods"]
    assert code == 0 and head.startswith(f"{len(keys)} keys have the part iterations")
    expected = {f"separate.methods.{k}.iterations = {m['iterations']}" for k, m in methods.items()}
    assert expected <= set(keys)


def test_models_and_doctor(capsys):
    lines = run(capsys, "models")[1].splitlines()
    assert [line.split()[0] for line in lines[:6]] == [
        *("laplace", "gauss", "nmf", "learned", "learned-coherence", "learned-sdr")
    ]
    assert tuple(models.CLASSICAL) == CLASSICAL_NAMES
    first, settings = run(capsys, "models", "nmf")[1].splitlines()
    assert first == lines[2] and settings.startswith("separate: 50 iterations of ip2")
    assert json.loads(run(capsys, "models", "nmf", "--json")[1])["separate"]["rule"] == "ip2"
    assert "model: no 'none' among laplace" in refused(capsys, "models", "none")
    code, out, _ = run(capsys, "doctor")
    assert code == 0 and "soxr" in out and "cpu" in out
    assert out.startswith("separate: ready; ")


SETS = ("test2", "test3", "test4")
SHOWN = [("for the signal", "si_sdr", 1, 1), ("for the words", "wer", 0, 100)]


def test_the_best_models_are_those_of_the_results_files(capsys):
    """By the files of docs/results/: the package's tables must not differ from them."""
    out = run(capsys, "models")[1]
    study = [row for row in read_table(ROOT / "docs/results/study.csv") if row["model"]]
    known = [row for row in study if Path(row["model"]).stem in (*CLASSICAL_NAMES, "learned-sdr")]
    classical = [row for row in known if row["model"] in CLASSICAL_NAMES]

    def mean(rows, method, quantity="si_sdr"):
        return np.mean([float(row[quantity] or "nan") for row in rows if row["method"] == method])

    first = max(classical, key=lambda row: mean(classical, row["method"]))
    line = next(line for line in out.splitlines() if line.startswith("without training"))
    values = [row["si_sdr"] for row in classical if row["method"] == first["method"]]
    shown = f"{first['model']}, {first['iterations']} iterations of {first['rule']}"
    assert f"{shown}: SI-SDR {', '.join(values)} dB" in line
    assert first["model"] == defaults.FITTING and defaults.CLASSICAL["gauss"].rule == first["rule"]
    rows = []
    for name in pretrained.names():
        rule = read_json(pretrained.FOLDER / f"{name}.json")["separate"]["rule"]
        reached = read_table(pretrained.FOLDER / f"{name}.csv")
        rows += [r | {"name": name} for r in reached if r["rule"] == rule and r["set"] in SETS]
    for what, quantity, digits, scale in SHOWN:
        line = next(line for line in out.splitlines() if line.startswith(what))
        choose = min if quantity == "wer" else max
        methods = {row["method"] for row in rows if row[quantity]}
        best_one = choose(methods, key=lambda name: mean(rows, name, quantity))
        found = [row for row in rows if row["method"] == best_one]
        values = ", ".join(f"{scale * float(row[quantity]):.{digits}f}" for row in found)
        first, how = found[0]["name"], f"{found[0]['iterations']} iterations of {found[0]['rule']}"
        assert f"{first}, {how}: " in line and f" {values} " in line
    assert f"for the signal       {defaults.LEARNED}, " in out
    assert read_table(pretrained.CLASSICAL) == publish.classical()


def test_without_a_tested_model_there_is_no_best(monkeypatch):
    monkeypatch.setattr(best, "_learned", lambda sets: [])
    assert best.lines() == []


@pytest.mark.parametrize("tool", ["pip", "pipx", "uv tool"])
def test_doctor_begins_with_what_is_ready_and_how_to_get_the_rest(
    capsys, monkeypatch, tmp_path, tool
):
    marks = {"pipx": "pipx_metadata.json", "uv tool": "uv-receipt.toml"}
    if tool in marks:
        (tmp_path / marks[tool]).touch()
    monkeypatch.setattr(sys, "prefix", str(tmp_path))
    missing = {"onnx", "matplotlib"}
    real = doctor._installed
    monkeypatch.setattr(doctor, "_installed", lambda name: None if name in missing else real(name))
    states = dict(part.split(": ") for part in run(capsys, "doctor")[1].splitlines()[0].split("; "))
    command = f"{tool} install{' --force' * (tool in marks)}"
    assert states["separate"] == "ready"
    assert states["export"] == f"{command} '.[export]' in the project's folder"
    # the extra pipeline asks for the extra plot
    assert states["separate --plot"] == f"{command} '.[plot]' in the project's folder"
    assert states["reproduce"] == f"{command} '.[pipeline]' in the project's folder"
    missing.add("soxr")
    assert run(capsys, "doctor")[1].startswith(f"separate: {command} . in the project's folder; ")


def test_the_tasks_of_doctor_are_those_of_the_extras():
    metadata = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    extras = metadata["optional-dependencies"]
    assert set(doctor.TASKS.values()) <= {"", *extras}
    # the installation may be older than the file
    assert set(doctor.TASKS.values()) - {""} <= set(doctor._needed())


def test_separating_imports_nothing_heavy_but_torch():
    record("talk.wav")
    command = (
        "import sys; from ssml.cli import main; code = main.main(['separate', 'talk.wav', 'out']);"
        "heavy = ('mlflow', 'matplotlib', 'pyroomacoustics', 'pocketsphinx', 'onnx', 'pandas',"
        "'scipy.optimize');"
        "print([name for name in heavy if name in sys.modules]); sys.exit(code)"
    )
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    done = subprocess.run(
        [sys.executable, "-c", command], env=environment, capture_output=True, text=True
    )
    assert done.returncode == 0 and done.stdout.endswith("[]\n")


@pytest.mark.parametrize(
    "words, said",
    [
        (["--help"], "ssml separate meeting.wav out/"),
        (["separate", "--help"], "ssml separate meeting.wav out/"),
        (["models"], "learned-sdr          glu"),
    ],
)
def test_what_computes_nothing_is_quick(words, said):
    command = (
        f"import sys; from ssml.cli import main; code = main.main({words});"
        "print([name for name in ('torch', 'scipy') if name in sys.modules]); sys.exit(code)"
    )
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    done = subprocess.run(
        [sys.executable, "-c", command], env=environment, capture_output=True, text=True
    )
    assert done.returncode == 0 and said in done.stdout
    assert done.stdout.endswith("[]\n")


@pytest.mark.parametrize("words, code", [(["models"], 0), (["separate", "none.wav", "out"], 2)])
def test_a_shell_gets_all_that_is_printed_and_the_exit_code(words, code):
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    done = subprocess.run(
        [sys.executable, "-m", "ssml", *words], env=environment, capture_output=True, text=True
    )
    assert done.returncode == code
    assert "learned-sdr" in done.stdout if code == 0 else done.stderr.startswith("error: none.wav")
