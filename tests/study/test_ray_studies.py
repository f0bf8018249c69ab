"""Studies on Ray Tune: the numbers of one process, no hang where trials train on workers, killed and resumed."""

import os
import random
import signal
import subprocess
import sys
import threading
import time
from contextlib import suppress
from types import SimpleNamespace

import pytest
import ray
from driverhere import lives
from rayhere import SETTINGS, family
from toystudy import RECIPE, outcome, toy_study
from waiting import until

from segfrontier.errors import BadStudy
from segfrontier.home.layout import Home
from segfrontier.home.records import records
from segfrontier.home.status import Board, counts
from segfrontier.market import Ledger
from segfrontier.study.cells import expand
from segfrontier.study.cellwatch import CUT
from segfrontier.study.config import Asha, Executor, Search
from segfrontier.study.keys import Atlas, keyed, write_cell
from segfrontier.study.ray_tune import Cutting, reserved, room
from segfrontier.study.run import Finished, _means, run_study

RAY = {"kind": "ray"}


def by_label(finished, *states):
    return sorted(map(outcome, records(finished.study, states=states or ("done",))), key=str)


@pytest.mark.ray
def test_trials_end_with_the_numbers_of_one_process(tmp_path, ray_here):
    here = run_study(toy_study(tmp_path), home=tmp_path / "here", tracking="none")
    tune = run_study(toy_study(tmp_path, executor=RAY), home=tmp_path / "tune", tracking="none")
    assert len(by_label(here)) == 8 and by_label(tune) == by_label(here)
    assert ray.is_initialized(), "a Ray that was there before is left alone"
    assert not (tune.study.path / "tune").exists()


@pytest.mark.ray
def test_a_trial_that_fails_or_dies_stops_no_other(tmp_path, ray_here):
    finished = run_study(
        toy_study(tmp_path, executor=RAY, budgets=[50 / 3600, 0.1], methods=["fine"]),
        home=tmp_path / "runs",
        tracking="none",
    )
    assert counts(Board(finished.study).look()) == {"failed": 2, "done": 2}
    assert all("at least one fine mask" in r.error for r in records(finished.study, states=("failed",)))


@pytest.mark.ray
@pytest.mark.slow
def test_trials_with_workers_of_their_own_neither_hang_nor_leave_anything_reserved(tmp_path, ray_here):
    """Two CPUs, two trials at once, a worker each: naively, trials would hold the CPUs that their workers wait for.

    One is cut, without a dashboard, where Ray would leak what the workers of a trial that it ends had reserved.
    """
    study = toy_study(
        tmp_path, methods=["fine"], budgets=[0.2], search={"asha": {"grace": 1}},
        recipe=RECIPE | {"steps": 60}, executor=RAY | {"workers_per_stage": 1},
    )  # fmt: skip
    home = tmp_path / "runs"

    def cut_the_first():
        while not (training := [f for f in home.glob("cells/*/status.json") if '"done": ' in f.read_text()]):
            time.sleep(0.02)
        (training[0].parent / CUT).touch()

    thread = threading.Thread(target=cut_the_first, daemon=True)
    thread.start()
    finished = run_study(study, home=home, tracking="none")
    thread.join()
    assert sorted(finished.outcomes.values()) == ["cut", "done"]
    assert until(lambda: ray.available_resources().get("CPU", 0) == 2, 20), ray.available_resources()
    whole = study.model_copy(update={"search": Search(), "executor": Executor(kind="local")})
    again = run_study(whole, home=home, tracking="none")
    assert again.outcomes == {k: "done" for k, v in finished.outcomes.items() if v == "cut"}
    here = run_study(whole, home=tmp_path / "here", tracking="none")
    assert len(by_label(again)) == 2 and by_label(again) == by_label(here)


def test_early_stopping_judges_cells_that_differ_in_knobs_alone(tmp_path):
    """Against a hand count: after 1, 2, 4, ... epochs a cell goes on where it is no worse than half of those before."""
    splits = {"name": "fine+coarse", "knobs": {"split": [0.2, 0.4, 0.6, 0.8]}}
    study, home = toy_study(tmp_path, methods=[splits], budgets=[0.1, 0.2], seeds=[0]), Home(tmp_path / "runs")
    cells = keyed(expand(study), Atlas())
    for key, cell in cells.items():
        write_cell(home, key, cell)
    judge = Cutting(home, Asha(grace=1, reduction=2))
    trials = {key: SimpleNamespace(config={"key": key}, trial_id=key) for key in cells}
    for trial in trials.values():
        judge.on_trial_add(None, trial)

    def told(hours, split, epochs, score):
        key = next(k for k, c in cells.items() if c.hours == hours and c.knobs["split"] == split)
        assert judge.on_trial_result(None, trials[key], {"epoch": epochs, "score": score}) == "CONTINUE"
        return (home.cell(key) / CUT).exists()

    assert not told(0.1, 0.2, 1, 0.30)  # the first has none to be worse than
    assert told(0.1, 0.4, 1, 0.20)
    assert not told(0.2, 0.4, 1, 0.10), "another budget is another contest"
    assert not told(0.1, 0.6, 1, 0.40) and not told(0.1, 0.6, 2, 0.41)
    assert not told(0.1, 0.2, 1.5, 0.10), "there is no rung between 1 and 2"
    assert told(0.1, 0.2, 2, 0.35)


@pytest.mark.ray
@pytest.mark.slow
def test_optuna_goes_on_with_the_proposals_it_made(tmp_path, ray_here):
    knobs = {"name": "fine+coarse", "knobs": {"split": {"low": 0.2, "high": 0.8}}}
    plain = {"methods": [knobs], "budgets": [0.3], "seeds": [0]}
    search = {"kind": "optuna", "samples": 5, "seed": 3}
    whole = run_study(toy_study(tmp_path, search=search, **plain), home=tmp_path / "whole", tracking="none")
    part = run_study(
        toy_study(tmp_path, search=search, limits={"cells": 2}, **plain), home=tmp_path / "part", tracking="none"
    )
    assert len(part.outcomes) == 2
    rest = run_study(
        toy_study(tmp_path, search=search, executor=RAY | {"parallel_cells": 1}, **plain),
        home=tmp_path / "part",
        tracking="none",
    )
    assert len(rest.outcomes) == 3 and by_label(rest) == by_label(whole)
    assert len({r.cell["knobs"]["split"] for r in records(whole.study)}) == 5


@pytest.mark.parametrize(
    ("executor", "nodes", "cells"),
    [
        ({}, [{"CPU": 2.0}], 2),
        ({"cpus_per_cell": 2}, [{"CPU": 3.0}, {"CPU": 3.0}], 2),
        ({"gpus_per_cell": 0.5}, [{"CPU": 8.0, "GPU": 1.0}], 2),
        ({"gpus_per_cell": 0.4, "cpus_per_cell": 0.1}, [{"CPU": 8.0, "GPU": 2.0}], 4),
        ({"gpus_per_cell": 0.4, "workers_per_stage": 5}, [{"CPU": 8.0, "GPU": 2.0}], 0),
        ({"gpus_per_cell": 2}, [{"CPU": 8.0, "GPU": 3.0}, {"CPU": 8.0, "GPU": 3.0}], 2),
        ({"gpus_per_cell": 1}, [{"CPU": 8.0}], 0),
        ({"workers_per_stage": 1}, [{"CPU": 2.0}], 2),
        ({"workers_per_stage": 2}, [{"CPU": 2.0}], 1),
        ({"workers_per_stage": 3}, [{"CPU": 2.0}], 0),
        ({"workers_per_stage": [1, 3]}, [{"CPU": 2.0}], 2),  # by the fewest
        ({"memory_per_cell": 2}, [{"CPU": 8.0, "memory": 5.0 * 2**30}], 2),
        ({"memory_per_cell": 2, "workers_per_stage": 1}, [{"CPU": 8.0, "memory": 5.0 * 2**30}], 2),
        ({"memory_per_cell": 2}, [{"CPU": 8.0}], 0),
        ({"workers_per_stage": 2, "cpus_per_cell": 4}, [{"CPU": 6.0}] * 4, 2),
        ({"workers_per_stage": 4, "gpus_per_cell": 1}, [{"CPU": 64.0, "GPU": 8.0}, {"CPU": 64.0, "GPU": 8.0}], 4),
    ],
)
def test_how_many_cells_fit(executor, nodes, cells):
    assert room(Executor(**executor), nodes) == cells


def test_a_cell_that_waits_holds_no_gpu():
    for executor in ({"gpus_per_cell": 1}, {"gpus_per_cell": 0.5}, {"workers_per_stage": 2, "gpus_per_cell": 1}):
        assert reserved(Executor(**executor)) == {"CPU": 0.01}, executor
    means = _means(Executor(workers_per_stage=[2, 4], memory_per_cell=3, node_labels={"kind": "b"}))
    assert (means.fewest_workers, means.workers, means.memory_per_worker) == (2, 4, 3) and means.node_labels
    means = _means(Executor(gpus_per_cell=0.5, cpus_per_cell=2))
    assert (means.workers, means.gpus_per_worker, means.cpus_per_worker) == (1, 0.5, 1.8), "its stages are workers'"
    assert reserved(Executor(cpus_per_cell=2)) == {"CPU": 2} and _means(Executor()).workers == 0
    assert reserved(Executor(memory_per_cell=2)) == {"CPU": 1, "memory": 2 * 2**30}
    assert Executor(kind="local", gpus_per_cell=1).workers == 0, "here a stage runs in this process"
    assert Executor(gpus_per_cell=0.5).on_gpus and not Executor(gpus_per_cell=0.5, device="cpu").on_gpus
    assert not Executor().on_gpus


@pytest.mark.ray
def test_more_than_this_machine_can_ever_give_is_refused(tmp_path, ray_here):
    study = toy_study(tmp_path, executor=RAY | {"cpus_per_cell": 64})
    with pytest.raises(BadStudy, match="room for a cell of 64 CPUs"):
        run_study(study, home=tmp_path / "runs", tracking="none")


def start(study, folder, home):
    """A driver of its own, as a user starts it."""
    file = folder / "study.yaml"
    file.write_text(study.to_yaml())
    code = "from segfrontier.cli import program; program()"
    command = [sys.executable, "-c", code, "run", str(file), "--home", str(home), "--tracking", "none"]
    environment = {k: v for k, v in os.environ.items() if k != "RAY_ADDRESS"} | SETTINGS
    with (folder / "driver.log").open("ab") as log:
        return subprocess.Popen(command, env=environment, stdout=log, stderr=log)


@pytest.mark.ray
@pytest.mark.slow
def test_sigterm_to_the_driver_ends_the_trials_with_their_state_saved(tmp_path):
    study = toy_study(tmp_path, methods=["fine"], budgets=[0.2], recipe=RECIPE | {"steps": 200}, executor=RAY)
    home = tmp_path / "runs"
    driver = start(study, tmp_path, home)
    while not any('"done": ' in f.read_text() for f in home.glob("cells/*/status.json")):
        assert driver.poll() is None, (tmp_path / "driver.log").read_text()[-3000:]
        time.sleep(0.05)
    mine = family(driver.pid)
    driver.send_signal(signal.SIGTERM)
    assert driver.wait(90) == 130
    log = (tmp_path / "driver.log").read_text()
    assert "it was asked to stop" in log and "Ray must stay alive" not in log
    assert until(lambda: not lives(mine), 20), lives(mine)
    assert not list(home.glob("cells/*/record.json")) and list((home / "store").rglob("checkpoints/*"))
    here = study.model_copy(update={"executor": Executor(kind="local")})
    assert set(run_study(here, home=home, tracking="none").outcomes.values()) == {"done"}
    logs = [f.read_text() for f in home.glob("cells/*/log.txt")]
    assert any("stopped" in log for log in logs) and all(log.rstrip().endswith("done") for log in logs)


FORTY = {
    "methods": ["fine", "coarse", {"name": "fine+coarse", "knobs": {"split": [0.4, 0.6]}}],
    "budgets": [n / 36 for n in (10, 14, 18, 22, 26)], "seeds": [0, 1],
}  # fmt: skip
SIX = FORTY | {"methods": ["fine", "coarse", "fine+coarse"], "budgets": [n / 36 for n in (10, 26)], "seeds": [1]}


@pytest.mark.ray
@pytest.mark.parametrize(
    ("cells", "plain", "kills"),
    [
        pytest.param(6, SIX, 1, id="six cells, one kill", marks=pytest.mark.slow),
        pytest.param(40, FORTY, 5, id="forty cells, five kills", marks=pytest.mark.soak),
    ],
)
def test_a_study_survives_kills_with_exactly_the_same_numbers(cells, plain, kills, tmp_path):
    undisturbed = run_study(toy_study(tmp_path, **plain), home=tmp_path / "whole", tracking="none")
    assert len(by_label(undisturbed)) == cells
    study, home = toy_study(tmp_path, executor=RAY, **plain), tmp_path / "killed"
    rng = random.Random(0)
    for moment in sorted(rng.sample(range(2, cells - 2), kills)):
        driver = start(study, tmp_path, home)
        while len(list(home.glob("cells/*/record.json"))) < moment and driver.poll() is None:
            time.sleep(0.05)
        time.sleep(rng.random() / 5)
        mine = family(driver.pid)
        assert driver.poll() is None, (tmp_path / "driver.log").read_text()[-3000:]
        driver.send_signal(signal.SIGKILL)
        driver.wait()
        end(mine)
    driver = start(study, tmp_path, home)
    assert driver.wait(300) == 0, (tmp_path / "driver.log").read_text()[-3000:]
    killed = Finished(Home(home).study("toy"), {})
    for one, other in zip(by_label(undisturbed), by_label(killed), strict=True):
        assert one == other
    ledgers = [Ledger(h / "ledger") for h in (home, tmp_path / "whole")]
    totals = [{cell: ledger.totals(cell) for cell in ledger.cells()} for ledger in ledgers]
    assert totals[0] == totals[1], "nothing was bought twice"


def end(processes):
    """What a killed driver leaves behind ends by itself, its agents after a minute and a half; a test need not wait."""
    for pid in processes:
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
