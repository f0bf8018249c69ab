"""Code that a text names, found in the sources: for those who ask what code does without running any of it."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from segfrontier.store.modules import Sources, Unit, Whole


def named(sources: Sources, text: str) -> list[Unit | Whole]:
    """What `package.module:name` stands for, or all that stands under a key of a table: `package.module:TABLE[key]`.

    A name that is defined nowhere stands for itself, and whoever digests it says so.
    """
    module, _, name = text.partition(":")
    name, _, key = name.partition("[")
    if not key:
        return [_definition(sources, module, name)]
    return list(_under(sources, _definition(sources, module, name), key.removesuffix("]")))


def _definition(sources: Sources, module: str, name: str) -> Unit | Whole:
    found = sources.resolve(module, name)
    return found if isinstance(found, Unit | Whole) else Unit(module, name)


def _under(sources: Sources, table: Unit | Whole, key: str) -> Iterator[Unit | Whole]:
    value = _value(sources, table)
    if not isinstance(value, ast.Dict):
        yield table  # no table: its definition is all that is known of it
        return
    for one, names in zip(value.keys, value.values, strict=True):
        if isinstance(one, ast.Constant) and one.value == key:
            yield from _names(sources, table.module, names)


def _names(sources: Sources, module: str, node: ast.expr) -> Iterator[Unit | Whole]:
    """The definitions that an expression lists: names, names of modules, tuples of them, and tuples by name."""
    if isinstance(node, ast.Tuple | ast.List):
        for inner in node.elts:
            yield from _names(sources, module, inner)
    elif isinstance(node, ast.Starred) and isinstance(node.value, ast.Name):
        listed = _definition(sources, module, node.value.id)
        value = _value(sources, listed)
        yield from (listed,) if value is None else _names(sources, listed.module, value)
    elif isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name):
        yield _definition(sources, _definition(sources, module, node.value.id).module, node.attr)
    elif isinstance(node, ast.Name):
        yield _definition(sources, module, node.id)


def _value(sources: Sources, place: Unit | Whole) -> ast.expr | None:
    """What is assigned to a name, where just one statement defines it."""
    module = sources.module(place.module)
    found = module.definitions.get(place.name, []) if module is not None and isinstance(place, Unit) else []
    return found[0].value if len(found) == 1 and isinstance(found[0], ast.Assign | ast.AnnAssign) else None
