"""What a result depends on: the code a stage runs, its parameters, and its random numbers."""

import ast
import copy
import functools
import hashlib
import json
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import numpy as np

ROOT = Path(__file__).resolve().parents[2]
PACKAGES = ("ssml", "pipeline")
# beside code, but none: a model, its card and its results, which are inputs where they are read
OTHERS = {".py", ".pyc", ".md", ".safetensors", ".json", ".csv"}
ASIDE = (
    "ssml.tracking",
    "ssml.files.progress",
    "ssml.files.errors",
)  # say what happens, change no result


def generator(seed: int, *key: int | str) -> "np.random.Generator":
    """A generator of its own for `(seed, *key)`, whatever was drawn before, in any process."""
    import numpy as np  # digests are also asked for where there is none

    return np.random.default_rng(int(digest([seed, *key])[:32], 16))


def digest(value: Any) -> str:
    """SHA-256 of `value` as sorted JSON."""
    return hashlib.sha256(json.dumps(value, sort_keys=True).encode()).hexdigest()


def _file(module: str) -> Path | None:
    """The project file that defines `module`, or None."""
    path = ROOT.joinpath(*module.split("."))
    for candidate in (path.with_suffix(".py"), path / "__init__.py"):
        if module.split(".")[0] in PACKAGES and candidate.is_file():
            return candidate
    return None


class _Run(ast.NodeTransformer):
    """Leaves out what is there for type checkers alone."""

    def visit_If(self, node: ast.If) -> ast.AST | None:
        return None if ast.unparse(node.test) == "TYPE_CHECKING" else self.generic_visit(node)


def _imports(module: str, tree: ast.AST, is_package: bool) -> set[str]:
    """Project modules that `tree` names in any import statement that is ever run."""
    package = module if is_package else module.rpartition(".")[0]
    names: set[str] = set()
    for node in ast.walk(_Run().visit(copy.deepcopy(tree))):
        if isinstance(node, ast.Import):
            names.update(alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            parents = package.split(".")
            base = ".".join(parents[: len(parents) - node.level + 1]) if node.level else ""
            base = ".".join(filter(None, [base, node.module or ""]))
            names.add(base)
            names.update(f"{base}.{alias.name}" for alias in node.names)
    # importing a.b.c runs a and a.b as well
    names |= {name[:i] for name in names for i in range(len(name)) if name[i] == "."}
    return {name for name in names if _file(name)}


@functools.cache
def _parsed(module: str) -> tuple[str, frozenset[str]]:
    path = _file(module)
    assert path is not None
    tree = ast.parse(path.read_text())
    imports = _imports(module, tree, path.name == "__init__.py")
    for node in ast.walk(tree):
        match node:
            case ast.Expr(value=ast.Constant(value=str()) as docstring):
                docstring.value = ""  # no logic
            case _:
                pass
    text = _text(tree)
    if path.name == "__init__.py":  # templates and captions beside the code
        for data in sorted(path.parent.iterdir()):
            if data.is_file() and data.suffix not in OTHERS:
                text += data.name + hashlib.sha256(data.read_bytes()).hexdigest()
    return hashlib.sha256(text.encode()).hexdigest(), frozenset(imports)


def _text(node: Any) -> str:
    """A syntax tree as text that is the same for every version of Python, unlike `ast.dump`.

    Fields that are empty are left out: newer versions have more of them.
    """
    if isinstance(node, list):
        return f"[{', '.join(map(_text, node))}]"
    if not isinstance(node, ast.AST):
        return repr(node)
    fields = [(name, value) for name, value in ast.iter_fields(node) if value not in (None, [])]
    inside = ", ".join(f"{name}={_text(value)}" for name, value in fields if name != "kind")
    return f"{type(node).__name__}({inside})"


def modules(module: str) -> list[str]:
    """The modules that the results of running `module` depend on, itself included, sorted."""
    seen: set[str] = set()
    todo = {module}
    while todo:
        name = todo.pop()
        if name in PACKAGES or name.startswith(ASIDE):  # a package's names are no logic
            continue
        seen.add(name)
        todo |= _parsed(name)[1] - seen
    return sorted(seen)


def code(module: str) -> str:
    """Digest of the logic that running `module` reaches: comments, layout, docstrings left out."""
    return digest({name: _parsed(name)[0] for name in modules(module)})[:16]


def codes(stages: Iterable[str]) -> dict[str, str]:
    """The digest of the logic of each of the pipeline's `stages`."""
    return {stage: code(f"pipeline.{stage}") for stage in stages}
