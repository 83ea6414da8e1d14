"""The pages in Chromium, made of made-up results and sounds: no trouble, all keys, all widths."""

import pytest

from ssml.config import layout
from ssml.files import io
from ssml.report import listening
from tests import browser
from tests.report import fake_tables as fake

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def folder(made, written, pieces, tmp_path_factory):
    """The report's folder as the stages leave it."""
    found = tmp_path_factory.mktemp("pages")
    io.write_text(found / layout.REPORT, written)
    io.write_text(found / layout.LISTEN, listening.render(made[1], pieces[0]))
    fake.write_runs(found, made[1])
    for name, data in pieces[1].items():
        io.write_bytes(found / layout.AUDIO / name, data)
    return found


def test_the_report(folder):
    browser.check_report(folder / layout.REPORT)


def test_the_listening_page(folder):
    browser.check_players(folder / layout.LISTEN)
