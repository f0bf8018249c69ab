"""Studies on a cluster of three small nodes: cells spread, a node may die under one, and two studies share it."""

import re
import signal

import pytest
from driverhere import said, start
from nodeshere import end, nodes
from rayhere import LOOPBACK, family, listening
from toystudy import RECIPE, outcome, toy_study
from waiting import until

from segfrontier.home.layout import Home
from segfrontier.home.records import records
from segfrontier.study.config import Executor
from segfrontier.study.run import run_study

pytestmark = [pytest.mark.ray, pytest.mark.soak]

PATIENCE = 240
"""Seconds for what takes some twenty where nothing else runs."""
THREE = {"methods": ["fine"], "budgets": [0.2], "seeds": [0, 1, 2], "executor": {"kind": "ray"}}


def training(home):
    """The processes of the cells that are in the middle of a training, by the cell's folder."""
    found = {}
    for status in home.glob("cells/*/status.json"):
        log = status.with_name("log.txt").read_text()
        if '"done": ' in status.read_text() and not status.with_name("record.json").exists():
            found[status.parent] = int(re.findall(r"begins in process (\d+)", log)[-1])
    return found


def ended(home):
    return len(list(home.glob("cells/*/record.json")))


def all_train(home, count, driver):
    return until(lambda: len(training(home)) == count or driver.poll() is not None, PATIENCE)


def test_cells_spread_over_the_nodes_and_one_that_dies_is_done_without(tmp_path):
    study, home = toy_study(tmp_path, recipe=RECIPE | {"steps": 400}, **THREE), tmp_path / "runs"
    with nodes() as three:
        driver = start(study, tmp_path, address=three.address)
        try:
            assert all_train(home, 3, driver) and driver.poll() is None, said(tmp_path)
            places = {folder: three.of(pid) for folder, pid in training(home).items()}
            assert sorted(places.values()) == [0, 1, 2], "each on a node of its own"
            assert listening(family(driver.pid)) <= LOOPBACK
            lost = next(iter(places))
            three.lose(places[lost])
            assert driver.wait(PATIENCE) == 0, said(tmp_path)
        finally:
            end(family(driver.pid))
            driver.wait()
        begun = re.findall(r"begins in process (\d+)", (lost / "log.txt").read_text())
        assert len(set(begun)) == 2, "the cell was begun again, elsewhere"
    here = study.model_copy(update={"executor": Executor(kind="local")})
    whole = run_study(here, home=tmp_path / "here", tracking="none")
    numbers = [sorted(map(outcome, records(s)), key=str) for s in (Home(home).study("toy"), whole.study)]
    assert len(numbers[0]) == 3 and numbers[0] == numbers[1], "as if nothing had happened"


def test_a_study_that_comes_later_does_not_wait_for_all_of_one_before(tmp_path):
    """The first could fill the cluster for hours; a cell of the second has its turn when one of the first ends."""
    many = THREE | {"seeds": list(range(60))}
    folders = [tmp_path / name for name in ("long", "short")]
    for folder in folders:
        folder.mkdir()
    with nodes() as three:
        long = start(toy_study(folders[0], recipe=RECIPE | {"steps": 60}, **many), folders[0], address=three.address)
        drivers = [long]
        try:
            home = folders[0] / "runs"
            assert until(lambda: ended(home) > 0 or long.poll() is not None, PATIENCE) and long.poll() is None
            one = toy_study(folders[1], **THREE | {"seeds": [0]})
            short = start(one, folders[1], address=three.address)
            drivers.append(short)
            assert until(lambda: short.poll() is not None, PATIENCE), "it starves"
            assert short.returncode == 0, said(folders[1])
            assert long.poll() is None and ended(home) < 60, "the first goes on meanwhile"
            before = ended(home)
            assert until(lambda: ended(home) > before, PATIENCE), "and after"
            long.send_signal(signal.SIGINT)
            assert long.wait(PATIENCE) == 130, said(folders[0])
        finally:
            for driver in drivers:
                end(family(driver.pid))
                driver.wait()
