"""The arguments of every stage script: what to make, and where the parameters are."""

import argparse

from ssml.config.params import Params, load


def parse(description: str | None, *names: str) -> tuple[Params, argparse.Namespace]:
    """Read positional arguments `names` and `--params`; return the checked parameters and all."""
    parser = argparse.ArgumentParser(description=(description or "").split("\n")[0])
    for name in names:
        parser.add_argument(name)
    parser.add_argument("--params", default="params.yaml", help="file with the parameters")
    arguments = parser.parse_args()
    return load(arguments.params), arguments
