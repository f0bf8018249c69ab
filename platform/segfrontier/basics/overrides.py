"""A study file's text as plain values, and `--set a.b=c`, which changes them before they are validated.

A place is written as in messages: names and list indices with dots, `methods.1.knobs.k`. The index one past the
end of a list adds an entry.
"""

from __future__ import annotations

import copy
from collections.abc import Sequence
from typing import Any

from segfrontier.basics.reading import parse_yaml
from segfrontier.basics.wording import nearest, place, shortened, shown
from segfrontier.errors import BadStudy

_DEPTH = 32
"""Parts of a place."""


def read_yaml(text: str, *, where: str) -> dict[str, Any]:
    """The mapping that a study file holds."""
    plain = parse_yaml(text, where=where, what="a study", error=BadStudy)
    if not isinstance(plain, dict):
        found = "nothing" if plain is None else f"a {type(plain).__name__}"
        raise BadStudy(f"{where}: a study must be a mapping with at least a name and methods; found {found}")
    return plain


def override(plain: dict[str, Any], assignments: Sequence[str], *, option: str = "--set") -> dict[str, Any]:
    """A copy of `plain` after every `a.b=c`; all that cannot be applied is reported at once."""
    changed, mistakes = copy.deepcopy(plain), []
    for assignment in assignments:
        try:
            _assign(changed, assignment, option)
        except BadStudy as error:
            mistakes.append(str(error))
    if mistakes:
        raise BadStudy("\n".join(mistakes))
    return changed


def _assign(tree: dict[str, Any], assignment: str, option: str) -> None:
    path, equals, text = assignment.partition("=")
    parts = path.strip().split(".")
    if not equals or not all(parts) or len(parts) > _DEPTH:
        raise BadStudy(
            f"{option} takes place=value, e.g. recipe.steps=200 or budgets.0=5 in a study; found {shown(assignment)}"
        )
    value = parse_yaml(text, where=f"{option} {shortened(assignment)}", what="the value", error=BadStudy)
    node: Any = tree
    for depth, part in enumerate(parts[:-1]):
        node = _child(node, part, parts[:depth], before=parts[depth + 1], option=option)
    if isinstance(node, list):
        index = _index(node, parts[-1], parts[:-1], more=1, option=option)
        node[index : index + 1] = [value]
    elif isinstance(node, dict):
        node[parts[-1]] = value
    else:
        raise _no_way(node, parts[:-1], parts[-1], option)


def _child(node: Any, part: str, parents: list[str], *, before: str, option: str) -> Any:
    """What stands at `part` of `node`; an empty mapping is made where a mapping lacks it, and validation judges it."""
    if isinstance(node, list):
        return node[_index(node, part, parents, option=option)]
    if not isinstance(node, dict):
        raise _no_way(node, parents, part, option)
    if node.get(part) is None:
        if before.isdecimal():
            at = place([*parents, part])
            raise BadStudy(
                f"{option}: {at} must be a list of the study before its entry {before} is set; it is not there "
                f"({nearest(part, map(str, node))}). Set the whole list: {at}=[...]"
            )
        node[part] = {}
    return node[part]


def _index(node: list[Any], part: str, parents: list[str], *, more: int = 0, option: str) -> int:
    if part.isdecimal() and len(part) < 10 and int(part) < len(node) + more:
        return int(part)
    raise BadStudy(
        f"{option}: {place(parents)} is a list of {len(node)}: name an entry by its index, 0 to "
        f"{len(node) - 1 + more}; found {shown(part)}"
    )


def _no_way(node: Any, parents: list[str], part: str, option: str) -> BadStudy:
    return BadStudy(
        f"{option}: {place(parents)} must be a mapping or a list to hold {shown(part)}; found {shown(node)}. "
        f"Set the whole of it: {place(parents)}=..."
    )
