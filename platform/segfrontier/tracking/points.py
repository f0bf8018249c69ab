"""The points that a study's own run shows: each method's score over annotation minutes, the mean over seeds.

MLflow keeps every value it was ever told, so a point is told when all its seeds are in (or, with `early`, as it is).
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass
from math import isfinite
from statistics import fmean

from segfrontier.tracking.payload import HEADLINE, Plain, Value, clean, config, minutes, setting


@dataclass(frozen=True, slots=True)
class Point:
    """A value of a chart of the study, and when the last of its cells ended."""

    value: Value
    at: float


def points(records: Iterable[Plain], study: Plain, *, early: bool = False) -> list[Point]:
    """One point for each setting and spend, over the seeds that are done. Facets never share a metric."""
    records = list(records)
    facets = {r["facet"] for r in records} | set(study.get("facets") or ())
    wanted = seeds(study)
    groups: dict[tuple[str, ...], list[Plain]] = {}
    for record in records:
        cell = record["cell"]
        chosen = json.dumps([cell["method"], cell["knobs"], cell["hours"]], sort_keys=True)
        groups.setdefault((record["facet"], chosen), []).append(record)
    spots: dict[tuple[str, int], list[Plain]] = {}
    for group in groups.values():
        scored = [r for r in group if isfinite(r["values"].get(HEADLINE, float("nan")))]
        if scored and (early or wanted <= {r["cell"]["seed"] for r in group}):
            step = round(fmean(minutes(r) for r in scored))
            spots.setdefault((_name(scored[0], several=len(facets) > 1), step), []).extend(scored)
    return [
        Point(Value(name, fmean(r["values"][HEADLINE] for r in rows), step), max(r["ended"] for r in rows))
        for (name, step), rows in spots.items()
    ]


def seeds(study: Plain) -> set[int]:
    """The seeds that a study asks for; none where its file is not known."""
    return set(config(study.get("config") or "").get("seeds", ()))


def _name(record: Plain, *, several: bool) -> str:
    """`miou/METHOD knob:value`, after its facet's digest where the study has several."""
    name = setting(record["cell"])
    return clean(f"miou {record['facet']}/{name}" if several else f"miou/{name}")
