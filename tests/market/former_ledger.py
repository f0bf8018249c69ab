"""A ledger as the first version wrote it: one SQLite file for all cells, its schema word for word."""

import sqlite3
from contextlib import closing

from segfrontier.market import load_prices

SCHEMA = """
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
TABLES = ("price_lists", "cells", "scenes", "purchases", "acts", "free_lines")
TRIGGERS = "".join(
    f"CREATE TRIGGER {table}_no_{verb.lower()} BEFORE {verb} ON {table} "
    f"BEGIN SELECT RAISE(ABORT, 'the ledger is append-only'); END;"
    for table in TABLES
    for verb in ("UPDATE", "DELETE")
)
STREET = load_prices("street")
TIME = "2026-03-0{}T10:00:00+00:00"


def write_former(path, *, terms="truth t, annotators a"):
    """Two cells that bought in three kinds, a cell that bought nothing and one of free lines alone."""
    words = f"{terms}, prices {STREET.name} {STREET.digest}"
    with closing(sqlite3.connect(path, isolation_level=None)) as db:
        db.executescript(f"BEGIN; {SCHEMA} {TRIGGERS} COMMIT;")
        db.execute(f"PRAGMA application_id = {0x53464C47}")
        db.execute("PRAGMA user_version = 1")
        db.execute("BEGIN")
        db.execute("INSERT INTO price_lists VALUES (?, ?, ?, ?)",
                   (STREET.digest, STREET.name, STREET.version, STREET.model_dump_json()))  # fmt: skip
        for id_, name in enumerate(("z-first", "odd/name", "looked"), start=1):
            db.execute("INSERT INTO cells VALUES (?, ?, ?, ?)", (id_, name, words, STREET.digest))
        for id_, name in enumerate(("s1", "s0", "straße"), start=1):
            db.execute("INSERT INTO scenes VALUES (?, ?)", (id_, name))
        for id_, cell, stage, kind, seconds, time in (
            (1, 1, "buy-1", "fine", 10800, TIME.format(1)), (2, 2, "buy-1", "point", 5, TIME.format(2)),
            (3, 1, "buy-2", "point", 8, TIME.format(3)), (4, 1, "buy-3", "point", 2, TIME.format(4)),
            (5, 2, "buy-2", "tag", 4, TIME.format(5)),
        ):  # fmt: skip
            row = (id_, cell, stage, kind, seconds, f"/labels/{id_}.arrow", f"d{id_}", time)
            db.execute("INSERT INTO purchases VALUES (?, ?, ?, ?, ?, ?, ?, ?)", row)
        db.executemany("INSERT INTO acts VALUES (?, ?, ?, ?, ?, ?, ?)", [
            (1, "fine", 1, 0, 1, 1, 1), (1, "fine", 3, 0, 1, 1, 1),
            (2, "point", 2, 7, 1, 1, 2), (2, "point", 2, 9, 1, 1, 2),
            (1, "point", 1, 5, 1, 1, 3), (1, "point", 1, 6, 1, 1, 3), (1, "point", 2, 5, 1, 1, 3),
            (1, "point", 1, 7, 1, 1, 4),
            (2, "tag", 3, 0, 3, 19, 5),
        ])  # fmt: skip
        for id_, cell, what, count in ((1, "z-first", "class_list", 19), (2, "only", "validation", 500)):
            row = (id_, cell, what, what, "street", count, TIME.format(id_))
            db.execute("INSERT INTO free_lines VALUES (?, ?, ?, ?, ?, ?, ?)", row)
        db.execute("COMMIT")
