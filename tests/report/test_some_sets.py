"""A method that is tested on some of the sets."""

import re

import pytest

from ssml.config import layout, params
from ssml.files import io
from ssml.report import claims, focus, pictures, publishing, results, tables
from tests import browser
from tests.report import fake_tables as fake

METHOD = "nmf-iss"


@pytest.fixture(params=[False, True], ids=["beside others", "the best classical"])
def found(tmp_path, request):
    """Results of which one method has those of test2 alone."""
    values = fake.settings(mixtures=6).model_dump(mode="json")
    values["separate"]["methods"][METHOD]["sets"] = ["test2"]
    values["transcribe"]["methods"] = "all"
    chosen = params.parse(values)
    fake.write(tmp_path, chosen, fake.SI_SDR | ({"nmf": 4.5} if request.param else {}))
    for test_set in ("test3", "test4"):
        for make in (layout.scores, layout.curves, layout.transcripts):
            (tmp_path / make(METHOD, test_set)).unlink(missing_ok=True)
    made = results.read(chosen, tmp_path)
    assert (focus.baseline(made) == METHOD) == request.param
    return made


def test_its_rows_are_of_its_sets(found):
    rows = tables.summarise(found)
    assert [row.test_set for row in rows if row.method == METHOD] == ["test2"]
    assert len({row.method for row in rows if row.test_set == "test3"}) > 5
    assert METHOD in tables.markdown(rows)


def test_the_page_the_claims_and_the_published_tables_are_whole(found):
    page = fake.html(found, pictures.plates(found, tables.summarise(found)))
    assert METHOD in page
    assert len(claims.claims(found)) == 4
    published = publishing.differences(found)
    assert {row["set"] for row in published if row["method"] == METHOD} == {"test2"}


@pytest.mark.slow
def test_the_page_in_a_browser(found, pieces, tmp_path):
    page = fake.html(found, pictures.plates(found, tables.summarise(found)))
    io.write_text(path := tmp_path / layout.REPORT, page)
    fake.write_runs(tmp_path, found)
    sound = next(data for name, data in pieces[1].items() if name.endswith(".mp3"))
    for name in re.findall(rf"{layout.AUDIO.name}/([^\"]+[.]mp3)", page):
        io.write_bytes(tmp_path / layout.AUDIO / name, sound)
    browser.check_report(path)
