"""What every stage script does first and last: arguments, parameters, and whose code it runs."""

import argparse
import sys
from collections.abc import Callable
from pathlib import Path

from pipeline import planned
from ssml.config import layout
from ssml.config.params import Params, load
from ssml.files import errors, versions

_last: list[Callable[[], None]] = []  # to be called at the end of the stage


def parse(description: str | None, *names: str) -> tuple[Params, argparse.Namespace]:
    """Read positional arguments `names` and `--params`; return the checked parameters and all.

    Raises `UserError` where the stage's code is another than the job was planned with.
    """
    parser = argparse.ArgumentParser(description=(description or "").split("\n")[0])
    for name in names:
        parser.add_argument(name)
    parser.add_argument("--params", default="params.yaml", help="file with the parameters")
    arguments = parser.parse_args()
    params = load(arguments.params)
    used_by = getattr(arguments, "variant", getattr(arguments, "method", None))
    planned.check(params, used_by)
    _last[:] = [lambda: planned.check(params, used_by)]
    if make := layout.MADE.get(Path(sys.argv[0]).stem):
        made = make(*(getattr(arguments, name) for name in names))
        _last.append(lambda: versions.write(made))
    return params, arguments


def run(main: Callable[[], None]) -> None:
    """Run a stage's `main` as `errors.run`, then write the libraries' versions beside its result.

    The code must be as planned at the end too. Else the job fails, and Snakemake removes what it
    has written: a module that was imported late, or another process, may be of edited code.
    """

    def checked() -> None:
        main()
        for do in _last:
            do()

    errors.run(checked)
