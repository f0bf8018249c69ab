"""Real processes: killed in the middle of a purchase, and eight of them buying at once from what is left."""

import multiprocessing
import sqlite3
import time
from contextlib import closing
from pathlib import Path

import pytest
from market_fakes import append_for_ever, buy_and_die, buy_points_until_broke, buy_what_fits, open_market

from segfrontier.market import Coarse, Ledger

SPAWN = multiprocessing.get_context("spawn")
WORKERS = 8


def start(target, *args):
    process = SPAWN.Process(target=target, args=args, daemon=True)
    process.start()
    return process


def race(target, *args):
    """Eight processes through one gate; what each of them reported."""
    gate, results = SPAWN.Barrier(WORKERS), SPAWN.Queue()
    processes = [start(target, *args, worker, gate, results) for worker in range(WORKERS)]
    reports = [results.get(timeout=120) for _ in processes]
    for process in processes:
        process.join(60)
    return reports


@pytest.mark.slow
@pytest.mark.parametrize(("step", "charged"), [("written", 0), ("before", 0), ("after", 840)])
def test_a_kill_in_the_middle_leaves_neither_or_both(tmp_path, step, charged):
    process = start(buy_and_die, str(tmp_path), step)
    process.join(60)
    assert process.exitcode == -9
    shop = open_market(tmp_path)
    assert shop.spent == charged
    lines = shop.ledger.purchases()
    assert all(Path(line.labels_path).is_file() for line in lines) and len(lines) == bool(charged)
    again = shop.buy(Coarse(["s0", "s1"]), stage="t")
    assert again.seconds == 840 - charged and shop.spent == 840
    if charged:
        assert again.labels.path == lines[0].labels_path and again.labels.digest == lines[0].labels_digest


@pytest.mark.slow
def test_kills_at_any_moment_leave_a_whole_ledger(tmp_path):
    """Purchases are three acts each: whoever dies, no purchase is ever seen by halves."""
    path = tmp_path / "ledger.db"
    ledger = Ledger(path, create=True)
    for turn in range(3):
        processes = [start(append_for_ever, str(path), 2 * turn + w) for w in range(2)]
        before, deadline = sum_of_units(ledger), time.monotonic() + 60
        while sum_of_units(ledger) < before + 30 and time.monotonic() < deadline:
            time.sleep(0.003 * (turn + 1))
        for process in processes:
            process.kill()
            process.join(60)
        with closing(sqlite3.connect(path)) as db:
            assert db.execute("PRAGMA integrity_check").fetchone() == ("ok",)
        totals = Ledger(path).totals()
        assert sum_of_units(ledger) >= before + 30
        assert all(t["point"].units == 3 * t["point"].scenes for t in totals.values())
        assert len(ledger.purchases()) == sum(t["point"].scenes for t in totals.values())


def sum_of_units(ledger):
    return sum(t.units for kinds in ledger.totals().values() for t in kinds.values())


@pytest.mark.slow
def test_eight_processes_never_spend_more_than_there_is(tmp_path):
    """Points and masks of one cell, bought one by one by eight processes until the budget refuses."""
    budget = 1000
    reports = race(buy_points_until_broke, str(tmp_path), budget)
    shop = open_market(tmp_path, seconds=budget)
    assert sum(bought for _, bought, _ in reports) == shop.spent <= budget
    assert sum(line.seconds for line in shop.ledger.purchases()) == shop.spent
    assert all(end == "BudgetExceeded" for _, _, end in reports)
    assert shop.remaining < 420, "everyone stopped although a mask was still to be had"


@pytest.mark.slow
def test_eight_processes_share_what_is_left_to_the_last_scene(tmp_path):
    """Each buys as many masks as fit, in orders that overlap: together exactly what the budget holds."""
    budget = 20 * 420 + 100
    reports = race(buy_what_fits, str(tmp_path), budget)
    ledger = Ledger(tmp_path / "ledger.db")
    assert sum(seconds for _, seconds, _ in reports) == 20 * 420
    assert ledger.totals("c")["c"]["coarse"].acts == 20
    assert [line.seconds for line in ledger.purchases() if line.seconds % 420] == []
