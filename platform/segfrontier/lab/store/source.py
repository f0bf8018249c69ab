"""The digest of source code: what a change of a stage's code changes its key by.

Code counts as its syntax tree, module by module, without comments, docstrings and layout: a reformatted or better
documented module keeps its digest, any other change gives a new one.
"""

from __future__ import annotations

import ast
import functools
import importlib.util
import inspect
import textwrap
from collections.abc import Iterable
from pathlib import Path
from types import ModuleType
from typing import Any

from segfrontier.errors import BadInput
from segfrontier.lab.store.keys import dumps, text_digest


def code_digest(*objects: object, packages: Iterable[str] = ()) -> str:
    """The digest of the whole modules that define `objects`, and of every module of `packages` (by import name).

    `objects` are modules, classes, functions or partials; any other object stands for its class. Nothing is followed
    further: base classes and helpers from other modules count when they, or their package, are named too.
    """
    parts = dict(_module_of(thing) for thing in objects)
    for package in packages:
        parts |= _modules_in(package)
    return text_digest(dumps(parts))


def _module_of(thing: Any) -> tuple[str, str]:
    """(name, digest) of the module that defines `thing`, or of its own source where there is no file (notebooks)."""
    while isinstance(thing, functools.partial):
        thing = thing.func
    if not isinstance(thing, ModuleType | type) and not inspect.isroutine(thing):
        thing = type(thing)
    if isinstance(thing, ModuleType):
        name = thing.__name__
    else:
        thing = inspect.unwrap(thing)
        name = f"{thing.__module__}:{thing.__qualname__}"
    try:
        file = Path(inspect.getsourcefile(thing) or "")
        if name.startswith("__main__:"):
            inspect.getsource(thing)  # fails where the running script is not the file that defines it
        if file.is_file():
            return name.partition(":")[0], _file_digest(file)
        return name, _tree_digest(textwrap.dedent(inspect.getsource(thing)))
    except (TypeError, OSError, SyntaxError) as error:
        raise BadInput(
            f"the code of {name} must be readable as Python source, because stages are stored under its digest; "
            f"{error}; define it in a module file"
        ) from error


def _modules_in(package: str) -> dict[str, str]:
    try:
        spec = importlib.util.find_spec(package)
    except ModuleNotFoundError:
        spec = None
    if spec is None or not (spec.submodule_search_locations or spec.has_location):
        raise BadInput(
            f"packages must name Python packages that can be imported; found {package!r}; check its spelling"
        )
    if not spec.submodule_search_locations:
        return {package: _file_digest(Path(spec.origin or ""))}
    return {
        ".".join((package, *file.relative_to(folder).with_suffix("").parts)).removesuffix(".__init__"): _file_digest(
            file
        )
        for folder in spec.submodule_search_locations
        for file in Path(folder).rglob("*.py")
    }


def _file_digest(file: Path) -> str:
    stat = file.stat()
    return _parsed(file, stat.st_mtime_ns, stat.st_size)


@functools.lru_cache(maxsize=4096)
def _parsed(file: Path, _mtime: int, _size: int) -> str:
    return _tree_digest(file.read_bytes())


def _tree_digest(source: str | bytes) -> str:
    return text_digest(dumps(_shape(ast.parse(source))))


def _shape(node: object) -> object:
    """A syntax tree as nested lists. Empty fields are left out: newer Pythons add some, old code never fills them."""
    if isinstance(node, ast.AST):
        filled = [[name, _shape(value)] for name, value in ast.iter_fields(node) if value is not None and value != []]
        return [type(node).__name__, *filled]
    if isinstance(node, list):
        return [_shape(item) for item in node if not _is_bare_text(item)]
    return ascii(node)


def _is_bare_text(node: object) -> bool:
    """A string standing alone as a statement: a docstring of a module, class, function or field."""
    return isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant) and isinstance(node.value.value, str)
