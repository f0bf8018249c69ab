"""A node that runs short of memory: Ray ends processes, Tune gives up, and the study goes on, one cell fewer a time."""

import json
import os
import signal
import time
from itertools import pairwise

import pytest
from ray.exceptions import OutOfMemoryError
from ray.tune.execution.tune_controller import TuneController
from toystudy import RECIPE, outcome, toy_study

from segfrontier.home.layout import STATUS, Home
from segfrontier.home.records import records
from segfrontier.study.run import run_study

pytestmark = [pytest.mark.ray, pytest.mark.slow]

RAY = {"kind": "ray", "parallel_cells": 2}
LONG = RECIPE | {"steps": 80}


@pytest.fixture
def short_of_memory(monkeypatch):
    """So many times, where so many cells train: a process is killed, and Tune hears that it was for want of memory."""
    step, ends = TuneController.step, []

    def arrange(home, *, cells, times):
        def training(trial):
            file = home.cell(trial.config["key"]) / STATUS
            if trial.status != "RUNNING" or not file.is_file() or file.stat().st_mtime <= max(ends, default=0):
                return None
            status = json.loads(file.read_text())
            return status["pid"] if "done" in status else None

        def short(self):
            step(self)
            pids = [pid for trial in self.get_trials() if (pid := training(trial)) is not None]
            if len(ends) < times and len(pids) == cells:
                ends.append(time.time())
                os.kill(pids[0], signal.SIGKILL)
                raise RuntimeError("Caught unexpected exception") from OutOfMemoryError("running low on memory")

        monkeypatch.setattr(TuneController, "step", short)
        return ends

    return arrange


def test_cells_that_were_ended_for_memory_go_on_one_fewer_at_once(tmp_path, ray_here, short_of_memory):
    changes = {"methods": ["fine"], "recipe": LONG}
    here = run_study(toy_study(tmp_path, **changes), home=tmp_path / "here", tracking="none")
    ends = short_of_memory(Home(tmp_path / "runs"), cells=2, times=1)
    finished = run_study(toy_study(tmp_path, executor=RAY, **changes), home=tmp_path / "runs", tracking="none")
    assert len(ends) == 1 and list(finished.outcomes.values()) == ["done"] * 4
    assert sorted(map(outcome, records(finished.study)), key=str) == sorted(map(outcome, records(here.study)), key=str)
    after = sorted((r.started, r.ended) for r in records(finished.study) if r.started > ends[0])
    assert len(after) >= 3 and all(end <= begin for (_, end), (begin, _) in pairwise(after)), "one after the other"


@pytest.mark.parametrize(("times", "state"), [pytest.param(2, "done", marks=pytest.mark.soak), (3, "failed")])
def test_a_cell_that_ran_alone_is_given_up_the_third_time(tmp_path, ray_here, short_of_memory, times, state):
    changes = {"methods": ["fine"], "seeds": [0], "budgets": [0.1], "recipe": LONG}
    ends = short_of_memory(Home(tmp_path / "runs"), cells=1, times=times)
    finished = run_study(toy_study(tmp_path, executor=RAY, **changes), home=tmp_path / "runs", tracking="none")
    assert len(ends) == times and list(finished.outcomes.values()) == [state]
    told = "died 3 times; Ray ended it because its node ran out of memory"
    assert state == "done" or all(told in r.error for r in records(finished.study, states=("failed",)))


def test_another_end_of_tune_is_no_matter_of_memory(tmp_path, ray_here, monkeypatch):
    def broken(self):
        raise RuntimeError("something else")

    monkeypatch.setattr(TuneController, "step", broken)
    with pytest.raises(RuntimeError, match="something else"):
        run_study(toy_study(tmp_path, executor=RAY), home=tmp_path / "runs", tracking="none")
