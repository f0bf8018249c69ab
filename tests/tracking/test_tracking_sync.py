"""A sync with a real MLflow database: what is there, that twice is once, and that a kill loses and doubles nothing."""

import json
import random
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from trackhere import a_home, a_record, everything, put_cells, put_state, running

from segfrontier.home.layout import DamagedFile, Home
from segfrontier.tracking.sync import Sync, sole, sync

pytestmark = pytest.mark.slow

GRID = [(m, h, s) for s in (0, 1) for m in ("fine", "fine+coarse") for h in (5, 10)]
DIES = """
import os, signal, sys
from pathlib import Path
from mlflow import MlflowClient
from segfrontier.home.layout import Home
from segfrontier.tracking.sync import sync
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
calls = "create_experiment create_run update_run log_batch log_inputs log_text log_artifact set_terminated set_tag"
for name in [*calls.split(), "set_experiment_tag"]:
    setattr(MlflowClient, name, counted(getattr(MlflowClient, name), left % 2 == 0))
sync(Home(Path(sys.argv[1])).study("tiny"), sys.argv[2])
"""


SYNCS = """
import sys
from pathlib import Path
from segfrontier.home.layout import Home
from segfrontier.tracking.sync import sync
assert sync(Home(Path(sys.argv[1])).study("tiny"), sys.argv[2]).written == 2
"""


def grid():
    return [a_record(method=m, hours=h, seed=s, miou=0.01 * h + 0.1 * s + (m == "fine") * 0.2) for m, h, s in GRID]


def synced(place, uri):
    """A sync that must succeed; how many runs of cells it wrote."""
    done = sync(place, uri)
    assert done is not None and (done.left, done.error) == (0, ""), done
    return done.written


def test_a_study_and_its_cells_are_found_in_mlflow(tmp_path, uri):
    records = [*grid(), a_record(method="coarse", state="failed")]
    place = a_home(tmp_path / "runs", records)
    assert synced(place, uri) == 9
    parent, children = everything(uri)
    assert set(children) == {r["key"] for r in records}
    assert set(place.runs()) == {"tiny"} | set(children)
    status, name, tags, params, history, worlds, files = children[records[0]["key"]]
    assert status == ("FINISHED", 1_000_000, 2_000_000) and name == "fine · 5 h · s0"
    assert files == ["cell.yaml", "log.txt"] and worlds == [("street", "d" * 32, "target")]
    assert params["budget_hours"] == "5" and params["crop"] == "64x96" and params["batch"] == "4"
    assert tags["mlflow.source.git.commit"] == "abc123" and "segfrontier.error" not in tags
    assert history["hours"] == [(0, 5.0, 2_000_000)] and history["miou_present"] == [(300, 0.25, 2_000_000)]
    assert "iou/train" not in history and len(history["train1/loss"]) == 2 and "miou" not in history
    failed = children[records[-1]["key"]]
    assert failed[0][0] == "FAILED" and failed[2]["segfrontier.error"] == "ValueError: no labels"
    assert parent[4] == {
        "miou_present/fine": [(300, 0.3, 2_001_000), (600, 0.35, 2_001_000)],
        "miou_present/fine_coarse": [(300, 0.1, 2_001_000), (600, 0.15, 2_001_000)],
    }
    assert parent[3]["encoder"] == "resnet18" and parent[3]["batch"] == "4" and "seed" not in parent[3]
    assert parent[6] == ["environment.yaml", "study.yaml"] and "8 done, 1 failed" in parent[2]["mlflow.note.content"]


def test_a_second_sync_finds_all_in_step(tmp_path, uri):
    place = a_home(tmp_path / "runs", grid())
    assert synced(place, uri) == 8
    before, ids = everything(uri), place.runs()
    (place.path / "runs.json").unlink()
    assert synced(place, uri) == 0 and everything(uri) == before and place.runs() == ids


def test_a_run_that_lost_its_mark_is_written_again_to_the_same(tmp_path, uri):
    from mlflow import MlflowClient

    place = a_home(tmp_path / "runs", grid())
    synced(place, uri)
    before, client = everything(uri), MlflowClient(uri)
    for run in place.runs().values():
        client.set_tag(run, "segfrontier.synced", "of other files")
    assert synced(place, uri) == 8 and everything(uri) == before


def test_killed_at_any_moment_nothing_is_lost_or_doubled(tmp_path, uri, empty_database):
    calm = tmp_path / "calm"
    calm.mkdir()
    shutil.copy(empty_database, calm / "mlflow.db")
    place, rng, died = a_home(tmp_path / "runs", grid()), random.Random(4), 0
    synced(place, f"sqlite:///{calm}/mlflow.db")
    (place.path / "runs.json").unlink()
    for _ in range(7):
        command = [sys.executable, "-c", DIES, str(tmp_path / "runs"), uri, str(rng.randint(2, 14))]
        died += subprocess.run(command, check=False).returncode == -9
    assert died >= 4, "the kills must fall into the work"
    assert synced(place, uri) > 0, "and leave something"
    assert everything(uri) == everything(f"sqlite:///{calm}/mlflow.db")


def test_a_failed_cell_that_succeeds_later_is_the_same_run(tmp_path, uri):
    place = a_home(tmp_path / "runs", [a_record(state="failed")])
    synced(place, uri)
    ids = place.runs()
    put_cells(place, [a_record(ended=3000.0)])
    synced(place, uri)
    (child,) = everything(uri)[1].values()
    assert child[0][0] == "FINISHED" and "segfrontier.error" not in child[2] and "miou_present" in child[4]
    assert place.runs() == ids


def test_points_wait_for_their_seeds_and_pictures_for_the_end(tmp_path, uri):
    sheet = tmp_path / "runs/store/entries/k"
    place = a_home(tmp_path / "runs", [a_record(miou=0.3, score_folder=str(sheet))], state="")
    sheet.mkdir(parents=True)
    (sheet / "pictures.png").write_bytes(b"png")
    place.report.mkdir()
    for name in ("table.csv", "frontier.png", ".draft.part"):
        (place.report / name).write_text("a,b")
    with running(place):
        synced(place, uri)
        parent, (child,) = everything(uri)[0], everything(uri)[1].values()
        assert parent[0][0] == "RUNNING" and parent[4] == {} and "frontier.png" not in parent[6]
        assert child[6] == ["cell.yaml", "log.txt", "pictures.png"], "the cell's pictures are with the cell"
        put_state(place, "done", at=3000.0)
        synced(place, uri)
    parent, _ = everything(uri)
    assert parent[0] == ("FINISHED", 7000, 3_000_000)
    assert {"frontier.png", "table.csv"} <= set(parent[6]) and ".draft.part" not in parent[6]
    assert parent[4] == {"miou_present/fine": [(600, 0.3, 2_000_000)]}


def test_what_can_never_be_shown_is_named_and_stops_nothing(tmp_path, uri, caplog, monkeypatch):
    from mlflow import MlflowClient
    from mlflow.exceptions import MlflowException
    from mlflow.protos.databricks_pb2 import INVALID_PARAMETER_VALUE

    odd, refused, good = (a_record(method=name) for name in ("odd", "refused", "fine"))
    place = a_home(tmp_path / "runs", [odd, refused, good])
    written, create = [], MlflowClient.create_run

    def refuse(self, *arguments, **named):
        written.append(named["run_name"])
        if named["run_name"].startswith("refused"):
            raise MlflowException("no", INVALID_PARAMETER_VALUE)
        return create(self, *arguments, **named)

    (place.home.cell(odd["key"]) / "record.json").write_text('{"key": "' + odd["key"] + '", "state": "done"}')
    monkeypatch.setattr(MlflowClient, "create_run", refuse)
    with caplog.at_level("ERROR"), pytest.warns(DamagedFile):
        one = Sync(place, uri)
        first = one.run()
        asked = len(written)
        assert one.run().error == "" and len(written) == asked, "the refused one is not asked for again and again"
    assert (first.left, first.error) == (0, "") and f"{refused['key']} is not shown" in caplog.text
    assert set(everything(uri)[1]) == {good["key"]}


def test_a_study_that_was_deleted_in_the_dashboard_comes_back(tmp_path, uri):
    from mlflow import MlflowClient

    place = a_home(tmp_path / "runs", [a_record(seed=0)])
    one, client = Sync(place, uri), MlflowClient(uri)
    assert one.run().written == 1
    client.delete_experiment(client.get_experiment_by_name("tiny").experiment_id)
    put_cells(place, [a_record(seed=1)])
    assert (one.run().left, one.run().error) == (0, "") and len(everything(uri)[1]) == 2


def test_a_run_that_was_deleted_is_made_anew_with_all_it_had(tmp_path, uri):
    from mlflow import MlflowClient

    place = a_home(tmp_path / "runs", [a_record(seed=0), a_record(seed=1)])
    synced(place, uri)
    before = everything(uri)
    client, ids = MlflowClient(uri), place.runs()
    client.delete_run(ids[a_record(seed=0)["key"]])
    client.delete_run(ids["tiny"])
    assert synced(place, uri) == 2 and everything(uri) == before, "the other one gets its new parent"


def test_a_request_that_was_thought_lost_leaves_one_run(tmp_path, uri):
    from mlflow import MlflowClient

    place = a_home(tmp_path / "runs", [a_record()])
    synced(place, uri)
    client, key = MlflowClient(uri), a_record()["key"]
    experiment = client.get_experiment_by_name("tiny").experiment_id
    client.create_run(experiment, start_time=10**12, tags={"segfrontier.cell": key})
    synced(place, uri)
    assert set(everything(uri)[1]) == {key}


def test_a_cell_that_left_the_table_before_mlflow_answered_is_there(tmp_path, uri):
    place = a_home(tmp_path / "runs", [a_record(hours=5), a_record(hours=10)])
    (place.path / "cells.json").write_text(json.dumps([a_record(hours=5)["key"]]))
    synced(place, uri)
    assert len(everything(uri)[1]) == 2


def test_a_study_file_that_somebody_broke_is_named_and_waited_for(tmp_path, uri):
    place = a_home(tmp_path / "runs", [a_record()])
    place.file.write_text("a: [")
    done = sync(place, uri)
    assert done.left == 1 and "study.yaml" in done.error
    place.file.write_text("name: tiny")
    synced(place, uri)


def test_long_curves_and_awkward_names_pass(tmp_path, uri):
    long = {"train1/loss": [[i, 1.0 / (i + 1)] for i in range(2500)]}
    notes = dict.fromkeys(("a+b", "..x", "a//b", "ü%", "x" * 400, "./y", "z/"), 1.0)
    synced(a_home(tmp_path / "runs", [a_record(curves=long, notes=notes)]), uri)
    (child,) = everything(uri)[1].values()
    assert len(child[4]["train1/loss"]) == 2500 and {"notes/a_b", "notes/..x", "notes/a/b"} <= set(child[4])


def test_a_copy_of_a_home_has_its_artefacts_in_itself_and_leaves_the_old_one_alone(tmp_path):
    from mlflow import MlflowClient

    place = a_home(tmp_path / "runs", [a_record()])
    old, new = (f"sqlite:///{tmp_path}/{name}/mlflow.db" for name in ("runs", "copy"))
    synced(place, old)
    elsewhere = MlflowClient(old).create_experiment("other", f"file://{tmp_path}/mine/other")
    copy = Home(Path(shutil.copytree(tmp_path / "runs", tmp_path / "copy"))).study("tiny")
    before = {path: path.stat().st_mtime_ns for path in (tmp_path / "runs").rglob("*")}
    put_cells(copy, [a_record(seed=1)])
    (copy.home.cell(a_record()["key"]) / "log.txt").write_text("done again")
    subprocess.run([sys.executable, "-c", SYNCS, str(tmp_path / "copy"), new], check=True)  # MLflow remembers places
    assert {path: path.stat().st_mtime_ns for path in (tmp_path / "runs").rglob("*")} == before
    client = MlflowClient(new)
    assert client.get_experiment_by_name("tiny").artifact_location == f"file://{tmp_path}/copy/mlartifacts/tiny"
    assert client.get_experiment(elsewhere).artifact_location == f"file://{tmp_path}/mine/other"
    run = copy.runs()[a_record()["key"]]
    assert Path(client.download_artifacts(run, "log.txt")).read_text() == "done again"
    assert client.get_run(run).info.artifact_uri == f"file://{tmp_path}/copy/mlartifacts/tiny/{run}/artifacts"
    assert len(everything(new)[1]) == 2 and len(everything(old)[1]) == 1


def test_one_process_at_a_time_syncs_a_study(tmp_path):
    place = a_home(tmp_path / "runs", [a_record()])
    with sole(place) as first, sole(place) as second:
        assert first and not second and sync(place, "sqlite:////nowhere.db") is None
    with sole(place) as again:
        assert again


@pytest.mark.parametrize("before", [None, "", "[1]", "[" * 100_000, '{"other": "r0"}'])
def test_run_ids_are_kept_whatever_the_file_held(tmp_path, uri, before):
    place = a_home(tmp_path / "runs", [a_record()])
    if before is not None:
        (place.path / "runs.json").write_text(before)
    synced(place, uri)
    assert {"tiny", a_record()["key"]} <= set(place.runs())
    assert ("other" in place.runs()) == (before is not None and "other" in before)


def test_three_processes_may_make_the_database_at_once(tmp_path):
    code = "import sys; from segfrontier.tracking.runs import prepare; prepare(sys.argv[1])"
    command = [sys.executable, "-c", code, f"sqlite:///{tmp_path}/new/mlflow.db"]
    processes = [subprocess.Popen(command) for _ in range(3)]
    assert [p.wait() for p in processes] == [0] * 3 and Path(tmp_path / "new" / "mlflow.db").exists()
