"""What MLflow is told about a study: the parent run of its cells."""

from __future__ import annotations

from collections.abc import Collection

import yaml

from segfrontier.tracking.payload import HEADLINE, STUDY_TAG, Plain, RunPayload, clip

STATES = {"running": "RUNNING", "done": "FINISHED", "failed": "FAILED", "stopped": "KILLED"}


def study_payload(study: Plain, records: Collection[Plain], at: float) -> RunPayload:
    """A study's run from the newest word on it and the records of its cells so far."""
    name, worlds = study["study"], study.get("worlds") or {}
    environment = study.get("environment") or {}
    tags = {
        STUDY_TAG: name, "mlflow.source.name": "segfrontier", "mlflow.source.type": "LOCAL",
        "mlflow.source.git.commit": str(study.get("commit") or ""),
    }  # fmt: skip
    documents = {"study.yaml": study.get("config") or "", "environment.yaml": yaml.safe_dump(dict(environment))}
    return RunPayload(
        name=name, status=STATES[study.get("state", "running")], tags={k: clip(v) for k, v in tags.items()},
        note=study_note(name, records), documents={k: v for k, v in documents.items() if v}, params={}, values=(),
        worlds=tuple((ref, str(digest), "world") for ref, digest in worlds.items()), began=at, ended=at,
    )  # fmt: skip


def study_note(name: str, records: Collection[Plain]) -> str:
    """A few lines of Markdown: how many cells ended how, and the best of each method."""
    states = [r["state"] for r in records]
    counted = ", ".join(f"{states.count(s)} {s}" for s in ("done", "failed", "cut") if s in states)
    lines = [f"**{name}**: {counted or 'no cell has ended'}", ""]
    best: dict[str, Plain] = {}
    for record in sorted(records, key=_score):
        if record["state"] == "done":
            best[record["cell"]["method"]] = record
    if best:
        lines += ["| method | best mIoU | annotation hours | cell |", "|---|---|---|---|"]
    for method, r in sorted(best.items(), key=lambda item: -_score(item[1])):
        lines.append(f"| {method} | {_score(r):.1%} | {r['seconds'] / 3600:.1f} | {r['cell']['label']} |")
    return "\n".join(lines)


def _score(record: Plain) -> float:
    score = record["values"].get(HEADLINE, -1.0)
    return float(score) if score == score else -1.0
