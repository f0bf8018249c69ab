"""Ledgers of former versions, one SQLite file for all cells: read as the accounts that they hold, and never written.

A connection lives for one operation, so that nothing is carried over a fork or a thread.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from datetime import UTC, datetime
from itertools import groupby
from pathlib import Path
from typing import Any

import numpy as np

from segfrontier.basics.reading import parse_json
from segfrontier.errors import BadInput, LedgerError
from segfrontier.market import _account
from segfrontier.market._account import Account, AccountLine, Bought, Free, Opening
from segfrontier.market._columns import Columns

APPLICATION = 0x5346_4C47  # "SFLG"
VERSION = 1
BUSY_SECONDS = 300

_WHOLE = {
    "purchases": ("seconds",), "acts": ("units", "asked"), "free_lines": ("count",), "price_lists": ("version",)
}  # fmt: skip
"""The columns that reports calculate with."""


@contextmanager
def reading(path: Path) -> Iterator[sqlite3.Connection]:
    """A connection on an existing ledger; what SQLite complains about comes out as a LedgerError."""
    try:
        with closing(connect(path)) as connection:
            _check_format(connection, path)
            yield connection
    except sqlite3.Error as error:
        raise explain(error, path) from error


@contextmanager
def frozen(path: Path) -> Iterator[Iterator[tuple[str, bytes]] | None]:
    """Every cell and its account as bytes, while nobody can buy there; None if another one has moved the file."""
    with reading(path) as connection:
        connection.execute("BEGIN IMMEDIATE")
        yield _all_bytes(connection) if path.exists() else None


def accounts(path: Path, *, cell: str | None = None) -> Iterator[Account]:
    """Every account, or that of one cell."""
    with reading(path) as connection:
        connection.execute("BEGIN")
        for _, data in _all_bytes(connection, cell):
            yield _account.parse(data, path)


def check(path: Path) -> None:
    """Raise if the file is no whole ledger."""
    with reading(path) as connection:
        check_whole(connection, path)


def connect(path: Path) -> sqlite3.Connection:
    """A connection with the ledger's settings; never creates a file."""
    uri = f"{path.absolute().as_uri()}?mode=rw"
    return sqlite3.connect(uri, uri=True, timeout=BUSY_SECONDS, isolation_level=None)


def check_whole(connection: sqlite3.Connection, path: Path) -> None:
    """Raise if the file was cut. SQLite itself takes a missing end of the last page for zeros."""
    connection.execute("BEGIN")
    connection.execute("SELECT COUNT(*) FROM cells").fetchone()  # from here on no writer can change the size
    (pages,), (page_size,) = (connection.execute(f"PRAGMA {p}").fetchone() for p in ("page_count", "page_size"))
    size = path.stat().st_size
    connection.execute("COMMIT")
    if size < pages * page_size:
        raise LedgerError(
            f"ledger {path} must be whole, with {pages * page_size} bytes; it was cut to {size}. Put a backup "
            f"in its place, or move it away to start a new one; `sqlite3 FILE .recover` may save rows."
        )


def explain(error: sqlite3.Error, path: Path) -> LedgerError:
    """What SQLite said, as what must hold, what was found and what to do."""
    code = getattr(error, "sqlite_errorname", "")
    if code.startswith("SQLITE_IOERR"):
        text = f"must be writable; its disk fails or has no room ({error}). Nothing was charged; see to it and go on."
    elif code.startswith(("SQLITE_BUSY", "SQLITE_LOCKED")):
        text = (
            f"must be free within {BUSY_SECONDS} s; another process held it that long. Nothing was charged; look for "
            f"a stopped process that has the file open."
        )
    elif code.startswith("SQLITE_READONLY"):
        text = f"must be writable; it is not ({error}). Nothing was charged; change its permissions or its place."
    elif code.startswith("SQLITE_CANTOPEN"):
        text = f"must be a ledger that exists and can be opened; it cannot ({error}). Check the path and permissions."
    elif code.startswith(("SQLITE_CORRUPT", "SQLITE_NOTADB")):
        text = (
            f"must be a whole ledger; it is something else or was cut off ({error}). Put a backup in its place, or "
            f"move it away to start a new one; `sqlite3 FILE .recover` may save rows of a damaged one."
        )
    else:
        text = f"must be usable; it is not ({error}). Nothing was charged."
    return LedgerError(f"ledger {path} {text}")


def check_values(path: Path) -> None:
    """Raise if something at `path` is no regular file, or if a ledger from elsewhere holds what no ledger holds."""
    if not path.is_file():
        found = "a folder" if path.is_dir() else "no regular file" if path.exists() else "nothing"
        raise LedgerError(f"ledger {path} must be a file; there is {found}. Correct the path.")
    with reading(path) as connection:
        for table, columns in _WHOLE.items():
            odd = " OR ".join(f"typeof({column}) != 'integer' OR {column} < 0" for column in columns)
            if connection.execute(f"SELECT EXISTS (SELECT 1 FROM {table} WHERE {odd})").fetchone()[0]:
                raise LedgerError(
                    f"ledger {path} must count in whole numbers, 0 or more; its {table} hold something else. It was "
                    f"changed by something else than SegFrontier: put a backup in its place."
                )


def _check_format(connection: sqlite3.Connection, path: Path) -> None:
    application = connection.execute("PRAGMA application_id").fetchone()[0]
    version = connection.execute("PRAGMA user_version").fetchone()[0]
    if application != APPLICATION:
        raise LedgerError(
            f"ledger {path} must be a ledger of SegFrontier; this file is not one, or is an emptied one. Check the "
            f"path; put a backup in its place, or move it away to start a new one."
        )
    if version != VERSION:
        raise LedgerError(
            f"ledger {path} must have format {VERSION}; it has format {version}. Read it with the SegFrontier version "
            f"that wrote it, or install a newer one."
        )


def _all_bytes(db: sqlite3.Connection, cell: str | None = None) -> Iterator[tuple[str, bytes]]:
    """Accounts as bytes: first those that came to buy, in their order."""
    for (name,) in db.execute(_NAMES).fetchall():
        if cell is None or name == cell:
            try:
                yield name, _bytes(_entries(db, name))
            except (ValueError, OverflowError, TypeError, KeyError, BadInput) as error:
                raise LedgerError(f"ledger holds what no ledger holds, in cell {name!r}: {error}") from None


def _bytes(entries: Iterator[tuple[AccountLine, Columns | None]]) -> bytes:
    lines, before = [], ""
    for entry, columns in entries:
        lines.append(_account.line(entry, columns, after=before))
        before = _account.sum_of(lines[-1])
    return b"".join(lines)


def _entries(db: sqlite3.Connection, cell: str) -> Iterator[tuple[AccountLine, Columns | None]]:
    """What stands about a cell, as the entries of an account."""
    free = [(time, Free(stage=s, what=w, detail=d, count=n)) for s, w, d, n, time in db.execute(_FREE, (cell,))]
    bought = list(_purchases(db, cell))
    terms = [Opening(text=t, prices=_prices(body)) for t, body in db.execute(_TERMS, (cell,))]
    first = min([entry.time for entry, _ in bought] + [time for time, _ in free], default=_EPOCH)
    for time, line in free:
        yield AccountLine(cell=cell, time=time, free=line), None
    for entry, columns in bought:
        yield (entry.model_copy(update={"terms": terms.pop()}) if terms else entry), columns
    for opening in terms:
        yield AccountLine(cell=cell, time=first, terms=opening), None


def _purchases(db: sqlite3.Connection, cell: str) -> Iterator[tuple[AccountLine, Columns]]:
    """A cell's purchases with their acts and the running totals of their kinds."""
    lines = {number: line for number, *line in db.execute(_PURCHASES, (cell,))}
    scenes: dict[str, set[str]] = {}
    counts: dict[str, np.ndarray] = {}
    for number, rows in groupby(db.execute(_ACTS, (cell,)), key=lambda row: row[0]):
        stage, kind, seconds, path, digest, time = lines[number]
        columns = _columns([row[1:] for row in rows])
        scenes.setdefault(kind, set()).update(columns.scenes)
        more = np.array([len(columns), columns.units.sum(), columns.asked.sum()])
        counts[kind] = counts.get(kind, 0) + more
        bought = Bought(
            stage=stage, kind=kind, seconds=seconds, labels_path=path, labels_digest=digest,
            totals=(len(scenes[kind]), *counts[kind].tolist()),
        )  # fmt: skip
        yield AccountLine(cell=cell, time=time, bought=bought), columns


def _columns(rows: list[tuple[str, int, int, int]]) -> Columns:
    """Acts in the order of their scenes."""
    counts = {scene: len(list(same)) for scene, same in groupby(rows, key=lambda row: row[0])}
    numbers = np.array([row[1:] for row in rows], np.int64).reshape(-1, 3)
    return Columns(list(counts), np.array(list(counts.values()), np.int64), *numbers.T)


def _prices(body: str) -> dict[str, Any]:
    plain = parse_json(body, where="a ledger", what="a price list")
    if not isinstance(plain, dict):
        raise ValueError("a price list is no mapping")
    return plain


_EPOCH = datetime.fromtimestamp(0, UTC).isoformat(timespec="seconds")
_NAMES = """
SELECT name FROM (SELECT id, name FROM cells UNION ALL SELECT 1 << 62, cell FROM free_lines)
GROUP BY name ORDER BY MIN(id), name
"""
_FREE = "SELECT stage, what, detail, count, time FROM free_lines WHERE cell = ? ORDER BY id"
_TERMS = "SELECT terms, body FROM cells JOIN price_lists ON digest = prices WHERE cells.name = ?"
_PURCHASES = """
SELECT purchases.id, stage, kind, seconds, labels_path, labels_digest, time FROM purchases JOIN cells ON cells.id = cell
WHERE name = ? ORDER BY purchases.id
"""
_ACTS = """
SELECT purchase, scenes.name, item, units, asked
FROM acts JOIN cells ON cells.id = cell JOIN scenes ON scenes.id = scene
WHERE cells.name = ? ORDER BY purchase, scenes.id, item
"""
