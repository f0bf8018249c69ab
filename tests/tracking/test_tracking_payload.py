"""What MLflow is told about a cell, before MLflow sees any of it."""

import posixpath
import re
import subprocess
import sys

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st
from trackhere import PQ, STUDY, a_record

from segfrontier.errors import BadInput
from segfrontier.tracking.address import artefacts_beside, hidden, resolve
from segfrontier.tracking.payload import SETTING_TAG, cell_payload, clean, clip, params, run_name
from segfrontier.tracking.studies import study_note, study_payload


def test_importing_tracking_imports_no_mlflow():
    heavy = ("mlflow", "torch", "ray", "pydantic")
    code = f"import sys, segfrontier.tracking; print([m for m in {heavy} if m in sys.modules])"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout == "[]\n"


def test_params_are_few_and_name_the_knobs_that_differ():
    told = cell_payload(a_record(method="points", knobs={"gamma": 0.5}, hours=2.5, seed=3), STUDY)
    assert told.params == {
        "method": "points", "gamma": "0.5", "budget_hours": "2.5", "split": "coarse:0.25 fine:0.75", "seed": "3",
        "world": "street", "encoder": "resnet18", "pretrained": "never", "head": "fpn", "steps": "50", "batch": "4",
        "crop": "64x96", "precision": "fp32", "lr": "0.01",
    }  # fmt: skip


def test_metrics_are_finite_and_the_headline_stands_over_minutes():
    told = cell_payload(a_record(hours=1.5, miou=0.25), STUDY)
    assert {v.at for v in told.values} == {2000.0}
    values = {(v.name, v.step): v.value for v in told.values}
    assert values == {
        ("hours", 0): 1.5, ("miou_present", 90): 0.25, ("pixel_accuracy", 0): 0.8,
        ("compute_hours", 0): 1.01, ("gpu_seconds", 0): 3600.0, ("iou/road", 0): 0.9,
        ("iou/traffic light", 0): 0.1, ("notes/round_1/coverage", 0): 0.5, ("oracle_best", 40): 0.26,
    }  # fmt: skip


def test_the_metric_of_a_study_stands_over_minutes_too_and_comes_first():
    scored = a_record(hours=1.5, values={"miou_present": 0.25, "pq": 0.125, "sq": 0.5})
    told = cell_payload(scored, PQ)
    assert [(v.name, v.step) for v in told.values[:3]] == [("pq", 90), ("miou_present", 90), ("hours", 0)]
    assert [v.step for v in told.values if v.name == "sq"] == [0] and "pq 12.5%, mIoU 25.0% for 1.5" in told.note
    assert "mIoU 25.0% for 1.5" in cell_payload(scored, STUDY).note and "pq" not in cell_payload(scored, STUDY).note
    assert "mIoU 40.0%" in cell_payload(a_record(), PQ).note, "a cell that lacks the metric"
    assert cell_payload(scored, STUDY | {"config": "metric: [pq]"}).values[0].name == "miou_present"


def test_the_document_holds_what_decided_the_cell():
    told = cell_payload(a_record(), STUDY)
    tree = yaml.safe_load(told.documents["cell.yaml"])
    assert tree["cell"]["knobs"] == {"hidden": 1} and tree["commit"] == "abc123"
    assert tree["environment"] == {"python": "3.11"} and tree["acts"]["fine"]["acts"] == 6
    assert told.worlds == (("street", "d" * 32, "target"),)


@pytest.mark.parametrize(("state", "status"), [("done", "FINISHED"), ("failed", "FAILED"), ("cut", "KILLED")])
def test_how_a_cell_ended(state, status):
    told = cell_payload(a_record(state=state), STUDY)
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


def test_digits_that_are_noise_are_left_out():
    told = cell_payload(a_record(miou=0.123456789, hours=1 / 3), STUDY)
    assert {v.value for v in told.values if v.name in ("miou_present", "hours")} == {0.12346, 0.33333}
    stages = [{"kind": "train", "key": "ab" * 16, "seconds": 9.0, "devices": 1, "gpu": False, "found": False}]
    assert "gpu_seconds" not in {v.name for v in cell_payload(a_record(stages=stages), STUDY).values}, "no empty charts"


def test_a_line_of_a_chart_is_a_setting_within_a_facet():
    record, several = a_record(knobs={"gamma": 0.5}), {**STUDY, "facets": ["f0f0f0f0", "aaaaaaaa"]}
    assert cell_payload(record, STUDY).tags[SETTING_TAG] == "fine gamma=0.5"
    assert cell_payload(record, several).tags[SETTING_TAG] == "fine gamma=0.5 #f0f0f0f0"


def test_what_costs_nothing_stands_on_a_logarithmic_axis_too():
    assert [v.step for v in cell_payload(a_record(hours=0), STUDY).values if v.name == "miou_present"] == [1]


def test_a_name_fits_into_a_legend():
    assert (
        cell_payload(a_record(method="active_points", hours=12, knobs={"k": 3}), STUDY).name
        == "active_points · 12 h · s0"
    )
    cell = a_record()["cell"] | {"hours": "all"}
    assert run_name(cell) == "fine · all · s0" and run_name(cell | {"hours": 1 / 9}) == "fine · 0.111 h · s0"


def test_a_crop_that_is_not_chosen_is_told_too():
    cell = a_record()["cell"]
    assert params(cell | {"recipe": cell["recipe"] | {"crop": None}})["crop"] == "whole images"


def test_steps_in_all_stand_in_place_of_steps_of_each_training():
    cell = a_record()["cell"]
    told = params(cell | {"recipe": cell["recipe"] | {"total_steps": 120}})
    assert told["total_steps"] == "120" and "steps" not in told


def test_a_record_names_what_it_was_made_with_else_its_study_does():
    own = {"commit": "def456", "environment": {"python": "3.12"}, "worlds": {"street": "e" * 32}}
    earlier = {**STUDY, "earlier": {"commit": "0ld", "environment": {"python": "3.10"}}}
    for record, commit, python in ((a_record(**own), "def456", "3.12"), (a_record(), "0ld", "3.10")):
        told = cell_payload(record, earlier)
        assert told.tags["mlflow.source.git.commit"] == commit
        assert yaml.safe_load(told.documents["cell.yaml"])["environment"] == {"python": python}
    assert cell_payload(a_record(**own), STUDY).worlds == (("street", "e" * 32, "target"),)


def test_a_study_counts_its_cells_and_ranks_settings_by_their_means():
    lucky = [a_record(miou=m, seed=s) for s, m in enumerate((0.1, 0.9))]
    sound = [a_record(miou=m, seed=s, hours=20) for s, m in enumerate((0.55, 0.56))]
    alone = a_record(miou=0.95, hours=30)
    records = [*lucky, *sound, alone, a_record(method="coarse", state="failed")]
    told = study_payload({**STUDY, "state": "done", "began": 1.0, "at": 7.0}, [], records)
    assert told.note == study_note(STUDY, records) and "5 done, 1 failed" in told.note
    assert "| fine | 55.5% | 2 | 20.0 | fine |" in told.note and "| coarse |" not in told.note
    assert "seeds 0, 1" in told.note and (told.status, told.began, told.ended) == ("FINISHED", 1.0, 7.0)
    assert study_payload({**STUDY, "state": "running"}, [], []).status == "RUNNING"


def test_params_of_a_study_are_what_its_cells_share():
    cells = [a_record(hours=h)["cell"] for h in (1, 2)]
    cells[1] = cells[1] | {"recipe": cells[1]["recipe"] | {"steps": 60}}
    shared = study_payload(STUDY, cells, []).params
    assert shared["encoder"] == "resnet18" and shared["world"] == "street" and "steps" not in shared


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
