"""A study's points and cells as tables for other tools: CSV, Parquet, and JSON for a script."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from math import isfinite
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.csv as pc
import pyarrow.parquet as pq

from segfrontier.market.budget import hours
from segfrontier.study.findings import Finding
from segfrontier.study.harvest import Harvest
from segfrontier.study.points import Entry, budget_words, facet_words, knob_words
from segfrontier.study.records import Record


def write_tables(harvest: Harvest, found: Sequence[Finding], folder: Path) -> list[Path]:
    """`points` and `cells`, each as .csv and .parquet."""
    tables = {"points": point_rows(found), "cells": [_cell(harvest, r) for r in harvest.records]}
    written = []
    for name, rows in tables.items():
        # The first row alone would decide the columns: cells have different classes, acts and metrics.
        names = list(dict.fromkeys(key for row in rows for key in row))
        table = pa.table({key: _column([row.get(key) for row in rows]) for key in names})
        csv, parquet = folder / f"{name}.csv", folder / f"{name}.parquet"
        pc.write_csv(table, csv)
        pq.write_table(table, parquet)
        written += [csv, parquet]
    return written


def point_rows(found: Sequence[Finding]) -> list[dict[str, Any]]:
    """Every point with all that the tables tell of it, in plain values; None where there is no number."""
    return [_point(finding, entry) for finding in found for entry in finding.entries]


def to_json(harvest: Harvest, found: Sequence[Finding]) -> dict[str, Any]:
    """Everything that `segfrontier frontier` prints."""
    return {
        "study": harvest.name,
        "cells": harvest.words,
        "points": point_rows(found),
        "facets": [_facet(finding) for finding in found],
        "stars": [
            {
                "name": s.method,
                "where": s.label,
                "hours": hours(s.seconds),
                "score": s.score,
                "facet": facet_words(s.facet),
            }
            for s in harvest.stars
        ],
        "failed": [{"key": r.key, "label": r.cell.get("label"), "error": r.error} for r in harvest.ended("failed")],
        "cut": [{"key": r.key, "label": r.cell.get("label")} for r in harvest.ended("cut")],
        "faults": list(harvest.faults),
    }


def _facet(finding: Finding) -> dict[str, Any]:
    target, why = finding.target or (None, "")
    limits, areas = finding.areas or ((None, None), {})
    return {
        "facet": finding.words,
        "prices": None if finding.prices is None else f"{finding.prices.name} (version {finding.prices.version})",
        "target": target,
        "target_is": why,
        "needs": [
            {
                "method": n.method,
                "hours": None if n.seconds is None else hours(n.seconds),
                "at_most": n.at_most,
                "words": n.words,
            }
            for n in finding.needs
        ],
        "savings": [
            {"method": s.need.method, "against": s.against.method, "factor": _finite(s.factor), "words": s.words}
            for s in finding.savings
        ],
        "beats": [
            {
                "a": d.a,
                "b": d.b,
                "hours": d.hours,
                "verdict": d.result.verdict,
                "difference": _finite(d.result.difference.mean),
                "interval": d.result.difference.interval,
                "reason": d.result.reason,
            }
            for d in finding.duels
        ],
        "area": {
            "from_hours": limits[0],
            "to_hours": limits[1],
            "all": areas.get(""),
            "methods": {m: a for m, a in areas.items() if m},
        },
        "break_even": [
            {
                "kind": b.kind,
                "a": b.a,
                "b": b.b,
                "verdict": b.verdict,
                "wins": [[_finite(x) for x in w] for w in b.wins],
                "words": b.words,
            }
            for b in finding.break_evens
        ],
    }


def _point(finding: Finding, entry: Entry) -> dict[str, Any]:
    p, summary = entry.point, finding.reading.summary(entry.point)
    low, high = summary.interval or (None, None)
    return {
        "facet": finding.words, "method": p.method, "knobs": entry.knobs, "budget": budget_words(entry.budget),
        "seconds": float(p.seconds), "hours": hours(p.seconds), "score": _finite(p.score), "low": low, "high": high,
        "interval": f"{summary.level * 100:g} % {summary.how}" if summary.interval else "",
        "percent_of_full": finding.percent.get(p), "on_frontier": p in finding.front.on,
        "p_frontier": finding.probability.get(p), "compute_hours": _finite(p.gpu), "compute": finding.harvest.compute,
        "seeds": " ".join(map(str, p.scores)), "missing_seeds": " ".join(map(str, entry.missing)),
        "runs": " ".join(p.runs),
    }  # fmt: skip


def _cell(harvest: Harvest, record: Record) -> dict[str, Any]:
    cell = record.cell
    plain: dict[str, Any] = {
        "key": record.key, "state": record.state, "run": harvest.runs.get(record.key), "facet": record.facet_words,
        "method": str(cell["method"]), "knobs": knob_words(record), "all_knobs": json.dumps(cell["knobs"]),
        "budget": budget_words(cell["hours"]), "seed": int(cell["seed"]), "seconds": record.seconds,
        "prices": record.prices,
        "compute_hours": record.compute_hours, "gpu_hours": record.gpu_hours,
        "started": record.started, "ended": record.ended, "error": record.error,
    }  # fmt: skip
    plain |= {name: _finite(value) for name, value in record.values.items()}
    plain |= {f"iou/{name}": _finite(value) for name, value in record.iou.items()}
    acts: Mapping[str, Any] = {kind: asdict(counted) for kind, counted in record.acts.items()}
    return plain | {f"{kind}/{what}": n for kind, by_what in acts.items() for what, n in by_what.items()}


def _finite(value: float | None) -> float | None:
    return value if value is not None and isfinite(value) else None


def _column(values: list[Any]) -> Any:
    """An Arrow column; of text where there is nothing to tell its type from."""
    return pa.array(values) if any(v is not None for v in values) else pa.array(values, pa.string())
