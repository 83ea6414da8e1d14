"""The summary: its numbers, its failures, its unfit inputs."""

import re

import numpy as np
import pytest

from ssml.files import io
from ssml.files.errors import UserError
from ssml.report import claims, results, tables
from tests.report import fake_tables as fake


def test_summary_is_the_mean_over_mixtures_of_the_mean_over_sources(made):
    root, found = made
    cells = {(c["set"], c["method"]): c for c in (row.cells() for row in tables.summarise(found))}
    table = io.read_table(root / "results/scores/nmf-iss/test3.csv")
    by_id: dict[str, list[float]] = {}
    for row in table:
        by_id.setdefault(row["id"], []).append(float(row["si_sdr"]))
    expected = np.mean([np.mean(values) for values in by_id.values()])
    row = cells["test3", "nmf-iss"]
    assert row["si_sdr"] == pytest.approx(expected)
    assert row["si_sdr_low"] < expected < row["si_sdr_high"]
    assert (row["n_src"], row["mixtures"], row["failures"]) == (3, 30, 0)
    assert (row["model"], row["rule"], row["iterations"]) == ("nmf", "iss", 20)


def test_an_interval_of_stoi_ends_at_one(tmp_path):
    params = fake.settings(mixtures=4)
    fake.write(tmp_path, params)
    path = tmp_path / "results/scores/laplace-iss/test2.csv"
    table = io.read_table(path)
    for i, row in enumerate(table):
        row["stoi"] = "0.5" if i < 2 else "1"  # by itself the interval would end at 1.27
    io.write_table(path, table, fake.SCORES)
    rows = tables.summarise(results.read(params, tmp_path))
    (row,) = [r for r in rows if (r.test_set, r.method) == ("test2", "laplace-iss")]
    assert row.stoi is not None and row.stoi.low < row.stoi.mean < row.stoi.high == 1


def test_word_error_rate_is_pooled(made):
    root, found = made
    table = io.read_table(root / "results/transcripts/reference/test2.csv")
    errors, words = (
        sum(int(row[kind]) for row in table for kind in kinds)
        for kinds in (
            ("substitutions", "deletions", "insertions"),
            ("hits", "substitutions", "deletions"),
        )
    )
    row = next(
        r for r in tables.summarise(found) if (r.test_set, r.method) == ("test2", "reference")
    )
    assert row.wer is not None and row.wer.mean == pytest.approx(errors / words)
    assert row.si_sdr is None and row.cells()["si_sdr"] == ""


def test_summary_has_every_set_and_method_and_a_fixed_header(made):
    rows = tables.summarise(made[1])
    assert len(rows) == 3 * (9 + 2)
    assert all(tuple(row.cells()) == tables.COLUMNS for row in rows)


def test_terminal_and_markdown_show_the_same_numbers(made):
    rows = tables.summarise(made[1])
    ascii_text, markdown = tables.ascii_table(rows), tables.markdown(rows)
    assert ascii_text.isascii()
    for row in rows:
        assert tables.decibels(row.si_sdr) in ascii_text
        assert tables.decibels(row.si_sdr) in markdown
    assert "| SI-SDR in dB | test2 (2 speakers) |" in markdown
    columns = [line.count("|") for line in markdown.splitlines() if line.startswith("|")]
    assert set(columns) == {5}
    assert markdown.count("**") == 2 * 3 * 3  # one best a set and metric


def test_failures_are_counted_and_leave_the_means_of_the_others(tmp_path):
    chosen = fake.settings(sets=["test2"])
    fake.write(tmp_path, chosen)

    def fail(rows: list[dict[str, str]]) -> None:
        rows[0]["si_sdr"], rows[3]["sdr"], rows[4]["si_sdr"] = "nan", "-inf", ""

    fake.edit(tmp_path / "results/scores/laplace-iss/test2.csv", fail)
    found = results.read(chosen, tmp_path)
    scores = found.scores["laplace-iss", "test2"]
    assert scores.failures == 3  # three mixtures, though each has a good source
    row = next(
        r for r in tables.summarise(found) if (r.test_set, r.method) == ("test2", "laplace-iss")
    )
    assert row.si_sdr is not None and row.si_sdr.n == 27
    assert row.si_sdr.mean == pytest.approx(np.nanmean(scores.columns["si_sdr"]))
    said = claims.si_sdr(found, "test2", "learned-sdr-iss", "laplace-iss").numbers
    assert "30 mixtures (counted as the mixture: laplace-iss failed on 3)" in said
    text = fake.html(found, plates=[])
    assert "laplace-iss on test2: 3 of 30" in text
    assert "Failed separations: 3" in tables.markdown(tables.summarise(found))


def test_nothing_but_failures_is_said_so(tmp_path):
    chosen = fake.settings(sets=["test2"])
    fake.write(tmp_path, chosen)
    for folder in ("scores", "curves"):
        path = tmp_path / f"results/{folder}/learned-sdr-iss/test2.csv"
        fake.edit(path, lambda rows: [row.update(si_sdr="nan") for row in rows])
    found = results.read(chosen, tmp_path)
    assert claims.claims(found)[0].verdict == "refuted"
    assert "n/a" in tables.ascii_table(tables.summarise(found))
    assert not re.search(r"\bnan\b|NaN[,\]]", fake.html(found))


@pytest.mark.parametrize(
    "missing",
    [
        "results/scores/mixture/test3.csv",
        "results/curves/nmf-iss/test2.csv",
        "results/transcripts/reference/test4.csv",
        "models/learned-sdr.history.csv",
        "models/learned-coherence.json",
    ],
)
def test_a_missing_table_is_named(tmp_path, missing):
    chosen = fake.settings(mixtures=2)
    fake.write(tmp_path, chosen)
    (tmp_path / missing).unlink()
    with pytest.raises(UserError, match=re.escape(missing)):
        results.read(chosen, tmp_path)


@pytest.mark.parametrize(
    ("path", "text", "message"),
    [
        ("results/scores/nmf-iss/test2.csv", "id,source,si_sdr\n", "no rows"),
        (
            "results/scores/nmf-iss/test2.csv",
            "id,source,si_sdr\na,0,1\n",
            "lacks the columns .*sdr",
        ),
        ("results/curves/nmf-iss/test2.csv", "id,iteration,si_sdr\nx,0,1\n", "not those"),
        ("results/curves/nmf-iss/test2.csv", "id,iteration,si_sdr\nx,0,one\n", "no number"),
        ("results/curves/nmf-iss/test2.csv", "id,iteration,si_sdr\nx,,1\n", "no integer"),
    ],
)
def test_an_unfit_table_is_named(tmp_path, path, text, message):
    chosen = fake.settings(mixtures=2)
    fake.write(tmp_path, chosen)
    (tmp_path / path).write_text(text)
    with pytest.raises(UserError, match=message) as caught:
        results.read(chosen, tmp_path)
    assert path in str(caught.value)


def test_methods_scored_on_other_mixtures_are_an_error(tmp_path):
    chosen = fake.settings(mixtures=3)
    fake.write(tmp_path, chosen)
    fake.edit(tmp_path / "results/scores/gauss-iss/test2.csv", lambda rows: rows.pop())
    fake.edit(tmp_path / "results/scores/gauss-iss/test2.csv", lambda rows: rows.pop())
    with pytest.raises(UserError, match=r"gauss-iss/test2\.csv: its mixtures are not"):
        results.read(chosen, tmp_path)
