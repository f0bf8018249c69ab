"""A cell's charts: each point once, at the time of its writing; what no progress file has comes from the record."""

import json

import pytest

from segfrontier.home.progress import PROGRESS
from segfrontier.tracking.curves import Curves


@pytest.fixture
def cell(tmp_path):
    """A cell's charts, and how its process writes."""
    file = tmp_path / PROGRESS

    def write(*lines):
        with file.open("a") as out:
            out.writelines(f"{line if isinstance(line, str) else json.dumps(line)}\n" for line in lines)

    return Curves(tmp_path), write


def step(at, step, *, train=1, stage="s", **values):
    return {"at": at, "train": train, "stage": stage, "step": step, "values": values}


def told(values):
    return [(v.name, v.value, v.step, v.at) for v in values]


def test_a_step_that_is_logged_again_keeps_its_first_value_and_time(cell):
    curves, write = cell
    write({"at": 1.0, "begins": True}, step(2.0, 20, loss=0.5), step(3.0, 40, loss=0.4))
    assert told(curves.new()) == [("train1/loss", 0.5, 20, 2.0), ("train1/loss", 0.4, 40, 3.0)]
    assert (curves.began, curves.last) == (1.0, 3.0) and told(curves.new()) == []
    write({"at": 9.0, "begins": True}, step(10.0, 40, loss=0.39), step(11.0, 60, loss=0.3))
    assert told(curves.new()) == [("train1/loss", 0.3, 60, 11.0)] and (curves.began, curves.last) == (1.0, 11.0)


def test_the_same_step_of_another_training_is_another_point(cell):
    curves, write = cell
    write(step(1.0, 20, loss=0.5), step(2.0, 20, train=2, stage="t", loss=0.25, samples_a_second=7.0))
    assert told(curves.new()) == [
        ("train1/loss", 0.5, 20, 1.0), ("train2/loss", 0.25, 20, 2.0), ("train2/images_per_second", 7.0, 20, 2.0)
    ]  # fmt: skip


def test_looks_at_the_machine_are_counted_and_need_no_training(cell):
    curves, write = cell
    usage = "system/cpu_utilization_percentage"
    write({"at": 1.0, "system": {usage: 93.0}}, step(2.0, 20, loss=0.5), {"at": 3.0, "system": {usage: 91.0}})
    assert [v for v in told(curves.new()) if v[0] == usage] == [(usage, 93.0, 1, 1.0), (usage, 91.0, 2, 3.0)]


def test_a_line_that_somebody_wrote_into_costs_that_line_alone(cell):
    curves, write = cell
    broken = ["{", {"at": "noon"}, {"at": 1.0, "values": 3}, {"at": 1.0, "values": {"loss": 1}}, step(1.0, "x", loss=1)]
    write(*broken, {"at": 1.5, "system": 4}, step(2.0, 20, loss=float("nan"), gain=0.5))
    assert told(curves.new()) == [("train1/gain", 0.5, 20, 2.0)]


def test_a_record_fills_in_what_lies_before_and_after_and_what_was_never_seen(cell):
    curves, write = cell
    write(step(1.0, 40, loss=0.4), step(2.0, 60, loss=0.3))
    list(curves.new())
    record = {"ended": 9.0, "curves": {
        "train1/loss": [(20, 0.5), (40, 0.41), (50, 0.35), (60, 0.31), (80.0, 0.2)], "train1/lr": [(40, 0.1)]
    }}  # fmt: skip
    assert told(curves.recorded(record)) == [
        ("train1/loss", 0.5, 20, 9.0), ("train1/loss", 0.2, 80, 9.0), ("train1/lr", 0.1, 40, 9.0)
    ]  # fmt: skip
