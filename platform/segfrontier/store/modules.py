"""What the names of source code stand for, found by reading files: nothing is imported, so nothing heavy is loaded.

A module is a table of top-level names. A name stands for the statements that define it (a `Unit`), or for something
that is imported; `Sources.resolve` follows imports and re-exports through all our packages to the definition.
"""

from __future__ import annotations

import ast
import importlib.util
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

PLUMBING = "DECIDES_NOTHING"
"""A module that sets this name to True says that no result depends on how it does its work: it enters no digest."""


@dataclass(frozen=True, slots=True)
class Unit:
    """A top-level name of a module, for which its defining statements stand; `<module>` stands for loose statements."""

    module: str
    name: str


@dataclass(frozen=True, slots=True)
class Outside:
    """Something of another's package, by its full name."""

    path: str


@dataclass(frozen=True, slots=True)
class Whole:
    """A module of our own that is used as an object, or whose names are made while it runs."""

    module: str


Target = Unit | Outside | Whole
LOOSE = "<module>"


@dataclass(frozen=True, slots=True)
class Imported:
    """`import module as ...`, or with a name: `from module import name as ...`."""

    module: str
    name: str = ""


@dataclass
class Module:
    """One source file. Statements that define no name (`<module>`) run on import, and count for all of its names."""

    name: str
    file: Path

    @cached_property
    def tree(self) -> ast.Module:
        """Its syntax tree."""
        return ast.parse(self.file.read_bytes())

    @cached_property
    def is_plumbing(self) -> bool:
        """Whether it says that no result depends on it."""
        return PLUMBING in self.definitions

    @cached_property
    def definitions(self) -> dict[str, list[ast.stmt]]:
        """The statements that define each name, and those that define none."""
        found: dict[str, list[ast.stmt]] = {}
        for statement in self.tree.body:
            if _is_skipped(statement):
                continue
            for name in sorted(_bound(statement)) or [LOOSE]:
                found.setdefault(name, []).append(statement)
        return found

    @cached_property
    def imports(self) -> dict[str, Imported]:
        """What each imported name stands for; names that `__getattr__` imports late are those imported for types."""
        late = [s for s in self.tree.body if _is_for_types(s)] if "__getattr__" in self.definitions else []
        inner = [s for block in late for s in block.body]  # type: ignore[attr-defined]
        return dict(imports_of([*self.tree.body, *inner], self.package))

    @property
    def package(self) -> str:
        """The package that relative imports start from."""
        return self.name if self.file.name == "__init__.py" else self.name.rpartition(".")[0]


def imports_of(statements: Iterable[ast.stmt], package: str) -> Iterator[tuple[str, Imported]]:
    """The names that import statements bind, also inside `if` and `try`, but in no function or class."""
    for node in _shallow(statements):
        if isinstance(node, ast.Import):
            for alias in node.names:
                yield (
                    alias.asname or alias.name.partition(".")[0],
                    Imported(alias.name if alias.asname else alias.name.partition(".")[0]),
                )
        elif isinstance(node, ast.ImportFrom):
            base = package.rsplit(".", node.level - 1)[0] if node.level else ""
            module = ".".join(filter(None, (base, node.module)))
            for alias in node.names:
                yield alias.asname or alias.name, Imported(module, alias.name)


@dataclass
class Sources:
    """The modules of our own packages, by the names of those packages and where each lies."""

    packages: Mapping[str, Path]
    modules: dict[str, Module | None] = field(default_factory=dict)
    stamps: dict[Path, tuple[int, int]] = field(default_factory=dict)

    def module(self, name: str) -> Module | None:
        """The module of that name; None where it is not ours or has no source."""
        if name not in self.modules:
            file = self._file(name)
            self.modules[name] = None if file is None else Module(name, file)
            if file is not None:
                self.stamps[file] = stamp(file)
        return self.modules[name]

    @property
    def is_current(self) -> bool:
        """Whether all files are as they were when they were read."""
        try:
            return all(stamp(file) == seen for file, seen in self.stamps.items())
        except OSError:
            return False  # one is gone

    def resolve(self, module: str, name: str) -> Target | None:
        """What a name at a module's top level stands for; None where the module does not have it."""
        home = self.module(module)
        if home is None:
            return Outside(f"{module}.{name}" if name else module)
        if name in home.definitions:
            return Unit(module, name)
        if name in home.imports:
            return self.imported(home.imports[name])
        if self.module(f"{module}.{name}") is not None:
            return Whole(f"{module}.{name}")
        return Whole(module) if "__getattr__" in home.definitions else None

    def imported(self, what: Imported) -> Target:
        """What an imported name stands for."""
        if what.name:
            return self.resolve(what.module, what.name) or Outside(f"{what.module}.{what.name}")
        return Whole(what.module) if self.module(what.module) is not None else Outside(what.module)

    def _file(self, name: str) -> Path | None:
        root, *rest = name.split(".")
        if root not in self.packages:
            return None
        place = self.packages[root].joinpath(*rest)
        candidates = (place / "__init__.py", place.with_name(f"{place.name}.py"))
        return next((file for file in candidates if file.is_file()), None)


def folder_of(package: str) -> Path | None:
    """Where a top-level package or module lies, without its suffix; it is not imported."""
    try:
        spec = importlib.util.find_spec(package)
    except (ValueError, ModuleNotFoundError):
        return None
    if spec is None or spec.origin is None or not spec.origin.endswith(".py"):
        return None
    origin = Path(spec.origin)
    return origin.parent if origin.name == "__init__.py" else origin.with_suffix("")


def stamp(file: Path) -> tuple[int, int]:
    """What changes when a file is written."""
    found = file.stat()
    return found.st_mtime_ns, found.st_size


def _shallow(statements: Iterable[ast.stmt]) -> Iterator[ast.stmt]:
    """Statements that run at this level: those inside `if`, `try` and `with` too, those of functions not."""
    for statement in statements:
        if _is_for_types(statement):
            continue
        yield statement
        if isinstance(statement, ast.If | ast.Try | ast.With):
            inner = [child for child in ast.iter_child_nodes(statement) if isinstance(child, ast.stmt)]
            handlers = [s for h in getattr(statement, "handlers", ()) for s in h.body]
            yield from _shallow([*inner, *handlers])


def _is_for_types(statement: ast.stmt) -> bool:
    return isinstance(statement, ast.If) and ast.unparse(statement.test).endswith("TYPE_CHECKING")


def _is_skipped(statement: ast.stmt) -> bool:
    """What says nothing about what code does: imports, docstrings, types, a script's own start."""
    if isinstance(statement, ast.Import | ast.ImportFrom) or _is_for_types(statement):
        return True
    if isinstance(statement, ast.If) and ast.unparse(statement.test) == "__name__ == '__main__'":
        return True
    return isinstance(statement, ast.Expr) and isinstance(statement.value, ast.Constant)


def _bound(statement: ast.stmt) -> set[str]:
    """The names that a statement defines at its own level; `__all__` is none."""
    found: set[str] = set()
    for node in _shallow([statement]):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            found.add(node.name)
        elif isinstance(node, ast.Assign | ast.AnnAssign | ast.AugAssign):
            targets = node.targets if isinstance(node, ast.Assign) else [node.target]
            found |= {n.id for t in targets for n in ast.walk(t) if isinstance(n, ast.Name)}
    return found
