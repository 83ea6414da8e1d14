"""The pages in Chromium, made of made-up results and sounds: no trouble, all keys, all widths."""

import json

import pytest

from ssml.config import layout
from ssml.files import io
from ssml.report import listening
from tests import browser

pytestmark = pytest.mark.slow

TRACKED = {"experiment": "1", "commit": "", "began": "", "seconds": 2}


@pytest.fixture(scope="module")
def folder(made, written, pieces, tmp_path_factory):
    """The report's folder as the stages leave it."""
    found = tmp_path_factory.mktemp("pages")
    io.write_text(found / layout.REPORT, written)
    io.write_text(found / layout.LISTEN, listening.render(made[1], pieces[0]))
    runs = [
        TRACKED | {"name": name, "job": f"evaluate:{name}", "id": f"{k:012}"}
        for k, name in enumerate(["mixture", *made[1].methods])
    ]
    io.write_text(found / layout.RUNS, f"window.SSML_RUNS = {json.dumps(runs)};")
    for name, data in pieces[1].items():
        io.write_bytes(found / layout.AUDIO / name, data)
    return found


def test_the_report(folder):
    browser.check_report(folder / layout.REPORT)


def test_the_listening_page(folder):
    browser.check_players(folder / layout.LISTEN)
