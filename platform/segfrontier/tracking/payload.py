"""What MLflow is told about a cell: few and short params, tags to find it again, metrics, a note and one document.

Params are what a user groups and filters by; everything else about the cell is in the document `cell.yaml`.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache
from math import isfinite
from pathlib import Path
from typing import Any

import yaml

from segfrontier.basics.colours import COLOURS
from segfrontier.basics.reading import parse_yaml

Plain = Mapping[str, Any]
STUDY_TAG, CELL_TAG, SETTING_TAG = "segfrontier.study", "segfrontier.cell", "segfrontier.setting"
HEADLINE = "miou_present"
STATUS = {"done": "FINISHED", "failed": "FAILED", "cut": "KILLED"}
LONGEST_NAME, LONGEST_VALUE = 250, 5000


@dataclass(frozen=True, slots=True)
class Value:
    """One number of a metric."""

    name: str
    value: float
    step: int = 0


@dataclass(frozen=True, kw_only=True)
class RunPayload:
    """A run as MLflow shall show it. `documents` are texts by file name; `worlds` are (name, digest, role)."""

    name: str
    status: str
    tags: Mapping[str, str]
    note: str
    documents: Mapping[str, str]
    params: Mapping[str, str]
    values: tuple[Value, ...]
    worlds: tuple[tuple[str, str, str], ...]
    began: float
    ended: float
    files: tuple[Path, ...] = ()  # copied as they are, where they exist


def cell_payload(record: Plain, study: Plain) -> RunPayload:
    """A cell's run from its record and the newest word on its study."""
    cell = record["cell"]
    tags = {
        CELL_TAG: record["key"], "segfrontier.label": cell["label"], SETTING_TAG: setting(cell),
        "mlflow.runColor": colour(cell["method"], study),
        "segfrontier.facet": record["facet"], "segfrontier.facet_words": record["facet_words"],
        "segfrontier.prices": record["prices"], "segfrontier.error": record["error"],
        "mlflow.source.name": "segfrontier", "mlflow.source.type": "LOCAL",
        "mlflow.source.git.commit": str(study.get("commit") or ""),
    }  # fmt: skip
    return RunPayload(
        name=cell["label"], status=STATUS[record["state"]], tags={k: clip(v) for k, v in tags.items()},
        note=_note(record), documents={"cell.yaml": _document(record, study)}, params=params(cell),
        values=tuple(values(record)), worlds=worlds(cell, study), began=record["started"], ended=record["ended"],
        files=(Path(record["score_folder"]) / "pictures.png",) if record["score_folder"] else (),
    )  # fmt: skip


def params(cell: Plain) -> dict[str, str]:
    """What a user compares cells by: the method and the knobs that its label names, the budget, and the main facets."""
    label, recipe, hours = cell["label"], cell["recipe"], cell["hours"]
    named = {k: v for k, v in cell["knobs"].items() if k != "split" and re.search(rf"(?:^| ){re.escape(k)}=", label)}
    split = " ".join(f"{kind}:{share:g}" for kind, share in cell["split"].items())
    chosen = {
        "method": cell["method"], **named, "budget_hours": hours if isinstance(hours, str) else f"{hours:g}",
        "split": split or None, "seed": cell["seed"], "world": cell["world"], "source": cell["source"],
        **{facet: recipe.get(facet) for facet in ("encoder", "head", "steps", "lr")},
    }  # fmt: skip
    return {clean(k): clip(str(v)) for k, v in chosen.items() if v is not None}


def values(record: Plain) -> Iterator[Value]:
    """All metrics of a cell that are finite. The headline's step is the minutes spent: its chart is cost vs score."""
    spent = minutes(record)
    single = {"hours": record["seconds"] / 3600, **record["values"], **_compute(record["stages"])}
    single |= {f"iou/{name}": v for name, v in record["iou"].items()}
    single |= {f"notes/{name}": v for name, v in record["notes"].items()}
    rows = [Value(clean(name), v) for name, v in single.items()]
    rows.append(Value("miou", record["values"].get(HEADLINE, float("nan")), spent))
    if record["oracle_best"]:
        rows.append(Value("oracle_best", record["oracle_best"]["miou"], int(record["oracle_best"]["step"])))
    for name, curve in record["curves"].items():
        rows += [Value(clean(name), v, round(step)) for step, v in curve]
    return (row for row in rows if isfinite(row.value))


def minutes(record: Plain) -> int:
    """Annotation minutes that a cell spent."""
    return round(record["seconds"] / 60)


def worlds(cell: Plain, study: Plain) -> tuple[tuple[str, str, str], ...]:
    """The worlds that a cell used, with their digests where the study told them."""
    roles = {"target": cell["world"], "source": cell["source"]}
    known = study.get("worlds") or {}
    return tuple((ref, str(known[ref]), role) for role, ref in roles.items() if ref in known)


def setting(cell: Plain) -> str:
    """A cell's method with the knobs that its label names: the label without budget and seed."""
    return str(cell["label"]).rsplit(", ", 2)[0]


def colour(method: str, study: Plain) -> str:
    """A method's colour in charts, by its place in the study's file; after Okabe and Ito, for the colour-blind too."""
    entries = config(study.get("config") or "").get("methods") or []
    names = [m["name"] if isinstance(m, dict) else m for m in (entries if isinstance(entries, list) else [entries])]
    return COLOURS[list(dict.fromkeys(names)).index(method) % len(COLOURS)] if method in names else "#888888"


@lru_cache(maxsize=8)
def config(text: str) -> Plain:
    """A study file's content; empty for an empty text."""
    plain = parse_yaml(text, where="study.yaml", what="a study")
    return plain if isinstance(plain, dict) else {}


def clean(name: str) -> str:
    """A name that MLflow takes: letters, digits and `_-. :/`; `=` reads as `:`."""
    parts = re.sub(r"[^\w\-. :/]", "_", name.replace("=", ":")).split("/")
    return "/".join(p for p in parts if p.strip(". ")).lstrip(".")[:LONGEST_NAME].rstrip("/") or "_"


def clip(text: str) -> str:
    """A value that MLflow takes whole."""
    return text if len(text) <= LONGEST_VALUE else text[: LONGEST_VALUE - 4] + " ..."


def _compute(stages: list[Plain]) -> dict[str, float]:
    return {
        "compute_hours": sum(s["seconds"] * s["devices"] for s in stages) / 3600,
        "gpu_seconds": float(sum(s["seconds"] * s["devices"] for s in stages if s["gpu"])),
    }


def _document(record: Plain, study: Plain) -> str:
    """Everything that decided the cell, what it bought and what it stands on."""
    parts = {
        **{k: record[k] for k in ("key", "state", "facet_words", "cell", "prices", "acts", "stages")},
        **{k: study[k] for k in ("commit", "worlds", "environment") if k in study},
    }
    return yaml.safe_dump(parts, sort_keys=False, allow_unicode=True)


def _note(record: Plain) -> str:
    """A few lines of Markdown."""
    lines = [f"**{record['cell']['label']}** on {record['facet_words']}", ""]
    if record["error"]:
        lines += [f"failed: {record['error']}", ""]
    elif HEADLINE in record["values"]:
        score, hours = record["values"][HEADLINE], record["seconds"] / 3600
        lines += [f"mIoU {score:.1%} for {hours:.1f} annotation hours; {record['scenes']} validation scenes", ""]
    for kind, n in record["acts"].items():
        lines.append(f"- bought {kind}: {n['acts']} acts on {n['scenes']} scenes")
    for s in record["stages"]:
        lines.append(f"- {s['kind']} `{s['key'][:8]}`: {s['seconds']:.0f} s{', found stored' if s['found'] else ''}")
    return "\n".join(lines)
