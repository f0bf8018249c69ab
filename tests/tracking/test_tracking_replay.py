"""Replay into a real MLflow database: what is there, that twice is once, and that a kill loses and doubles nothing."""

import json
import random
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from trackhere import STUDY, a_record, a_spool, again, everything, put_cells

from segfrontier.tracking import replay

pytestmark = pytest.mark.slow

GRID = [(m, h, s) for s in (0, 1) for m in ("fine", "fine+coarse") for h in (5, 10)]
DIES = """
import os, signal, sys
from pathlib import Path
from mlflow import MlflowClient
from segfrontier.tracking import Spool, replay
left = int(sys.argv[3])
def counted(method, before):
    def call(*arguments, **named):
        global left
        left -= 1
        if left == 0 and before:
            os.kill(os.getpid(), signal.SIGKILL)
        answer = method(*arguments, **named)
        if left == 0:
            os.kill(os.getpid(), signal.SIGKILL)
        return answer
    return call
calls = "create_experiment create_run log_batch log_inputs log_text set_terminated set_tag set_experiment_tag"
for name in calls.split():
    setattr(MlflowClient, name, counted(getattr(MlflowClient, name), left % 2 == 0))
replay(Spool(Path(sys.argv[1]) / "spool"), sys.argv[2], runs_file=Path(sys.argv[1]) / "runs.json")
"""


def grid():
    return [a_record(method=m, hours=h, seed=s, miou=0.01 * h + 0.1 * s + (m == "fine") * 0.2) for m, h, s in GRID]


def test_a_study_and_its_cells_are_found_in_mlflow(tmp_path, uri):
    records = [*grid(), a_record(method="coarse", state="failed")]
    spool, runs_file = a_spool(tmp_path, records), tmp_path / "runs.json"
    told = replay(spool, uri, runs_file=runs_file)
    assert (told.sent, told.left, told.error) == (10, 0, "")
    parent, children = everything(uri)
    assert set(children) == {r["key"] for r in records}
    assert set(json.loads(runs_file.read_text())) == {"tiny"} | set(children)
    status, name, tags, params, history, worlds, files = children[records[0]["key"]]
    assert (status, name, files) == ("FINISHED", "fine, 5 h, seed 0", ["cell.yaml"])
    assert params["budget_hours"] == "5" and worlds == [("street", "d" * 32, "target")]
    assert tags["mlflow.source.git.commit"] == "abc123" and "segfrontier.error" not in tags
    assert history["hours"] == [(0, 5.0, 2_000_000)] and history["miou"] == [(300, pytest.approx(0.25), 2_000_000)]
    assert "iou/train" not in history and len(history["train1/loss"]) == 2
    failed = children[records[-1]["key"]]
    assert failed[0] == "FAILED" and failed[2]["segfrontier.error"] == "ValueError: no labels"
    assert parent[4] == {
        "miou/fine": [(300, pytest.approx(0.3), 2_001_000), (600, pytest.approx(0.35), 2_001_000)],
        "miou/fine_coarse": [(300, pytest.approx(0.1), 2_001_000), (600, pytest.approx(0.15), 2_001_000)],
    }
    assert parent[6] == ["environment.yaml", "study.yaml"] and "8 done, 1 failed" in parent[2]["mlflow.note.content"]


def test_telling_all_again_changes_nothing(tmp_path, uri):
    spool = a_spool(tmp_path, grid())
    replay(spool, uri, runs_file=tmp_path / "runs.json")
    before, ids = everything(uri), (tmp_path / "runs.json").read_text()
    again(spool)
    (tmp_path / "runs.json").unlink()
    assert replay(spool, uri, runs_file=tmp_path / "runs.json").sent == 9
    assert everything(uri) == before and json.loads((tmp_path / "runs.json").read_text()) == json.loads(ids)


def test_killed_at_any_moment_nothing_is_lost_or_doubled(tmp_path, uri, empty_database):
    calm = tmp_path / "calm"
    calm.mkdir()
    shutil.copy(empty_database, calm / "mlflow.db")
    replay(a_spool(calm, grid()), f"sqlite:///{calm}/mlflow.db", runs_file=calm / "runs.json")
    spool, rng, died = a_spool(tmp_path, grid()), random.Random(4), 0
    for _ in range(7):
        command = [sys.executable, "-c", DIES, str(tmp_path), uri, str(rng.randint(1, 12))]
        died += subprocess.run(command, check=False).returncode == -9
    assert died >= 4 and spool.waiting(), "the kills must fall into the work"
    replay(spool, uri, runs_file=tmp_path / "runs.json")
    (_, name, tags, *rest), children = everything(uri)
    (_, sure_name, sure_tags, *sure_rest), sure_children = everything(f"sqlite:///{calm}/mlflow.db")
    assert children == sure_children and (name, tags, rest) == (sure_name, sure_tags, sure_rest)


def test_a_failed_cell_that_succeeds_later_is_the_same_run(tmp_path, uri):
    spool = a_spool(tmp_path, [a_record(state="failed")])
    replay(spool, uri, runs_file=tmp_path / "runs.json")
    ids = json.loads((tmp_path / "runs.json").read_text())
    put_cells(spool, [a_record(ended=3000.0)])
    replay(spool, uri, runs_file=tmp_path / "runs.json")
    (child,) = everything(uri)[1].values()
    assert child[0] == "FINISHED" and "segfrontier.error" not in child[2] and "miou" in child[4]
    assert json.loads((tmp_path / "runs.json").read_text()) == ids


def test_artefacts_come_to_the_study_and_early_points_with_them(tmp_path, uri):
    spool = a_spool(tmp_path, [a_record(miou=0.3, score_folder=str(tmp_path))])
    (tmp_path / "report").mkdir()
    (tmp_path / "report" / "table.csv").write_text("a,b")
    for name in ("frontier.png", "pictures.png"):
        (tmp_path / name).write_bytes(b"png")
    replay(spool, uri, runs_file=tmp_path / "runs.json")
    parent, (child,) = everything(uri)[0], everything(uri)[1].values()
    assert parent[4] == {} and child[6] == ["cell.yaml", "pictures.png"], "the cell's pictures are with the cell"
    files = [str(tmp_path / name) for name in ("frontier.png", "report", "gone.html")]
    spool.put("artefacts", "tiny", {"study": "tiny", "files": files})
    spool.put("study", "tiny", {**STUDY, "state": "done"})
    assert replay(spool, uri, runs_file=tmp_path / "runs.json").sent == 2
    parent, _ = everything(uri)
    assert parent[0] == "FINISHED" and {"frontier.png", "report"} <= set(parent[6])
    assert parent[4] == {"miou/fine": [(600, 0.3, 2_000_000)]}


def test_what_can_never_be_told_is_set_aside_and_named(tmp_path, uri, caplog):
    bad = [{"study": "tiny"}, {**a_record(), "study": "other"}, {**a_record(hours=1), "values": {"miou_present": "?"}}]
    spool = a_spool(tmp_path)
    for content in bad:
        spool.put("cell", "bad", content)
    spool.put("study", "tiny", {**STUDY, "config": "a: ["})
    spool.put("gossip", "tiny", {"study": "tiny"})
    put_cells(spool, [a_record()])
    with caplog.at_level("ERROR"):
        told = replay(spool, uri, runs_file=tmp_path / "runs.json")
    assert (told.sent, told.left, told.error) == (2, 0, "") and len(list(spool.broken.iterdir())) == 5
    assert caplog.text.count("set aside as") == 5 and "must be of kind" in caplog.text
    assert set(everything(uri)[1]) == {a_record()["key"]}


def test_a_cell_may_come_before_its_study(tmp_path, uri):
    spool = a_spool(tmp_path, [a_record()], study=None)
    assert replay(spool, uri, runs_file=tmp_path / "runs.json").sent == 1
    spool.put("study", "tiny", STUDY)
    assert replay(spool, uri, runs_file=tmp_path / "runs.json").sent == 1
    parent, children = everything(uri)
    assert len(children) == 1 and "study.yaml" in parent[6]


def test_a_study_that_was_deleted_in_the_dashboard_comes_back(tmp_path, uri):
    from mlflow import MlflowClient

    from segfrontier.tracking.replaying import Replayer

    spool = a_spool(tmp_path, [a_record(seed=0)])
    with spool.held():
        replayer = Replayer(spool, uri, tmp_path / "runs.json")
        assert replayer.run().sent == 2
        client = MlflowClient(uri)
        client.delete_experiment(client.get_experiment_by_name("tiny").experiment_id)
        put_cells(spool, [a_record(seed=1)])
        assert replayer.run().sent == 1 and not spool.broken.exists()


def test_a_request_that_was_thought_lost_leaves_one_run(tmp_path, uri):
    from mlflow import MlflowClient

    spool = a_spool(tmp_path, [a_record()])
    replay(spool, uri, runs_file=tmp_path / "runs.json")
    client, key = MlflowClient(uri), a_record()["key"]
    experiment = client.get_experiment_by_name("tiny").experiment_id
    client.create_run(experiment, start_time=10**12, tags={"segfrontier.cell": key})
    again(spool)
    replay(spool, uri, runs_file=tmp_path / "runs.json")
    assert set(everything(uri)[1]) == {key}


def test_long_curves_and_awkward_names_pass(tmp_path, uri):
    long = {"train1/loss": [[i, 1.0 / (i + 1)] for i in range(2500)]}
    notes = dict.fromkeys(("a+b", "..x", "a//b", "ü%", "x" * 400, "./y", "z/"), 1.0)
    spool = a_spool(tmp_path, [a_record(curves=long, notes=notes)])
    assert replay(spool, uri, runs_file=tmp_path / "runs.json").sent == 2
    (child,) = everything(uri)[1].values()
    assert len(child[4]["train1/loss"]) == 2500 and {"notes/a_b", "notes/..x", "notes/a/b"} <= set(child[4])


def test_three_processes_may_make_the_database_at_once(tmp_path):
    code = "import sys; from segfrontier.tracking.runs import prepare; prepare(sys.argv[1])"
    command = [sys.executable, "-c", code, f"sqlite:///{tmp_path}/new/mlflow.db"]
    processes = [subprocess.Popen(command) for _ in range(3)]
    assert [p.wait() for p in processes] == [0] * 3 and Path(tmp_path / "new" / "mlflow.db").exists()
