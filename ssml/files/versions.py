"""Which libraries computed a result: their versions, in a JSON file beside it."""

import platform
import sys
from collections.abc import Iterable, Mapping
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from .io import read_json, write_json

# module -> distribution, of those that compute, and of those that read and write sound
LIBRARIES = {
    **{name: name for name in ("numpy", "scipy", "torch", "numba", "pyroomacoustics", "pystoi")},
    **{name: name for name in ("pesq", "soxr", "soundfile", "pocketsphinx", "jiwer")},
    **{name: name for name in ("transformers", "ctranslate2", "ssspy", "torchiva")},
    "espeakng_loader": "espeakng-loader",
    "fast_bss_eval": "fast-bss-eval",
    "faster_whisper": "faster-whisper",
    "whisper_normalizer": "whisper-normalizer",
}
Versions = dict[str, str]


def beside(path: Path) -> Path:
    """The file with the versions of the libraries that computed `path`."""
    return path.with_name(f"{path.name}.versions.json")


def write(path: Path) -> None:
    """Write the versions of the libraries that this process has imported beside the result `path`.

    Beside them the version of Python and the device: no result depends on that of Python.
    """
    found = {dist: installed(dist) for module, dist in LIBRARIES.items() if module in sys.modules}
    known = {dist: number for dist, number in found.items() if number}
    write_json(
        beside(path),
        {"libraries": known, "python": platform.python_version(), "device": _device()},
    )


def read(path: Path) -> Versions:
    """The versions of the libraries that computed `path`, by name; {} where they are not known."""
    file = beside(path)
    return read_json(file)["libraries"] if file.exists() else {}


def installed(library: str) -> str:
    """The version that is installed here, without a build's `+cpu`; '' where there is none."""
    try:
        return version(library).partition("+")[0]
    except PackageNotFoundError:
        return ""


def outdated(paths: Iterable[Path]) -> list[Path]:
    """Those of the results that another version of a library computed than is installed here."""
    return [path for path in paths if any(installed(k) != v for k, v in read(path).items())]


def together(paths: Iterable[Path]) -> dict[str, list[str]]:
    """All versions of each library that computed some of the results."""
    found: dict[str, set[str]] = {}
    for path in paths:
        for library, number in read(path).items():
            found.setdefault(library, set()).add(number)
    return {library: sorted(found[library]) for library in sorted(found)}


def as_text(found: Mapping[str, Iterable[str]]) -> str:
    """One line: `numpy 2.3.5 and 2.4.6, torch 2.13.0`."""
    return ", ".join(f"{library} {' and '.join(each)}" for library, each in found.items())


def _device() -> str:
    torch = sys.modules.get("torch")
    if torch is not None and torch.cuda.is_available():
        return torch.cuda.get_device_name()
    return f"{platform.system()} {platform.machine()}"
