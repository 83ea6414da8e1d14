"""A user's own networks, losses, source models and corpora: `module:name`, in the working folder.

They are code, so they are imported only where the user named them, in params.yaml or in the
command. The card of a trained model never has anything imported.
"""

import ast
import importlib
import re
import sys
from pathlib import Path
from typing import Any

from .errors import UserError

FORM = re.compile(r"[A-Za-z_]\w*(\.[A-Za-z_]\w*)*:[A-Za-z_]\w*")


def is_own(name: Any) -> bool:
    """Whether `name` has the form `module:name`."""
    return isinstance(name, str) and FORM.fullmatch(name) is not None


def file(module: str, folder: Path) -> Path | None:
    """The file of `module` below `folder`, or None."""
    path = folder.joinpath(*module.split("."))
    for candidate in (path.with_name(f"{path.name}.py"), path / "__init__.py"):
        if candidate.is_file():
            return candidate
    return None


def check(name: str) -> None:
    """Raise `UserError` where there is no `module:name` in the working folder; nothing is run."""
    module, _, attribute = name.partition(":")
    path = _present(module)
    try:
        tree = ast.parse(path.read_bytes())
    except (SyntaxError, ValueError, OSError) as error:
        raise UserError(f"{path}: is no Python that can be read ({error})") from error
    bound = _bound(tree)
    if attribute not in bound and "*" not in bound:
        public = sorted(one for one in bound if not one.startswith("_"))
        raise UserError(f"{path}: defines no {attribute}; it defines {', '.join(public)}")


def bring(name: str) -> Any:
    """Import `module:name` from the working folder; raises `UserError` where that fails."""
    module, _, attribute = name.partition(":")
    if module not in sys.modules:
        check(name)  # before anything is run
    imported = bring_module(module)
    if not hasattr(imported, attribute):
        raise UserError(f"{module}: defines no {attribute}")
    return getattr(imported, attribute)


def bring_module(module: str) -> Any:
    """Import `module` from the working folder."""
    path = _present(module)
    if str(Path.cwd()) not in sys.path:
        sys.path.append(str(Path.cwd()))  # last: a file here must not stand in for a library
    importlib.invalidate_caches()
    try:
        imported = importlib.import_module(module)
    except Exception as error:
        reason = " ".join(f"{type(error).__name__}: {error}".split())
        raise UserError(f"{path}: cannot be imported ({reason})") from error
    there = getattr(imported, "__file__", None)
    if there is None or not path.samefile(there):
        raise UserError(f"{path}: Python has another module {module}, {there}; rename the file")
    return imported


def imported(name: str) -> Any:
    """`module:name` of a module that the user has imported already; else a `UserError`."""
    module, _, attribute = name.partition(":")
    found = getattr(sys.modules.get(module), attribute, None)
    if found is None:
        raise UserError(
            f"network.name: {name} is own code, and a card alone never has code imported; read "
            f"{module}, then give the command --own {module}, or in Python: import {module}"
        )
    return found


def _present(module: str) -> Path:
    path = file(module, Path.cwd())
    if path is None:
        place = module.replace(".", "/")
        raise UserError(f"no {place}.py or {place}/__init__.py in {Path.cwd()}")
    return path.relative_to(Path.cwd())


def _bound(tree: ast.AST) -> set[str]:
    """Every name that is bound anywhere in `tree`."""
    found: set[str] = set()
    for node in ast.walk(tree):
        match node:
            case ast.FunctionDef() | ast.AsyncFunctionDef() | ast.ClassDef():
                found.add(node.name)
            case ast.Name(ctx=ast.Store()):
                found.add(node.id)
            case ast.alias():
                found.add(node.asname or node.name.partition(".")[0])
            case _:
                pass
    return found
