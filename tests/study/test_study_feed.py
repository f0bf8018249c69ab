"""Limits of a study, and what MLflow holds of one that is run again."""

import pytest
from toystudy import toy_study

from segfrontier.home.records import Record, StageNote
from segfrontier.study.config import Limits
from segfrontier.study.queue import FixedCells, Limited
from segfrontier.study.run import run_study


def record(*, gpu, found, seconds=1800.0):
    stage = StageNote(kind="train", key="k", seconds=seconds, devices=2, gpu=gpu, found=found)
    return Record(key="k", state="done", cell={}, facet="f", facet_words="f", stages=(stage,))


def test_gpu_hours_count_what_this_run_computed_on_gpus():
    feed = Limited(FixedCells(["a", "b", "c"]), Limits(gpu_hours=1.5), stop=lambda: False)
    assert feed.next() == "a"
    feed.ended("a", record(gpu=True, found=False))  # 2 GPUs for half an hour
    feed.ended("x", record(gpu=True, found=True))  # was stored already
    feed.ended("y", record(gpu=False, found=False))
    assert feed.next() == "b" and not feed.over
    feed.ended("b", record(gpu=True, found=False))
    assert feed.next() is None and feed.over and feed.why == "the limit of 1.5 GPU hours is reached"


def test_the_limit_that_comes_with_the_last_cell_is_none():
    feed = Limited(FixedCells(["a", "b"]), Limits(cells=2), stop=lambda: False)
    assert [feed.next(), feed.next(), feed.next()] == ["a", "b", None]
    assert feed.over and feed.why == ""


def test_a_wish_to_stop_ends_the_feed():
    wish = []
    feed = Limited(FixedCells(["a", "b"]), Limits(), stop=lambda: bool(wish))
    assert feed.next() == "a"
    wish.append(True)
    assert feed.next() is None and feed.over and feed.why == "it was asked to stop"


@pytest.mark.slow
def test_a_study_that_is_run_again_has_one_run_a_cell_in_mlflow(tmp_path):
    from mlflow.tracking import MlflowClient

    home = tmp_path / "runs"
    run_study(
        toy_study(tmp_path, methods=["fine"], seeds=[0], budgets=[0.1]), home=home, tracking="none"
    )  # nobody told
    finished = run_study(toy_study(tmp_path, methods=["fine"], seeds=[0, 1], budgets=[0.1]), home=home)
    assert finished.unsynced == 0
    again = run_study(toy_study(tmp_path, methods=["fine"], seeds=[0, 1], budgets=[0.1]), home=home)
    client = MlflowClient(f"sqlite:///{home}/mlflow.db")
    runs = client.search_runs([client.get_experiment_by_name("toy").experiment_id])
    cells = [r for r in runs if "segfrontier.cell" in r.data.tags]
    parents = [r for r in runs if "segfrontier.cell" not in r.data.tags]
    assert len(cells) == 2 and len(parents) == 1 and len({r.data.tags["segfrontier.cell"] for r in cells}) == 2
    assert {r.data.tags["mlflow.parentRunId"] for r in cells} == {parents[0].info.run_id}
    assert {r.info.status for r in runs} == {"FINISHED"}
    assert again.study.runs() == {r.data.tags["segfrontier.cell"]: r.info.run_id for r in cells} | {
        "toy": parents[0].info.run_id
    }
    assert all(0 <= r.data.metrics["miou_present"] <= 1 for r in cells)
    assert {r.data.metrics["hours"] for r in cells} == {0.083333}
    files = {f.path for f in client.list_artifacts(parents[0].info.run_id)}
    assert "frontier.png" in " ".join(files) or any(
        "frontier.png" in a.path for f in files for a in client.list_artifacts(parents[0].info.run_id, f)
    )
