"""What `segfrontier frontier --json` prints: all points and answers in plain values, None where there is no number."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from segfrontier.market.budget import hours
from segfrontier.report.answers import BreakEven, Need, Saving
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
    target, why = finding.target or (None, "")
    return {
        "facet": finding.words,
        "prices": None if finding.prices is None else f"{finding.prices.name} (version {finding.prices.version})",
        "training": {"words": list(training_words(finding)), "unequal": unequal_training(finding)},
        "target": target,
        "target_is": why,
        "needs": [_need(n) for n in finding.needs],
        "savings": [_saving(s) for s in finding.savings],
        "area": _area(finding),
        "break_even": [_break_even(b) for b in finding.break_evens],
    }


def _sentence(s: Sentence, finding: Finding) -> dict[str, Any]:
    interval = None if s.interval is None else [finite(edge) for edge in s.interval]
    told = {"kind": s.kind, "text": s.text, "decided": s.decided, "methods": list(s.methods), "hours": s.hours}
    return told | {"interval": interval, "facet": finding.words}


def _need(n: Need) -> dict[str, Any]:
    return {"method": n.method, "hours": None if n.seconds is None else hours(n.seconds), "at_most": n.at_most}


def _saving(s: Saving) -> dict[str, Any]:
    return {"method": s.need.method, "against": s.against.method, "factor": finite(s.factor)}


def _area(finding: Finding) -> dict[str, Any] | None:
    if finding.areas is None:
        return None
    (low, high), areas = finding.areas
    methods = {method: value for method, value in areas.items() if method}
    return {"from_hours": low, "to_hours": high, "all": areas[""], "methods": methods}


def _break_even(b: BreakEven) -> dict[str, Any]:
    wins = [[finite(edge) for edge in stretch] for stretch in b.wins]
    return {"kind": b.kind, "a": b.a, "b": b.b, "verdict": b.verdict, "wins": wins}


def _star(star: Point) -> dict[str, Any]:
    facet = facet_words(star.facet)
    return {"name": star.method, "where": star.label, "hours": hours(star.seconds), "score": star.score, "facet": facet}
