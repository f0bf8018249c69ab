"""What MLflow is told about a study: the parent run of its cells."""

from __future__ import annotations

from collections.abc import Collection

import yaml

from segfrontier.tracking.telling import HEADLINE, STUDY_TAG, Plain, Told, clip

STATES = {"running": "RUNNING", "done": "FINISHED", "failed": "FAILED", "stopped": "KILLED"}


def tell_study(study: Plain, records: Collection[Plain], at: float) -> Told:
    """A study's run from the newest word on it and the records of its cells so far."""
    name, worlds = study["study"], study.get("worlds") or {}
    environment = study.get("environment") or {}
    tags = {
        STUDY_TAG: name, "mlflow.source.name": "segfrontier", "mlflow.source.type": "LOCAL",
        "mlflow.source.git.commit": str(study.get("commit") or ""),
    }  # fmt: skip
    documents = {"study.yaml": study.get("config") or "", "environment.yaml": yaml.safe_dump(dict(environment))}
    return Told(
        name=name, status=STATES[study.get("state", "running")], tags={k: clip(v) for k, v in tags.items()},
        note=study_note(name, records), documents={k: v for k, v in documents.items() if v}, params={}, values=(),
        worlds=tuple((ref, str(digest), "world") for ref, digest in worlds.items()), began=at, ended=at,
    )  # fmt: skip


def study_note(name: str, records: Collection[Plain]) -> str:
    """A few lines of Markdown: how many cells ended how, and the best of each method."""
    states = [r["state"] for r in records]
    counted = ", ".join(f"{states.count(s)} {s}" for s in ("done", "failed", "cut") if s in states)
    lines = [f"**{name}**: {counted or 'no cell has ended'}", ""]
    best = _best_means(records)
    if best:
        lines += ["| method | best mean mIoU | seeds | annotation hours | cells |", "|---|---|---|---|---|"]
    for method, (score, label, own) in best.items():
        hours = sum(r["seconds"] for r in own) / len(own) / 3600
        lines.append(f"| {method} | {score:.1%} | {len(own)} | {hours:.1f} | {label} |")
    return "\n".join(lines)


def _best_means(records: Collection[Plain]) -> dict[str, tuple[float, str, list[Plain]]]:
    """By method, best first: its highest mean over seeds, of which cells, and these; no lucky seed is ranked."""
    groups: dict[tuple[str, str, str], list[Plain]] = {}
    for record in records:
        if record["state"] == "done":
            cell = record["cell"]
            label = str(cell["label"]).rpartition(", seed ")[0] or str(cell["label"])
            groups.setdefault((cell["method"], label, str(record.get("facet"))), []).append(record)
    means = [(m, (sum(map(_score, own)) / len(own), label, own)) for (m, label, _), own in groups.items()]
    found: dict[str, tuple[float, str, list[Plain]]] = {}
    for method, mean in sorted(means, key=lambda item: -item[1][0]):
        found.setdefault(method, mean)
    return found


def _score(record: Plain) -> float:
    score = record["values"].get(HEADLINE, -1.0)
    return float(score) if score == score else -1.0
