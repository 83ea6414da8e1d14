"""A user's own code: found beside params.yaml, imported where it is named, and part of a digest."""

import sys

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ssml.files import own, provenance
from ssml.files.errors import UserError

MINE = '''"""A network and a loss."""

import math
from helpers import half
import more

LIMIT = 3
OTHER = [1, 2]


class Powers:
    width: int = LIMIT

    def forward(self, power):
        return half(power)


def cost(est, ref):
    OTHER = est
    return math.inf + more.third(OTHER)
'''
HELPERS = """def half(x):
    return quarter(x) * 2


def quarter(x):
    return x / 4


def unused():
    return 1
"""
MORE = "def third(x):\n    return x / 3\n\n\ndef fourth(x):\n    return x / 4\n"


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """A working folder with own code, which no other test sees."""
    (tmp_path / "mine.py").write_text(MINE)
    (tmp_path / "helpers.py").write_text(HELPERS)
    (tmp_path / "more").mkdir()
    (tmp_path / "more/__init__.py").write_text(MORE)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", [*sys.path])
    before = {*sys.modules}
    yield tmp_path
    for name in {*sys.modules} - before:
        del sys.modules[name]


def test_what_is_named_is_imported_from_the_working_folder(folder):
    assert own.bring("mine:cost")(1, 1) == float("inf")
    assert own.bring("more:third")(3) == 1
    assert own.bring("mine:Powers") is own.imported("mine:Powers")


def test_to_check_a_name_runs_nothing(folder):
    (folder / "mine.py").write_text("raise SystemExit\n\n\nclass Powers:\n    pass\n")
    own.check("mine:Powers")
    assert "mine" not in sys.modules


@pytest.mark.parametrize(
    "name, words",
    [
        ("nowhere:Powers", "no nowhere.py or nowhere/__init__.py in /"),
        ("more.inner:Powers", "no more/inner.py or more/inner/__init__.py in /"),
        ("mine:Power", "mine.py: defines no Power; it defines LIMIT, OTHER, Powers"),
        ("broken:Powers", "broken.py: is no Python that can be read"),
        ("failing:Powers", "failing.py: cannot be imported .ModuleNotFoundError: .*no_such_thing"),
        ("json:Powers", "json.py: Python has another module json, .*rename the file"),
        ("vanishing:Powers", "vanishing: defines no Powers"),
    ],
)
def test_a_mistake_is_one_line(name, words, folder):
    (folder / "broken.py").write_text("def (")
    (folder / "failing.py").write_text("import no_such_thing\nPowers = 1\n")
    (folder / "json.py").write_text("Powers = 1\n")
    (folder / "vanishing.py").write_text("Powers = 1\ndel Powers\n")
    with pytest.raises(UserError, match=words) as error:
        own.bring(name)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize("name", ["glu", "models/a.safetensors", "C:/mine", "a:b:c", "1:a", "a:"])
def test_other_names_are_not_own(name):
    assert not own.is_own(name)


def test_what_was_not_imported_is_not_found_for_a_card(folder):
    with pytest.raises(UserError, match="a card alone never has code imported.*--own mine"):
        own.imported("mine:Powers")
    assert "mine" not in sys.modules


NETWORK = {"NETWORKS": ["mine:Powers"], "LOSSES": [], "UPDATES": []}
LOSS = {"NETWORKS": [], "LOSSES": ["mine:cost"], "UPDATES": []}
NEITHER = {"NETWORKS": [], "LOSSES": [], "UPDATES": []}


def digests():
    return [provenance.code("pipeline.train", used) for used in (NETWORK, LOSS, NEITHER)]


@pytest.mark.parametrize(
    "name, old, new, network, loss",
    [
        ("mine.py", "half(power)", "half(2 * power)", True, False),
        ("mine.py", "LIMIT = 3", "LIMIT = 4", True, False),
        ("mine.py", "math.inf", "math.pi", False, True),
        ("mine.py", "OTHER = [1, 2]", "OTHER = [1, 3]", False, False),  # hidden in `cost`
        ("mine.py", '"""A network', '"""My network', False, False),
        ("mine.py", "LIMIT = 3", "LIMIT = 3  # why", False, False),
        ("mine.py", "LIMIT = 3", "LIMIT = 3\nmath.x = 1", True, True),  # may do something
        ("mine.py", "LIMIT = 3", "LIMIT = 3\nmade = open('a')", True, True),
        ("mine.py", "import half\n", "import half, unused\n", True, True),
        ("mine.py", "import more\n", "import more\nimport helpers\n", True, True),
        ("mine.py", "LIMIT = 3", "LIMIT = 3\nnamed = globals()", True, True),
        ("mine.py", "LIMIT = 3", "LIMIT = 3\n\n\n@more.third\ndef f():\n    pass\n", True, True),
        ("mine.py", "LIMIT = 3", "LIMIT = 3\n\n\ndef f():\n    pass\n", False, False),
        ("helpers.py", "x / 4", "x / 5", True, False),
        ("helpers.py", "return 1", "return 2", False, False),
        ("more/__init__.py", "x / 3", "x / 4", False, True),
        ("more/__init__.py", "x / 4", "x / 5", False, False),
        ("more/table.txt", "1", "2", False, True),
    ],
)
def test_own_code_counts_for_the_jobs_that_use_it(name, old, new, network, loss, folder):
    (folder / "more/table.txt").write_text("1")
    before = digests()
    path = folder / name
    assert old in path.read_text()
    path.write_text(path.read_text().replace(old, new, 1))
    if name == "more/table.txt":  # read again with the code beside it
        (folder / "more/__init__.py").write_text(MORE + "\n")
    changed = [a != b for a, b in zip(before, digests(), strict=True)]
    assert changed == [network, loss, False]


@pytest.mark.parametrize(
    "importing, using",
    [
        ("import parts", "parts.second"),
        ("import parts as p", "p.second"),
        ("from parts import second", "second"),
        ("from parts import *", "second"),
        ("from deep import parts", "parts.second"),
        ("from deep.parts import second as s", "s"),
        ("import deep.parts", "deep.parts.second"),
        ("import parts", "getattr(parts, 'sec' + 'ond')"),
        ("import parts", "vars(parts)['second']"),
        ("from relay import parts", "parts.second"),
        ("import relay", "relay.parts.second"),
        ("from relay import twice", "twice"),
        ("from relay import Later", "Later().run"),
        ("import relay", "getattr(relay, 'twice')"),
    ],
)
def test_no_way_to_import_hides_an_edit(importing, using, tmp_path, monkeypatch):
    """Two files, of which the second is reached by each way that Python has."""
    monkeypatch.chdir(tmp_path)
    parts = "def first():\n    return 1\n\n\ndef second():\n    return 2\n"
    relay = (
        "import parts\n\n\ndef twice():\n    return 2 * parts.second()\n\n\n"
        "class Base:\n    def run(self):\n        from parts import second as s\n"
        "        return s()\n\n\nclass Later(Base):\n    pass\n"
    )
    (tmp_path / "deep").mkdir()
    (tmp_path / "deep/__init__.py").touch()
    (tmp_path / "relay.py").write_text(relay)
    (tmp_path / "mine.py").write_text(f"{importing}\n\n\ndef cost():\n    return {using}()\n")
    used = {"LOSSES": ["mine:cost"], "NETWORKS": [], "UPDATES": []}
    found = set()
    for value in (2, 33):
        for place in ("parts.py", "deep/parts.py"):
            (tmp_path / place).write_text(parts.replace("2", str(value)))
        found.add(provenance.code("pipeline.train", used))
    assert len(found) == 2


def test_an_own_module_may_use_the_packages_and_none_is_taken_for_another(folder):
    (folder / "mine.py").write_text(
        "from ssml.iva.losses import coherence\n\n\ndef cost(est, ref):\n"
        "    return coherence(est, ref) ** 2\n"
    )
    (folder / "torch.py").write_text("")
    found = provenance.modules("pipeline.train", LOSS)
    assert {"mine", "ssml.iva.losses"} <= {*found} and "torch" not in found
    assert provenance.own_files("pipeline.train", LOSS)[0].name == "mine.py"


SIZE = 6
CALLS = st.lists(st.sets(st.integers(0, SIZE - 1)), min_size=SIZE, max_size=SIZE)


@settings(
    max_examples=30,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(calls=CALLS, edited=st.integers(0, SIZE - 1))
def test_an_edit_counts_exactly_where_it_is_reached(calls, edited, tmp_path, monkeypatch):
    """Functions that call each other at random: the digest of one follows what it may run."""
    monkeypatch.chdir(tmp_path)

    def digest(changed):
        bodies = [
            f"def f{i}():\n    return {[*sorted(called)]}, {i == changed}, "
            + ", ".join(f"f{j}()" for j in sorted(called))
            for i, called in enumerate(calls)
        ]
        (tmp_path / "mine.py").write_text("\n\n\n".join(bodies) + "\n" * (changed + 2))
        used = {"LOSSES": ["mine:f0"], "NETWORKS": [], "UPDATES": []}
        return provenance.code("pipeline.train", used)

    reached, todo = set(), {0}
    while todo:
        reached |= todo
        todo = {j for i in todo for j in calls[i]} - reached
    assert (digest(-1) != digest(edited)) == (edited in reached)
