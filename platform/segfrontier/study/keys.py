"""The key of a cell: the hash of what it is, the content of its worlds included; and, apart, the code behind it.

The key holds no code: after an upgrade a cell is the same cell, with the same record, MLflow run and account. Its
record names the code that computed it, so that a stale one can be told and computed anew.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from functools import cache
from pathlib import Path
from typing import Any

from pydantic import TypeAdapter, ValidationError

from segfrontier.basics.atomic import write_json
from segfrontier.basics.reading import read_json
from segfrontier.errors import BadInput, BadWorld
from segfrontier.home.layout import CELL, Home
from segfrontier.home.records import Record
from segfrontier.lab.methods import method_class
from segfrontier.market import prices_for
from segfrontier.scenes.builtin import open_world
from segfrontier.scenes.imagined import ImaginedWorld
from segfrontier.scenes.published import Published, published
from segfrontier.scenes.world import World
from segfrontier.study.cells import Cell
from segfrontier.study.pins import Pins
from segfrontier.study.stale import code_behind

_CELL: TypeAdapter[Cell] = TypeAdapter(Cell)


@dataclass
class Atlas:
    """Worlds by what a study calls them, each opened once.

    With `imagine`, one that is not there, but is named after a known data set, is imagined from what is published.
    `pins` says which weights encoders start from.
    """

    progress: Callable[[int, int], None] | None = None
    imagine: bool = False
    pins: Pins = field(default_factory=Pins)
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

    def opened(self) -> dict[str, World]:
        """Every world that was opened."""
        return dict(self._open)

    def target(self, cell: Cell) -> World:
        """The world whose labels a cell buys; one that no model could be scored on is refused."""
        world = self.world(cell.world)
        world.require_target()
        return world

    def source(self, cell: Cell) -> World | None:
        """The world of a cell's synthetic scenes, where it names one."""
        return None if cell.source is None else self.world(cell.source)


def keyed(cells: Iterable[Cell], atlas: Atlas) -> dict[str, Cell]:
    """The cells by their keys, in their order, with the weights named that their encoders start from."""
    named = (replace(cell, recipe=atlas.pins.pinned(cell.recipe)) for cell in cells)
    return {cell.key(_inputs(cell, atlas)): cell for cell in named}


def write_cell(home: Home, key: str, cell: Cell) -> None:
    """Keep what a cell is, for whoever computes it. One that is there is not written again: each writing waits for the
    disk, and a study of thousands of cells that is resumed would wait for minutes."""
    plain = plain_cell(cell)
    if read_json(file := home.cell(key) / CELL) != plain:
        write_json(file, plain)


def read_cell(home: Home, key: str) -> Cell:
    """The cell that `write_cell` kept."""
    file = home.cell(key) / CELL
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


def code_of(method: str, kinds: Iterable[str]) -> str:
    """The digest of the code behind a cell: method, lab, market, and what computes these kinds of stages."""
    return code_behind(method_class(method), kinds)


def staleness_here() -> Callable[[Record], bool]:
    """A question: did other code than today's compute a cell? Not where its method is not installed any more.

    The code of a method is asked for once for each set of stages: each asking holds more than a hundred source files
    against what is known of them, and a run asks of every cell.
    """

    @cache
    def today(method: str, kinds: frozenset[str]) -> str:
        try:
            return code_of(method, kinds)
        except BadInput:
            return ""

    def stale(record: Record) -> bool:
        code = today(str(record.cell["method"]), record.kinds) if record.code else ""
        return code not in ("", record.code)

    return stale


def _inputs(cell: Cell, atlas: Atlas) -> dict[str, str]:
    inputs = {"world": atlas.target(cell).digest}
    inputs["prices"] = prices_for(atlas.target(cell).name, cell.prices).digest
    source = atlas.source(cell)
    return inputs if source is None else inputs | {"source": source.digest}
