"""Rounds of calls in turn, medians and ratios."""

import argparse
import json
import platform
import time
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import torch


def options(description: str, **defaults: int) -> argparse.Namespace:
    """The command line: `--json`, `--threads` and one whole number for each default."""
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument("--json", action="store_true", help="print JSON instead of a table")
    parser.add_argument("--threads", type=int, default=torch.get_num_threads())
    for name, value in defaults.items():
        parser.add_argument(f"--{name}", type=int, default=value)
    chosen = parser.parse_args()
    torch.set_num_threads(chosen.threads)
    return chosen


def in_turn(calls: Mapping[str, Callable[[], Any]], rounds: int) -> dict[str, list[float]]:
    """Seconds of each call in each round, after one that is not counted."""
    seconds: dict[str, list[float]] = {name: [] for name in calls}
    for round in range(rounds + 1):
        for name, call in calls.items():
            start = time.perf_counter()
            call()
            if round:
                seconds[name].append(time.perf_counter() - start)
    return seconds


def row(seconds: list[float], unit: float) -> dict[str, float]:
    """Median in s, its spread as the middle half of the rounds, and the ratio to `unit` s."""
    low, median, high = np.percentile(seconds, [25, 50, 75])
    return {"median": median, "from": low, "to": high, "ratio": median / unit}


def bandwidth() -> float:
    """Bytes a second that a copy in memory reads and writes, the best of some."""
    source = torch.zeros(64 * 2**20)
    target = torch.empty_like(source)
    best = min(in_turn({"copy": lambda: target.copy_(source)}, 5)["copy"])
    return 2 * source.numel() * 4 / best


def show(
    title: str, tables: Mapping[str, Mapping[str, Mapping[str, float]]], as_json: bool
) -> None:
    """Print tables `{case: {name: values}}`, with the machine and the versions."""
    machine = {
        "cpu": platform.processor() or platform.machine(),
        "threads": torch.get_num_threads(),
        "torch": torch.__version__,
    }
    if torch.cuda.is_available():
        machine["gpu"] = torch.cuda.get_device_name()
    if as_json:
        print(json.dumps({"benchmark": title, "machine": machine, "cases": tables}, indent=2))
        return
    print(f"{title} ({', '.join(f'{key} {value}' for key, value in machine.items())})")
    for case, rows in tables.items():
        print(f"\n{case}")
        for name, values in rows.items():
            words = (f"{key} {value:.4g}" for key, value in values.items())
            print(f"  {name:<40} {', '.join(words)}")
