"""The command `ssml doctor`: which versions and devices are there, and what is missing."""

import importlib.metadata
import platform
import re

from ssml import __version__
from ssml.files.errors import install

DISTRIBUTION = "ssml-separation"  # the package index knows another project as `ssml`


def doctor() -> None:
    """Say which versions and devices are there, and what is missing for what."""
    import soundfile
    import torch

    print(f"ssml {__version__}, Python {platform.python_version()}, {platform.platform()}")
    for name in ("torch", "numba", "numpy", "scipy", "soxr", "soundfile"):
        print(f"{name} {_installed(name) or 'missing: pip install ' + name}")
    print(f"libsndfile {soundfile.__libsndfile_version__}")
    print(f"cpu: {torch.get_num_threads()} threads")
    for i in range(torch.cuda.device_count()):
        print(f"cuda:{i}: {torch.cuda.get_device_name(i)}")
    for extra, needed in _extras().items():
        missing = [name for name in needed if _installed(name) is None]
        advice = f"missing {', '.join(missing)}: {install(extra)}"
        print(f"{extra}: {advice if missing else 'complete'}")


def _extras() -> dict[str, list[str]]:
    """The packages that each extra asks for, from the metadata of the installation."""
    try:
        metadata = importlib.metadata.metadata(DISTRIBUTION)
    except importlib.metadata.PackageNotFoundError:
        return {}
    found: dict[str, list[str]] = {name: [] for name in metadata.get_all("Provides-Extra") or []}
    for line in metadata.get_all("Requires-Dist") or []:
        name, _, marker = line.partition(";")
        extra = re.search(r"extra == ['\"]([\w-]+)", marker)
        wanted = re.match(r"[\w.-]+", name)
        if extra and wanted and wanted[0] != DISTRIBUTION:
            found[extra[1]].append(wanted[0])
    return found


def _installed(name: str) -> str | None:
    try:
        return importlib.metadata.version(name)
    except importlib.metadata.PackageNotFoundError:
        return None
