"""A cell's run lives: points at the times of their writing, each once, whoever was killed in between."""

import json
import time

import pytest
from trackhere import a_home, a_record, a_step, everything, put_cells, put_progress, put_state, running

from segfrontier.errors import DiskFull
from segfrontier.home.progress import PROGRESS, Progress, ProgressLog
from segfrontier.tracking.curves import Curves
from segfrontier.tracking.sync import Sync, sync

BEGIN = {"at": 900.0, "begins": True}


def test_a_log_has_a_line_a_call_with_its_time_and_no_more_than_a_plot_can_show(tmp_path):
    log, began = ProgressLog(tmp_path), time.time()
    log.on_begin()
    for step in range(20, 100_001, 20):
        log.on_step(1, "s1", step, 100_000, {"loss": 1.0})
    log.on_step(2, "s2", 1, 3, {"loss": 2.0})
    first, *lines = list(Progress(tmp_path).lines())
    steps = [line["step"] for line in lines if line["train"] == 1]
    assert first["begins"] and began <= first["at"] <= lines[-1]["at"] <= time.time()
    assert len(steps) == 1001 and steps[0] == 20 and steps[-1] == 100_000 and lines[-1]["step"] == 1


def test_a_line_that_a_crash_cut_off_costs_no_other(tmp_path):
    log, progress = ProgressLog(tmp_path), Progress(tmp_path)
    assert list(progress.lines()) == []
    log.on_step(1, "s1", 20, 40, {"loss": 1.0})
    with (tmp_path / PROGRESS).open("a") as file:
        file.write('{"at": 1, "train": 1, "st')
    assert [line["step"] for line in progress.lines()] == [20]
    log.on_begin()
    log.on_step(1, "s1", 40, 40, {"loss": 1.0})
    assert [line.get("step") for line in progress.lines()] == [None, 40]
    assert [line.get("step") for line in Progress(tmp_path).lines()] == [20, None, 40]


def test_a_full_disk_is_named(tmp_path):
    (tmp_path / PROGRESS).symlink_to("/dev/full")
    with pytest.raises(DiskFull, match="must be room"):
        ProgressLog(tmp_path).on_step(1, "s1", 20, 40, {"loss": 1.0})


def test_a_step_that_is_logged_again_has_its_first_time(tmp_path):
    lines = [BEGIN, a_step(1000, 20, 2.0), a_step(1010, 40, 1.5), BEGIN | {"at": 1100}, a_step(1110, 40, 1.5)]
    lines.append(a_step(1120, 60, float("nan")))
    (tmp_path / PROGRESS).write_text("".join(json.dumps(line) + "\n" for line in lines))
    curves = Curves(tmp_path)
    losses = [(v.step, v.value, v.at) for v in curves.new() if v.name == "train1/loss"]
    assert losses == [(20, 2.0, 1000.0), (40, 1.5, 1010.0)] and (curves.began, curves.last) == (900.0, 1120.0)
    assert list(curves.new()) == []


@pytest.mark.parametrize(
    "odd", [{"step": "x"}, {"values": 3}, {"values": {"loss": "low"}}, {"stage": [], "step": None}]
)
def test_a_line_that_somebody_wrote_into_costs_no_other(tmp_path, odd):
    lines = [
        a_step(1000, 20, 2.0),
        a_step(1010, 40, 1.5) | odd,
        {"at": 1020, "system": 7},
        {"at": "x"},
        a_step(1030, 60, 1.0),
    ]
    (tmp_path / PROGRESS).write_text("".join(json.dumps(line) + "\n" for line in [*lines, [1], "x"]))
    assert [v.step for v in Curves(tmp_path).new() if v.name == "train1/loss"] == [20, 60]


def test_what_only_the_record_knows_has_the_time_of_the_end(tmp_path):
    """A cell that finds its first training, or the beginning of one, was not there when that was computed."""
    lines = [a_step(1000, 40, 1.5, train=2), a_step(1010, 60, 1.4, train=2)]
    (tmp_path / PROGRESS).write_text("".join(json.dumps(line) + "\n" for line in lines))
    curves = Curves(tmp_path)
    read = {v.name for v in curves.new()}
    record = a_record(curves={"train1/loss": [[20, 3.0]], "train2/loss": [[20, 2.0], [40, 1.5], [50, 1.45], [80, 1.0]]})
    assert [(v.name, v.step, v.at) for v in curves.recorded(record)] == [
        ("train1/loss", 20, 2000.0), ("train2/loss", 20, 2000.0), ("train2/loss", 80, 2000.0)
    ]  # fmt: skip
    assert read == {"train2/loss", "train2/lr/net", "train2/images_per_second", "train2/data_wait"}


def test_how_busy_a_machine_is_has_a_step_a_look(tmp_path):
    for at in (1.0, 2.0):
        with (tmp_path / PROGRESS).open("a") as file:
            file.write(json.dumps({"at": at, "system": {"system/cpu_utilization_percentage": 50 * at}}) + "\n")
    assert [(v.name, v.value, v.step, v.at) for v in Curves(tmp_path).new()] == [
        ("system/cpu_utilization_percentage", 50.0, 1, 1.0), ("system/cpu_utilization_percentage", 100.0, 2, 2.0)
    ]  # fmt: skip


@pytest.mark.slow
def test_a_run_is_opened_when_its_cell_starts_and_grows_with_it(tmp_path, uri):
    place, record = a_home(tmp_path / "runs", state=""), a_record()
    with running(place):
        one = Sync(place, uri)
        put_progress(place, record, [BEGIN])
        assert one.run().written == 1
        ((status, name, tags, params, history, *_),) = everything(uri)[1].values()
        assert status == ("RUNNING", 900_000, None) and name == "fine · 10 h · s0" and history == {}
        assert params["encoder"] == "resnet18" and tags["segfrontier.cell"] == record["key"]
        put_progress(place, record, [a_step(1000.5, 20, 2.0), a_step(1010, 40, 1.0)])
        assert one.run().written == 1 and one.run().written == 0
        ((status, _, _, _, history, *_),) = everything(uri)[1].values()
        assert status[0] == "RUNNING" and history["train1/loss"] == [(20, 2.0, 1_000_500), (40, 1.0, 1_010_000)]
        assert history["train1/images_per_second"][0] == (20, 12.346, 1_000_500)
        ids = place.runs()
        put_cells(place, [record])
        (place.home.cell(record["key"]) / "status.json").write_text('{"state": "done"}')
        one.run()
        put_state(place, "done")
        one.run()
    ((status, _, _, _, history, _, files),) = everything(uri)[1].values()
    assert status == ("FINISHED", 900_000, 2_000_000) and files == ["cell.yaml", "log.txt"] and place.runs() == ids
    assert [at for _, _, at in history["train1/loss"]] == [2_000_000, 1_000_500, 1_010_000], "step 10 is the record's"


@pytest.mark.slow
def test_a_cell_whose_run_was_killed_is_killed_and_goes_on_in_the_same_run(tmp_path, uri):
    place, record = a_home(tmp_path / "runs", state=""), a_record(curves={})
    with running(place):
        put_progress(place, record, [BEGIN, a_step(1000, 20, 2.0)])
        sync(place, uri)
        ids = place.runs()
    sync(place, uri)  # its driver said nothing any more
    parent, (child,) = everything(uri)[0], everything(uri)[1].values()
    assert parent[0][0] == "KILLED" and child[0] == ("KILLED", 900_000, 1_000_000)
    with running(place):
        more = [BEGIN | {"at": 1100.0}, a_step(1110, 20, 2.0), a_step(1120, 40, 1.0)]
        put_progress(place, record, more)
        sync(place, uri)
        parent, (child,) = everything(uri)[0], everything(uri)[1].values()
        assert parent[0][0] == child[0][0] == "RUNNING" and place.runs() == ids
        assert child[4]["train1/loss"] == [(20, 2.0, 1_000_000), (40, 1.0, 1_120_000)]


@pytest.mark.slow
def test_a_sync_from_nothing_gives_what_the_live_one_gave(tmp_path, uri, empty_database):
    import shutil

    place, record = a_home(tmp_path / "runs", state=""), a_record()
    lines = [BEGIN, *(a_step(1000 + i, 10 * i, 1 / i) for i in range(1, 40))]
    with running(place):
        one = Sync(place, uri)
        for at in range(0, len(lines), 7):
            put_progress(place, record, lines[at : at + 7])
            one = Sync(place, uri) if at % 2 else one  # as often as not a new process
            one.run()
        put_cells(place, [record])
        put_state(place, "done")
        one.run()
    (tmp_path / "other").mkdir()
    shutil.copy(empty_database, tmp_path / "other" / "mlflow.db")
    other = f"sqlite:///{tmp_path}/other/mlflow.db"
    sync(place, other)
    assert everything(uri) == everything(other)


@pytest.mark.slow
def test_a_stale_cell_is_renewed_in_its_own_run(tmp_path, uri):
    place, record = a_home(tmp_path / "runs", [a_record(curves={})]), a_record()
    sync(place, uri)
    ids = place.runs()
    with running(place):
        time.sleep(0.01)
        put_progress(place, record, [a_step(3000, 20, 2.0)])
        sync(place, uri)
        (child,) = everything(uri)[1].values()
        assert child[0][0] == "RUNNING" and len(child[4]["miou_present"]) == 1
        put_cells(place, [a_record(miou=0.5, ended=4000.0, curves={})])
        put_state(place, "done")
        sync(place, uri)
    (child,) = everything(uri)[1].values()
    assert place.runs() == ids and child[0][0] == "FINISHED"
    assert child[4]["miou_present"] == [(600, 0.4, 2_000_000), (600, 0.5, 4_000_000)]
