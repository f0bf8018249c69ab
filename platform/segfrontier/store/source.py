"""The digest of what code does: new for a new meaning, the same for new words, another layout or another place.

The code of an object is its definition and all that this names, followed through imports to the end of our packages.
A definition counts as its syntax tree without comments, docstrings, the types of arguments and the words of errors. A
name of ours in it counts as the digest of what it stands for, an imported one by its full name. So moving a module or
renaming an import changes nothing, and editing a function changes just what uses it.
"""

from __future__ import annotations

import ast
import functools
import inspect
import textwrap
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import fields, is_dataclass
from importlib.metadata import entry_points
from pathlib import Path
from types import ModuleType
from typing import Any

from segfrontier.errors import BadInput
from segfrontier.store.keys import dumps, text_digest
from segfrontier.store.modules import LOOSE, Sources, Unit, Whole, folder_of
from segfrontier.store.named import named
from segfrontier.store.shapes import Shape, shape_of

_Packages = tuple[tuple[str, Path], ...]
_KNOWN: dict[_Packages, Digests] = {}
_STILL: ContextVar[dict[tuple[object, ...], str] | None] = ContextVar("digests while sources stand still", default=None)


@contextmanager
def still_sources() -> Iterator[None]:
    """Within, code that was digested counts as unchanged: for whoever asks thousands of times in a row."""
    before = _STILL.set({})
    try:
        yield
    finally:
        _STILL.reset(before)


def code_digest(*things: object) -> str:
    """The digest of the code behind classes, functions, modules, partials, or objects, which stand for their class.

    A text names code without importing it: `package.module:name` a definition, through re-exports too, and
    `package.module:TABLE[key]` all that a table of names has under a key, which may be nothing.
    """
    still = _STILL.get()
    if still is None:
        return _digest(things)
    asked = tuple(map(_code_bearer, things))
    if asked not in still:
        still[asked] = _digest(things)
    return still[asked]


def _digest(things: tuple[object, ...]) -> str:
    parts: set[str] = set()
    units: list[Unit | Whole] = []
    texts = [thing for thing in things if isinstance(thing, str)]
    for thing in things:
        if not isinstance(thing, str):
            found = _place(thing)
            if isinstance(found, str):
                parts.add(found)
            else:
                units.append(found)
    own = {unit.module.partition(".")[0] for unit in units} | {t.partition(":")[0].partition(".")[0] for t in texts}
    own |= _our_packages()
    known = _known({name: place for name in sorted(own) if (place := folder_of(name)) is not None})
    units += [unit for text in texts for unit in named(known.sources, text)]
    return text_digest(dumps(sorted(parts | known.of(units))))


def _known(packages: dict[str, Path]) -> Digests:
    """What was digested before, as long as no file has changed."""
    key = tuple(packages.items())
    digests = _KNOWN.get(key)
    if digests is None or not digests.sources.is_current:
        digests = _KNOWN[key] = Digests(Sources(packages))
    return digests


def classes_in(value: object) -> Iterator[type]:
    """The classes of all dataclasses in a value: their methods are code that the value brings along."""
    if is_dataclass(value) and not isinstance(value, type):
        yield type(value)
        for f in fields(value):
            yield from classes_in(getattr(value, f.name, None))
    elif isinstance(value, Mapping):
        for item in value.values():
            yield from classes_in(item)
    elif isinstance(value, list | tuple | set | frozenset):
        for item in value:
            yield from classes_in(item)


@functools.cache
def _our_packages() -> frozenset[str]:
    """SegFrontier's own, and those that bring methods."""
    return frozenset({"segfrontier"} | {e.module.partition(".")[0] for e in entry_points(group="segfrontier.methods")})


def _code_bearer(thing: Any) -> Any:
    """What brings a thing's code: itself, the function of a partial, the class of any other object."""
    while isinstance(thing, functools.partial):
        thing = thing.func
    bears = isinstance(thing, str | type | ModuleType) or inspect.isroutine(thing)
    return thing if bears else type(thing)


def _place(thing: Any) -> Unit | Whole | str:
    """Where something is defined; or the digest of its own source, where there is no file (notebooks)."""
    thing = _code_bearer(thing)
    if isinstance(thing, ModuleType):
        if not getattr(thing, "__file__", "") or not str(thing.__file__).endswith(".py"):
            raise _unreadable(thing.__name__, "it is no Python file")
        return Whole(thing.__name__)
    thing = inspect.unwrap(thing)
    name = f"{thing.__module__}:{thing.__qualname__}"
    try:
        file = inspect.getsourcefile(thing)
        if thing.__module__ == "__main__" or file is None or file.startswith("<"):
            return _loose_source(thing)
    except (TypeError, OSError, SyntaxError) as error:
        raise _unreadable(name, error) from error
    return Unit(thing.__module__, thing.__qualname__.partition(".")[0])


def _loose_source(thing: Any) -> str:
    tree = ast.parse(textwrap.dedent(inspect.getsource(thing)))
    return text_digest(dumps(shape_of(tree.body, "", None).tree))


def _unreadable(name: str, why: object) -> BadInput:
    return BadInput(
        f"the code of {name} must be readable as Python source, because stages are stored under its digest; {why}; "
        f"define it in a module file"
    )


class Digests:
    """The digests of units, each computed once. Units that need each other share one."""

    def __init__(self, sources: Sources) -> None:
        self.sources = sources
        self._shapes: dict[Unit, Shape] = {}
        self._done: dict[Unit, str] = {}
        self._asked: dict[frozenset[Unit | Whole], frozenset[str]] = {}

    def of(self, roots: Iterable[Unit | Whole]) -> frozenset[str]:
        """The digests of the roots, and of what the modules that they reach do when they are imported."""
        asked = frozenset(roots)
        if asked not in self._asked:
            self._asked[asked] = frozenset(self._of(asked))
        return self._asked[asked]

    def _of(self, roots: Iterable[Unit | Whole]) -> set[str]:
        units = [unit for root in roots for unit in self._units(root)]
        for unit in units:
            if self.sources.resolve(unit.module, unit.name) != unit:
                raise _unreadable(f"{unit.module}:{unit.name}", "there is no such definition in a Python file")
        reached: set[Unit] = set()
        todo = list(units)
        while todo:
            unit = todo.pop()
            if unit in reached:
                continue
            reached.add(unit)
            module = self.sources.module(unit.module)
            if module is not None and LOOSE in module.definitions:
                todo.append(Unit(unit.module, LOOSE))
            todo += self._needs(unit)
        loose = {unit for unit in reached if unit.name == LOOSE}
        return {self._digest(unit) for unit in {*units, *loose}}

    def _units(self, root: Unit | Whole) -> list[Unit]:
        if isinstance(root, Unit):
            return [root]
        module = self.sources.module(root.module)
        if module is None:
            raise _unreadable(root.module, "it is no Python file of a package that can be imported")
        return [Unit(root.module, name) for name in module.definitions]

    def _shape(self, unit: Unit) -> Shape:
        if unit not in self._shapes:
            module = self.sources.module(unit.module)
            assert module is not None
            self._shapes[unit] = shape_of(module.definitions[unit.name], unit.module, self.sources)
        return self._shapes[unit]

    def _needs(self, unit: Unit) -> list[Unit]:
        return [other for target in self._shape(unit).needs for other in self._units(target)]

    def _digest(self, unit: Unit) -> str:
        """Tarjan's walk without recursion: what a unit needs comes before it; a circle is digested as one."""
        if unit in self._done:
            return self._done[unit]
        order: dict[Unit, int] = {}
        low: dict[Unit, int] = {}
        path: list[Unit] = []
        stack: list[tuple[Unit, Iterator[Unit]]] = []

        def enter(one: Unit) -> None:
            order[one] = low[one] = len(order)
            path.append(one)
            stack.append((one, iter(self._needs(one))))

        enter(unit)
        while stack:
            one, needs = stack[-1]
            for other in needs:
                if other not in order and other not in self._done:
                    enter(other)
                    break
                if other not in self._done:
                    low[one] = min(low[one], order[other])
            else:
                stack.pop()
                if stack:
                    low[stack[-1][0]] = min(low[stack[-1][0]], low[one])
                if low[one] == order[one]:
                    circle = path[path.index(one) :]
                    del path[path.index(one) :]
                    self._settle(circle)
        return self._done[unit]

    def _settle(self, circle: list[Unit]) -> None:
        inside = {one: ["circle", one.name] for one in circle}
        texts = {one: dumps(self._filled(self._shape(one).tree, inside)) for one in circle}
        whole = text_digest(dumps(sorted(texts.values())))
        for one in circle:
            self._done[one] = text_digest(dumps([one.name, whole]))

    def _filled(self, tree: object, inside: dict[Unit, list[str]]) -> object:
        """The tree with each name of ours replaced by the digest of what it stands for."""
        if isinstance(tree, Unit):
            return inside.get(tree) or self._done[tree]
        if isinstance(tree, Whole):
            return sorted(dumps(self._filled(unit, inside)) for unit in self._units(tree))
        if isinstance(tree, list):
            return [self._filled(item, inside) for item in tree]
        return tree
