"""Records as cells leave them, made up, for the tests of tracking."""

import hashlib
from pathlib import Path

from segfrontier.tracking import Spool

CONFIG = "name: tiny\nseeds: [0, 1]\n"
STUDY = {
    "study": "tiny", "config": CONFIG, "environment": {"python": "3.11"}, "commit": "abc123",
    "worlds": {"street": "d" * 32}, "facets": ["f0f0f0f0"],
}  # fmt: skip


def a_key(label, facet="f0f0f0f0"):
    return hashlib.blake2b(f"{label} {facet}".encode(), digest_size=16).hexdigest()


def a_record(*, method="fine", hours=10, seed=0, miou=0.4, state="done", facet="f0f0f0f0", seconds=None, **more):
    """A record in its plain form, as it lies in a spool."""
    knobs = more.pop("knobs", {})
    told = "".join(f" {k}={v}" for k, v in knobs.items())
    label = f"{method}{told}, {hours:g} h, seed {seed}"
    done = state == "done"
    cell = {
        "method": method, "knobs": {"hidden": 1, **knobs}, "hours": float(hours), "world": "street", "source": None,
        "recipe": {"encoder": "resnet18", "head": "fpn", "steps": 50, "lr": 0.01}, "seed": seed, "prices": None,
        "noise": {}, "split": {"coarse": 0.25, "fine": 0.75}, "label": label,
    }  # fmt: skip
    return {
        "study": "tiny", "key": a_key(label, facet), "state": state, "cell": cell, "facet": facet,
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


def put_cells(spool, records):
    for record in records:
        spool.put("cell", record["key"], record)


def a_spool(folder: Path, records=(), study=STUDY) -> Spool:
    spool = Spool(folder / "spool")
    if study:
        spool.put("study", study["study"], study)
    put_cells(spool, records)
    return spool


def everything(uri, study="tiny"):
    """All that MLflow knows of a study: (parent, {cell key: child}), ids and clock times left out."""
    from mlflow import MlflowClient

    client = MlflowClient(uri)
    experiment = client.get_experiment_by_name(study)
    children, parents = {}, []
    for run in client.search_runs([experiment.experiment_id]):
        tags = {k: v for k, v in run.data.tags.items() if k not in ("mlflow.parentRunId", "mlflow.user") and v}
        history = {
            name: sorted((m.step, m.value, m.timestamp) for m in client.get_metric_history(run.info.run_id, name))
            for name in run.data.metrics
        }
        worlds = sorted((d.dataset.name, d.dataset.digest, d.tags[0].value) for d in run.inputs.dataset_inputs)
        files = sorted(f.path for f in client.list_artifacts(run.info.run_id))
        told = (run.info.status, run.info.run_name, tags, run.data.params, history, worlds, files)
        if "segfrontier.cell" in tags:
            assert tags["segfrontier.cell"] not in children, "a cell has two runs"
            children[tags["segfrontier.cell"]] = told
            parent = run.data.tags["mlflow.parentRunId"]
        else:
            parents.append((run.info.run_id, told))
    assert len(parents) == 1, "a study has one run"
    assert not children or parent == parents[0][0]
    return parents[0][1], children


def again(spool):
    """Everything waits once more, as if it had never been told."""
    for path in sorted(spool.taken.glob("*.json")):
        path.replace(spool.folder / path.name)
