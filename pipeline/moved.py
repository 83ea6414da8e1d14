"""Mend an environment whose folder was moved or copied: `python pipeline/moved.py .venv`.

Its scripts, and what it knows of the editable package, name the folder in which it was made. Needs
the standard library alone, and runs with any Python.
"""

import re
import sys
from pathlib import Path

# files that name the project's folder, below the environment
NAMING = (
    *("bin/*", "lib/python*/site-packages/*.pth", "lib/python*/site-packages/__editable__*"),
    "lib/python*/site-packages/*.dist-info/direct_url.json",
    "pyvenv.cfg",  # last: it tells whether all are mended
)


def made_in(environment: Path) -> Path | None:
    """The folder in which `environment` was made by `python -m venv`, or None."""
    try:
        text = (environment / "pyvenv.cfg").read_text()
    except OSError:
        return None
    found = re.search(r"^command = .* -m venv .*?(/.*)$", text, re.M)
    return Path(found[1]) if found else None


def mend(environment: Path) -> bool:
    """Put the present place of `environment` where its files name the old; whether it had moved."""
    there, here = made_in(environment), environment.absolute()
    # a link leads to another project's environment, which stays its own
    if there is None or there == here or there.name != here.name or environment.is_symlink():
        return False
    # not within a longer name
    old, new = re.escape(str(there.parent).encode()) + rb"(?![\w.-])", str(here.parent).encode()
    files = dict.fromkeys(path for pattern in NAMING for path in sorted(environment.glob(pattern)))
    for path in files:
        if path.is_symlink() or not path.is_file():
            continue
        data = path.read_bytes()
        if b"\0" not in data and (mended := re.sub(old, lambda _: new, data)) != data:
            path.write_bytes(mended)
    return True


if __name__ == "__main__":
    if mend(Path(sys.argv[1])):
        print(f"{sys.argv[1]} was made in another folder and works in this one now")
