"""Published tables: what a marker asks for, and what a run leaves in docs/results/."""

import pytest

from pipeline import publish
from ssml.files import io
from ssml.files.errors import UserError
from ssml.report import tables
from ssml.report.published import KINDS, Published
from ssml.report.transcripts import RULE
from tests.conftest import ROOT

MARKERS = (
    "headline run mixture laplace-iss learned-sdr-iss",
    "summary run si_sdr",
    "summary run wer laplace-iss learned-sdr-iss",
    "summary run stoi",
    "claims run",
    "evidence run",
    "differences run si_sdr",
    "differences run wer_reduction learned-sdr-iss:laplace-iss",
    "iterations run test2",
    "conditions run t60 measured_T60",
    "source run",
    "plain sources",
)


def document(*markers: str) -> str:
    return "\n".join(f"<!-- table: {marker} -->\n<!-- /table -->" for marker in markers) + "\n"


@pytest.fixture(scope="module")
def added(made, tmp_path_factory):
    """A folder for published files with those of a made-up run; its rows as the report has them."""
    root, found = made
    folder = tmp_path_factory.mktemp("docs") / "results"
    folder.mkdir()
    columns = list(io.read_table(ROOT / "docs/results/sources.csv")[0])
    io.write_table(folder / "sources.csv", [dict.fromkeys(columns, "x")], columns)
    rows = tables.summarise(found)
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(root)
        patch.setattr(publish, "load", lambda _: found.params)
        io.write_table("results/summary.csv", [row.cells() for row in rows], tables.COLUMNS)
        for _ in range(2):  # the second replaces the first
            publish.add("run", {"command": "make it", "speakers": "nobody"}, folder)
    return folder, rows


def test_every_kind_renders_and_once_is_enough(added):
    folder, _ = added
    assert {marker.split()[0] for marker in MARKERS} == set(KINDS)
    published = Published(folder, folder.parent)
    once = published.render(document(*MARKERS))
    assert published.render(once) == once
    assert once.count("<!-- /table -->") == len(MARKERS)
    assert "[run.csv](results/run.csv)" in once and "`make it`" in once


def test_a_published_number_is_the_reports(added):
    folder, rows = added
    text = Published(folder, folder).render(document("summary run si_sdr", "summary run wer"))
    for row in rows:
        for cell in (tables.decibels(row.si_sdr), tables.percent(row.wer_capped)):
            assert cell in text


def test_a_published_table_says_which_word_error_rate_it_has(added, tmp_path):
    """Files from before the cap have none: theirs is the WER, under that name."""
    folder, rows = added
    markers = MARKERS[0], MARKERS[2], MARKERS[7]
    new = Published(folder, folder).render(document(*markers))
    for path in folder.glob("*.csv"):
        old = io.read_table(path)
        kept = [name for name in old[0] if not name.startswith("wer_capped")]
        old = [{k: row[k].replace("wer_capped", "wer") for k in kept} for row in old]
        io.write_table(tmp_path / path.name, old, kept)
    old = Published(tmp_path, tmp_path).render(document(*markers))
    assert new.count("capped WER in %, ") == 3 and new.count(RULE) == 2
    assert "| capped WER in % |" in new and "| capped word errors fewer" in new
    assert "apped" not in old and "| WER in % |" in old and "| word errors fewer" in old
    assert old.count("| WER in %, ") == 3
    row = next(row for row in rows if row.method == "laplace-iss")
    assert tables.percent(row.wer) in old and tables.percent(row.wer_capped) in new


def test_each_file_of_a_run_has_one_source(added):
    folder, _ = added
    names = [row["file"] for row in io.read_table(folder / "sources.csv")]
    assert len(names) == len(set(names))
    assert {"run", "run-claims", "run-differences", "run-iterations"} <= set(names)


@pytest.mark.parametrize(
    ("marker", "message"),
    [
        ("picture run", "no such kind"),
        ("summary run si_sdr nobody", "no rows of nobody"),
        ("plain absent", "absent.csv"),
    ],
)
def test_what_is_not_there_is_named(added, marker, message):
    folder, _ = added
    with pytest.raises(UserError, match=message):
        Published(folder, folder).render(document(marker))


def test_sets_with_equally_many_talkers_have_a_column_each(added, tmp_path):
    folder, rows = added
    cells = [row.cells() for row in rows if row.test_set == "test2"]
    real = [
        one | {"set": "real2", "si_sdr": 1.25, "si_sdr_low": 1, "si_sdr_high": 1.5} for one in cells
    ]
    io.write_table(tmp_path / "run.csv", [*cells, *real], tables.COLUMNS)
    (tmp_path / "sources.csv").write_bytes((folder / "sources.csv").read_bytes())
    text = Published(tmp_path, tmp_path).headline("run", "mixture", "laplace-iss")
    head, _, *body = [line for line in text.splitlines() if line.startswith("|")]
    names = [name.strip() for name in head.split("|")[2:-1]]
    assert names[:2] == ["SI-SDR in dB, 2 talkers", "SI-SDR in dB, 2 talkers, measured room"]
    assert all(len(line.split("|")) == len(head.split("|")) for line in body)
    assert all("1.2" in line.split("|")[3] for line in body)
