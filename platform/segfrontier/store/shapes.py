"""The shape of a definition: its syntax tree as nested lists, in which the names of ours are left open."""

from __future__ import annotations

import ast
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from segfrontier.store.modules import Outside, Sources, Target, Unit, Whole, imports_of

_FUNCTIONS = (ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda)


@dataclass
class Shape:
    """A tree whose leaves are text, `Unit`s and `Whole`s; and all of those that it needs."""

    tree: object = None
    needs: dict[Unit | Whole, None] = field(default_factory=dict)


def shape_of(statements: Iterable[ast.stmt], module: str, sources: Sources | None) -> Shape:
    """The shape of a module's statements; without sources no name is followed."""
    shape = Shape()
    shape.tree = _Walk(module, sources, shape.needs).walk(list(statements))
    return shape


class _Walk:
    def __init__(self, module: str, sources: Sources | None, needs: dict[Unit | Whole, None]) -> None:
        self._module, self._sources, self._needs = module, sources, needs
        self._scopes: list[dict[str, Target | None]] = []  # local names; a target where a local import binds one
        self._in_function = self._in_words = self._in_type = False

    def walk(self, node: Any) -> object:
        if isinstance(node, list):
            return [self.walk(item) for item in node if not _says_nothing(item)]
        if not isinstance(node, ast.AST):
            return ascii(node)
        if isinstance(node, ast.Name):
            return self._open(self._target([node.id]), "name", node.id)
        if isinstance(node, ast.Attribute):
            return self._attribute(node)
        if isinstance(node, ast.AnnAssign):
            return self._annotated(node)
        if isinstance(node, ast.Raise | ast.Assert):
            return self._wordless(node)
        if isinstance(node, ast.Constant) and self._in_words and isinstance(node.value, str):
            return "words"
        if isinstance(node, _FUNCTIONS):
            return self._function(node)
        if isinstance(node, ast.arg):
            return ["arg", node.arg]
        return self._fields(node)

    def _fields(self, node: ast.AST, without: tuple[str, ...] = ()) -> list[object]:
        """Empty fields are left out: newer Pythons add some, old code never fills them."""
        filled = [
            [name, self.walk(value)]
            for name, value in ast.iter_fields(node)
            if value is not None and value != [] and name not in without
        ]
        return [type(node).__name__, *filled]

    def _function(self, node: Any) -> object:
        """Defaults and decorators belong to the scope outside; annotations decide nothing."""
        outer = [self.walk(getattr(node, "decorator_list", [])), self.walk(node.args.defaults + node.args.kw_defaults)]
        self._scopes.append(self._locals(node))
        before, self._in_function = self._in_function, True
        inner = self._fields(node, without=("decorator_list", "returns", "args", "type_comment"))
        arguments = [[a.arg for a in group] for group in (node.args.posonlyargs, node.args.args, node.args.kwonlyargs)]
        stars = [a.arg if a else "" for a in (node.args.vararg, node.args.kwarg)]
        self._in_function = before
        self._scopes.pop()
        return [*inner, ["args", arguments, stars], ["outer", outer]]

    def _locals(self, node: Any) -> dict[str, Target | None]:
        names: dict[str, Target | None] = dict.fromkeys(a.arg for a in ast.walk(node.args) if isinstance(a, ast.arg))
        body = node.body if isinstance(node.body, list) else [node.body]
        own = list(_own(body))
        outside = {name for n in own if isinstance(n, ast.Global | ast.Nonlocal) for name in n.names}
        for inner in own:
            if isinstance(inner, ast.Name) and not isinstance(inner.ctx, ast.Load):
                names[inner.id] = None
            elif isinstance(inner, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef | ast.ExceptHandler):
                names |= {inner.name: None} if inner.name else {}
        if self._sources is not None:
            home = self._sources.module(self._module)
            package = home.package if home is not None else ""
            imports = (n for n in own if isinstance(n, ast.Import | ast.ImportFrom))
            names |= {name: self._sources.imported(what) for name, what in imports_of(imports, package)}
        return {name: target for name, target in names.items() if name not in outside}

    def _annotated(self, node: ast.AnnAssign) -> object:
        """The type of a field is read by dataclasses, and counts as it is written; that of a local name does not."""
        types: object = ""
        if not self._in_function:
            self._in_type = True
            types = self.walk(node.annotation)
            self._in_type = False
        return ["AnnAssign", types, self.walk(node.target), self.walk(node.value) if node.value else ""]

    def _wordless(self, node: ast.AST) -> object:
        before, self._in_words = self._in_words, True
        tree = self._fields(node)
        self._in_words = before
        return tree

    def _attribute(self, node: ast.Attribute) -> object:
        names, root = [node.attr], node.value
        while isinstance(root, ast.Attribute):
            names.append(root.attr)
            root = root.value
        if not isinstance(root, ast.Name):
            return self._fields(node)
        target = self._target([root.id])
        names.reverse()
        while names and isinstance(target, Whole) and self._sources is not None:
            inner = self._sources.resolve(target.module, names[0])
            if inner is None:
                break
            target = inner
            names.pop(0)
        if isinstance(target, Outside):
            return ["outside", ".".join([target.path, *names])]
        base = self._open(target, "name", root.id)
        for name in names:
            base = ["Attribute", base, name]
        return base

    def _target(self, names: list[str]) -> Target | None:
        for scope in reversed(self._scopes):
            if names[0] in scope:
                return scope[names[0]]
        return None if self._sources is None else self._sources.resolve(self._module, names[0])

    def _open(self, target: Target | None, kind: str, name: str) -> object:
        if target is None:
            return [kind, name]
        if isinstance(target, Outside):
            return ["outside", target.path]
        if self._in_type:  # a name in a type says what a field is called, not what happens
            return ["type", target.name if isinstance(target, Unit) else ""]
        home = self._sources.module(target.module) if self._sources is not None else None
        if home is None or home.is_plumbing:
            return ["plumbing", target.name if isinstance(target, Unit) else ""]
        self._needs[target] = None
        return target


def _says_nothing(node: object) -> bool:
    """A docstring of a module, class, function or field; an import, whose names are followed where they are used."""
    if isinstance(node, ast.Import | ast.ImportFrom):
        return True
    return isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant) and isinstance(node.value.value, str)


def _own(body: Iterable[ast.AST]) -> Iterable[ast.AST]:
    """All nodes of a function's own scope: those of functions and classes inside it are not its own."""
    todo = list(body)
    while todo:
        node = todo.pop()
        yield node
        if not isinstance(node, (*_FUNCTIONS, ast.ClassDef)):
            todo += ast.iter_child_nodes(node)
