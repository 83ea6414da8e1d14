"""A job's digest covers the network, loss, rule and corpus that it uses, and none of the others."""

import shutil

import pytest

from ssml.config.layout import STAGES
from ssml.files import provenance
from tests.conftest import ROOT

USED = {
    "NETWORKS": ["glu"],
    "CLASSICAL": ["laplace"],
    "LOSSES": ["sdr"],
    "UPDATES": ["iss"],
    "CORPORA": ["synthetic"],
    "ASR": ["pocketsphinx"],
    "PEERS": [],
}
DICTS = {  # that `ssml.config.uses` knows the entries of
    "corpus": ["CORPORA"],
    "train": ["NETWORKS", "LOSSES", "UPDATES"],
    "separate": ["NETWORKS", "CLASSICAL", "UPDATES", "PEERS"],
    "transcribe": ["ASR"],
}
MODELS, LOSSES = "ssml/iva/models/__init__.py", "ssml/iva/losses.py"
CORPORA, ASR = "ssml/data/corpora/__init__.py", "ssml/evaluation/asr/__init__.py"
UPDATES, NAMES = "ssml/iva/updates/__init__.py", "ssml/config/names.py"


@pytest.fixture(scope="module")
def copy(tmp_path_factory):
    folder = tmp_path_factory.mktemp("code")
    ignored = shutil.ignore_patterns("__pycache__", "*.safetensors", "*.flac")
    for name in provenance.PACKAGES:
        shutil.copytree(ROOT / name, folder / name, ignore=ignored)
    return folder


@pytest.fixture
def code(copy, monkeypatch):
    """Writes a file of the code whose digests are asked for, until the test ends."""
    monkeypatch.setattr(provenance, "ROOT", copy)
    before = {}

    def write(name, text, old=None):
        path = copy / name
        before.setdefault(path, path.read_text() if path.exists() else None)
        if old is not None:
            assert old in path.read_text()
            text = path.read_text().replace(old, text, 1)
        path.write_text(text)

    yield write
    for path, text in before.items():
        path.unlink() if text is None else path.write_text(text)


def digests(**chosen):
    """Of every stage, with what of `USED` it uses, but for the `chosen` entries."""
    used = USED | {name: [entry] for name, entry in chosen.items()}
    return {
        stage: provenance.code(
            f"pipeline.{stage}", {key: used[key] for key in DICTS.get(stage, ())}
        )
        for stage in STAGES
    }


def changed(before, after):
    return {stage for stage in STAGES if before[stage] != after[stage]}


ADDED = {  # as docs/extend.md has it: edits, a file of its own, and the entry
    "network": (
        [
            (MODELS, "from .nmf", "from .powers import Powers\nfrom .nmf"),
            (MODELS, '    "gru": Gru,\n', '    "gru": Gru,\n    "powers": Powers,\n'),
            (NAMES, '["glu", ', '["powers", "glu", '),
        ],
        "ssml/iva/models/powers.py",
        {"NETWORKS": "powers"},
    ),
    "source model": (
        [
            (MODELS, "from .nmf", "from .cauchy import cauchy\nfrom .nmf"),
            (MODELS, '    "nmf": Nmf,\n', '    "nmf": Nmf,\n    "cauchy": lambda: cauchy,\n'),
            (NAMES, '["laplace", ', '["cauchy", "laplace", '),
        ],
        "ssml/iva/models/cauchy.py",
        {"CLASSICAL": "cauchy"},
    ),
    "loss": (
        [
            (LOSSES, "def coherence(", "def energy(est, ref):\n    return 0\n\n\ndef coherence("),
            (LOSSES, '{"sdr": sdr, ', '{"energy": energy, "sdr": sdr, '),
            (NAMES, '["sdr", ', '["energy", "sdr", '),
        ],
        None,
        {"LOSSES": "energy"},
    ),
    "rule": (
        [
            (UPDATES, "from .ip2", "from .newton import newton\nfrom .ip2"),
            (UPDATES, '{"iss": iss, ', '{"newton": newton, "iss": iss, '),
            (NAMES, '["iss", ', '["newton", "iss", '),
        ],
        "ssml/iva/updates/newton.py",
        {"UPDATES": "newton"},
    ),
    "corpus": (
        [
            (CORPORA, "from . import librispeech", "from . import tapes, librispeech"),
            (CORPORA, '    "synthetic": s', '    "tapes": tapes.prepare,\n    "synthetic": s'),
            (NAMES, '["synthetic", ', '["tapes", "synthetic", '),
        ],
        "ssml/data/corpora/tapes.py",
        {"CORPORA": "tapes"},
    ),
    "recogniser": (
        [
            (ASR, "from .hub", "from .parrot import Parrot\nfrom .hub"),
            (ASR, '    "transformers": Hub', '    "parrot": Parrot,\n    "transformers": Hub'),
            (NAMES, '["pocketsphinx", ', '["parrot", "pocketsphinx", '),
        ],
        "ssml/evaluation/asr/parrot.py",
        {"ASR": "parrot"},
    ),
}


@pytest.mark.parametrize("kind", ADDED)
def test_what_is_added_changes_no_digest_of_what_is_there(kind, code):
    edits, own_file, chosen = ADDED[kind]
    before = digests()
    for name, old, new in edits:
        code(name, new, old)
    if own_file:
        code(own_file, "prepare = Powers = cauchy = newton = Parrot = 1\n")
    assert digests() == before
    using = digests(**chosen)
    assert changed(before, using)
    if own_file:  # it counts for who uses it
        code(own_file, "prepare = Powers = cauchy = newton = Parrot = 22\n")
        assert changed(using, digests(**chosen)) == changed(before, using)
        assert digests() == before


NET = "ssml/iva/models"
EDITED = [  # file, old, new, what a job uses beside `USED`, the stages that change
    (f"{NET}/glu.py", "glu(layer(h), -2)", "glu(layer(h), -3)", {}, {"train", "separate"}),
    (f"{NET}/glu.py", "glu(layer(h), -2)", "glu(layer(h), -3)", {"NETWORKS": "gru"}, set()),
    (f"{NET}/gru.py", "nn.GRU", "nn.LSTM", {}, set()),
    (f"{NET}/gru.py", "nn.GRU", "nn.LSTM", {"NETWORKS": "gru"}, {"train", "separate"}),
    (f"{NET}/surrogate.py", "RANGE = 1e-4", "RANGE = 1e-3", {}, {"train", "separate"}),
    (f"{NET}/banded/views.py", "import torch", "import torch as t", {}, set()),
    (
        f"{NET}/banded/views.py",
        "import torch",
        "import torch as t",
        {"NETWORKS": "banded"},
        {"train", "separate"},
    ),
    (MODELS, '"glu": Glu', '"glu": Gru', {}, {"train", "separate"}),
    (MODELS, '"gru": Gru', '"gru": Glu', {}, set()),
    (f"{NET}/nmf.py", "import torch", "import torch as t", {}, set()),
    (f"{NET}/nmf.py", "import torch", "import torch as t", {"CLASSICAL": "nmf"}, {"separate"}),
    (LOSSES, "clamp=30", "clamp=20", {}, {"train"}),
    (LOSSES, "clamp=30", "clamp=20", {"LOSSES": "coherence"}, set()),
    (LOSSES, ".sqrt().mean(-3)", ".mean(-3)", {}, set()),
    (LOSSES, ".sqrt().mean(-3)", ".mean(-3)", {"LOSSES": "coherence"}, {"train"}),
    (LOSSES, "ENUMERATED = 4", "ENUMERATED = 5", {}, {"train", "separate"}),
    (UPDATES, '"iss": iss,', '"iss": ip,', {}, {"train", "separate"}),
    ("ssml/iva/updates/ip2.py", "import torch", "import torch as t", {}, set()),
    ("ssml/data/corpora/synthetic.py", "HIGH = 160.0", "HIGH = 170.0", {}, {"corpus"}),
    ("ssml/data/corpora/librispeech.py", "KEY = ", "KEY = 1, ", {}, set()),
    (
        "ssml/data/corpora/librispeech.py",
        "KEY = ",
        "KEY = 1, ",
        {"CORPORA": "librispeech"},
        {"corpus"},
    ),
    ("ssml/evaluation/asr/hub.py", "import torch", "import torch as t", {}, set()),
    (NAMES, "Literal[16000]", "Literal[8000]", {}, set(STAGES)),
    (NAMES, '["true-source", ', '["wiener", "true-source", ', {}, set(STAGES)),
]


@pytest.mark.parametrize("name, old, new, chosen, stages", EDITED)
def test_what_is_edited_changes_the_digests_of_its_users(name, old, new, chosen, stages, code):
    before = digests(**chosen)
    code(name, new, old)
    assert changed(before, digests(**chosen)) == stages


def test_all_entries_count_where_nothing_is_said(code):
    before = provenance.code("pipeline.train")
    code(f"{NET}/gru.py", "nn.LSTM", "nn.GRU")
    assert provenance.code("pipeline.train") != before
