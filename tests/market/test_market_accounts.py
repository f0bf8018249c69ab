"""The account of a cell: what a killed writer leaves is cut off, what was changed is noticed, and no cell waits."""

import json
import multiprocessing
import os
from pathlib import Path

import numpy as np
import pytest

from segfrontier.basics.locks import hold_file
from segfrontier.errors import LedgerError
from segfrontier.market import Ledger, load_prices
from segfrontier.market.acts import Acts
from segfrontier.market.lines import PurchaseOrder, Terms, Totals

TERMS = Terms(truth="t", annotators="a", prices=load_prices("street"))


def charge(ledger, cell="c", **scenes):
    acts = {s: Acts.of(items, np.ones(len(items)), np.ones(len(items))) for s, items in scenes.items()}
    order = PurchaseOrder(cell, "s", "point", acts, "/labels/x.arrow", "d1", TERMS)
    return ledger.charge(order, cost=lambda totals: sum(t.units for t in totals.values()), budget=10**6)


@pytest.fixture
def ledger(tmp_path):
    return Ledger(tmp_path / "ledger", create=True)


def file(ledger, cell="c"):
    return ledger.path / f"{cell}.jsonl"


def test_a_last_line_that_was_not_written_whole_does_not_count_and_is_cut(ledger):
    """At every length that a killed writer may leave."""
    charge(ledger, a=[1, 2])
    first = file(ledger).read_bytes()
    charge(ledger, b=[7])
    whole = file(ledger).read_bytes()
    for length in range(len(first), len(whole)):
        file(ledger).write_bytes(whole[:length])
        assert ledger.totals() == {"c": {"point": Totals(1, 2, 2, 2)}} and len(ledger.purchases()) == 1
        assert file(ledger).stat().st_size == length, "who looks changes nothing"
    assert charge(ledger, b=[8]).bill == 3
    assert file(ledger).read_bytes().startswith(first) and file(ledger).read_bytes().count(b"\n") == 2
    assert {s: i.tolist() for s, i in ledger.owned("c", "point").items()} == {"a": [1, 2], "b": [8]}


@pytest.mark.parametrize("hole", [slice(0, 40), slice(100, 140), slice(200, -1)])
def test_a_last_line_with_holes_after_a_power_cut_does_not_count(ledger, hole):
    charge(ledger, a=[1, 2])
    first = file(ledger).read_bytes()
    charge(ledger, b=[7])
    data = bytearray(file(ledger).read_bytes())
    last = data[len(first) :]
    last[hole] = bytes(len(last[hole]))
    file(ledger).write_bytes(first + last)
    assert ledger.totals()["c"]["point"].units == 2
    assert charge(ledger, b=[8]).bill == 3


def test_an_empty_or_torn_first_line_is_no_account(ledger):
    charge(ledger, a=[1])
    whole = file(ledger).read_bytes()
    for length in (0, 1, 30, len(whole) - 1):
        file(ledger).write_bytes(whole[:length])
        assert ledger.cells() == [] and ledger.totals("c") == {} and list(ledger.accounts()) == []
    assert charge(ledger, a=[1, 2]).bill == 2


def test_a_change_anywhere_is_noticed(ledger):
    for n in range(3):
        charge(ledger, **{f"s{n}": [n]})
    data = file(ledger).read_bytes()
    for at in range(0, len(data) - 1, 7):
        changed = bytearray(data)
        changed[at] ^= 1
        file(ledger).write_bytes(changed)
        with pytest.raises(LedgerError, match=r"c\.jsonl must be whole.*backup"):
            ledger.totals("c")
        with pytest.raises(LedgerError, match=r"c\.jsonl must be whole"):
            charge(ledger, x=[1])
        assert file(ledger).read_bytes() == changed, "damage is left alone"


def test_an_account_is_that_of_its_cell(ledger):
    charge(ledger, a=[1])
    file(ledger).rename(file(ledger, "d"))
    for ask in (lambda: charge(ledger, "d", b=[1]), lambda: ledger.totals("d"), lambda: ledger.totals()):
        with pytest.raises(LedgerError, match=r"d\.jsonl must"):
            ask()


def test_each_line_is_json_that_says_whose_it_is(ledger):
    charge(ledger, a=[5, 6], b=[7])
    charge(ledger, b=[9])
    lines = [json.loads(line) for line in file(ledger).read_text().splitlines()]
    assert [line["entry"]["cell"] for line in lines] == ["c", "c"]
    assert lines[0]["acts"] == {"scenes": ["a", "b"], "counts": [2, 1], "items": [5, 6, 7], "units": 1, "asked": 1}
    assert lines[1]["acts"] == {"scenes": ["b"], "counts": 1, "items": 9, "units": 1, "asked": 1}
    assert lines[1]["entry"]["bought"]["totals"] == [2, 4, 4, 4]


def test_acts_that_stand_twice_in_an_order_are_one(ledger):
    assert charge(ledger, a=[4, 4, 5, 4]).acts == 2
    assert ledger.owned("c", "point")["a"].tolist() == [4, 5]


def test_a_purchase_is_one_write_and_one_wait_for_the_disk(ledger, monkeypatch):
    charge(ledger, a=[1])
    calls, write, sync = [], os.pwrite, os.fsync
    monkeypatch.setattr(os, "pwrite", lambda *a: calls.append("write") or write(*a))
    monkeypatch.setattr(os, "fsync", lambda *a: calls.append("sync") or sync(*a))
    charge(ledger, a=[2])
    assert calls == ["write", "sync"]


def test_a_short_write_goes_on(ledger, monkeypatch):
    write = os.pwrite
    monkeypatch.setattr(os, "pwrite", lambda fd, data, at: write(fd, data[:50], at))
    charge(ledger, a=[1])
    charge(ledger, a=[2, 3])
    assert ledger.totals()["c"]["point"].units == 3


def buy_in_a_cell(path, cell, gate, results):
    ledger = Ledger(path)
    gate.wait()
    results.put(sum(charge(ledger, cell, **{f"s{n}": [0, 1]}).seconds for n in range(20)))


@pytest.mark.slow
def test_no_cell_waits_for_another(ledger):
    """One cell's account is owned all the while; the others buy on, in processes of their own."""
    held = hold_file(file(ledger, "held"), patience=0)
    fork = multiprocessing.get_context("spawn")
    gate, results = fork.Barrier(3), fork.Queue()
    processes = [fork.Process(target=buy_in_a_cell, args=(ledger.path, f"c{i}", gate, results)) for i in range(3)]
    for process in processes:
        process.start()
    assert [results.get(timeout=60) for _ in processes] == [40] * 3
    for process in processes:
        process.join(60)
    held.release()
    assert {c: t["point"].units for c, t in ledger.totals().items()} == {"c0": 40, "c1": 40, "c2": 40}
    assert ledger.cells() == sorted(ledger.cells(), key=lambda c: ledger.purchases(c)[0].time)


def test_a_forked_child_owns_nothing(ledger):
    """A data loader's worker that outlives its parent must not keep the account."""
    held = hold_file(file(ledger), patience=0)
    child = os.fork()
    if child == 0:
        os._exit(7 if Path(f"/proc/self/fd/{held.fd}").exists() else 0)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    assert hold_file(file(ledger), patience=0) is None
    held.release()
    assert charge(ledger, a=[1]).bill == 1
