"""Results made once for all tests of the report."""

from pathlib import Path

import numpy as np
import pytest

from ssml.evaluation.outcomes import Outcome
from ssml.report import chosen, listening, pictures, players, results, tables
from tests.report import fake_tables as fake


@pytest.fixture(scope="session")
def made(tmp_path_factory) -> tuple[Path, results.Results]:
    """A folder with made-up tables, and the results read from it."""
    root = tmp_path_factory.mktemp("report")
    chosen = fake.settings()
    fake.write(root, chosen)
    return root, results.read(chosen, root)


@pytest.fixture(scope="session")
def plates(made) -> list[pictures.Plate]:
    """The figures of those results."""
    return pictures.plates(made[1], tables.summarise(made[1]))


@pytest.fixture(scope="session")
def written(made, plates) -> str:
    """The page of those results."""
    return fake.html(made[1], plates)


@pytest.fixture(scope="session")
def pieces(made) -> tuple[list[listening.Piece], dict[str, bytes]]:
    """The pieces of all chosen mixtures and their players' files, all of one made-up sound."""
    fs = made[1].params.fs
    noise = 0.1 * np.random.default_rng(5).standard_normal(3 * fs)
    sound, image = players.mp3(noise, fs), players.picture(noise, fs)

    def outcomes(params, method, name, only):
        est = np.tile(noise, (params.scenes.sets[name].speakers, 1))
        info = {"transcripts": ["HE SAID SO"] * len(est), "t60_measured": 0.3}
        yield Outcome(info, est, est, est, {}, False)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(listening, "outcomes", outcomes)
        patch.setattr(listening, "mp3", lambda *_: sound)
        patch.setattr(listening, "picture", lambda *_: image)
        made_up = [listening.piece(made[1], one) for one in chosen.choose(made[1])]
    return [piece for piece, _ in made_up], {k: v for _, files in made_up for k, v in files.items()}
