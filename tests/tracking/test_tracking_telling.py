"""What MLflow is told about a cell, before MLflow sees any of it."""

import posixpath
import re
import subprocess
import sys

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st
from trackhere import STUDY, a_record

from segfrontier.errors import BadInput
from segfrontier.tracking.address import artefacts_beside, hidden, resolve
from segfrontier.tracking.studies import study_note, tell_study
from segfrontier.tracking.telling import clean, clip, tell_cell


def test_importing_tracking_imports_no_mlflow():
    heavy = ("mlflow", "torch", "ray", "pydantic")
    code = f"import sys, segfrontier.tracking; print([m for m in {heavy} if m in sys.modules])"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout == "[]\n"


def test_params_are_few_and_name_the_knobs_that_differ():
    told = tell_cell(a_record(method="points", knobs={"gamma": 0.5}, hours=2.5, seed=3), STUDY)
    assert told.params == {
        "method": "points", "gamma": "0.5", "budget_hours": "2.5", "split": "coarse:0.25 fine:0.75", "seed": "3",
        "world": "street", "encoder": "resnet18", "head": "fpn", "steps": "50", "lr": "0.01",
    }  # fmt: skip


def test_metrics_are_finite_and_the_headline_stands_over_minutes():
    told = tell_cell(a_record(hours=1.5, miou=0.25), STUDY)
    values = {(v.name, v.step): v.value for v in told.values}
    assert values == {
        ("hours", 0): 1.5, ("miou_present", 0): 0.25, ("pixel_accuracy", 0): 0.8, ("miou", 90): 0.25,
        ("compute_hours", 0): (1800 * 2 + 36) / 3600, ("gpu_seconds", 0): 3600.0, ("iou/road", 0): 0.9,
        ("iou/traffic light", 0): 0.1, ("notes/round_1/coverage", 0): 0.5, ("oracle_best", 40): 0.26,
        ("train1/loss", 10): 2.0, ("train1/loss", 20): 1.0,
    }  # fmt: skip


def test_the_document_holds_what_decided_the_cell():
    told = tell_cell(a_record(), STUDY)
    tree = yaml.safe_load(told.documents["cell.yaml"])
    assert tree["cell"]["knobs"] == {"hidden": 1} and tree["commit"] == "abc123"
    assert tree["environment"] == {"python": "3.11"} and tree["acts"]["fine"]["acts"] == 6
    assert told.worlds == (("street", "d" * 32, "target"),)


@pytest.mark.parametrize(("state", "status"), [("done", "FINISHED"), ("failed", "FAILED"), ("cut", "KILLED")])
def test_how_a_cell_ended(state, status):
    told = tell_cell(a_record(state=state), STUDY)
    assert told.status == status and (told.tags["segfrontier.error"] != "") == (state == "failed")
    assert ("no labels" in told.note) == (state == "failed")


@given(st.text(max_size=300))
def test_every_name_becomes_one_that_mlflow_takes(name):
    cleaned = clean(name)
    assert re.fullmatch(r"[/\w.\- :]{1,250}", cleaned)
    assert (
        cleaned == posixpath.normpath(cleaned)
        and not cleaned.startswith(("/", ".."))
        and all(p.strip(". ") for p in cleaned.split("/"))
    )
    assert clean(cleaned) == cleaned


def test_names_and_values_stay_readable():
    assert clean("miou/fine+coarse split=0.3") == "miou/fine_coarse split:0.3"
    assert clip("a" * 9000).endswith("a ...") and len(clip("a" * 9000)) == 5000 and clip("short") == "short"


def test_a_study_counts_its_cells_and_names_the_best_of_each_method():
    records = [a_record(miou=0.3), a_record(miou=0.4, hours=20), a_record(method="coarse", state="failed")]
    told = tell_study(STUDY, records, 7.0)
    assert told.note == study_note("tiny", records) and "2 done, 1 failed" in told.note
    assert "| fine | 40.0% | 1 | 20.0 | fine, 20 h |" in told.note and "| coarse |" not in told.note
    assert told.status == "RUNNING" and tell_study({**STUDY, "state": "done"}, [], 7.0).status == "FINISHED"


def test_where_runs_go(tmp_path):
    own = f"sqlite:///{tmp_path}/mlflow.db"
    assert resolve(None, tmp_path, {}) == own and artefacts_beside(own) == tmp_path / "mlartifacts"
    assert resolve(None, tmp_path, {"MLFLOW_TRACKING_URI": "http://a:1"}) == "http://a:1"
    assert resolve("https://b:2", tmp_path, {"MLFLOW_TRACKING_URI": "http://a:1"}) == "https://b:2"
    for wrong in ("mlruns", "file:///x", "sqlite:///", "postgresql://u:secret@h/db"):
        with pytest.raises(BadInput, match="http") as refusal:
            resolve(wrong, tmp_path, {})
        assert "secret" not in str(refusal.value)
    assert hidden("https://me:secret@host:1/x") == "https://***@host:1/x"
