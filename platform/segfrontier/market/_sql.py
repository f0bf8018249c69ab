"""The ledger's SQLite side: format, connections, transactions, and errors in house words.

Rollback journal, never WAL: WAL needs shared memory and so breaks on shared filesystems. `synchronous=EXTRA` makes a
commit survive a power cut. A connection lives for one operation, so that nothing is carried over a fork or a thread.
Locks are the filesystem's: local disks, NFS 4, Lustre (flock) and CephFS have them; synchronised folders and object
stores do not and must not hold a ledger.
"""

from __future__ import annotations

import os
import shutil
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from pathlib import Path

from segfrontier.basics.atomic import draft_folder
from segfrontier.basics.disk import disk_full
from segfrontier.errors import LedgerError, SegFrontierError

APPLICATION = 0x5346_4C47  # "SFLG"
VERSION = 1
BUSY_SECONDS = 300

_SCHEMA = """
CREATE TABLE price_lists (digest TEXT PRIMARY KEY, name TEXT NOT NULL, version INTEGER NOT NULL, body TEXT NOT NULL);
CREATE TABLE cells (
    id INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE,
    terms TEXT NOT NULL, prices TEXT NOT NULL REFERENCES price_lists (digest)
);
CREATE TABLE scenes (id INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE);
CREATE TABLE purchases (
    id INTEGER PRIMARY KEY, cell INTEGER NOT NULL REFERENCES cells (id), stage TEXT NOT NULL, kind TEXT NOT NULL,
    seconds INTEGER NOT NULL CHECK (seconds >= 0),
    labels_path TEXT NOT NULL, labels_digest TEXT NOT NULL, time TEXT NOT NULL
);
CREATE INDEX purchases_by_cell ON purchases (cell);
-- The primary key is the rule "the same act bought twice in a cell is charged once".
CREATE TABLE acts (
    cell INTEGER NOT NULL REFERENCES cells (id), kind TEXT NOT NULL, scene INTEGER NOT NULL REFERENCES scenes (id),
    item INTEGER NOT NULL, units INTEGER NOT NULL CHECK (units >= 0), asked INTEGER NOT NULL CHECK (asked >= 0),
    purchase INTEGER NOT NULL REFERENCES purchases (id),
    PRIMARY KEY (cell, kind, scene, item)
) WITHOUT ROWID;
CREATE TABLE free_lines (
    id INTEGER PRIMARY KEY, cell TEXT NOT NULL, stage TEXT NOT NULL, what TEXT NOT NULL, detail TEXT NOT NULL,
    count INTEGER NOT NULL CHECK (count >= 0), time TEXT NOT NULL,
    UNIQUE (cell, stage, what, detail)
);
"""
_WHOLE = {
    "purchases": ("seconds",), "acts": ("units", "asked"), "free_lines": ("count",), "price_lists": ("version",)
}  # fmt: skip
"""The columns that reports calculate with."""
_ROOM = 2**16
"""Bytes that must be free for a commit to have any chance."""
_TABLES = ("price_lists", "cells", "scenes", "purchases", "acts", "free_lines")


def create(path: Path) -> None:
    """Put an empty ledger at `path` unless something is there: whole or not at all, whoever else is creating it."""
    try:
        with draft_folder(path) as draft:
            staged = draft / path.name
            with closing(sqlite3.connect(staged, isolation_level=None)) as connection:
                connection.executescript(f"BEGIN; {_SCHEMA} {_triggers()} COMMIT;")
                connection.execute(f"PRAGMA application_id = {APPLICATION}")
                connection.execute(f"PRAGMA user_version = {VERSION}")
            with suppress(FileExistsError):  # another process was quicker, and its ledger is as good
                os.link(staged, path)
    except (OSError, sqlite3.Error) as error:
        if isinstance(error, sqlite3.Error) and _is_full(error, path.parent):
            raise disk_full(path) from None
        raise LedgerError(
            f"{path}: a ledger must lie in a folder that can be written and knows hard links; it could not be made "
            f"there ({error}). Choose another place."
        ) from error


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
def writing(path: Path) -> Iterator[sqlite3.Connection]:
    """One transaction that excludes every other writer: all of it is written when it ends well, else nothing."""
    with reading(path) as connection:
        connection.execute("BEGIN IMMEDIATE")
        try:
            yield connection
            connection.execute("COMMIT")
        except BaseException:
            if connection.in_transaction:  # a full disk has rolled back already
                connection.execute("ROLLBACK")
            raise


def connect(path: Path) -> sqlite3.Connection:
    """A connection with the ledger's settings; never creates a file."""
    uri = f"{path.absolute().as_uri()}?mode=rw"
    connection = sqlite3.connect(uri, uri=True, timeout=BUSY_SECONDS, isolation_level=None)
    try:
        connection.execute("PRAGMA journal_mode = DELETE")
        connection.execute("PRAGMA synchronous = EXTRA")
    except sqlite3.Error:
        connection.close()
        raise
    return connection


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


def explain(error: sqlite3.Error, path: Path) -> SegFrontierError:
    """What SQLite said, as what must hold, what was found and what to do."""
    code = getattr(error, "sqlite_errorname", "")
    if _is_full(error, path.parent):
        return disk_full(path)
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
    elif code.startswith("SQLITE_CONSTRAINT"):
        text = f"must only ever grow and keep its rules; a change was refused ({error}). Write a new line instead."
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


def _is_full(error: sqlite3.Error, folder: Path) -> bool:
    """Whether SQLite failed for want of room. It calls that a failing disk, too, where it happens in an `fsync`."""
    code = getattr(error, "sqlite_errorname", "")
    if code.startswith("SQLITE_FULL"):
        return True
    if not code.startswith("SQLITE_IOERR"):
        return False
    try:
        return shutil.disk_usage(folder).free < _ROOM
    except OSError:
        return False


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


def _triggers() -> str:
    return "".join(
        f"CREATE TRIGGER {table}_no_{verb.lower()} BEFORE {verb} ON {table} "
        f"BEGIN SELECT RAISE(ABORT, 'the ledger is append-only'); END;"
        for table in _TABLES
        for verb in ("UPDATE", "DELETE")
    )
