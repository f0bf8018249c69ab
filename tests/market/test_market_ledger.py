"""The ledger: append-only, once per act, never over budget, whole after a full disk, clear about damaged files."""

import errno
import os
import pickle
import subprocess
import sys
import time
from dataclasses import replace

import numpy as np
import pyarrow.parquet as pq
import pytest

from segfrontier.basics.locks import hold_file
from segfrontier.errors import BadInput, DiskFull, LedgerError
from segfrontier.market import Ledger, _account, export_acts, load_prices
from segfrontier.market.acts import Acts
from segfrontier.market.lines import PurchaseOrder, Terms, Totals

TERMS = Terms(truth="t", annotators="a", prices=load_prices("street"))


def order(cell="c", kind="point", stage="s", terms=TERMS, **scenes):
    acts = {s: Acts.of(items, np.ones(len(items)), np.ones(len(items))) for s, items in scenes.items()}
    return PurchaseOrder(cell, stage, kind, acts, "/labels/x.arrow", "d1", terms)


def account(ledger, cell="c"):
    return ledger.path / f"{cell}.jsonl"


def units(totals):
    return sum(t.units for t in totals.values())


def charge(ledger, *args, budget=10**6, at_most=None, **more):
    return ledger.charge(order(*args, **more), cost=units, budget=budget, at_most=at_most)


@pytest.fixture
def ledger(tmp_path):
    return Ledger(tmp_path / "ledger.db", create=True)


def test_an_order_is_charged_and_recorded(ledger):
    receipt = charge(ledger, a=[1, 2], b=[5])
    assert (receipt.acts, receipt.units, receipt.seconds, receipt.bill) == (3, 3, 3, 3)
    assert ledger.totals() == {"c": {"point": Totals(scenes=2, acts=3, units=3, asked=3)}}
    (line,) = ledger.purchases("c")
    assert (line.cell, line.stage, line.kind, line.seconds) == ("c", "s", "point", 3)
    assert (line.labels_path, line.labels_digest) == ("/labels/x.arrow", "d1") and line.time.endswith("+00:00")
    assert {s: v.tolist() for s, v in ledger.owned("c", "point").items()} == {"a": [1, 2], "b": [5]}


def test_the_same_act_is_charged_once_in_a_cell_and_again_in_another(ledger):
    charge(ledger, a=[1, 2])
    again = charge(ledger, a=[2, 3])
    assert (again.acts, again.seconds, again.bill) == (1, 1, 3)
    assert charge(ledger, a=[1, 2, 3]).seconds == 0
    assert len(ledger.purchases()) == 2, "what was new in nothing is no purchase"
    assert charge(ledger, kind="tag", a=[1]).seconds == 1
    assert charge(ledger, "other", a=[1, 2]).seconds == 2
    assert ledger.cells() == ["c", "other"]
    assert set(ledger.totals("other")) == {"other"} and ledger.totals("nobody") == {}


def test_nothing_is_written_over_the_budget(ledger):
    assert charge(ledger, a=[1, 2, 3], budget=2) is None
    assert ledger.totals() == {} and ledger.purchases() == [] and ledger.cells() == []
    assert charge(ledger, a=[1, 2], budget=2).bill == 2
    assert charge(ledger, a=[3], budget=2) is None
    assert charge(ledger, a=[1, 2], budget=0).seconds == 0, "owned acts are free even when the budget has shrunk"
    assert charge(ledger, b=[1, 2], budget=9, at_most=1) is None
    assert charge(ledger, b=[1], budget=9, at_most=1).bill == 3


def test_a_cell_keeps_its_terms(ledger):
    charge(ledger, a=[1])
    for other in (
        replace(TERMS, truth="u"),
        replace(TERMS, annotators="b"),
        replace(TERMS, prices=load_prices("camvid")),
    ):
        with pytest.raises(LedgerError, match="under the terms of its first purchase"):
            charge(ledger, a=[2], terms=other)
        with pytest.raises(LedgerError, match="another cell"):
            ledger.check_terms("c", other)
        ledger.check_terms("new", other)
    assert ledger.totals()["c"]["point"].units == 1


def test_the_prices_of_a_purchase_stay_with_it(ledger):
    charge(ledger, a=[1])
    assert ledger.prices_of("c") == load_prices("street")
    with pytest.raises(LedgerError, match="no cell 'x'"):
        ledger.prices_of("x")


def test_zero_priced_lines_are_recorded_once(ledger):
    line = {"cell": "c", "stage": "pre", "what": "source_labels", "detail": "game/train", "count": 24966}
    ledger.note_free(**line)
    ledger.note_free(**line)
    ledger.note_free(**{**line, "what": "validation", "detail": "city/val", "count": 500})
    assert [(f.what, f.detail, f.count) for f in ledger.free_lines("c")] == [
        ("source_labels", "game/train", 24966),
        ("validation", "city/val", 500),
    ]
    assert ledger.free_lines("other") == []
    with pytest.raises(BadInput, match="did you mean 'source_labels'"):
        ledger.note_free(**{**line, "what": "source_label"})


def test_a_ledger_travels_and_is_not_made_by_accident(ledger, tmp_path):
    charge(ledger, a=[1])
    assert pickle.loads(pickle.dumps(ledger)).totals() == ledger.totals()
    assert Ledger(ledger.path, create=True).totals() == ledger.totals()
    with pytest.raises(LedgerError, match="there is nothing"):
        Ledger(tmp_path / "typo.db")
    assert not (tmp_path / "typo.db").exists()


def test_there_is_a_file_for_each_cell_and_nothing_else(ledger):
    charge(ledger, a=[1])
    charge(ledger, "other/cell", a=[1])
    charge(ledger, "broke", a=[1], budget=0)
    names = {p.name for p in ledger.path.iterdir() if p.stat().st_size}
    assert len(names) == 3 and {".segfrontier.json", "c.jsonl"} < names
    assert ledger.cells() == ["c", "other/cell"]


def test_other_things_are_no_ledgers(tmp_path):
    (tmp_path / "text").write_text("scene,kind\n" * 1000)
    with pytest.raises(LedgerError, match="must be a whole ledger"):
        Ledger(tmp_path / "text", create=True)
    (tmp_path / "folder").mkdir()
    with pytest.raises(LedgerError, match="a folder without"):
        Ledger(tmp_path / "folder")
    (tmp_path / "folder" / "mine.txt").touch()
    with pytest.raises(LedgerError, match="a folder without"):
        Ledger(tmp_path / "folder", create=True)
    assert [p.name for p in (tmp_path / "folder").iterdir()] == ["mine.txt"]


def test_a_place_without_room_for_a_new_ledger(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(LedgerError, match="must lie in a folder that can be written"):
        Ledger(tmp_path / "file" / "ledger.db", create=True)


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EIO])
@pytest.mark.parametrize("when", ["at once", "half-way", "synced"])
def test_a_full_or_failing_disk_charges_nothing_loses_nothing_and_passes(ledger, monkeypatch, number, when):
    charge(ledger, a=[1, 2])
    before, write = account(ledger).read_bytes(), os.pwrite

    def fails(fd, data=b"", at=0):
        if when == "half-way":
            write(fd, data[: len(data) // 2], at)
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(os, "fsync" if when == "synced" else "pwrite", fails)
    found = (DiskFull, r"must be room on the disk.*Make room") if number == errno.ENOSPC else (LedgerError, "fails")
    with pytest.raises(found[0], match=found[1]):
        charge(ledger, b=[1, 2])
    monkeypatch.undo()
    assert account(ledger).read_bytes() == before
    assert ledger.totals()["c"]["point"].units == 2
    assert charge(ledger, b=[1]).bill == 3


def test_a_file_size_limit_is_a_full_disk_too(ledger):
    """The same with the operating system refusing the write, in a process of its own."""
    charge(ledger, a=[1, 2])
    before = account(ledger).read_bytes()
    code = (
        "import resource, signal, sys; from test_market_ledger import *\n"
        "signal.signal(signal.SIGXFSZ, signal.SIG_IGN)\n"
        f"resource.setrlimit(resource.RLIMIT_FSIZE, ({len(before) + 100},) * 2)\n"
        "try: charge(Ledger(sys.argv[1]), **{f's{i}': range(500) for i in range(100)})\n"
        "except LedgerError as error: print(error)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, str(ledger.path)],
        capture_output=True,
        text=True,
        env={"PYTHONPATH": ":".join(sys.path)},
        check=True,
    )
    assert "its disk fails, has no room" in done.stdout and account(ledger).read_bytes() == before, done
    assert ledger.totals()["c"]["point"].units == 2
    assert charge(ledger, b=[1]).bill == 3


def test_a_ledger_that_may_not_be_written_can_be_read(ledger, monkeypatch):
    charge(ledger, a=[1])
    opened = os.open

    def read_only(path, flags, *more):
        if flags & os.O_RDWR:
            raise PermissionError(errno.EACCES, "Permission denied")
        return opened(path, flags, *more)

    monkeypatch.setattr(os, "open", read_only)
    with pytest.raises(LedgerError, match=r"must be writable.*permissions"):
        charge(ledger, b=[1])
    assert ledger.totals()["c"]["point"].units == 1


def test_a_stuck_writer_is_reported_after_a_while_and_stops_no_other_cell(ledger, monkeypatch):
    monkeypatch.setattr(_account, "BUSY_SECONDS", 0.05)
    stuck = hold_file(account(ledger), patience=0)
    with pytest.raises(LedgerError, match="another process held it that long"):
        charge(ledger, a=[1])
    assert charge(ledger, "other", a=[1]).bill == 1
    assert ledger.totals("c") == {}, "readers wait for nobody"
    stuck.release()
    assert charge(ledger, a=[1]).bill == 1


def test_an_account_has_an_end(ledger, monkeypatch):
    """Nothing is written that could not be read again."""
    charge(ledger, a=[1])
    monkeypatch.setattr(_account, "LARGEST", account(ledger).stat().st_size + 50)
    with pytest.raises(LedgerError, match="may grow to"):
        charge(ledger, b=[1])
    assert ledger.totals()["c"]["point"].units == 1


def test_acts_go_to_parquet(ledger, tmp_path):
    charge(ledger, "c1", stage="first", a=[7, 9])
    charge(ledger, "c2", kind="box", stage="second", b=[0])
    assert export_acts(ledger, tmp_path / "out" / "acts.parquet") == 3
    rows = pq.read_table(tmp_path / "out" / "acts.parquet").to_pylist()
    assert [(r["cell"], r["stage"], r["kind"], r["scene"], r["item"], r["units"]) for r in rows] == [
        ("c1", "first", "point", "a", 7, 1),
        ("c1", "first", "point", "a", 9, 1),
        ("c2", "second", "box", "b", 0, 1),
    ]
    assert {r["prices"] for r in rows} == {"street"} and [r["purchase"] for r in rows] == [1, 1, 2]
    with pytest.raises(LedgerError, match="ledger is untouched"):
        export_acts(ledger, tmp_path / "out" / "acts.parquet" / "x")


@pytest.mark.slow
def test_totals_of_a_million_acts_take_under_a_second(ledger, capsys):
    """Half of them many points on few scenes, half one act a scene."""
    for cell in range(2):
        charge(ledger, f"points{cell}", budget=10**9, **{f"s{i}": range(1000) for i in range(250)})
        charge(ledger, f"masks{cell}", kind="fine", budget=10**9, **{f"city_{i:06d}": [0] for i in range(250_000)})
    start = time.perf_counter()
    totals = ledger.totals()
    took = time.perf_counter() - start
    with capsys.disabled():
        size = sum(p.stat().st_size for p in ledger.path.iterdir())
        print(f"\ntotals of 1,000,000 acts: {took:.3f} s; files {size / 1e6:.0f} MB")
    for cell in range(2):
        assert totals[f"points{cell}"] == {"point": Totals(250, 250_000, 250_000, 250_000)}
        assert totals[f"masks{cell}"] == {"fine": Totals(250_000, 250_000, 250_000, 250_000)}
    assert took < 1.0
