"""Results made once for all tests of the report."""

from pathlib import Path

import pytest

from ssml.report import results
from tests.report import fake_tables as fake


@pytest.fixture(scope="session")
def made(tmp_path_factory) -> tuple[Path, results.Results]:
    """A folder with made-up tables, and the results read from it."""
    root = tmp_path_factory.mktemp("report")
    chosen = fake.settings()
    fake.write(root, chosen)
    return root, results.read(chosen, root)
