"""What is installed beside the project: its licences, and what is known against its versions."""

import json
import re
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import pytest

from tests.conftest import ROOT

# kinds that allow any use of the project itself
OPEN = re.compile(
    r"MIT|BSD|Apache|ISC|PSF|Python Software Foundation|MPL|Mozilla|LGPL|EPL|Zope"
    r"|Permission is hereby granted, free of charge"
)
# without a word in their metadata, or of a kind that must not be linked: looked at one by one
KNOWN = {
    "conda-inject": "MIT, of Snakemake",
    "espeakng-loader": "GPL 3 for espeak-ng, which runs in a process of its own",
    "grandalf": "GPL 2 or EPL 1, of DVC, which runs in a process of its own",
    "huey": "MIT, of MLflow",
    "pygit2": "GPL 2 with an exception for linking, of DVC",
    "skops": "MIT, of MLflow",
    "snakemake-interface-common": "MIT",
    "snakemake-interface-executor-plugins": "MIT",
    "snakemake-interface-logger-plugins": "MIT",
    "snakemake-interface-report-plugins": "MIT",
    "snakemake-interface-scheduler-plugins": "MIT",
    "snakemake-interface-storage-plugins": "MIT",
}


def asked(module: str, *arguments: str) -> str:
    if find_spec(module) is None:
        pytest.skip(f"needs {module}: pip install '.[dev]'")
    command = [sys.executable, "-m", module, *arguments]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=600).stdout


def test_every_licence_is_open_or_was_looked_at():
    found = json.loads(asked("piplicenses", "--from=mixed", "--format=json"))
    assert len(found) > 100
    odd = {one["Name"].lower() for one in found if not OPEN.search(one["License"])}
    assert odd <= KNOWN.keys()


def audited(requirements: Path) -> list[dict]:
    """What pip-audit found on each package of which PyPI has records."""
    arguments = ["-r", str(requirements), "--no-deps", "--disable-pip", "--format=json"]
    printed = asked("pip_audit", *arguments, "--progress-spinner=off")
    packages = json.loads(printed)["dependencies"] if printed else []
    return [one for one in packages if "vulns" in one]


@pytest.mark.slow
def test_nothing_is_known_against_the_pinned_versions(tmp_path):
    """By pip-audit, where PyPI's records of vulnerabilities can be reached."""
    pins = ROOT / "constraints.txt"
    one = tmp_path / "one.txt"  # asked first: a mirror without records may take seconds to say so
    one.write_text(next(line for line in pins.open() if line.startswith("numpy==")))
    checked = audited(one) and audited(pins)
    if not checked:
        pytest.skip("PyPI's records of vulnerabilities cannot be reached")
    assert [package for package in checked if package["vulns"]] == []
