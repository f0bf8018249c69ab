"""A ledger with an account for each cell, against one SQLite file for all of them: writing side by side, and reading.

Eight processes buy for cells of their own: three zero-priced lines and five purchases each, as a cell does it. The
other way is the schema and the settings that former versions had (a rollback journal, synced with its folder), in a
loop without anything around it. Then all totals are read, of many cells and of few cells with a million acts.
"""

from __future__ import annotations

import argparse
import multiprocessing
import sqlite3
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import numpy as np

from segfrontier.market import Ledger, ledger_table, load_prices
from segfrontier.market.acts import Acts
from segfrontier.market.lines import PurchaseOrder, Terms

TERMS = Terms("t", "a", load_prices("street"))
SPAWN = multiprocessing.get_context("spawn")
SCHEMA = """
CREATE TABLE cells (id INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE);
CREATE TABLE scenes (id INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE);
CREATE TABLE purchases (id INTEGER PRIMARY KEY, cell INTEGER NOT NULL, labels TEXT NOT NULL);
CREATE TABLE acts (cell INTEGER NOT NULL, kind TEXT NOT NULL, scene INTEGER NOT NULL, item INTEGER NOT NULL,
    units INTEGER NOT NULL, asked INTEGER NOT NULL, purchase INTEGER NOT NULL, PRIMARY KEY (cell, kind, scene, item)
) WITHOUT ROWID;
CREATE TABLE free_lines (id INTEGER PRIMARY KEY, cell TEXT NOT NULL, what TEXT NOT NULL, UNIQUE (cell, what));
"""
TOTALS = """
SELECT name, kind, scenes, acts, units, asked FROM (
    SELECT cell, kind, COUNT(DISTINCT scene) AS scenes, COUNT(*) AS acts, SUM(units) AS units, SUM(asked) AS asked
    FROM acts GROUP BY cell, kind
) JOIN cells ON cells.id = cell
"""
FREE = ("class_list", "source_labels", "validation")
ROUNDS, SCENES = 5, 20


def main() -> None:
    """Write both ways, read both ways, and print them side by side."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--processes", type=int, default=8)
    parser.add_argument("--cells", type=int, default=25, help="of each process")
    parser.add_argument("--read", type=int, default=2000, help="cells of the ledger that is read")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory(dir=Path.cwd(), prefix=".bench-") as scratch:
        writing(Path(scratch), given.processes, given.cells)
        reading(Path(scratch), given.read)


def writing(scratch: Path, processes: int, cells: int) -> None:
    """Buy side by side; what matters is the ratio of one run, for disks differ."""
    ledger, other = scratch / "ledger", scratch / "other.sqlite"
    Ledger(ledger, create=True)
    with closing(sqlite3.connect(other)) as db:
        db.executescript(SCHEMA)
    took = {buy.__name__: side_by_side(buy, path, processes, cells) for buy, path in
            ((one_file, other), (accounts, ledger))}  # fmt: skip
    count = processes * cells
    for name, seconds in took.items():
        print(f"{name:9} {count} cells of {processes} processes in {seconds:.2f} s: {count / seconds:.0f} cells/s")
    print(f"accounts are {took['one_file'] / took['accounts']:.1f} times as fast")


def side_by_side(buy: Callable[..., None], path: Path, processes: int, cells: int) -> float:
    """Seconds until the last process has bought for all of its cells, without their start."""
    gate = SPAWN.Barrier(processes + 1)
    workers = [SPAWN.Process(target=work, args=(buy, path, n, cells, gate)) for n in range(processes)]
    for worker in workers:
        worker.start()
    gate.wait()
    began = time.perf_counter()
    gate.wait()
    took = time.perf_counter() - began
    for worker in workers:
        worker.join()
    return took


def work(buy: Callable[..., None], path: Path, number: int, cells: int, gate: Any) -> None:
    """What one process does."""
    gate.wait()
    for cell in range(cells):
        buy(path, f"cell-{number}-{cell}")
    gate.wait()


def accounts(path: Path, cell: str) -> None:
    """All that a cell writes, in an account of its own."""
    ledger = Ledger(path)
    for what in FREE:
        ledger.note_free(cell=cell, stage=what, what=what, detail="street", count=1)
    for n in range(ROUNDS):
        charge(ledger, cell, {f"s{i}": [n] for i in range(SCENES)})


def charge(ledger: Ledger, cell: str, items: dict[str, Any], kind: str = "point") -> None:
    """One purchase."""
    acts = {s: Acts.of(i, np.ones(len(i)), np.ones(len(i))) for s, i in items.items()}
    order = PurchaseOrder(cell, "buy", kind, acts, "/labels/x.arrow", "digest", TERMS)
    ledger.charge(order, cost=lambda totals: sum(t.units for t in totals.values()), budget=10**9)


def one_file(path: Path, cell: str) -> None:
    """The same in the one file of all cells."""
    for what in FREE:
        with transaction(path) as db:
            db.execute("INSERT INTO free_lines (cell, what) VALUES (?, ?) ON CONFLICT DO NOTHING", (cell, what))
    for n in range(ROUNDS):
        with transaction(path) as db:
            insert(db, cell, {f"s{i}": [n] for i in range(SCENES)})


def insert(db: sqlite3.Connection, cell: str, items: dict[str, Any], kind: str = "point") -> None:
    """One purchase."""
    db.execute("INSERT INTO cells (name) VALUES (?) ON CONFLICT DO NOTHING", (cell,))
    ((number,),) = db.execute("SELECT id FROM cells WHERE name = ?", (cell,))
    db.execute("SELECT kind, COUNT(*), SUM(units), SUM(asked) FROM acts WHERE cell = ? GROUP BY kind", (number,))
    purchase = db.execute("INSERT INTO purchases (cell, labels) VALUES (?, 'x')", (number,)).lastrowid
    db.executemany("INSERT INTO scenes (name) VALUES (?) ON CONFLICT DO NOTHING", [(s,) for s in items])
    ids = {s: db.execute("SELECT id FROM scenes WHERE name = ?", (s,)).fetchone()[0] for s in items}
    rows = ((number, kind, ids[s], i, 1, 1, purchase) for s, some in items.items() for i in some)
    db.executemany("INSERT INTO acts VALUES (?, ?, ?, ?, ?, ?, ?)", rows)


@contextmanager
def transaction(path: Path) -> Iterator[sqlite3.Connection]:
    """As former versions wrote: a connection for each, alone while it lasts, on the disk when it ends."""
    with closing(sqlite3.connect(path, timeout=300, isolation_level=None)) as db:
        db.execute("PRAGMA journal_mode = DELETE")
        db.execute("PRAGMA synchronous = EXTRA")
        db.execute("BEGIN IMMEDIATE")
        yield db
        db.execute("COMMIT")


def reading(scratch: Path, cells: int) -> None:
    """All totals, of many cells with few acts and of two cells with half a million acts each."""
    for name, count, scenes, each in (
        (f"{cells} cells of {SCENES} acts", cells, SCENES, 1), ("a million acts of 2 cells", 2, 500, 1000),
    ):  # fmt: skip
        contents = {f"c{i}": {f"s{n}": range(each) for n in range(scenes)} for i in range(count)}
        folder = scratch / name.replace(" ", "-")
        ledger = Ledger(folder, create=True)
        with closing(sqlite3.connect(folder.with_suffix(".db"))) as db:
            db.executescript(SCHEMA)
            for cell, items in contents.items():
                charge(ledger, cell, items)
                insert(db, cell, items)
            db.commit()
            began = time.perf_counter()
            other = len(db.execute(TOTALS).fetchall())
            theirs, began = time.perf_counter() - began, time.perf_counter()
        assert len(ledger.totals()) == other == len(contents)
        ours, began = time.perf_counter() - began, time.perf_counter()
        ledger_table(ledger)
        table = time.perf_counter() - began
        print(f"totals of {name}: accounts {ours:.3f} s, one file {theirs:.3f} s; the whole bill {table:.3f} s")


if __name__ == "__main__":
    main()
