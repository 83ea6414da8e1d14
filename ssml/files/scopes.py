"""Which names, from outside of it, a piece of code reads."""

import ast

ALL = "*"
# whose variables are their own
SCOPES = (
    *(ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda, ast.ClassDef),
    *(ast.ListComp, ast.SetComp, ast.DictComp, ast.GeneratorExp),
)


def names_read(tree: ast.AST) -> dict[str, frozenset[str]]:
    """The attributes of each name that are read; `ALL` where the name stands for itself too."""
    reader = _Reader()
    reader.visit(tree)
    return {name: frozenset(attributes) for name, attributes in reader.found.items()}


class _Reader(ast.NodeVisitor):
    """Finds the names that are read, but for those of a function's own variables."""

    def __init__(self) -> None:
        self.found: dict[str, set[str]] = {}
        self.hidden: frozenset[str] = frozenset()

    def _read(self, name: str, attribute: str) -> None:
        if name not in self.hidden:
            self.found.setdefault(name, set()).add(attribute)

    def visit_Name(self, node: ast.Name) -> None:
        self._read(node.id, ALL)

    def visit_Attribute(self, node: ast.Attribute) -> None:
        if isinstance(node.value, ast.Name):
            self._read(node.value.id, node.attr)
        else:
            self.visit(node.value)

    def visit_Global(self, node: ast.Global | ast.Nonlocal) -> None:
        for name in node.names:
            self.found.setdefault(name, set()).add(ALL)

    visit_Nonlocal = visit_Global  # noqa: N815

    def visit_FunctionDef(self, node: ast.FunctionDef | ast.AsyncFunctionDef) -> None:
        inside = {*node.body}
        for child in ast.iter_child_nodes(node):  # defaults are computed outside
            if child not in inside:
                self.visit(child)
        outside, self.hidden = self.hidden, self.hidden | _own_variables(node)
        for child in node.body:
            self.visit(child)
        self.hidden = outside

    visit_AsyncFunctionDef = visit_FunctionDef  # noqa: N815


def _own_variables(function: ast.FunctionDef | ast.AsyncFunctionDef) -> frozenset[str]:
    """Its arguments and what it assigns to, but for what it imports or declares to be outside."""
    given = function.args
    arguments = [*given.posonlyargs, *given.args, *given.kwonlyargs, given.vararg, given.kwarg]
    found, others = {one.arg for one in arguments if one}, set()
    todo: list[ast.AST] = [*function.body]
    while todo:
        node = todo.pop()
        match node:
            case ast.Name(id=name, ctx=ast.Store()):
                found.add(name)
            case ast.Import() | ast.ImportFrom():
                others |= {one.asname or one.name.partition(".")[0] for one in node.names}
            case ast.Global() | ast.Nonlocal():
                others |= {*node.names}
            case _:
                pass
        if not isinstance(node, SCOPES):
            todo += ast.iter_child_nodes(node)
    return frozenset(found - others)
