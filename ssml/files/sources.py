"""Source code as the digests see it: without comments, and which part of a file needs which."""

import ast
import hashlib
from collections.abc import Collection, Iterator, Mapping
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

from . import kept
from .parts import Import, Part, Source
from .scopes import ALL, names_read

# beside code, but none: a model, its card and its results, which are inputs where they are read
OTHERS = {".py", ".pyc", ".md", ".safetensors", ".json", ".csv"}
REACHING = {"globals", "locals", "vars", "eval", "exec", "__import__"}  # any name, unseen here
READERS = [Path(__file__).with_name(name) for name in ("parts.py", "scopes.py", "sources.py")]


@cache
def _read(
    path: Path, module: str, choices: frozenset[str] | None, state: tuple[int, int]
) -> Source:
    content = path.read_bytes()
    is_package = path.name == "__init__.py"
    reader = hashlib.sha256(b"".join(map(Path.read_bytes, READERS))).hexdigest()
    chosen = None if choices is None else sorted(choices)
    key = [hashlib.sha256(content).hexdigest(), reader, module, chosen]
    source = kept.read(path, key)
    if source is None:
        source = _parsed(ast.parse(content, str(path)), module, choices, is_package)
        kept.write(path, key, source)
    return replace(source, data=_data(path.parent)) if is_package else source


def _data(folder: Path) -> str:
    return "".join(
        file.name + hashlib.sha256(file.read_bytes()).hexdigest()
        for file in sorted(folder.iterdir())
        if file.is_file() and file.suffix not in OTHERS
    )


def _parsed(
    tree: ast.Module, module: str, choices: frozenset[str] | None, is_package: bool
) -> Source:
    package = module if is_package else module.rpartition(".")[0]
    nodes = list(ast.walk(tree))
    for node in nodes:
        match node:
            case ast.Expr(value=ast.Constant(value=str()) as docstring):
                docstring.value = ""  # no logic
            case _:
                pass
    whole = _digest(tree)
    run = _Run().visit(tree) if any(isinstance(node, ast.If) for node in nodes) else tree
    used = names_read(run)
    parts = () if choices is None else tuple(_parts(run, package, used, choices, is_package))
    return Source(whole, "", tuple(_imports(run, package)), parts, used)


def read(path: Path, module: str, choices: Collection[str] | None) -> Source:
    """Read the file of `module`.

    choices: its dicts of which only the entries in use count; None: it is read without parts.
    """
    found = path.stat()
    names = None if choices is None else frozenset(choices)
    return _read(path, module, names, (found.st_mtime_ns, found.st_size))


class _Run(ast.NodeTransformer):
    """Leaves out what is there for type checkers alone."""

    def visit_If(self, node: ast.If) -> ast.AST | None:
        return None if ast.unparse(node.test) == "TYPE_CHECKING" else self.generic_visit(node)


def _digest(tree: ast.AST) -> str:
    return hashlib.sha256(as_text(tree).encode()).hexdigest()


def as_text(node: Any) -> str:
    """A syntax tree as text that is the same for every version of Python, unlike `ast.dump`.

    Fields that are empty are left out: newer versions have more of them.
    """
    if isinstance(node, list):
        return f"[{', '.join(map(as_text, node))}]"
    if not isinstance(node, ast.AST):
        return repr(node)
    fields = [(name, value) for name, value in ast.iter_fields(node) if value not in (None, [])]
    inside = ", ".join(f"{name}={as_text(value)}" for name, value in fields if name != "kind")
    return f"{type(node).__name__}({inside})"


def _imports(tree: ast.AST, package: str) -> Iterator[Import]:
    """What `tree` imports, at its top or within."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            for alias in node.names:
                # `import a.b` binds a, by which all of a.b may be reached
                bound = ALL if "." in alias.name else alias.name
                yield Import(alias.name, None, alias.asname or bound)
        elif isinstance(node, ast.ImportFrom):
            parents = package.split(".")
            base = ".".join(parents[: len(parents) - node.level + 1]) if node.level else ""
            base = ".".join(filter(None, [base, node.module or ""]))
            for alias in node.names:
                yield Import(base, alias.name, alias.asname or alias.name)


def _parts(
    tree: ast.Module,
    package: str,
    used: Mapping[str, frozenset[str]],
    choices: frozenset[str],
    is_package: bool,
) -> Iterator[Part]:
    always = bool(REACHING & used.keys())
    exported = _exported(tree)
    for node in tree.body:
        match node:
            case ast.Expr(value=ast.Constant()):
                continue
            case ast.Import() | ast.ImportFrom():
                yield from _import_parts(node, package, {*used, *exported}, is_package, always)
                continue
            case ast.Assign(targets=[ast.Name(id=name)]) | ast.AnnAssign(target=ast.Name(id=name)):
                if name == "__all__":
                    continue
                if name in choices and (entries := _entries(name, node, package)):
                    yield from entries
                    continue
            case _:
                pass
        yield _part(node, package, frozenset() if always else _bound(node))


def _part(node: ast.AST, package: str, names: frozenset[str], key: str | None = None) -> Part:
    needs = frozenset(names_read(node))
    return Part(_digest(node), names, needs, tuple(_imports(node, package)), key)


def _exported(tree: ast.Module) -> set[str]:
    """The names in `__all__`."""
    for node in tree.body:
        match node:
            case ast.Assign(targets=[ast.Name(id="__all__")], value=ast.List(elts=names)):
                return {str(name.value) for name in names if isinstance(name, ast.Constant)}
            case _:
                pass
    return set()


def _import_parts(
    node: ast.Import | ast.ImportFrom,
    package: str,
    mentioned: Collection[str],
    is_package: bool,
    always: bool,
) -> Iterator[Part]:
    """A part for each name. What nothing mentions is imported for what it does."""
    reexports = is_package and isinstance(node, ast.ImportFrom)
    for alias in node.names:
        bound = alias.asname or alias.name.partition(".")[0]
        known = reexports or bound in mentioned or alias.asname == alias.name
        names = frozenset([bound] if known and not always and alias.name != ALL else [])
        if isinstance(node, ast.Import):
            one: ast.stmt = ast.Import([alias])
        else:
            one = ast.ImportFrom(node.module, [alias], node.level)
        yield _part(one, package, names)


def _bound(node: ast.stmt) -> frozenset[str]:
    """The names that a definition binds; none for a statement that may do something else too."""
    match node:
        case ast.FunctionDef(decorator_list=[]) | ast.AsyncFunctionDef(decorator_list=[]):
            return frozenset([node.name] if not node.name.startswith("__") else [])
        case ast.ClassDef(decorator_list=[], keywords=[]):
            return frozenset([node.name])
        case ast.Assign(targets=targets) if not _calls(node.value):
            pass
        case ast.AnnAssign(target=target) if node.value is None or not _calls(node.value):
            targets = [target]
        case _:
            return frozenset()
    flat = [x for one in targets for x in (one.elts if isinstance(one, ast.Tuple) else [one])]
    if not all(isinstance(target, ast.Name) for target in flat):
        return frozenset()
    return frozenset(target.id for target in flat if isinstance(target, ast.Name))


def _calls(node: ast.AST) -> bool:
    """Whether evaluating `node` calls something or binds a name, which a lambda does later."""
    if isinstance(node, ast.Lambda):
        return False
    if isinstance(node, ast.Call | ast.NamedExpr | ast.Await):
        return True
    return any(map(_calls, ast.iter_child_nodes(node)))


def _entries(name: str, node: ast.Assign | ast.AnnAssign, package: str) -> list[Part]:
    """The head of a dict of choices, then its entries; or what a Literal chooses from, unnamed.

    Nothing where the dict is not written out.
    """
    names = frozenset([name])
    match node.value:
        case ast.Subscript(value=ast.Name(id="Literal")):
            # what may stand in a params file changes nothing: what stands there counts by itself
            return [Part(f"{name} = Literal", names, frozenset(["Literal"]), ())]
        case ast.Dict(keys=keys, values=values):
            written = [key.value for key in keys if isinstance(key, ast.Constant)]
            if len(written) < len(keys):
                return []
            found = [Part(f"{name} = dict", names, frozenset(), ())]
            for key, value in zip(written, values, strict=True):
                entry = _part(value, package, names, str(key))
                digest = f"{name}[{key!r}] = {entry.digest}"
                found.append(Part(digest, names, entry.needs, entry.imports, str(key)))
            return found
        case _:
            return []
