"""The key of a cell: the hash of all that decides its result, its code and the content of its worlds included."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from pydantic import TypeAdapter, ValidationError

from segfrontier.basics.atomic import write_json
from segfrontier.basics.reading import read_json
from segfrontier.errors import BadInput, BadWorld
from segfrontier.lab.methods import method_class
from segfrontier.lab.store import code_digest
from segfrontier.market import load_prices
from segfrontier.scenes.builtin import open_world
from segfrontier.scenes.imagined import ImaginedWorld
from segfrontier.scenes.published import Published, published
from segfrontier.scenes.world import World
from segfrontier.study.cells import Cell
from segfrontier.study.home import Home

_ENGINE = ("segfrontier.maths", "segfrontier.models", "segfrontier.lab", "segfrontier.market")
_CELL: TypeAdapter[Cell] = TypeAdapter(Cell)


@dataclass
class Atlas:
    """Worlds by what a study calls them, each opened once.

    With `imagine`, one that is not there, but is named after a known data set, is imagined from what is published.
    """

    progress: Callable[[int, int], None] | None = None
    imagine: bool = False
    _open: dict[str, World] = field(default_factory=dict)

    def world(self, ref: str) -> World:
        """The world; a built-in one is rendered on first use."""
        if ref not in self._open:
            self._open[ref] = self._found(ref)
        return self._open[ref]

    @property
    def imagined(self) -> dict[str, Published]:
        """What is published of the worlds that are not there."""
        return {ref: world.facts for ref, world in self._open.items() if isinstance(world, ImaginedWorld)}

    def _found(self, ref: str) -> World:
        try:
            return open_world(ref, progress=self.progress)
        except BadWorld:
            facts = published(ref) if self.imagine else None
            if facts is None or Path(ref).exists():  # what is there, and broken, is not imagined over
                raise
            return ImaginedWorld(facts)

    def digests(self) -> dict[str, str]:
        """The digest of every world that was opened."""
        return {ref: world.digest for ref, world in self._open.items()}

    def target(self, cell: Cell) -> World:
        """The world whose labels a cell buys."""
        return self.world(cell.world)

    def source(self, cell: Cell) -> World | None:
        """The world of a cell's synthetic scenes, where it names one."""
        return None if cell.source is None else self.world(cell.source)


def keyed(cells: Iterable[Cell], atlas: Atlas) -> dict[str, Cell]:
    """The cells by their keys, in their order."""
    cells = tuple(cells)
    code = {name: _code(name) for name in {cell.method for cell in cells}}
    return {cell.key(code[cell.method], _inputs(cell, atlas)): cell for cell in cells}


def write_cell(home: Home, key: str, cell: Cell) -> None:
    """Keep what a cell is, for whoever computes it."""
    write_json(home.cell(key) / "cell.json", plain_cell(cell))


def read_cell(home: Home, key: str) -> Cell:
    """The cell that `write_cell` kept."""
    file = home.cell(key) / "cell.json"
    try:
        return _CELL.validate_python(read_json(file))
    except (ValidationError, TypeError, ValueError):
        raise BadInput(
            f"{file} must hold what its cell is; it is damaged. Run the study again: it writes the file anew."
        ) from None


def plain_cell(cell: Cell) -> Mapping[str, Any]:
    """A cell in JSON types."""
    plain: Mapping[str, Any] = _CELL.dump_python(cell, mode="json")
    return plain


def _code(method: str) -> str:
    cls = method_class(method)
    package = cls.__module__.rpartition(".")[0]
    engine = [*_ENGINE, package] if package and not package.startswith("segfrontier.") else list(_ENGINE)
    return code_digest(cls, packages=engine)


def _inputs(cell: Cell, atlas: Atlas) -> dict[str, str]:
    inputs = {"world": atlas.target(cell).digest}
    inputs["prices"] = load_prices(cell.prices or atlas.target(cell).name).digest
    source = atlas.source(cell)
    return inputs if source is None else inputs | {"source": source.digest}
