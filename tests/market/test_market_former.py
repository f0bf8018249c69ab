"""Ledgers of former versions: read as they are, taken over whole by the first who writes, and never lost."""

import multiprocessing
import os
import signal
import sqlite3
from contextlib import closing

import numpy as np
import pytest
from former_ledger import STREET, TIME, write_former

from segfrontier.errors import LedgerError
from segfrontier.market import Ledger, _account, export_acts, given_ledger, ledger_table
from segfrontier.market import ledger as ledger_module
from segfrontier.market.acts import Acts
from segfrontier.market.lines import PurchaseOrder, Terms, Totals

TERMS = Terms(truth="t", annotators="a", prices=STREET)


@pytest.fixture
def home(tmp_path):
    write_former(tmp_path / "ledger.sqlite")
    return tmp_path


def everything(ledger):
    """All that a ledger says."""
    kinds = ("fine", "point", "tag")
    owned = {(c, k): {s: i.tolist() for s, i in ledger.owned(c, k).items()} for c in ledger.cells() for k in kinds}
    rows = sorted(row for batch in ledger.rows() for row in batch)
    table = ledger_table(ledger)
    assert table.faults == ()
    return ledger.cells(), ledger.totals(), ledger.purchases(), ledger.free_lines(), owned, rows, table


def charge(ledger, cell, kind="point", terms=TERMS, **scenes):
    acts = {s: Acts.of(items, np.ones(len(items)), np.ones(len(items))) for s, items in scenes.items()}
    order = PurchaseOrder(cell, "more", kind, acts, "/labels/x.arrow", "d1", terms)
    return ledger.charge(order, cost=lambda totals: sum(t.units for t in totals.values()), budget=10**6)


def test_what_a_former_ledger_says(home):
    cells, totals, purchases, free, owned, rows, table = everything(Ledger(home / "ledger"))
    assert cells == ["looked", "z-first", "odd/name"], "what never bought has no time"
    assert totals["z-first"] == {"fine": Totals(2, 2, 2, 2), "point": Totals(2, 4, 4, 4)}
    assert totals["odd/name"] == {"point": Totals(1, 2, 2, 2), "tag": Totals(1, 1, 3, 19)}
    assert [(p.cell, p.stage, p.kind, p.seconds, p.labels_path, p.labels_digest, p.time) for p in purchases] == [
        ("z-first", "buy-1", "fine", 10800, "/labels/1.arrow", "d1", TIME.format(1)),
        ("odd/name", "buy-1", "point", 5, "/labels/2.arrow", "d2", TIME.format(2)),
        ("z-first", "buy-2", "point", 8, "/labels/3.arrow", "d3", TIME.format(3)),
        ("z-first", "buy-3", "point", 2, "/labels/4.arrow", "d4", TIME.format(4)),
        ("odd/name", "buy-2", "tag", 4, "/labels/5.arrow", "d5", TIME.format(5)),
    ]
    assert [(f.cell, f.what, f.count) for f in free] == [("z-first", "class_list", 19), ("only", "validation", 500)]
    assert owned["z-first", "fine"] == {"s1": [0], "straße": [0]}
    assert owned["z-first", "point"] == {"s1": [5, 6, 7], "s0": [5]} and owned["odd/name", "point"] == {"s0": [7, 9]}
    assert ("odd/name", "buy-2", "tag", "straße", 0, 3, 19, 5, TIME.format(5), "street", 1, STREET.digest) in rows
    assert len(rows) == 9 and table.seconds == sum(c.seconds for c in table.cells)


def test_looking_changes_nothing(home):
    before = (home / "ledger.sqlite").read_bytes()
    assert everything(given_ledger(home / "ledger.sqlite")) == everything(Ledger(home / "ledger"))
    assert everything(given_ledger(home)) == everything(Ledger(home / "ledger")), "the home that it lies in"
    export_acts(Ledger(home / "ledger"), home.parent / "acts.parquet")
    (home / "ledger.sqlite").rename(home / "backup.db")
    assert everything(given_ledger(home / "backup.db"))[0]
    assert [p.name for p in home.iterdir()] == ["backup.db"] and (home / "backup.db").read_bytes() == before


def test_the_first_who_writes_takes_it_over_whole(home):
    before, data = everything(Ledger(home / "ledger")), (home / "ledger.sqlite").read_bytes()
    ledger = Ledger(home / "ledger", create=True)
    assert everything(ledger) == before == everything(Ledger(home / "ledger.sqlite")), "by its former name, too"
    assert (home / "ledger.sqlite.migrated").read_bytes() == data and not (home / "ledger.sqlite").exists()
    assert sorted(p.name for p in home.iterdir()) == ["ledger", "ledger.sqlite.migrated"]
    assert len(list((home / "ledger").glob("*.jsonl"))) == 4
    assert charge(ledger, "z-first", s0=[5], s1=[5, 8]).acts == 1
    assert ledger.totals()["z-first"]["point"] == Totals(2, 5, 5, 5)
    assert charge(ledger, "looked", s0=[1]).bill == 1
    with pytest.raises(LedgerError, match="under the terms of its first purchase"):
        charge(ledger, "odd/name", terms=Terms(truth="u", annotators="a", prices=STREET), s0=[1])


def test_who_charges_without_having_opened_for_writing_takes_it_over_too(home):
    ledger = Ledger(home / "ledger")
    assert charge(ledger, "z-first", s0=[5]).acts == 0 and (home / "ledger").is_dir()
    assert ledger.totals("odd/name")["odd/name"]["tag"] == Totals(1, 1, 3, 19)


@pytest.mark.parametrize("call", ["write", "fsync", "rename", "rename of the file"])
def test_a_kill_in_the_middle_loses_nothing(home, call):
    before = everything(Ledger(home / "ledger"))
    child = os.fork()
    if child == 0:
        kill_at(call)
        Ledger(home / "ledger", create=True)
        os._exit(0)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == -signal.SIGKILL
    assert (home / "ledger.sqlite").exists() and everything(Ledger(home / "ledger")) == before
    assert everything(Ledger(home / "ledger", create=True)) == before
    assert (home / "ledger.sqlite.migrated").exists() and not (home / "ledger.sqlite").exists()


def kill_at(call):
    """Die in the middle of a takeover."""
    from pathlib import Path

    def die(*args, **more):
        os.kill(os.getpid(), signal.SIGKILL)

    rename = Path.rename
    if call == "write":
        ledger_module.content = die
    elif call == "fsync":
        os.fsync = die
    elif call == "rename":
        Path.rename = die
    else:
        Path.rename = lambda path, target: die() if path.name == "ledger.sqlite" else rename(path, target)


def take_over(path, gate, results):
    gate.wait()
    results.put(Ledger(path, create=True).totals())


@pytest.mark.slow
def test_four_processes_take_it_over_once(home):
    spawn = multiprocessing.get_context("spawn")
    before, gate, results = Ledger(home / "ledger").totals(), spawn.Barrier(4), spawn.Queue()
    processes = [spawn.Process(target=take_over, args=(home / "ledger", gate, results)) for _ in range(4)]
    for process in processes:
        process.start()
    assert [results.get(timeout=60) for _ in processes] == [before] * 4
    for process in processes:
        process.join(60)
    assert sorted(p.name for p in home.iterdir()) == ["ledger", "ledger.sqlite.migrated"]


def test_what_a_former_version_buys_afterwards_is_added(home):
    """An older program went on in the same home: it made a file anew, and bought what is owned, and more."""
    ledger = Ledger(home / "ledger", create=True)
    charge(ledger, "z-first", s0=[70])
    write_former(home / "ledger.sqlite")
    with closing(sqlite3.connect(home / "ledger.sqlite", isolation_level=None)) as db:
        db.execute("INSERT INTO purchases VALUES (6, 1, 'late', 'point', 3, '/labels/6.arrow', 'd6', '2026-03-06')")
        db.executemany("INSERT INTO acts VALUES (1, 'point', 2, ?, 1, 1, 6)", [(70,), (71,)])
    assert Ledger(home / "ledger", create=True).totals()["z-first"]["point"] == Totals(2, 6, 6, 6)
    assert ledger.owned("z-first", "point")["s0"].tolist() == [5, 70, 71]
    assert [p.stage for p in ledger.purchases("z-first")][-1] == "more" and len(ledger.purchases("z-first")) == 5
    assert len(ledger.free_lines()) == 2
    assert (home / "ledger.sqlite.migrated-2").exists() and not (home / "ledger.sqlite").exists()


def test_a_damaged_former_ledger_is_not_taken_over(home):
    (home / "ledger.sqlite").write_bytes((home / "ledger.sqlite").read_bytes()[:9000])
    data = (home / "ledger.sqlite").read_bytes()
    for create in (False, True):
        with pytest.raises(LedgerError, match=r"ledger\.sqlite must be.*backup"):
            Ledger(home / "ledger", create=create)
    assert [p.name for p in home.iterdir()] == ["ledger.sqlite"] and (home / "ledger.sqlite").read_bytes() == data


def test_a_full_disk_leaves_the_former_ledger(home, monkeypatch):
    from segfrontier.errors import DiskFull

    def full(fd):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(DiskFull):
        Ledger(home / "ledger", create=True)
    monkeypatch.undo()
    assert [p.name for p in home.iterdir()] == ["ledger.sqlite"]
    assert _account.read(home / "none.jsonl").entries == []
