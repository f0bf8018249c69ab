"""What `segfrontier frontier --json` prints: all points and answers in plain values, None where there is no number."""

from __future__ import annotations

from collections.abc import Sequence
from math import isfinite
from typing import Any

from segfrontier.market.budget import hours
from segfrontier.report.digits import rounded
from segfrontier.report.findings import Finding
from segfrontier.report.frontier import Point
from segfrontier.report.load import Harvest
from segfrontier.report.points import facet_words
from segfrontier.report.statements import Sentence, sentences
from segfrontier.report.tables import finite, point_rows
from segfrontier.report.training import training_words, unequal_training


def to_json(harvest: Harvest, found: Sequence[Finding]) -> dict[str, Any]:
    """A study's outcome."""
    return {
        "study": harvest.name,
        "metric": harvest.metric,
        "cells": harvest.words,
        "sentences": [_sentence(s, finding) for finding in found for s in sentences(finding)],
        "points": point_rows(found),
        "facets": [_facet(finding) for finding in found],
        "stars": [_star(star) for star in harvest.stars],
        "failed": [{"key": r.key, "label": r.cell.get("label"), "error": r.error} for r in harvest.ended("failed")],
        "cut": [{"key": r.key, "label": r.cell.get("label")} for r in harvest.ended("cut")],
        "faults": list(harvest.faults),
    }


def _facet(finding: Finding) -> dict[str, Any]:
    """What the sentences say, in numbers: none that no sentence gives, with no more digits, each with its interval."""
    target, why = finding.target or (None, "")
    return {
        "facet": finding.words,
        "prices": None if finding.prices is None else f"{finding.prices.name} (version {finding.prices.version})",
        "training": {"words": list(training_words(finding)), "unequal": unequal_training(finding)},
        "target": target,
        "target_is": why,
        **_answers(sentences(finding)),
    }


def _sentence(s: Sentence, finding: Finding) -> dict[str, Any]:
    interval = None if s.interval is None else [finite(edge) for edge in s.interval]
    told = {"kind": s.kind, "text": s.text, "decided": s.decided, "methods": list(s.methods), "hours": s.hours}
    return told | {"interval": interval, "facet": finding.words}


def _answers(said: Sequence[Sentence]) -> dict[str, Any]:
    by_kind = {kind: [s for s in said if s.kind == kind] for kind in ("need", "saving", "area", "break_even")}
    areas = [_area(s) for s in by_kind["area"] if not s.methods]
    return {
        "needs": sorted(map(_need, by_kind["need"]), key=lambda n: (n["hours"] is None, n["hours"] or 0)),
        "savings": [_saving(s) for s in by_kind["saving"]],
        "area": areas[0] if areas else None,
        "break_even": [_break_even(s) for s in by_kind["break_even"]],
    }


def _need(s: Sentence) -> dict[str, Any]:
    at_most = s.interval is not None and s.interval[0] == 0 < s.interval[1]
    return {"method": s.methods[0], "hours": _shown(s), "interval": _edges(s), "at_most": at_most}


def _saving(s: Sentence) -> dict[str, Any]:
    told = {"method": s.methods[0], "against": s.methods[1], "factor": _shown(s)}
    return told | {"interval": _edges(s), "decided": s.decided}


def _area(s: Sentence) -> dict[str, Any]:
    return {"to_hours": s.hours, "all": _shown(s), "interval": _edges(s)}


def _break_even(s: Sentence) -> dict[str, Any]:
    kind, side = s.turn or ("", "")
    told = {"kind": kind, "a": s.methods[0], "b": s.methods[1], "verdict": side if s.decided else "cannot tell"}
    return told | {"seconds": _shown(s), "interval": _edges(s)}


def _shown(s: Sentence) -> float | None:
    """The number of a sentence with the digits that its interval supports."""
    if s.value is None or s.interval is None or not isfinite(s.value):
        return None
    return _digits(s.value, s.interval)


def _edges(s: Sentence) -> list[float] | None:
    return None if s.interval is None else [_digits(edge, s.interval) for edge in s.interval]


def _digits(number: float, interval: tuple[float, float]) -> float:
    return float(rounded(number, (interval[1] - interval[0]) / 2).replace(",", ""))


def _star(star: Point) -> dict[str, Any]:
    facet = facet_words(star.facet)
    return {"name": star.method, "where": star.label, "hours": hours(star.seconds), "score": star.score, "facet": facet}
