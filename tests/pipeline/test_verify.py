"""A finished run agrees with itself; one number that was changed is found and named."""

import shutil
import sys

import pytest

from pipeline import verify
from ssml.config import layout
from ssml.evaluation import verification
from ssml.files import io
from ssml.report import results, tables
from tests.report import fake_tables as fake


@pytest.fixture
def scored(separated, tmp_path, monkeypatch):
    """A copy of a folder with separated and scored mixtures of real speech, and its params."""
    folder, params = separated
    shutil.copytree(folder, tmp_path / "run")
    monkeypatch.chdir(tmp_path / "run")
    return params


def test_scores_are_what_their_audio_gives(scored):
    chosen = verification.draw_sample(scored, 6, seed=1)
    assert len({*chosen}) == 6 and chosen == verification.draw_sample(scored, 6, seed=1)
    count, wrong = verification.differences(scored, chosen)
    assert count >= 6 * 2 * 5 and wrong == []


def test_a_score_that_was_changed_is_named(scored):
    path = layout.scores("laplace-iss", "test3")
    rows = io.read_table(path)
    rows[1]["si_sdr"] = str(float(rows[1]["si_sdr"]) + 0.1)
    io.write_table(path, rows, list(rows[0]))
    _, wrong = verification.differences(scored, verification.draw_sample(scored, 1000, seed=1))
    (found,) = wrong
    assert str(found).startswith(f"{path}: {rows[1]['id']}, source 1, si_sdr: ")
    assert found.table - found.audio == pytest.approx(0.1, abs=1e-6)


def test_a_summary_that_is_not_of_its_tables_is_an_error(tmp_path, monkeypatch, capsys):
    chosen = fake.settings(mixtures=4, sets=["test2"])
    fake.write(tmp_path, chosen)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(verify, "load", lambda: chosen)
    monkeypatch.setattr(sys, "argv", ["verify", "--sample", "0"])
    rows = [row.cells() for row in tables.summarise(results.read(chosen))]
    io.write_table(layout.SUMMARY, rows, tables.COLUMNS)
    verify.main()
    assert "the summary is that of the tables" in capsys.readouterr().out
    rows[2]["sdr"] += 0.01
    io.write_table(layout.SUMMARY, rows[:-1], tables.COLUMNS)
    with pytest.raises(SystemExit):
        verify.main()
    printed = capsys.readouterr().out
    assert f"{rows[2]['method']} on test2, sdr: " in printed
    assert f"no row for {rows[-1]['method']} on test2" in printed


def test_the_run_of_a_shorter_table_is_compared_to_its_digits(tmp_path):
    path = tmp_path / "published.csv"
    path.write_text("set,method,si_sdr\ntest2,laplace,1.2\ntest2,gone,3\n")
    row = {"set": "test2", "method": "laplace", "si_sdr": 1.234, "sdr": 2.0}
    assert verify.unequal([row], path) == [f"{path}: gone on test2 is not in this run"]
    (line, _) = verify.unequal([row | {"si_sdr": 1.27}], path)
    assert "si_sdr: 1.2 in the table, 1.27 from the results" in line
