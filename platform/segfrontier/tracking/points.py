"""The points that a study's own run shows: each method's score over annotation minutes, the mean over seeds.

MLflow keeps every value that it ever got, so a point waits for all its seeds (or, with `early`, for none). Its time is
that at which the last of its cells ended.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from math import isfinite
from statistics import fmean

from segfrontier.tracking.payload import Plain, Value, config, finite, minutes, ranked_by, setting


def points(records: Iterable[Plain], study: Plain, *, early: bool = False) -> list[Value]:
    """One point for each setting and spend, over the seeds that are done. Facets never share a metric."""
    records, ranked = list(records), ranked_by(study)
    facets = {r["facet"] for r in records} | set(study.get("facets") or ())
    wanted = seeds(study)
    groups: dict[tuple[str, ...], list[Plain]] = {}
    for record in records:
        cell = record["cell"]
        chosen = json.dumps([cell["method"], cell["knobs"], cell["hours"]], sort_keys=True)
        groups.setdefault((record["facet"], chosen), []).append(record)
    spots: dict[tuple[str, int], list[Plain]] = {}
    for group in groups.values():
        scored = [r for r in group if isfinite(r["values"].get(ranked, float("nan")))]
        if scored and (early or wanted <= {r["cell"]["seed"] for r in group}):
            step = round(fmean(minutes(r) for r in scored))
            spots.setdefault((_name(scored[0], ranked, several=len(facets) > 1), step), []).extend(scored)
    return [
        value
        for (name, step), rows in spots.items()
        for value in finite(name, fmean(r["values"][ranked] for r in rows), step, max(r["ended"] for r in rows))
    ]


def seeds(study: Plain) -> set[int]:
    """The seeds that a study asks for; none where its file is not known."""
    return set(config(study.get("config") or "").get("seeds", ()))


def _name(record: Plain, metric: str, *, several: bool) -> str:
    """`miou_present/METHOD knob:value`, after its facet's digest where the study has several."""
    name = setting(record["cell"])
    return f"{metric} {record['facet']}/{name}" if several else f"{metric}/{name}"
