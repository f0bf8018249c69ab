"""What runs say of claims: one holds where all of its comparisons hold, fails where one fails, else cannot be told."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Literal

from segfrontier.home.layout import Home
from segfrontier.home.records import Record
from segfrontier.report.statistics import Comparison, Summary, compare, summarise
from segfrontier.study.claims import Claim, Claims, Pairing, Side

Verdict = Literal["holds", "fails", "cannot tell"]
KeysOf = Callable[[Claim, Side], Iterable[str]]


@dataclass(frozen=True, kw_only=True)
class Measured:
    """What runs say of one comparison."""

    pairing: Pairing
    verdict: Verdict
    reason: str
    a: Summary
    b: Summary
    difference: Summary
    keys: tuple[str, ...]


@dataclass(frozen=True, kw_only=True)
class Judged:
    """What runs say of a claim."""

    claim: Claim
    verdict: Verdict
    measured: tuple[Measured, ...]

    def plain(self) -> dict[str, Any]:
        """JSON form."""
        return {
            "id": self.claim.id, "says": self.claim.says, "where": self.claim.where, "paper": self.claim.paper,
            "verdict": self.verdict,
            "measured": [
                {
                    "a": m.pairing.a.words, "b": m.pairing.b.words, "expect": m.pairing.expect,
                    "metric": m.pairing.metric, "verdict": m.verdict,
                    "reason": m.reason, "difference": _finite(m.difference.mean), "interval": m.difference.interval,
                    "mean_a": _finite(m.a.mean), "mean_b": _finite(m.b.mean), "seeds": m.difference.count,
                    "cells": m.keys,
                }
                for m in self.measured
            ],
        }  # fmt: skip


def judge(claim: Claim, found: Mapping[tuple[int, str], Mapping[int, Record]]) -> Judged:
    """The verdict on a claim. `found`: by place of the comparison and side ("a" or "b"), the records by seed."""
    measured = tuple(
        _measure(pairing, found.get((i, "a"), {}), found.get((i, "b"), {})) for i, pairing in enumerate(claim.compare)
    )
    verdicts = [m.verdict for m in measured]
    whole: Verdict = "fails" if "fails" in verdicts else "cannot tell"
    if all(v == "holds" for v in verdicts):
        whole = "holds"
    return Judged(claim=claim, verdict=whole, measured=measured)


def _measure(pairing: Pairing, a: Mapping[int, Record], b: Mapping[int, Record]) -> Measured:
    first, second = (_scores(side, pairing.metric) for side in (a, b))
    moved = {seed: score + pairing.margin for seed, score in first.items()}
    result = compare(moved, second)
    verdicts: Mapping[str, Verdict] = {"yes": "holds", "no": "fails"}
    return Measured(
        pairing=pairing, verdict=verdicts.get(result.verdict, "cannot tell"), reason=_reason(result, pairing.margin),
        a=summarise(first.values()), b=summarise(second.values()),
        difference=summarise([first[s] - second[s] for s in sorted(first.keys() & second.keys())]),
        keys=tuple(r.key for side in (a, b) for r in side.values()),
    )  # fmt: skip


def _scores(side: Mapping[int, Record], metric: str) -> dict[int, float]:
    by_seed = {seed: {**r.notes, **r.values} for seed, r in side.items() if r.state == "done"}
    return {seed: scores.get(metric, math.nan) for seed, scores in by_seed.items()}


def _reason(result: Comparison, margin: float) -> str:
    return result.reason.replace(" 0", f" -{margin:g}") if margin else result.reason


def judge_all(claims: Claims, home: Home, keys: KeysOf) -> tuple[Judged, ...]:
    """The verdicts that the records in a home give today; `keys` names the cells of a side."""
    return tuple(judge(claim, _found(claim, home, keys)) for claim in claims.claims)


def _found(claim: Claim, home: Home, keys: KeysOf) -> dict[tuple[int, str], dict[int, Record]]:
    found = {}
    for i, pairing in enumerate(claim.compare):
        for name, side in (("a", pairing.a), ("b", pairing.b)):
            ended = (Record.read(home.cell(key)) for key in keys(claim, side))
            found[i, name] = _by_seed(record for record in ended if record is not None)
    return found


def _by_seed(records: Iterable[Record]) -> dict[int, Record]:
    return {int(r.cell["seed"]): r for r in records}


def _finite(value: float) -> float | None:
    return value if math.isfinite(value) else None
