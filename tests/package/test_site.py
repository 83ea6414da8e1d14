"""The documentation as a site: it builds strictly, and shows the public docstrings."""

import logging

import pytest

import ssml
from tests.conftest import ROOT

config = pytest.importorskip("mkdocs.config")


@pytest.mark.slow
def test_the_site_builds_and_has_every_public_name(tmp_path):
    from mkdocs.commands.build import build

    heard: list[str] = []
    watch = logging.Handler(logging.WARNING)
    watch.emit = lambda record: heard.append(record.getMessage())  # type: ignore[method-assign]
    logger = logging.getLogger("mkdocs")
    logger.addHandler(watch)
    try:
        build(config.load_config(str(ROOT / "mkdocs.yml"), site_dir=str(tmp_path), strict=True))
    finally:
        logger.removeHandler(watch)
    assert not heard
    library = (tmp_path / "library.html").read_text()
    for name in ssml.__all__:
        assert name in library
    for page in ("results", "results/study", "extend"):
        text = (tmp_path / f"{page}.html").read_text()
        assert "<table>" in text
        assert "https://fonts" not in text
