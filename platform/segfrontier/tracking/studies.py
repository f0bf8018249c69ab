"""What MLflow is to hold of a study: the parent run of its cells."""

from __future__ import annotations

from collections.abc import Collection
from pathlib import Path
from statistics import fmean
from typing import Any

import yaml

from segfrontier.home.records import metric_words
from segfrontier.tracking.payload import (
    STUDY_TAG,
    Plain,
    RunPayload,
    clip,
    config,
    facets,
    minutes,
    ranked_by,
    setting,
)

STATES = {"running": "RUNNING", "done": "FINISHED", "failed": "FAILED", "stopped": "KILLED"}


def study_payload(
    study: Plain, cells: Collection[Plain], records: Collection[Plain], files: tuple[Path, ...] = ()
) -> RunPayload:
    """A study's run from its file, what its last run had, its cells, and the records of those that have ended.

    MLflow never changes a param, and a study grows: params are what all cells share, lists stand in the note.
    """
    name, worlds = study["study"], study.get("worlds") or {}
    environment = study.get("environment") or {}
    tags = {
        STUDY_TAG: name, "mlflow.source.name": "segfrontier", "mlflow.source.type": "LOCAL",
        "mlflow.source.git.commit": str(study.get("commit") or ""),
    }  # fmt: skip
    if job := study.get("job"):
        tags["segfrontier.job"] = str(job)  # Ray's submission id; the job's metadata names the study in turn
    documents = {"study.yaml": study.get("config") or "", "environment.yaml": yaml.safe_dump(dict(environment))}
    return RunPayload(
        name=name, status=STATES[study.get("state", "stopped")], tags={k: clip(v) for k, v in tags.items()},
        note=study_note(study, records), documents={k: v for k, v in documents.items() if v}, params=_params(cells),
        values=(), worlds=tuple((ref, str(digest), "world") for ref, digest in worlds.items()),
        began=study.get("began", 0.0), ended=study.get("at", 0.0), files=files,
    )  # fmt: skip


def _params(cells: Collection[Plain]) -> dict[str, str]:
    """What all cells of a study share."""
    each = [{"world": cell["world"], "source": cell["source"], **facets(cell["recipe"])} for cell in cells]
    shared = {k: v for k, v in each[0].items() if all(other.get(k) == v for other in each)} if each else {}
    return {k: clip(str(v)) for k, v in shared.items() if v is not None}


def study_note(study: Plain, records: Collection[Plain]) -> str:
    """A few lines of Markdown: how many cells ended how, what the study asks for, and the best setting of each method.

    The best is that with the highest mean over its seeds.
    """
    states = [r["state"] for r in records]
    counted = ", ".join(f"{states.count(s)} {s}" for s in ("done", "failed", "cut") if s in states)
    lines = [f"**{study['study']}**: {counted or 'no cell has ended'}", ""]
    asked = config(study.get("config") or "")
    lists = {name: _listed(asked.get(name)) for name in ("budgets", "seeds")}
    if told := [f"{name} {words}" for name, words in lists.items() if words]:
        lines += ["; ".join(told), ""]
    ranked = ranked_by(study)
    best = _best(records, ranked)
    if best:
        lines += [
            f"| method | mean {metric_words(ranked)} | seeds | annotation hours | setting |",
            "|---|---|---|---|---|",
        ]
    for method, (score, rows) in sorted(best.items(), key=lambda item: -item[1][0]):
        hours = fmean(minutes(r) for r in rows) / 60
        lines.append(f"| {method} | {score:.1%} | {len(rows)} | {hours:.1f} | {setting(rows[0]['cell'])} |")
    return "\n".join(lines)


def _best(records: Collection[Plain], metric: str) -> dict[str, tuple[float, list[Plain]]]:
    """Each method's mean score in a metric and records at its best setting and budget, of those with the most seeds.

    Facets are never mixed.
    """
    groups: dict[tuple[str, ...], list[Plain]] = {}
    for record in records:
        score = record["values"].get(metric, float("nan"))
        if record["state"] == "done" and score == score:
            cell = record["cell"]
            groups.setdefault((cell["method"], setting(cell), str(cell["hours"]), record["facet"]), []).append(record)
    best: dict[str, tuple[float, list[Plain]]] = {}
    for (method, *_), rows in groups.items():
        mean = fmean(r["values"][metric] for r in rows)
        known = best.get(method, (0.0, []))
        if (len(rows), mean) > (len(known[1]), known[0]):
            best[method] = (mean, rows)
    return best


def _listed(value: Any) -> str:
    return ", ".join(map(str, value)) if isinstance(value, list | tuple) else ""
