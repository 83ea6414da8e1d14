"""The pages of `ssml separate --page` and the command `ssml demo`."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import typer

from ssml import __version__, samples
from ssml.files.errors import UserError
from ssml.files.io import write_text

NAME = "index.html"


def check(out: Path, force: bool) -> None:
    """`UserError` where the page of the folder `out` is there already."""
    if (out / NAME).exists() and not force:
        raise UserError(f"{out / NAME} exists already; --force replaces it")


def write(out: Path, done: Sequence[Mapping[str, Any]], **options: Any) -> Path:
    """Write the page of the separated recordings `done` into the folder `out`; its path."""
    from ssml.report import recordings

    write_text(out / NAME, recordings.render(done, out, __version__, **options))
    return out / NAME


def demo(
    out: Annotated[
        Path, typer.Argument(metavar="OUT", help="Folder for the outputs and the page.")
    ] = Path("ssml-demo"),
) -> None:
    """Separate the sample recording that comes with the package, and write a page to listen to.

    Two people talk at once, at two microphones (LibriSpeech, CC BY 4.0). What OUT holds of an
    earlier demo is replaced.

    Example: ssml demo
    """
    from ssml.files.io import read_audio
    from ssml.separation import recordings
    from ssml.separation.scores import si_sdr
    from ssml.separation.separator import Separator

    separator = Separator(fs=16000)
    target = recordings.Target(out, force=True)
    done = recordings.separate_file(samples.MIXTURE, target, lambda fs: separator)
    assert done is not None  # nothing is skipped
    ref, _ = read_audio(samples.REFERENCES)
    mix, _ = read_audio(samples.MIXTURE)
    est = np.stack([read_audio(path)[0][0] for path in done["outputs"]])
    before = si_sdr(np.stack([mix[0], mix[0]]), ref)[0]
    after, order = si_sdr(est, ref)
    notes = {samples.MIXTURE.name: f"SI-SDR {before.mean():.1f} dB"}
    for talker, k in enumerate(order, 1):
        name = Path(done["outputs"][k]).name
        notes[name] = f"talker {talker}, SI-SDR {after[talker - 1]:.1f} dB"
    page = write(out, [done], title="Two people at once, separated", notes=notes)
    print(f"Two talkers, two microphones: {' '.join(done['outputs'])}")
    print(f"SI-SDR {before.mean():.1f} dB before, {after.mean():.1f} dB after separation")
    print(f"listen: {page}")
