"""What MLflow is to hold of a cell: few and short params, tags to find it again, metrics, a note and one document.

Params are what a user groups and filters by; everything else about the cell is in the document `cell.yaml`. All of it
follows from the cell, its record and its progress file, so the same files always give the same payload.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from math import isfinite
from pathlib import Path
from typing import Any

import yaml

from segfrontier.basics.colours import COLOURS
from segfrontier.basics.reading import parse_yaml
from segfrontier.home.records import HEADLINE, WARNING, metric_words

Plain = Mapping[str, Any]
STUDY_TAG, CELL_TAG, LABEL_TAG = "segfrontier.study", "segfrontier.cell", "segfrontier.label"
SETTING_TAG = "setting"  # stands in legends
STATUS = {"done": "FINISHED", "failed": "FAILED", "cut": "KILLED", "stopped": "KILLED", "running": "RUNNING"}
LONGEST_NAME, LONGEST_VALUE = 250, 5000
_FACETS = ("encoder", "pretrained", "head", "steps", "total_steps", "batch", "crop", "precision", "lr")
_DIGITS = 5


@dataclass(frozen=True, slots=True)
class Value:
    """One number of a metric; `at`: when it was written, in seconds since 1970."""

    name: str
    value: float
    step: int
    at: float


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
    model: Mapping[str, Any] = field(default_factory=dict)  # see `models.log_final`; empty where none is wanted


def cell_payload(record: Plain, study: Plain, curves: tuple[Value, ...] = (), began: float | None = None) -> RunPayload:
    """The run of a cell that has ended, from its record, its charts and what is known of its study."""
    cell, folder = record["cell"], record["score_folder"]
    tags = {
        SETTING_TAG: line(record, study), "segfrontier.facet": record["facet"],
        "segfrontier.facet_words": record["facet_words"], "segfrontier.prices": record["prices"],
        "segfrontier.error": record["error"],
        "mlflow.source.git.commit": str(_made_with(record, study).get("commit") or ""),
    }  # fmt: skip
    return RunPayload(
        name=run_name(cell), status=STATUS[record["state"]], tags=_tags(record["key"], cell, study) | _clipped(tags),
        note=_note(record, ranked_by(study)), documents={"cell.yaml": _document(record, study)}, params=params(cell),
        values=(*values(record, ranked_by(study)), *curves),
        worlds=worlds(cell, record.get("worlds") or study.get("worlds") or {}),
        began=record["started"] if began is None else began, ended=record["ended"],
        files=(Path(folder) / "pictures.png",) if folder else (),
    )  # fmt: skip


def unended_payload(
    key: str, cell: Plain, state: str, study: Plain, curves: tuple[Value, ...], began: float, ended: float,
    files: tuple[Path, ...] = (),
) -> RunPayload:  # fmt: skip
    """The run of a cell that works, or was stopped before it had a record."""
    words = "it is being computed" if state == "running" else "it was stopped; the next run of its study goes on"
    return RunPayload(
        name=run_name(cell), status=STATUS[state], tags=_tags(key, cell, study), note=f"**{cell['label']}**: {words}",
        documents={}, params=params(cell), values=curves, worlds=worlds(cell, study.get("worlds") or {}), began=began,
        ended=ended, files=files,
    )  # fmt: skip


def run_name(cell: Plain) -> str:
    """A name that fits into a legend: `fine · 12 h · s0`. Knobs are params."""
    hours = cell["hours"]
    return f"{cell['method']} · {hours if isinstance(hours, str) else f'{round(hours, 3):g} h'} · s{cell['seed']}"


def params(cell: Plain) -> dict[str, str]:
    """What a user compares cells by: the method and the knobs that its label names, the budget, and the main facets."""
    label, hours = cell["label"], cell["hours"]
    named = {k: v for k, v in cell["knobs"].items() if k != "split" and re.search(rf"(?:^| ){re.escape(k)}=", label)}
    split = " ".join(f"{kind}:{share:g}" for kind, share in cell["split"].items())
    chosen = {
        "method": cell["method"], **named, "budget_hours": hours if isinstance(hours, str) else f"{hours:g}",
        "split": split or None, "seed": cell["seed"], "world": cell["world"], "source": cell["source"],
        **facets(cell["recipe"]),
    }  # fmt: skip
    return {clean(k): clip(str(v)) for k, v in chosen.items() if v is not None}


def facets(recipe: Plain) -> dict[str, str | None]:
    """The settings of a recipe that people ask for first."""
    chosen = {name: recipe.get(name) for name in _FACETS}
    if chosen["total_steps"] is not None:
        chosen["steps"] = None  # which are those of a single training
    if "crop" in recipe:
        chosen["crop"] = recipe["crop"] or "whole images"
    return {
        k: "x".join(map(str, v)) if isinstance(v, list | tuple) else v if v is None else str(v)
        for k, v in chosen.items()
    }


def values(record: Plain, metric: str = HEADLINE) -> Iterator[Value]:
    """All finite metrics of a cell's end.

    The step of the study's metric and of the headline is the minutes spent: their charts are cost vs score.
    """
    ranked = {name: record["values"].get(name, float("nan")) for name in (metric, HEADLINE)}  # compared first
    single = {**ranked, "hours": record["seconds"] / 3600, **record["values"], **_compute(record)}
    single |= {f"iou/{name}": v for name, v in record["iou"].items()}
    single |= {f"notes/{name}": v for name, v in record["notes"].items()}
    for name, value in single.items():
        yield from finite(name, value, minutes(record) if name in ranked else 0, record["ended"])
    if best := record["oracle_best"]:
        yield from finite("oracle_best", best["miou"], int(best["step"]), record["ended"])


def finite(name: str, value: Any, step: int, at: float) -> Iterator[Value]:
    """A value under a name that MLflow takes, without digits that are noise; none where it is no finite number."""
    if isfinite(number := float(value)):
        yield Value(clean(name), float(f"{number:.{_DIGITS}g}"), step, at)


def minutes(record: Plain) -> int:
    """Annotation minutes that a cell spent, one at the least: charts have a logarithmic axis."""
    return max(1, round(record["seconds"] / 60))


def worlds(cell: Plain, digests: Plain) -> tuple[tuple[str, str, str], ...]:
    """The worlds that a cell used, with their digests where they are known."""
    roles = {"target": cell["world"], "source": cell["source"]}
    return tuple((ref, str(digests[ref]), role) for role, ref in roles.items() if ref in digests)


def ranked_by(study: Plain) -> str:
    """What a study ranks by, as its file says; the headline where it says nothing."""
    found = config(study.get("config") or "").get("metric")
    return found if isinstance(found, str) else HEADLINE


def setting(cell: Plain) -> str:
    """A cell's method with the knobs that its label names: the label without budget and seed."""
    return str(cell["label"]).rsplit(", ", 2)[0]


def line(record: Plain, study: Plain) -> str:
    """The line of a chart that a cell is on: its setting, apart for each facet where its study has several."""
    name, facets = setting(record["cell"]), {record["facet"], *(study.get("facets") or ())}
    return f"{name} #{record['facet']}" if len(facets) > 1 else name


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


def _tags(key: str, cell: Plain, study: Plain) -> dict[str, str]:
    """What every run of a cell has."""
    tags = {
        CELL_TAG: key, LABEL_TAG: cell["label"],
        "mlflow.runColor": colour(cell["method"], study),
        "mlflow.source.name": "segfrontier", "mlflow.source.type": "LOCAL",
    }  # fmt: skip
    return _clipped(tags)


def _clipped(tags: Mapping[str, str]) -> dict[str, str]:
    return {name: clip(text) for name, text in tags.items()}


def _compute(record: Plain) -> dict[str, float]:
    """Hours of processes, seconds of GPUs where there were any, and what was trained, where that is known."""
    stages = record["stages"]
    gpu = float(sum(s["seconds"] * s["devices"] for s in stages if s["gpu"]))
    hours = {"compute_hours": sum(s["seconds"] * s["devices"] for s in stages) / 3600}
    trained = {f"trained_{what}": float(record[what]) for what in ("steps", "images") if record.get(what)}
    return hours | ({"gpu_seconds": gpu} if gpu else {}) | trained


def _made_with(record: Plain, study: Plain) -> Plain:
    """Commit and environment of a cell; for one of an earlier version, whose record names none, those of its study."""
    return record if record.get("environment") else study.get("earlier") or study


def _document(record: Plain, study: Plain) -> str:
    """Everything that decided the cell, what it bought and what it stands on."""
    made = _made_with(record, study)
    parts = {
        **{k: record[k] for k in ("key", "state", "facet_words", "cell", "prices", "acts", "stages")},
        **{k: made[k] for k in ("commit", "worlds", "environment") if k in made},
    }
    return yaml.safe_dump(parts, sort_keys=False, allow_unicode=True)


def _note(record: Plain, metric: str) -> str:
    """A few lines of Markdown."""
    lines = [f"**{record['cell']['label']}** on {record['facet_words']}", ""]
    if record["error"]:
        lines += [f"failed: {record['error']}", ""]
    elif HEADLINE in record["values"]:
        scored = {metric_words(m): record["values"][m] for m in (metric, HEADLINE) if m in record["values"]}
        told, hours = ", ".join(f"{name} {score:.1%}" for name, score in scored.items()), record["seconds"] / 3600
        lines += [f"{told} for {hours:.1f} annotation hours; {record['scenes']} validation scenes", ""]
    lines += [f"**warning**: {name.removeprefix(WARNING)}" for name in record["notes"] if name.startswith(WARNING)]
    for kind, n in record["acts"].items():
        lines.append(f"- bought {kind}: {n['acts']} acts on {n['scenes']} scenes")
    for s in record["stages"]:
        lines.append(f"- {s['kind']} `{s['key'][:8]}`: {s['seconds']:.0f} s{', found stored' if s['found'] else ''}")
    return "\n".join(lines)
