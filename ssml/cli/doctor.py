"""The command `ssml doctor`: what is ready, the versions and devices, and what is missing."""

import importlib.metadata
import platform
import re

from ssml import __version__
from ssml.files.errors import install

DISTRIBUTION = "ssml-separation"  # the package index knows another project as `ssml`
# what a user may want -> the extra that it needs; "" is the package alone
TASKS = {
    "separate": "",
    "separate --plot": "plot",
    "reproduce": "pipeline",
    "export": "export",
    "Whisper": "asr",
    "PESQ": "pesq",
    "cluster": "cluster",
    "test": "dev",
}


def doctor() -> None:
    """Say what is ready, which versions and devices are there, and what is missing for what.

    The first line names each task with `ready`, or with the command that installs what it needs.
    """
    needed = _needed()
    print(_readiness(needed))
    print(f"ssml {__version__}, Python {platform.python_version()}, {platform.platform()}")
    for name in ("torch", "numba", "numpy", "scipy", "soxr", "soundfile"):
        print(f"{name} {_installed(name) or 'missing'}")
    _print_devices()
    for extra, names in needed.items():
        missing = [name for name in names if _installed(name) is None]
        advice = f"missing {', '.join(missing)}: {install(extra)}"
        print(f"{extra or 'package'}: {advice if missing else 'complete'}")


def _readiness(needed: dict[str, list[str]]) -> str:
    """`separate: ready; export: pip install ...`: a line for all tasks."""
    if not needed:
        return f"{DISTRIBUTION} is not installed: {install()}"
    ready = {extra for extra, names in needed.items() if None not in map(_installed, names)}
    states = [
        f"{task}: {'ready' if extra in ready else install(extra)}" for task, extra in TASKS.items()
    ]
    return "; ".join(states)


def _print_devices() -> None:
    try:
        import soundfile
        import torch
    except ImportError as error:
        print(f"devices: unknown, {error.name} is missing")
        return
    print(f"libsndfile {soundfile.__libsndfile_version__}")
    print(f"cpu: {torch.get_num_threads()} threads")
    for i in range(torch.cuda.device_count()):
        print(f"cuda:{i}: {torch.cuda.get_device_name(i)}")


def _needed() -> dict[str, list[str]]:
    """The packages that the package alone, "", and each extra ask for, by the installation.

    An extra that asks for other extras needs their packages too.
    """
    try:
        metadata = importlib.metadata.metadata(DISTRIBUTION)
    except importlib.metadata.PackageNotFoundError:
        return {}
    found: dict[str, list[str]] = {name: [] for name in metadata.get_all("Provides-Extra") or []}
    found, others = {"": [], **found}, {name: [] for name in found}
    for line in metadata.get_all("Requires-Dist") or []:
        name, _, marker = line.partition(";")
        extra = re.search(r"extra == ['\"]([\w-]+)", marker)
        wanted = re.match(r"([\w.-]+)(?:\[([\w,-]+)\])?", name.replace(" ", ""))
        if wanted and wanted[1] == DISTRIBUTION and extra:
            others[extra[1]] += (wanted[2] or "").split(",")
        elif wanted:
            found[extra[1] if extra else ""].append(wanted[1])

    def all_of(extra: str) -> list[str]:
        return [*found[extra], *(name for other in others.get(extra, []) for name in all_of(other))]

    return {extra: all_of(extra) for extra in found}


def _installed(name: str) -> str | None:
    try:
        return importlib.metadata.version(name)
    except importlib.metadata.PackageNotFoundError:
        return None
