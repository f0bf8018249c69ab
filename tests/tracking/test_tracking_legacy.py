"""The journal that earlier versions kept is read once: what only it knows is kept, and it goes."""

import json
import shutil

import pytest
from trackhere import CONFIG, STUDY, a_home, a_record, everything, put_cells

from segfrontier.home.context import read_context
from segfrontier.home.records import Record
from segfrontier.tracking.legacy import adopt_spool
from segfrontier.tracking.payload import cell_payload
from segfrontier.tracking.sync import sync


def put(folder, number, kind, key, content):
    """An entry as version 0 put it."""
    folder.mkdir(parents=True, exist_ok=True)
    entry = {"kind": kind, "key": key, "at": 100.0 + number, "content": content}
    (folder / f"{number:020d}-1-{kind}-{key[:80]}.json").write_text(json.dumps(entry))


def old_home(folder, kept, lost):
    place = a_home(folder, kept, state="")
    spool = place.path / "spool"
    put(spool / "done", 1, "study", "tiny", {**STUDY, "state": "running", "commit": "0ld"})
    for number, record in enumerate([*kept, *lost], start=2):
        put(spool, number, "cell", record["key"], {**record, "study": "tiny"})
    put(spool, 90, "artefacts", "tiny", {"study": "tiny", "files": []})
    (spool / f"{91:020d}-1-cell-cut.json").write_text('{"kind": "ce')
    (spool / "writer.log").write_text("says")
    (spool / "broken").mkdir()
    return place


def test_what_waited_is_kept_and_the_spool_goes(tmp_path):
    kept, lost = [a_record(seed=0)], [a_record(seed=1, ended=1234.0)]
    place = old_home(tmp_path / "runs", kept, lost)
    adopt_spool(place)
    assert not (place.path / "spool").exists()
    found = read_context(place)
    assert found["state"] == "running" and found["at"] == 101.0 and found["facets"] == ["f0f0f0f0"]
    assert found["cells"] == [r["key"] for r in (*kept, *lost)] and found["earlier"]["commit"] == "0ld"
    assert Record.read(place.home.cell(lost[0]["key"])).ended == 1234.0
    assert cell_payload(a_record(), {**found, "config": CONFIG}).tags["mlflow.source.git.commit"] == "0ld"
    adopt_spool(place)
    assert read_context(place) == found


def test_a_record_that_is_there_is_newer_than_what_waited(tmp_path):
    record = a_record(ended=5000.0)
    place = old_home(tmp_path / "runs", [record], [])
    put_cells(place, [record | {"ended": 6000.0}])
    adopt_spool(place)
    assert Record.read(place.home.cell(record["key"])).ended == 6000.0


@pytest.mark.slow
def test_runs_that_an_earlier_version_wrote_are_brought_up_to_date(tmp_path, uri):
    """They have no mark, the long name and all digits; nothing of them is doubled."""
    from mlflow import MlflowClient

    from segfrontier.tracking.runs import Runs

    record, client = a_record(miou=0.123456789, curves={"train1/loss": [[20, 0.123456789]]}), MlflowClient(uri)
    experiment = Runs(uri, "tiny").experiment
    tags = {"segfrontier.cell": record["key"], "segfrontier.label": record["cell"]["label"]}
    run = client.create_run(experiment, 1_000_000, tags, run_name=record["cell"]["label"]).info.run_id
    for name, value, step in (("pixel_accuracy", 0.8, 0), ("train1/loss", 0.123456789, 20), ("miou", 0.123456789, 600)):
        client.log_metric(run, name, value, timestamp=2_000_000, step=step)
    client.log_param(run, "budget_hours", "10")
    client.set_terminated(run, "FINISHED", 2_000_000)
    client.create_run(experiment, 1_000_000, {"segfrontier.study": "tiny"}, run_name="tiny")
    place = old_home(tmp_path / "runs", [record], [])
    adopt_spool(place)
    sync(place, uri)
    (child,) = everything(uri)[1].values()
    assert place.runs()[record["key"]] == run and child[1] == "fine · 10 h · s0" and child[3]["batch"] == "4"
    assert len(child[4]["train1/loss"]) == 1 and child[4]["miou_present"] == [(600, 0.12346, 2_000_000)]
    shutil.rmtree(tmp_path / "mlartifacts", ignore_errors=True)
