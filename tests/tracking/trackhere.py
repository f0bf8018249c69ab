"""Homes with records as cells leave them, made up, for the tests of tracking."""

import hashlib
import json
import os
from contextlib import contextmanager
from pathlib import Path

from segfrontier.basics.atomic import write_json
from segfrontier.home.claiming import claimed
from segfrontier.home.context import write_context
from segfrontier.home.layout import StudyHome, open_home
from segfrontier.home.records import Record
from segfrontier.tracking.server import free_port

CONFIG = "name: tiny\nseeds: [0, 1]\n"
STUDY = {
    "study": "tiny", "config": CONFIG, "environment": {"python": "3.11"}, "commit": "abc123",
    "worlds": {"street": "d" * 32}, "facets": ["f0f0f0f0"],
}  # fmt: skip


PQ = {**STUDY, "config": f"{CONFIG}metric: pq\n"}
"""The same, ranked by another metric than the headline."""


def a_port():
    """A free one of this test process alone: the kernel gives those from 32768 on to whoever asks, as Ray does."""
    return free_port(21_000 + 1_000 * int(os.environ.get("PYTEST_XDIST_WORKER", "gw0")[2:]))


def a_key(label, facet="f0f0f0f0"):
    return hashlib.blake2b(f"{label} {facet}".encode(), digest_size=16).hexdigest()


def a_record(*, method="fine", hours=10, seed=0, miou=0.4, state="done", facet="f0f0f0f0", seconds=None, **more):
    """A record in its plain form, as it lies in a home."""
    knobs = more.pop("knobs", {})
    told = "".join(f" {k}={v}" for k, v in knobs.items())
    label = f"{method}{told}, {hours:g} h, seed {seed}"
    done = state == "done"
    cell = {
        "method": method, "knobs": {"hidden": 1, **knobs}, "hours": float(hours), "world": "street", "source": None,
        "recipe": {
            "encoder": "resnet18", "pretrained": "never", "head": "fpn", "steps": 50, "batch": 4, "crop": [64, 96],
            "precision": "fp32", "lr": 0.01,
        }, "seed": seed, "prices": None,
        "noise": {}, "split": {"coarse": 0.25, "fine": 0.75}, "label": label,
    }  # fmt: skip
    return {
        "key": a_key(label, facet), "state": state, "cell": cell, "facet": facet,
        "facet_words": f"street resnet18/fpn 50x4 #{facet}", "prices": "street 12ab",
        "seconds": int(hours * 3600 if seconds is None else seconds),
        "acts": {"fine": {"scenes": 6, "acts": 6, "units": 6, "asked": 6}},
        "values": {"miou_present": miou, "pixel_accuracy": 0.8} if done else {},
        "iou": {"road": 0.9, "traffic light": 0.1, "train": float("nan")} if done else {},
        "scenes": 3 if done else 0, "oracle_best": {"step": 40, "miou": miou + 0.01} if done else {},
        "notes": {"round_1/coverage": 0.5, "odd": float("inf")},
        "curves": {"train1/loss": [[10, 2.0], [20, 1.0], [30, float("nan")]]},
        "stages": [
            {"kind": "train", "key": "ab" * 16, "seconds": 1800.0, "devices": 2, "gpu": True, "found": False},
            {"kind": "score", "key": "cd" * 16, "seconds": 36.0, "devices": 1, "gpu": False, "found": True},
        ],
        "score_folder": "", "started": 1000.0, "ended": 2000.0 + seed,
        "error": "" if state != "failed" else "ValueError: no labels", **more,
    }  # fmt: skip


def put_cells(place: StudyHome, records) -> None:
    """Cells of a study that have ended like this."""
    keys = place.cell_keys()
    for record in records:
        folder = place.home.cell(record["key"])
        folder.mkdir(parents=True, exist_ok=True)
        write_json(folder / "cell.json", record["cell"])
        write_json(folder / "record.json", record)
        (folder / "log.txt").write_text("done")
        assert Record.read(folder) is not None
        keys += [] if record["key"] in keys else [record["key"]]
    write_json(place.path / "cells.json", keys)


def put_state(place: StudyHome, state, at=7.0, **more) -> None:
    """How the study stands."""
    about = {name: STUDY[name] for name in ("environment", "commit", "worlds", "facets")} | more
    write_context(place, state, about, cells=place.cell_keys(), at=at)


def a_home(folder: Path, records=(), *, state="done", config=CONFIG) -> StudyHome:
    """The study `tiny` in a home of its own, with these cells."""
    place = open_home(folder).study("tiny")
    place.path.mkdir(parents=True)
    place.file.write_text(config)
    put_cells(place, records)
    if state:
        put_state(place, state)
    return place


@contextmanager
def running(place: StudyHome):
    """A run is at work on the study."""
    with claimed(place.path, place.name, lambda _: None):
        put_state(place, "running")
        yield


def put_progress(place: StudyHome, record, lines, *, state="running") -> None:
    """A cell that works, or was stopped: lines of its progress file, added, and its status."""
    folder = place.home.cell(record["key"])
    folder.mkdir(parents=True, exist_ok=True)
    write_json(folder / "cell.json", record["cell"])
    with (folder / "progress.jsonl").open("a") as file:
        file.writelines(json.dumps(line) + "\n" for line in lines)
    write_json(folder / "status.json", {"state": state, "stage": "train aaaa", "pid": 1, "at": 1.0})
    keys = place.cell_keys()
    write_json(place.path / "cells.json", keys + ([] if record["key"] in keys else [record["key"]]))


def a_step(at, step, loss, *, train=1, stage="s1", **more):
    """A line of a progress file."""
    values = {"loss": loss, "lr/net": 0.01, "samples_a_second": 12.3456789, "data_wait": 0.25}
    return {"at": at, "train": train, "stage": stage, "step": step, "values": values | more}


def everything(uri, study="tiny"):
    """All that MLflow knows of a study: (parent, {cell key: child}), ids and clock times left out."""
    from mlflow import MlflowClient

    client = MlflowClient(uri)
    experiment = client.get_experiment_by_name(study)
    children, parents = {}, []
    for run in client.search_runs([experiment.experiment_id]):
        hidden = ("mlflow.parentRunId", "mlflow.user", "segfrontier.synced")
        tags = {k: v for k, v in run.data.tags.items() if k not in hidden and v}
        assert bool(run.data.tags["segfrontier.synced"]) == (run.info.status != "RUNNING")
        history = {
            name: sorted((m.step, m.value, m.timestamp) for m in client.get_metric_history(run.info.run_id, name))
            for name in run.data.metrics
        }
        worlds = sorted((d.dataset.name, d.dataset.digest, d.tags[0].value) for d in run.inputs.dataset_inputs)
        files = sorted(f.path for f in client.list_artifacts(run.info.run_id))
        status = (run.info.status, run.info.start_time, run.info.end_time)
        told = (status, run.info.run_name, tags, run.data.params, history, worlds, files)
        if "segfrontier.cell" in tags:
            assert tags["segfrontier.cell"] not in children, "a cell has two runs"
            children[tags["segfrontier.cell"]] = told
            parent = run.data.tags["mlflow.parentRunId"]
        else:
            parents.append((run.info.run_id, told))
    assert len(parents) == 1, "a study has one run"
    assert not children or parent == parents[0][0]
    return parents[0][1], children
