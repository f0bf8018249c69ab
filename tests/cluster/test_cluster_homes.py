"""Homes of jobs, and nodes that do not see what a study needs: who is refused, when, and in which words."""

import json
import platform
from functools import partial
from types import SimpleNamespace

import pytest
from toystudy import toy_study
from toyworld import write_toy

from segfrontier.errors import BadStudy
from segfrontier.home.layout import CELL, Home
from segfrontier.home.records import Record
from segfrontier.lab._ray.health import NodeHealth
from segfrontier.study import preflight
from segfrontier.study.cells import expand
from segfrontier.study.job import require_lasting, this_job
from segfrontier.study.keys import Atlas, keyed, write_cell
from segfrontier.study.preflight import (
    code_stamp,
    file_system,
    missing_here,
    needs_of,
    require_nodes,
    stays_behind,
    unseen,
)
from segfrontier.study.ray_tune import _UNSEEN, _Cells
from segfrontier.study.run import run_study

IN_A_JOB = {"RAY_JOB_CONFIG_JSON_ENV_VAR": json.dumps({"metadata": {"job_submission_id": "toy-1"}, "runtime_env": {}})}


@pytest.mark.parametrize(
    ("text", "job"),
    [(IN_A_JOB["RAY_JOB_CONFIG_JSON_ENV_VAR"], "toy-1"), ("", ""), ("{", ""), ("[1]", ""), ('{"metadata": null}', ""),
     ('{"metadata": {"job_submission_id": 3}}', "")],
)  # fmt: skip
def test_which_job_a_process_is(text, job):
    assert this_job({"RAY_JOB_CONFIG_JSON_ENV_VAR": text}) == job and this_job({}) == ""


def test_a_home_that_goes_with_the_job_is_refused(tmp_path):
    from pathlib import Path

    with pytest.raises(BadStudy, match=r"absolute path; runs lies in the folder that Ray deletes.*--home /shared/runs"):
        require_lasting(Path("runs"), IN_A_JOB)
    inside = tmp_path / "session_1" / "runtime_resources" / "working_dir_files" / "_ray_pkg_1" / "runs"
    with pytest.raises(BadStudy, match="must outlive it; Ray deletes"):
        require_lasting(inside, IN_A_JOB)
    require_lasting(tmp_path, IN_A_JOB)
    require_lasting(Path("runs"), {})
    require_lasting(inside, {})


def test_a_run_in_a_job_makes_nothing_in_a_folder_that_goes(tmp_path, monkeypatch):
    from pathlib import Path

    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv(*next(iter(IN_A_JOB.items())))
    with pytest.raises(BadStudy, match="absolute path"):
        run_study(toy_study(tmp_path), home=Path("runs"), tracking="none")
    assert not (tmp_path / "runs").exists()


def test_the_job_and_the_parent_run_in_mlflow_name_each_other(tmp_path, monkeypatch):
    from segfrontier.home.context import read_context
    from segfrontier.study.publishing import Publisher
    from segfrontier.tracking.studies import study_payload

    monkeypatch.setenv(*next(iter(IN_A_JOB.items())))
    place = Home(tmp_path).study("toy")
    place.path.mkdir(parents=True)
    with Publisher(place, {}, (), uri="none"):
        pass
    context = read_context(place)
    assert context["job"] == "toy-1"
    assert study_payload(context | {"study": "toy"}, (), ()).tags["segfrontier.job"] == "toy-1"
    assert "segfrontier.job" not in study_payload({"study": "toy", "job": ""}, (), ()).tags


@pytest.fixture
def needs(tmp_path):
    world = write_toy(tmp_path / "toy")
    (tmp_path / "runs").mkdir()
    (tmp_path / "w.pt").write_bytes(b"weights")
    weights = [("resnet18", str(tmp_path / "w.pt")), ("resnet18", "never"), ("resnet18", "timm:a.b")]
    return needs_of(tmp_path / "runs", {str(tmp_path / "toy"): world, "street:train=4": world}, weights)


def test_what_is_looked_for_on_a_node_travels_as_plain_values(needs, tmp_path):
    assert list(needs.worlds) == [str(tmp_path / "toy")], "built-in worlds are made on each node"
    assert needs.weights == (("resnet18", str(tmp_path / "w.pt")),), "hubs are asked by each node"
    assert missing_here(needs) == [] and list((tmp_path / "runs").iterdir()) == []


def test_what_a_node_lacks_is_named(needs, tmp_path, monkeypatch):
    from dataclasses import replace
    from pathlib import Path

    (wrong,) = missing_here(replace(needs, code="0" * 32))
    assert "its code (" in wrong and f"{code_stamp()[:8]}) is not the driver's (00000000)" in wrong
    (wrong,) = missing_here(replace(needs, worlds={"w": (str(tmp_path / "toy"), "other")}))
    assert wrong == f"world w: {tmp_path / 'toy'} holds another one there"
    (tmp_path / "w.pt").unlink()
    (wrong,) = missing_here(needs)
    assert wrong.startswith("weights of resnet18: ") and "is no file" in wrong
    shard = next((tmp_path / "toy" / "images").iterdir())
    Path(shard).unlink()
    wrong = missing_here(replace(needs, weights=()))
    assert len(wrong) == 1 and wrong[0].startswith(f"world {tmp_path / 'toy'}: ")
    full = SimpleNamespace(free=2**30 - 1)
    monkeypatch.setattr("shutil.disk_usage", lambda _: full)
    assert missing_here(replace(needs, weights=(), worlds={})) == ["only 1023 MiB are free at the home"]


def test_a_home_without_links_is_named(needs, monkeypatch):
    def refuse(*_):
        raise OSError(95, "Operation not supported")

    monkeypatch.setattr("os.link", refuse)
    (wrong,) = missing_here(needs)
    assert wrong.startswith("the home takes no files, locks or links there")


def test_a_study_is_refused_with_the_name_of_the_node(needs, monkeypatch):
    asked = []

    def nodes(home, look):
        asked.append((home, look))
        return found

    monkeypatch.setattr(preflight, "nodes", nodes)
    good, bad = NodeHealth(name="one", cpus=4, gpus=0), NodeHealth(name="two", cpus=4, gpus=0, error="no such folder")
    found = [good, bad]
    with pytest.raises(BadStudy, match=rf"node two does not: no such folder\. Mount {needs.home} on every node"):
        require_nodes(needs)
    found = [bad, good, bad]
    with pytest.raises(BadStudy, match=r"no such folder \(and 1 more of 3 nodes lack something\)"):
        require_nodes(needs)
    found = [good, good]
    require_nodes(needs)
    assert asked[0][0] == needs.home and isinstance(asked[0][1], partial) and asked[0][1]() == []


MOUNTS = """22 1 259:1 / / rw - ext4 /dev/root rw
30 22 0:40 / /shared rw shared:1 - nfs4 fs-1:/ rw
31 30 0:41 / /shared/local\\040disk rw - xfs /dev/sdb rw
"""


def test_a_home_on_the_disk_of_a_head_that_computes_nothing_is_found_out(tmp_path):
    (mounts := tmp_path / "mountinfo").write_text(MOUNTS)
    from pathlib import Path

    kinds = {
        "/home/me": "ext4",
        "/shared": "nfs4",
        "/shared/runs": "nfs4",
        "/shared/local disk/x": "xfs",
        "/sharedx": "ext4",
    }
    assert {place: file_system(Path(place), mounts) for place in kinds} == kinds
    assert file_system(Path("/x"), tmp_path / "none") == ""
    head, worker = NodeHealth(name="head", cpus=0, gpus=0), NodeHealth(name="worker", cpus=8, gpus=1)
    assert stays_behind(Path("/home/me"), [head], mounts) == "ext4"
    assert stays_behind(Path("/shared/runs"), [head], mounts) == ""
    assert stays_behind(Path("/home/me"), [worker], mounts) == "", "all of it is done on this one node"
    assert stays_behind(Path("/home/me"), [head, worker], mounts) == "", "both have just read and written it"


def test_a_cells_node_that_does_not_see_it_says_so(tmp_path):
    why = unseen(tmp_path / "cells" / "k" / CELL, patience=0)
    assert why.startswith(f"node {platform.node()} does not see {tmp_path}") and "not tried again" in why
    (tmp_path / CELL).touch()
    assert unseen(tmp_path / CELL, patience=0) == ""


def test_a_cell_of_a_blind_node_is_not_retried_and_no_other_is_begun(tmp_path):
    study, home = toy_study(tmp_path, methods=["fine"]), Home(tmp_path / "runs")
    key, cell = next(iter(keyed(expand(study), Atlas()).items()))
    write_cell(home, key, cell)
    told = []
    feed = SimpleNamespace(next=lambda: key, over=False, halt=lambda why: told.append(("halt", why)))
    work = SimpleNamespace(home=home, feed=feed, settle=lambda *end: told.append(end))
    cells = _Cells(work, 1)
    assert cells.suggest("trial") == {"key": key}
    cells.on_trial_complete("trial", {"outcome": _UNSEEN, "why": "node two does not see it"})
    assert told == [("halt", "node two does not see it"), (key, "failed")]
    record = Record.read(home.cell(key))
    assert record.state == "failed" and record.error == "node two does not see it" and "memory" not in record.error
