"""Source code as the digests see it: text without comments, and which part of a file needs which.

A part is a statement at the top of a file, a name of an import, or an entry of a dict of choices.
"""

import ast
import hashlib
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

from .scopes import ALL, names_read

# beside code, but none: a model, its card and its results, which are inputs where they are read
OTHERS = {".py", ".pyc", ".md", ".safetensors", ".json", ".csv"}
REACHING = {"globals", "locals", "vars", "eval", "exec", "__import__"}  # any name, unseen here
Chosen = Mapping[str, Collection[str]]  # name of a dict -> its keys in use; a dict not there: all


class Import(NamedTuple):
    """`from module import name as alias`, or where there is no `name`, `import module as alias`."""

    module: str
    name: str | None
    alias: str


@dataclass(frozen=True)
class Part:
    text: str
    names: frozenset[str]  # that it binds; none: it always counts
    needs: frozenset[str]  # names that it mentions
    imports: tuple[Import, ...]
    key: str | None = None  # of the entry of a dict of choices


@dataclass(frozen=True)
class Source:
    """A file of code."""

    text: str  # of all of it
    data: str  # digest of the templates and captions beside a package's first file
    imports: tuple[Import, ...]
    parts: tuple[Part, ...]
    used: Mapping[str, frozenset[str]]  # name -> its attributes in this file; `ALL`: it as well

    def live(self, wanted: Collection[str], chosen: Chosen) -> list[Part]:
        """The parts that the names `wanted` by others need, in their order, and what always runs.

        Of a dict of choices these are the entries in use.
        """
        reachable = [part for part in self.parts if _in_use(part, chosen)]
        names, live = set(wanted), set()
        while True:
            more = {
                part
                for part in reachable
                if part not in live and (not part.names or part.names & names or ALL in names)
            }
            if not more:
                return [part for part in reachable if part in live]
            live |= more
            names = names.union(*(part.needs for part in more))


def _in_use(part: Part, chosen: Chosen) -> bool:
    if part.key is None:
        return True
    (name,) = part.names
    return name not in chosen or part.key in chosen[name]


@cache
def _read(
    path: Path, module: str, choices: frozenset[str] | None, state: tuple[int, int]
) -> Source:
    tree = ast.parse(path.read_bytes(), str(path))
    is_package = path.name == "__init__.py"
    package = module if is_package else module.rpartition(".")[0]
    for node in ast.walk(tree):
        match node:
            case ast.Expr(value=ast.Constant(value=str()) as docstring):
                docstring.value = ""  # no logic
            case _:
                pass
    text, data = as_text(tree), ""
    if is_package:
        for file in sorted(path.parent.iterdir()):
            if file.is_file() and file.suffix not in OTHERS:
                data += file.name + hashlib.sha256(file.read_bytes()).hexdigest()
    run = _Run().visit(tree)
    used = names_read(run)
    parts = () if choices is None else tuple(_parts(run, package, used, choices, is_package))
    return Source(text, data, tuple(_imports(run, package)), parts, used)


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
    return Part(as_text(node), names, needs, tuple(_imports(node, package)), key)


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
                text = f"{name}[{key!r}] = {entry.text}"
                found.append(Part(text, names, entry.needs, entry.imports, str(key)))
            return found
        case _:
            return []
