"""The stage's script: what it writes, what it prints, what it does without its inputs."""

import sys

import pytest
import yaml

from pipeline import report
from ssml.config import layout
from ssml.files import io
from ssml.files.errors import UserError
from ssml.report import tables
from tests.report import fake_tables as fake


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """A working folder with params and made-up tables, and the script's arguments."""
    chosen = fake.settings(mixtures=4)
    fake.write(tmp_path, chosen)
    (tmp_path / "small.yaml").write_text(yaml.safe_dump(chosen.model_dump(mode="json")))
    monkeypatch.chdir(tmp_path)
    io.write_text(layout.MANIFEST, "split,speaker\n")
    monkeypatch.setattr(sys, "argv", ["report", "--params", "small.yaml"])
    return tmp_path


def test_everything_is_written_and_the_summary_printed(folder, capsys):
    """And figures of what is no more are removed."""
    old = [layout.figure("wer-gone", kind) for kind in ("svg", "pdf")]
    for path in old:
        io.write_text(path, "old")
    report.main()
    assert not any(path.exists() for path in old)
    rows = io.read_table(layout.SUMMARY)
    assert tuple(rows[0]) == tables.COLUMNS and len(rows) == 3 * 11
    printed = capsys.readouterr().out
    assert all(row["method"] in printed for row in rows)
    assert "| capped WER in % |" in layout.SUMMARY.with_suffix(".md").read_text()
    page = layout.REPORT.read_text()
    files = list((layout.REPORT.parent / "figures").iterdir())
    figures = {path.stem for path in files}
    assert len(figures) == 17 and len(files) == 2 * 17
    assert all(f'data-figure="{name}"' in page for name in figures)
    assert "tabular" in layout.TABLES.read_text()
    assert "Code of train" in page and "Corpus manifest" in page


def test_nothing_is_written_where_a_table_is_missing(folder):
    layout.curves("nmf-iss", "test4").unlink()
    with pytest.raises(UserError, match="nmf-iss/test4"):
        report.main()
    assert not layout.SUMMARY.exists() and not layout.REPORT.parent.exists()
