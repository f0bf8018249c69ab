"""Real processes: killed in the middle of a purchase, and eight of them buying at once from what is left."""

import multiprocessing
import os
import signal
import time

import pytest
from market_fakes import STEPS, append_for_ever, buy_and_die, buy_points_until_broke, buy_what_fits, open_market

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


@pytest.mark.parametrize("step", STEPS)
def test_a_kill_in_the_middle_leaves_neither_or_both(tmp_path, step):
    """Neither labels nor charge, or a charge for labels that come again for nothing; never labels without a charge."""
    child = os.fork()
    if child == 0:
        buy_and_die(tmp_path, step)
        os._exit(0)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == -signal.SIGKILL
    charged = 840 * (step in ("after", "published"))
    left = Ledger(tmp_path / "ledger.db").purchases()
    assert published(tmp_path) == ([line.labels_path for line in left] if step == "published" else [])
    shop = open_market(tmp_path)
    assert not list((tmp_path / "labels").glob(".*")), "the next start sweeps what the dead left"
    assert shop.spent == charged and len(shop.ledger.purchases()) == bool(charged)
    again = shop.buy(Coarse(["s0", "s1"]), stage="t")
    assert again.seconds == 840 - charged and shop.spent == 840
    lines = shop.ledger.purchases()
    assert [line.labels_path for line in lines] == [again.labels.path] == published(tmp_path)
    assert lines[0].labels_digest == again.labels.digest and again.labels.scenes() == ["s0", "s1"]


def published(folder):
    """The label files that have a name; drafts lie in hidden folders."""
    files = (folder / "labels").rglob("*.arrow")
    return [str(f) for f in files if not any(part.startswith(".") for part in f.relative_to(folder).parts)]


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
