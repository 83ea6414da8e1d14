"""Measured comparisons with other packages: `python -m benchmarks.separate`, `.train`, `.simulate`.

Each measures the project and its peers in turn, on the same input, threads and precision, and
prints medians, their spread and ratios, with `--json` as JSON. The peers: `pip install '.[peers]'`,
and torchiva without what it depends on, `pip install --no-deps torchiva`.
"""
