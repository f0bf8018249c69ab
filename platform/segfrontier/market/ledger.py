"""The ledger: the append-only record of every act bought, in which cell and stage, and of what was used for nothing.

Acts are stored, not costs; a bill is acts x price list. The ledger knows no prices: whoever charges it brings the rule
that turns totals into seconds, and the rule is applied inside the transaction that also checks the budget.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from segfrontier.basics.wording import nearest
from segfrontier.errors import BadInput, LedgerError
from segfrontier.market import _sql
from segfrontier.market.acts import Acts
from segfrontier.market.prices import PriceList, parse_prices

FREE_KINDS = ("source_labels", "encoder_pretraining", "class_list", "validation", "unlabelled_images", "pseudo_labels")
"""What costs no annotation but belongs on the record."""


@dataclass(frozen=True, slots=True)
class Totals:
    """Counts of the acts of one kind in one cell."""

    scenes: int = 0
    acts: int = 0
    units: int = 0
    asked: int = 0

    def plus(self, *, units: int, asked: int) -> Totals:
        """The totals with so many more units and questions."""
        return Totals(self.scenes, self.acts, self.units + units, self.asked + asked)


Cost = Callable[[Mapping[str, Totals]], int]
"""Totals by kind -> the bill in whole seconds."""


@dataclass(frozen=True, slots=True)
class Terms:
    """What a cell buys from, at which prices, from which annotators: fixed by its first purchase."""

    truth: str
    annotators: str
    prices: PriceList

    def __str__(self) -> str:
        return f"truth {self.truth}, annotators {self.annotators}, prices {self.prices.name} {self.prices.digest}"


@dataclass(frozen=True, slots=True)
class Order:
    """Acts of one kind on their way into the ledger, with the labels that they pay for."""

    cell: str
    stage: str
    kind: str
    acts: Mapping[str, Acts]
    labels_path: str
    labels_digest: str
    terms: Terms


@dataclass(frozen=True, slots=True)
class Receipt:
    """What an order came to. `acts`, `units`, `seconds` count what was new; the bill is the whole cell's."""

    acts: int
    units: int
    seconds: int
    bill: int


@dataclass(frozen=True, slots=True)
class PurchaseLine:
    """One purchase as the ledger keeps it."""

    cell: str
    stage: str
    kind: str
    seconds: int
    labels_path: str
    labels_digest: str
    time: str


@dataclass(frozen=True, slots=True)
class FreeLine:
    """One zero-priced line."""

    cell: str
    stage: str
    what: str
    detail: str
    count: int
    time: str


class Ledger:
    """A ledger file. Safe to use from many processes and threads at once; safe to pickle and to fork."""

    def __init__(self, path: str | Path, *, create: bool = False) -> None:
        self.path = Path(path).absolute()
        if create and not self.path.exists():
            _sql.create(self.path)
        with _sql.reading(self.path) as db:
            _sql.check_whole(db, self.path)

    def charge(self, order: Order, *, cost: Cost, budget: int, at_most: int | None = None) -> Receipt | None:
        """Charge what is new in an order and record its labels, in one transaction.

        None, and nothing written, if the cell's bill would pass `budget` or grow by more than `at_most`.
        """
        try:
            with _sql.writing(self.path) as db:
                cell = _open_cell(db, order.cell, order.terms)
                before = _totals(db, cell)
                purchase = db.execute("SELECT COALESCE(MAX(id), 0) + 1 FROM purchases").fetchone()[0]
                _insert_acts(db, cell, purchase, order)
                after = _totals(db, cell)
                receipt = _receipt(before, after, order.kind, cost)
                limit = budget if at_most is None else min(budget, receipt.bill - receipt.seconds + at_most)
                if receipt.seconds and receipt.bill > limit:
                    raise _Unaffordable
                if receipt.acts:
                    row = (order.stage, order.kind, receipt.seconds, order.labels_path, order.labels_digest, _now())
                    db.execute("INSERT INTO purchases VALUES (?, ?, ?, ?, ?, ?, ?, ?)", (purchase, cell, *row))
        except _Unaffordable:
            return None
        return receipt

    def note_free(self, *, cell: str, stage: str, what: str, detail: str, count: int) -> None:
        """Record something used at no price, e.g. 24,966 source labels. The same line twice is one line."""
        if what not in FREE_KINDS:
            raise BadInput(f"a zero-priced line must be of a known kind; found {what!r} ({nearest(what, FREE_KINDS)})")
        with _sql.writing(self.path) as db:
            db.execute(
                "INSERT INTO free_lines (cell, stage, what, detail, count, time) VALUES (?, ?, ?, ?, ?, ?) "
                "ON CONFLICT (cell, stage, what, detail) DO NOTHING",
                (cell, stage, what, detail, count, _now()),
            )

    def check_terms(self, cell: str, terms: Terms) -> None:
        """Raise if the cell has bought under other terms."""
        with _sql.reading(self.path) as db:
            _cell_id(db, cell, terms)

    def cells(self) -> list[str]:
        """Every cell that came to buy, in order of its first purchase."""
        with _sql.reading(self.path) as db:
            return [name for (name,) in db.execute("SELECT name FROM cells ORDER BY id")]

    def totals(self, cell: str | None = None) -> dict[str, dict[str, Totals]]:
        """Counts by cell and kind, of one cell or of all. A million acts take well under a second."""
        where, values = ("", ()) if cell is None else ("WHERE cell = (SELECT id FROM cells WHERE name = ?)", (cell,))
        result: dict[str, dict[str, Totals]] = {}
        with _sql.reading(self.path) as db:
            for name, kind, *counts in db.execute(_TOTALS.format(where=where), values):
                result.setdefault(name, {})[kind] = Totals(*counts)
        return result

    def owned(self, cell: str, kind: str) -> dict[str, NDArray[np.int64]]:
        """Items that a cell has bought, by scene."""
        query = (
            "SELECT scenes.name, item FROM acts JOIN scenes ON scenes.id = scene "
            "WHERE cell = (SELECT id FROM cells WHERE name = ?) AND kind = ?"
        )
        items: dict[str, list[int]] = {}
        with _sql.reading(self.path) as db:
            for scene, item in db.execute(query, (cell, kind)):
                items.setdefault(scene, []).append(item)
        return {scene: np.array(values, np.int64) for scene, values in items.items()}

    def purchases(self, cell: str | None = None) -> list[PurchaseLine]:
        """Every purchase in the order of the record."""
        query = (
            "SELECT name, stage, kind, seconds, labels_path, labels_digest, time FROM purchases "
            "JOIN cells ON cells.id = cell WHERE ?1 IS NULL OR name = ?1 ORDER BY purchases.id"
        )
        with _sql.reading(self.path) as db:
            return [PurchaseLine(*row) for row in db.execute(query, (cell,))]

    def free_lines(self, cell: str | None = None) -> list[FreeLine]:
        """Every zero-priced line in the order of the record."""
        query = (
            "SELECT cell, stage, what, detail, count, time FROM free_lines WHERE ?1 IS NULL OR cell = ?1 ORDER BY id"
        )
        with _sql.reading(self.path) as db:
            return [FreeLine(*row) for row in db.execute(query, (cell,))]

    def prices_of(self, cell: str) -> PriceList:
        """The price list that a cell bought under, as it was then."""
        query = "SELECT body FROM cells JOIN price_lists ON digest = prices WHERE cells.name = ?"
        with _sql.reading(self.path) as db:
            row = db.execute(query, (cell,)).fetchone()
        if row is None:
            raise LedgerError(f"ledger {self.path} has no cell {cell!r} that bought anything; see Ledger.cells()")
        return parse_prices(row[0], where=f"{self.path}, cell {cell!r}")

    def rows(self, *, batch: int = 65536) -> Iterator[Sequence[tuple[object, ...]]]:
        """All acts with names and purchases, in batches: the columns of `export.SCHEMA`."""
        with _sql.reading(self.path) as db:
            cursor = db.execute(_ROWS)
            while rows := cursor.fetchmany(batch):
                yield rows


def given_ledger(path: str | Path) -> Ledger:
    """The ledger in a file that a user named: whatever is wrong with it is BadInput. Nothing is made at the path."""
    try:
        _sql.check_values(Path(path).absolute())
        return Ledger(path)
    except (LedgerError, OSError, ValueError) as error:  # ValueError: a NUL in the path
        raise BadInput(str(error)) from None


class _Unaffordable(Exception):
    """Leaves a transaction that would pass the budget, so that it is rolled back."""


_TOTALS = """
SELECT name, kind, scenes, acts, units, asked FROM (
    SELECT cell, kind, COUNT(DISTINCT scene) AS scenes, COUNT(*) AS acts, SUM(units) AS units, SUM(asked) AS asked
    FROM acts {where} GROUP BY cell, kind
) JOIN cells ON cells.id = cell ORDER BY cell, kind
"""
_ROWS = """
SELECT cells.name, purchases.stage, acts.kind, scenes.name, item, units, asked, purchases.id, purchases.time,
       price_lists.name, price_lists.version, price_lists.digest
FROM acts JOIN cells ON cells.id = acts.cell JOIN scenes ON scenes.id = scene JOIN purchases ON purchases.id = purchase
JOIN price_lists ON price_lists.digest = cells.prices
"""


def _open_cell(db: sqlite3.Connection, name: str, terms: Terms) -> int:
    """The cell's id; its first purchase writes down the terms."""
    cell = _cell_id(db, name, terms)
    if cell is None:
        prices = terms.prices
        db.execute(
            "INSERT INTO price_lists VALUES (?, ?, ?, ?) ON CONFLICT (digest) DO NOTHING",
            (prices.digest, prices.name, prices.version, prices.model_dump_json()),
        )
        row = (name, str(terms), prices.digest)
        cell = db.execute("INSERT INTO cells (name, terms, prices) VALUES (?, ?, ?)", row).lastrowid
        assert cell is not None, "SQLite names the row that it has inserted"
    return cell


def _cell_id(db: sqlite3.Connection, name: str, terms: Terms) -> int | None:
    row = db.execute("SELECT id, terms FROM cells WHERE name = ?", (name,)).fetchone()
    if row is None:
        return None
    if row[1] != str(terms):
        raise LedgerError(
            f"cell {name!r} must go on buying under the terms of its first purchase ({row[1]}); found {terms}. Use the "
            f"same world, annotators and prices, or another cell. (To see a bill at other prices, nothing is bought.)"
        )
    return int(row[0])


def _totals(db: sqlite3.Connection, cell: int) -> dict[str, Totals]:
    """Totals of one cell as far as the bill needs them: without counting its scenes."""
    query = "SELECT kind, COUNT(*), SUM(units), SUM(asked) FROM acts WHERE cell = ? GROUP BY kind"
    return {kind: Totals(0, *counts) for kind, *counts in db.execute(query, (cell,))}


def _insert_acts(db: sqlite3.Connection, cell: int, purchase: int, order: Order) -> None:
    scenes = [(scene,) for scene in order.acts]
    db.executemany("INSERT INTO scenes (name) VALUES (?) ON CONFLICT (name) DO NOTHING", scenes)
    ids = {scene: db.execute("SELECT id FROM scenes WHERE name = ?", (scene,)).fetchone()[0] for scene in order.acts}
    db.executemany(
        "INSERT INTO acts VALUES (?, ?, ?, ?, ?, ?, ?) ON CONFLICT (cell, kind, scene, item) DO NOTHING",
        _act_rows(cell, purchase, order, ids),
    )


def _act_rows(cell: int, purchase: int, order: Order, ids: Mapping[str, int]) -> Iterable[tuple[int | str, ...]]:
    for scene, acts in order.acts.items():
        columns = zip(acts.items.tolist(), acts.units.tolist(), acts.asked.tolist(), strict=True)
        yield from ((cell, order.kind, ids[scene], *column, purchase) for column in columns)


def _receipt(before: Mapping[str, Totals], after: Mapping[str, Totals], kind: str, cost: Cost) -> Receipt:
    old, new, bill = before.get(kind, Totals()), after.get(kind, Totals()), cost(after)
    return Receipt(acts=new.acts - old.acts, units=new.units - old.units, seconds=bill - cost(before), bill=bill)


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")
