"""A study's points and cells as tables for other tools, in CSV and Parquet."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict
from io import BytesIO
from math import isfinite
from pathlib import Path
from typing import Any

from segfrontier.home.records import Record
from segfrontier.market.budget import hours
from segfrontier.report.findings import Finding
from segfrontier.report.load import Harvest
from segfrontier.report.points import FrontierPoint, budget_words, knob_words


def write_tables(harvest: Harvest, found: Sequence[Finding], folder: Path) -> list[Path]:
    """`points` and `cells`, each as .csv and .parquet."""
    import pyarrow.csv as pc
    import pyarrow.parquet as pq

    tables = {"points": point_rows(found), "cells": [_cell(harvest, r) for r in harvest.records]}
    written = []
    for name, rows in tables.items():
        table = _table(rows)
        csv, parquet = folder / f"{name}.csv", folder / f"{name}.parquet"
        pc.write_csv(table, csv)
        pq.write_table(table, parquet)
        written += [csv, parquet]
    return written


def point_rows(found: Sequence[Finding]) -> list[dict[str, Any]]:
    """Every point with all that the tables tell of it, in plain values; None where there is no number."""
    return [_point(finding, entry) for finding in found for entry in finding.entries]


def _point(finding: Finding, entry: FrontierPoint) -> dict[str, Any]:
    p, summary = entry.point, finding.reading.summary(entry.point)
    low, high = summary.interval or (None, None)
    return {
        "facet": finding.words, "method": p.method, "knobs": entry.knobs, "budget": budget_words(entry.budget),
        "seconds": float(p.seconds), "hours": hours(p.seconds), **_money(finding, p.seconds),
        "score": finite(p.score), "low": low, "high": high,
        "interval": f"{summary.level * 100:g} % {summary.how}" if summary.interval else "",
        "percent_of_full": finding.percent.get(p), "on_frontier": p in finding.front.on,
        "p_frontier": finding.probability.get(p), "compute_hours": finite(p.gpu), "compute": finding.harvest.compute,
        "steps": finite(p.trained), "images": finite(p.seen),
        "seeds": " ".join(map(str, p.scores)), "missing_seeds": " ".join(map(str, entry.missing)),
        "runs": " ".join(p.runs),
    }  # fmt: skip


def _money(finding: Finding, seconds: float) -> dict[str, Any]:
    """What a point's labels cost, where its price list says what an hour is paid."""
    if finding.money is None:
        return {"money": None, "currency": ""}
    return {"money": finding.money.of(seconds), "currency": finding.money.currency}


def _cell(harvest: Harvest, record: Record) -> dict[str, Any]:
    cell = record.cell
    plain: dict[str, Any] = {
        "key": record.key, "state": record.state, "run": harvest.runs.get(record.key), "facet": record.facet_words,
        "method": str(cell["method"]), "knobs": knob_words(record), "all_knobs": json.dumps(cell["knobs"]),
        "budget": budget_words(cell["hours"]), "seed": int(cell["seed"]), "seconds": record.seconds,
        "prices": record.prices,
        "compute_hours": record.compute_hours, "gpu_hours": record.gpu_hours,
        "steps": record.steps or None, "images": record.images or None,
        "started": record.started, "ended": record.ended, "error": record.error,
    }  # fmt: skip
    plain |= {name: finite(value) for name, value in record.values.items()}
    for group, values in (("iou", record.iou), ("oracle_best", record.oracle_best), ("note", record.notes)):
        plain |= {f"{group}/{name}": finite(value) for name, value in values.items()}
    acts: Mapping[str, Any] = {kind: asdict(counted) for kind, counted in record.acts.items()}
    return plain | {f"{kind}/{what}": n for kind, by_what in acts.items() for what, n in by_what.items()}


def finite(value: float | None) -> float | None:
    """The number itself; None where it is none."""
    return value if value is not None and isfinite(value) else None


def _table(rows: Sequence[Mapping[str, Any]]) -> Any:
    """An Arrow table with all columns that any row has: cells have different classes, acts and metrics.

    Its JSON reader takes plain values without pandas, which `pyarrow.array` imports, for longer than all else takes.
    """
    import pyarrow as pa
    import pyarrow.json as pj

    names = dict.fromkeys(key for row in rows for key in row)
    schema = pa.schema([(name, _type([row.get(name) for row in rows])) for name in names])
    if not rows:
        return schema.empty_table()
    plain = ({k: finite(v) if isinstance(v, float) else v for k, v in row.items()} for row in rows)
    text = "\n".join(json.dumps(row) for row in plain).encode()
    return pj.read_json(
        BytesIO(text),
        read_options=pj.ReadOptions(use_threads=False, block_size=len(text) + 1),
        parse_options=pj.ParseOptions(explicit_schema=schema),
    )


def _type(values: Iterable[object]) -> Any:
    """The Arrow type of a column; text where there is nothing to tell it from."""
    import pyarrow as pa

    kinds = {type(value) for value in values if value is not None}
    for arrow, kind in ((pa.bool_(), {bool}), (pa.int64(), {int}), (pa.float64(), {int, float})):
        if kinds and kinds <= kind:
            return arrow
    return pa.string()
