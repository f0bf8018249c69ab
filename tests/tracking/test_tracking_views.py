"""The saved views of a study's page, and the command that opens the dashboard."""

import json
import shutil
import signal
import subprocess
import sys
from contextlib import ExitStack

import pytest
from trackhere import PQ, STUDY, a_home, a_port, a_record, everything

from segfrontier.tracking.address import database
from segfrontier.tracking.payload import cell_payload, colour
from segfrontier.tracking.server import answers
from segfrontier.tracking.sync import sync
from segfrontier.tracking.views import COSTS, METHODS, VIEW_TAG, experiment_tags, view_link

UI = "import typer; from segfrontier.commands.ui import ui; typer.run(ui)"


@pytest.mark.parametrize(("study", "metric"), [(STUDY, "miou_present"), (PQ, "pq")])
def test_a_view_draws_what_cells_are_told_to_have(study, metric):
    told = cell_payload(a_record(values={"miou_present": 0.4, "pq": 0.2, "sq": 0.7}), study)
    names = {v.name for v in told.values}
    tags = experiment_tags("tiny", "7", metric)
    assert tags["mlflow.experiment.primaryMetric.name"] == metric and told.values[0].name == metric
    for key, text in tags.items():
        if key.startswith(VIEW_TAG):
            view = json.loads(text)
            state = json.loads(view["state"])
            (chart,), (section,) = state["compareRunCharts"], state["compareRunSections"]
            assert chart["metricKey"] == metric and metric in names and chart["metricSectionId"] == section["uuid"]
            assert chart["xAxisScaleType"] == "log" and all(v.step > 0 for v in told.values if v.name == metric)
            assert state["orderByKey"] == f"metrics.`{metric}`" in state["selectedColumns"]
            grouped = state.get("groupBy", {"groupByKeys": []})["groupByKeys"]
            assert {k["groupByData"] for k in grouped} <= set(told.tags), "a facet must never be joined with another"


def test_the_page_of_a_study_links_to_its_views():
    assert experiment_tags("s", "1")["mlflow.experimentKind"] == "custom_model_development", "not one of GenAI traces"
    tags = experiment_tags("tiny", "7")
    for view in (COSTS, METHODS):
        link = view_link("tiny", "7", view)
        assert f"[{view}]({link})" in tags["mlflow.note.content"] and link.startswith("#/experiments/7/runs?")
        assert VIEW_TAG + link.rpartition("=")[2] in tags
    assert experiment_tags("tiny", "7") == tags and set(tags) != set(experiment_tags("other", "7"))
    assert max(map(len, tags.values())) < 5000, "servers of older versions take no more"


def test_views_say_which_metric_they_show_and_keep_their_links():
    ours, theirs = experiment_tags("tiny", "7"), experiment_tags("tiny", "7", "pq")
    assert ours.keys() == theirs.keys(), "another metric replaces views, it adds none"
    assert f"[Cost vs pq]({view_link('tiny', '7', COSTS)})" in theirs["mlflow.note.content"]
    shown = {json.loads(text)["name"]: text for key, text in theirs.items() if key.startswith(VIEW_TAG)}
    assert set(shown) == {"Cost vs pq", METHODS} and not any("mIoU" in text for text in shown.values())
    assert ours["segfrontier.views"] == "2" and theirs["segfrontier.views"] == "2 pq"


def test_methods_have_the_colours_of_their_places_in_the_study():
    study = {"config": "methods: [{name: fine}, coarse, {name: fine}]"}
    assert [colour(m, study) for m in ("fine", "coarse", "unknown")] == ["#0072B2", "#D55E00", "#888888"]
    assert colour("fine", {}) == "#888888" and colour("fine", {"config": "methods: fine"}) == "#0072B2"


@pytest.mark.slow
def test_a_view_that_people_changed_stays_theirs(tmp_path, uri):
    from mlflow import MlflowClient

    place = a_home(tmp_path / "runs")
    sync(place, uri)
    client = MlflowClient(uri)
    experiment = client.get_experiment_by_name("tiny")
    assert set(experiment_tags("tiny", experiment.experiment_id)) <= set(experiment.tags)
    client.set_experiment_tag(experiment.experiment_id, "mlflow.note.content", "mine")
    view = next(tag for tag in experiment.tags if tag.startswith(VIEW_TAG))
    client.set_experiment_tag(experiment.experiment_id, view, "mine")
    sync(place, uri)
    now = client.get_experiment_by_name("tiny").tags
    assert now["mlflow.note.content"] == "mine" and now[view] == "mine"
    client.set_experiment_tag(experiment.experiment_id, "segfrontier.views", "1")
    sync(place, uri)
    now = client.get_experiment_by_name("tiny").tags
    assert now["mlflow.note.content"] == "mine" and json.loads(now[view])["name"], "an earlier version's views"


@pytest.mark.slow
def test_a_study_that_comes_to_rank_by_another_metric_is_shown_by_it(tmp_path, uri):
    from mlflow import MlflowClient

    place = a_home(tmp_path / "runs", [a_record(values={"miou_present": 0.4, "pq": 0.2})])
    sync(place, uri)
    assert everything(uri)[1][a_record()["key"]][4]["pq"] == [(0, 0.2, 2_000_000)]
    place.file.write_text(PQ["config"])
    assert sync(place, uri).written == 1 and sync(place, uri).written == 0
    tags = MlflowClient(uri).get_experiment_by_name("tiny").tags
    assert tags["mlflow.experiment.primaryMetric.name"] == "pq" and "[Cost vs pq](" in tags["mlflow.note.content"]
    parent, cells = everything(uri)
    assert (
        parent[4]["pq/fine"] == [(600, 0.2, 2_000_000)] and (600, 0.2, 2_000_000) in cells[a_record()["key"]][4]["pq"]
    )


@pytest.mark.slow
def test_the_dashboard_opens_with_the_right_store_and_ends_at_ctrl_c(tmp_path, uri):
    home = tmp_path / "runs"
    place = a_home(home, [a_record()])
    shutil.move(database(uri), home / "mlflow.db")
    port = a_port()
    command = [sys.executable, "-c", UI, "--home", str(home), "--port", str(port)]
    process = subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_IGN),  # as a script's background job is started
    )  # fmt: skip
    with process, ExitStack() as ending:
        ending.callback(process.kill)
        assert process.stdout is not None and process.stderr is not None
        address = process.stdout.readline().split()[1]
        link = process.stdout.readline().split()
        assert process.stdout.readline() == "Ctrl-C ends it\n"
        assert address == f"http://127.0.0.1:{port}/#/experiments?workflowType=machine_learning" and answers(
            f"http://127.0.0.1:{port}"
        )
        assert link[0] == "tiny:" and COSTS not in link[1] and "/runs?" in link[1]
        process.send_signal(signal.SIGINT)
        assert process.wait(30) == 0
        assert "tiny: 1 runs were brought up to date in MLflow" in process.stderr.read()
    assert not answers(f"http://127.0.0.1:{port}") and a_record()["key"] in place.runs()


def test_a_home_that_is_not_there_is_refused(tmp_path):
    from segfrontier.commands.ui import ui
    from segfrontier.errors import BadInput

    with pytest.raises(BadInput, match="must be a folder that studies were run in"):
        ui(home=tmp_path / "nowhere", port=0, uri=None)
