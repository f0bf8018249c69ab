"""`run`, `status`, `logs`, `stop` and `claims` as a user types them."""

import json
import os

import pytest
import yaml
from terminal import segfrontier
from toystudy import toy_study

from segfrontier import cli
from segfrontier.basics.atomic import write_json
from segfrontier.home.claiming import RUN, STOP
from segfrontier.home.layout import Home


@pytest.fixture(scope="module")
def ran(tmp_path_factory):
    """A study of which one cell failed, run by the command."""
    folder = tmp_path_factory.mktemp("ran")
    study = toy_study(folder, methods=["fine"], seeds=[0], budgets=[50 / 3600, 0.1])
    (folder / "study.yaml").write_text(study.to_yaml())
    return folder, segfrontier("run", "study.yaml", "--tracking", "none", folder=folder)


def test_run_tells_what_ended_how_and_what_to_do_next(ran):
    _, told = ran
    assert told.returncode == 1, "a cell failed"
    assert "toy: 2 cells, 2 to compute" in told.stderr and "[2/2] fine, 0.1 h, seed 0: done mIoU" in told.stderr
    assert "1 done  1 failed" in told.stdout and "at least one fine mask" in " ".join(told.stdout.split())
    assert "runs/studies/toy/report/frontier.png" in told.stdout and "next: segfrontier frontier toy" in told.stdout


def test_status_lists_cells_and_logs_shows_one(ran):
    folder, _ = ran
    told = segfrontier("status", "toy", "--cells", folder=folder).stdout
    assert "1 done  1 failed" in told and "best mean so far" in told
    failed = next(line.split()[0] for line in told.splitlines() if "  failed  " in line)
    log = segfrontier("logs", failed, folder=folder).stdout
    assert "Traceback" in log and "nothing could be bought" in log
    plain = json.loads(segfrontier("status", "--json", folder=folder).stdout)
    assert plain["toy"]["running"] is False and {c["state"] for c in plain["toy"]["cells"]} == {"done", "failed"}


def test_a_study_that_was_refused_is_not_listed_without_a_word(tmp_path):
    study = toy_study(tmp_path, methods=["fine"]).model_dump(mode="json") | {"worlds": ["nowhere"]}
    (tmp_path / "study.yaml").write_text(yaml.safe_dump(study))
    assert segfrontier("run", "study.yaml", "--tracking", "none", folder=tmp_path).returncode == 3
    told = segfrontier("status", folder=tmp_path).stdout
    assert told.startswith("toy\n") and "no cell of it was begun" in told


def test_run_as_json(ran):
    folder, _ = ran
    told = segfrontier("run", "study.yaml", "--tracking", "none", "--json", folder=folder)
    plain = json.loads(told.stdout)
    assert told.returncode == 1 and plain["why"] == "" and any(p.endswith("report.html") for p in plain["report"])


def test_what_is_not_there_is_told_with_what_is(ran):
    folder, _ = ran
    told = segfrontier("status", "toi", folder=folder)
    assert told.returncode == 3 and "did you mean 'toy'" in told.stderr
    told = segfrontier("logs", "zz", folder=folder)
    assert told.returncode == 3 and "found none" in told.stderr
    told = segfrontier("run", "nowhere.yaml", folder=folder)
    assert told.returncode == 3 and "readable file" in told.stderr
    told = segfrontier("status", "--home", "empty", folder=folder)
    assert told.returncode == 3 and "there is no such folder" in told.stderr


def test_stop_leaves_the_wish_where_the_run_looks_for_it(ran):
    folder, _ = ran
    place = Home(folder / "runs").study("toy")
    assert "toy is not running" in segfrontier("stop", "toy", folder=folder).stdout
    assert not (place.path / STOP).exists()
    for lease in place.path.glob("lease.*"):
        lease.unlink()
    (lease := place.path / "lease.7").touch()
    other = {"pid": 1, "host": "elsewhere", "kernel": "another", "lease": 7, "ended": False}
    write_json(place.path / RUN, other)
    assert "was asked to stop" in segfrontier("stop", "toy", folder=folder).stdout and (place.path / STOP).exists()
    os.utime(lease, (0, 0))
    assert "toy is not running" in segfrontier("stop", "toy", folder=folder).stdout, "its heart has stopped"


def test_a_wrong_study_costs_nothing_and_names_the_nearest_key(tmp_path):
    plain = {"name": "a", "methods": ["fine"], "budgets": [1], "exekutor": {}}
    (tmp_path / "s.yaml").write_text(yaml.safe_dump(plain))
    told = segfrontier("run", "s.yaml", folder=tmp_path)
    assert told.returncode == 3 and "exekutor: did you mean 'executor'?" in told.stderr
    assert not (tmp_path / "runs").exists()


@pytest.mark.slow
def test_claims_that_nobody_ran_cannot_be_told(tmp_path):
    plain = json.loads(segfrontier("claims", "show", "active_points", "--json", folder=tmp_path).stdout)
    claims = plain["active_points"]
    assert len(claims) >= 5 and {c["verdict"] for c in claims} == {"cannot tell"}
    assert all(c["paper"] and c["where"] and c["measured"] for c in claims)
    told = segfrontier("claims", "show", "active_points", "--markdown", folder=tmp_path).stdout
    assert told.startswith("| claim | paper |") and told.count("**cannot tell**") == len(claims)
    assert " in miou_synthia16: not measured" in told and "; control active_points selector=none uda=images" in told
    told = segfrontier("claims", "show", "fine", folder=tmp_path)
    assert told.returncode == 3 and "found none in fine" in told.stderr


def test_tables_of_the_papers_are_listed_with_the_name_that_plan_takes(tmp_path):
    told = segfrontier("claims", "tables", folder=tmp_path).stdout
    assert "active_points:table-1" in told and "coarse_to_fine:" in told


def test_the_resolved_study_is_printed_whole(tmp_path):
    (tmp_path / "s.yaml").write_text("name: a\nmethods: fine\nbudgets: 5\n")
    told = segfrontier("plan", "s.yaml", "--resolved", "--set", "recipe.steps=7", folder=tmp_path).stdout
    plain = yaml.safe_load(told)
    assert plain["recipe"]["steps"] == 7 and plain["executor"]["kind"] == "ray" and plain["budgets"] == [5.0]


def test_our_own_warnings_are_a_paragraph_and_come_once(capsys, monkeypatch):
    others = []
    monkeypatch.setattr(cli, "_usual_warning", lambda *told: others.append(told))

    class Ours(UserWarning):
        __module__ = "segfrontier.somewhere"

    for line in (1, 2):
        cli._show_warning(Ours("weights are random here"), Ours, "file.py", line)
    cli._show_warning(UserWarning("theirs"), UserWarning, "other.py", 7)
    told = capsys.readouterr().err
    assert told.count("warning: weights are random here\n") == 1 and "file.py" not in told
    assert [(str(message), place) for message, _, place, *_ in others] == [("theirs", "other.py")]
