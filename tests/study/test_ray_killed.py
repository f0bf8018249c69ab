"""Drivers on Ray that are signalled, killed, or lose their Ray: nothing is left running, and a sentence says why."""

import os
import signal
import time
from contextlib import suppress

import pytest
from driverhere import lives, said, start, trains
from rayhere import family
from toystudy import RECIPE, toy_study
from waiting import until

from segfrontier.home.layout import Home
from segfrontier.home.records import records
from segfrontier.home.status import Board

pytestmark = [pytest.mark.ray, pytest.mark.slow]

GONE_SECONDS = 20
"""Within these, nothing of a killed driver is left."""


def training(tmp_path, **changes):
    """A driver whose one cell is in the middle of a long training, and all that it started, by pid."""
    plain = {"methods": ["fine"], "seeds": [0], "budgets": [0.2], "recipe": RECIPE | {"steps": 4000}}
    study = toy_study(tmp_path, executor={"kind": "ray"}, **plain | changes)
    driver = start(study, tmp_path)
    assert until(lambda: trains(tmp_path / "runs") or driver.poll() is not None, 240) and driver.poll() is None, said(
        tmp_path
    )
    return driver, family(driver.pid)


def one_of(processes, *names):
    return next(pid for pid, command in processes.items() if any(name in command for name in names))


def nothing_left(tmp_path, mine):
    assert until(lambda: not lives(mine), GONE_SECONDS), lives(mine)
    assert not Board(Home(tmp_path / "runs").study("toy")).alive()


def test_nothing_is_left_of_a_driver_that_was_killed(tmp_path):
    driver, mine = training(tmp_path)
    assert any("DashboardAgent" in command for command in mine.values())
    driver.send_signal(signal.SIGKILL)
    assert driver.wait(60) == -signal.SIGKILL
    nothing_left(tmp_path, mine)
    assert "Ray must stay alive" not in said(tmp_path) and not list((tmp_path / "runs").glob("cells/*/record.json"))


def test_two_signals_end_it_without_waiting(tmp_path):
    driver, mine = training(tmp_path)
    for _ in range(2):
        driver.send_signal(signal.SIGINT)
        time.sleep(0.1)
    assert driver.wait(20) == 130, said(tmp_path)
    assert "Traceback" not in said(tmp_path)
    nothing_left(tmp_path, mine)


@pytest.mark.parametrize(
    "what", ["raylet/raylet", "DashboardAgent", pytest.param("RuntimeEnvAgent", marks=pytest.mark.soak)]
)
def test_a_ray_that_dies_ends_in_a_sentence_and_is_no_failure_of_a_cell(tmp_path, what):
    driver, mine = training(tmp_path)
    os.kill(one_of(mine, what), signal.SIGKILL)
    assert driver.wait(90) == 1, said(tmp_path)
    nothing_left(tmp_path, mine)
    assert "error: Ray must stay alive while a study runs" in said(tmp_path) and "start the same command" in said(
        tmp_path
    )
    assert not list((tmp_path / "runs").glob("cells/*/record.json"))


def test_a_cell_whose_process_keeps_dying_is_told_with_what_is_known(tmp_path):
    driver, mine = training(tmp_path)
    killed = set()
    while driver.poll() is None:
        mine |= family(driver.pid)
        for pid in [pid for pid, command in family(driver.pid).items() if "ray::ImplicitFunc" in command]:
            if pid not in killed and trains(tmp_path / "runs"):
                with suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
                killed.add(pid)
        time.sleep(0.5)
    assert driver.wait(10) == 1 and len(killed) == 3, (killed, said(tmp_path))
    (record,) = records(Home(tmp_path / "runs").study("toy"), states=("failed",))
    assert "died 3 times; nothing says why, so it was likely killed from outside" in record.error
    assert "memory" not in record.error and "begins in process" in record.error
    nothing_left(tmp_path, mine)
