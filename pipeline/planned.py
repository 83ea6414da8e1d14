"""Whether a job's code is what the Snakefile planned it with: it may be edited while others run."""

import os
import sys
from pathlib import Path

from ssml.config.params import Params
from ssml.config.uses import uses
from ssml.files import provenance
from ssml.files.errors import UserError

PLANNED = "SSML_CODE"  # the digest; without it, the script was started by hand


def check(params: Params, name: str | None) -> None:
    """Raise `UserError` where the running stage's code is another; name: of variant or method."""
    if PLANNED not in os.environ:
        return
    module = f"pipeline.{Path(sys.argv[0]).stem}"
    chosen = uses(params, module.removeprefix("pipeline."), name)
    if provenance.code(module, chosen) != os.environ[PLANNED]:
        raise UserError(f"{module}: its code was edited since this run was planned; run again")
