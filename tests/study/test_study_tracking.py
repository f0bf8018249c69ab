"""What a study leaves for MLflow while it works: progress with times, the machine's use, and the state of its run."""

import time

import pytest
from toystudy import toy_study

from segfrontier.home.context import read_context, write_context
from segfrontier.home.layout import Home, open_home
from segfrontier.home.progress import Progress, ProgressLog
from segfrontier.home.records import Record
from segfrontier.study.run import run_study
from segfrontier.study.sampling import sampled

ONE = {"methods": ["fine"], "budgets": [0.1], "seeds": [0]}


def test_the_machine_is_looked_at_now_and_then_and_at_the_end(tmp_path):
    log, began = ProgressLog(tmp_path), time.time()
    with sampled(log, seconds=0.02):
        time.sleep(0.3)
    lines = list(Progress(tmp_path).lines())
    assert len(lines) >= 3 and all("system/system_memory_usage_percentage" in line["system"] for line in lines)
    assert began <= lines[0]["at"] < lines[-1]["at"] <= time.time()


@pytest.mark.parametrize("system", [False, True])
def test_a_cell_logs_its_trainings_with_their_times_and_the_machine_where_it_is_asked_to(tmp_path, system):
    began = time.time()
    study = toy_study(tmp_path, **ONE, track={"system": system})
    run_study(study, home=tmp_path / "runs", tracking="none")
    place = Home(tmp_path / "runs").study("toy")
    (key,) = place.cell_keys()
    first, *lines = list(Progress(place.home.cell(key)).lines())
    record = Record.read(place.home.cell(key))
    (step,) = (line for line in lines if "step" in line)
    assert first["begins"] and began <= first["at"] <= step["at"] <= time.time() and step["train"] == 1
    assert {"samples_a_second", "data_wait"} < step["values"].keys()
    curves = {f"train1/{name}": [[step["step"], value]] for name, value in step["values"].items()}
    shown = {name: [list(point) for point in points] for name, points in record.curves.items()}
    assert (
        shown == {name: points for name, points in curves.items() if name in shown} and "train1/cross_entropy" in shown
    )
    assert any(name.startswith("train1/lr/") for name in shown)
    assert step["stage"] in {stage.key for stage in record.stages}
    assert any("system" in line for line in lines) == system
    assert record.environment["python"] and set(record.worlds) == {str(tmp_path / "toy")}
    context = read_context(place)
    assert context["state"] == "done" and context["cells"] == [key] and context["worlds"] == record.worlds


@pytest.mark.parametrize(
    "text", ["", "[1]", '{"state": 5, "cells": 7}', '{"state": "odd", "cells": ["../x", 3, "good"]}']
)
def test_a_context_that_is_damaged_is_written_anew(tmp_path, text, recwarn):
    place = open_home(tmp_path).study("tiny")
    place.path.mkdir(parents=True)
    (place.path / "context.json").write_text(text)
    assert "state" not in read_context(place)
    write_context(place, "done", {"commit": "abc"}, cells=["k1"], at=7.0)
    found = read_context(place)
    assert (found["state"], found["began"], found["commit"]) == ("done", 7.0, "abc")
    assert found["cells"] == (["good", "k1"] if "good" in text else ["k1"])


def test_an_outage_is_no_matter_of_the_cells(tmp_path):
    """Nobody listens there: the study ends well, and says how much MLflow lacks."""
    done = run_study(toy_study(tmp_path, **ONE), home=tmp_path / "runs", tracking="http://127.0.0.1:9")
    assert done.why == "" and set(done.outcomes.values()) == {"done"} and done.unsynced >= 1
