"""What runs say of claims: one holds where all of its comparisons hold, fails where one fails, else cannot be told.

A comparison that has controls holds where A is above each of them, too. Where A beats B without that, the effect is
there and not attributed: "holds, but so does its control" where the control does what A does (beats B by the same rule,
or A itself), "holds, but its control cannot tell" where runs do not say which it is.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

from segfrontier.home.layout import Home
from segfrontier.home.records import Record
from segfrontier.report.statistics import Comparison, Summary, compare, summarise
from segfrontier.study.claims import Claim, Claims, Side, Versus

Verdict = Literal[
    "holds", "holds, but so does its control", "holds, but its control cannot tell", "fails", "cannot tell"
]
_WEAKEST_FIRST: Sequence[Verdict] = (
    "fails", "cannot tell", "holds, but so does its control", "holds, but its control cannot tell", "holds",
)  # fmt: skip
KeysOf = Callable[[Claim, Side], Iterable[str]]
BySeed = Mapping[int, Record]


@dataclass(frozen=True, kw_only=True)
class Contrast:
    """One side against another on the seeds that both have: does the first come out above, and by how much?"""

    verdict: Verdict
    reason: str
    a: Summary
    b: Summary
    difference: Summary


@dataclass(frozen=True, kw_only=True)
class Controlled:
    """What runs say of a control: A against it, and it against B by the rule that A is held to."""

    side: Side
    beaten: Contrast
    does_it_too: Contrast

    @property
    def leaves(self) -> Verdict:
        """What is left of a comparison that holds."""
        if self.beaten.verdict == "holds":
            return "holds"
        explains = self.beaten.verdict == "fails" or self.does_it_too.verdict == "holds"
        return "holds, but so does its control" if explains else "holds, but its control cannot tell"


@dataclass(frozen=True, kw_only=True)
class Measured:
    """What runs say of one comparison."""

    pairing: Versus
    contrast: Contrast
    controls: tuple[Controlled, ...]
    keys: tuple[str, ...]

    @property
    def verdict(self) -> Verdict:
        """That of A against B; where it holds, what the controls leave of it."""
        if self.contrast.verdict != "holds":
            return self.contrast.verdict
        return _weakest(control.leaves for control in self.controls)


@dataclass(frozen=True, kw_only=True)
class JudgedClaim:
    """What runs say of a claim."""

    claim: Claim
    measured: tuple[Measured, ...]

    @property
    def verdict(self) -> Verdict:
        """The weakest of its comparisons'."""
        return _weakest(m.verdict for m in self.measured)

    def plain(self) -> dict[str, Any]:
        """JSON form."""
        return {
            "id": self.claim.id, "says": self.claim.says, "where": self.claim.where, "paper": self.claim.paper,
            "verdict": self.verdict,
            "measured": [
                {
                    "a": m.pairing.a.words, "b": m.pairing.b.words, "expect": m.pairing.expect,
                    "metric": m.pairing.metric, "verdict": m.verdict, **_plain(m.contrast), "cells": m.keys,
                    "controls": [
                        {
                            "control": c.side.words, "leaves": c.leaves, "does_it_too": c.does_it_too.verdict,
                            "verdict": c.beaten.verdict, **_plain(c.beaten),
                        }
                        for c in m.controls
                    ],
                }
                for m in self.measured
            ],
        }  # fmt: skip


def _plain(contrast: Contrast) -> dict[str, Any]:
    return {
        "reason": contrast.reason, "difference": _finite(contrast.difference.mean),
        "interval": contrast.difference.interval, "mean_a": _finite(contrast.a.mean),
        "mean_b": _finite(contrast.b.mean), "seeds": contrast.difference.count,
    }  # fmt: skip


def _weakest(verdicts: Iterable[Verdict]) -> Verdict:
    """Of several that must all hold; "holds" where there is none."""
    return min(verdicts, key=_WEAKEST_FIRST.index, default="holds")


def judge(claim: Claim, found: Mapping[tuple[int, int], BySeed]) -> JudgedClaim:
    """The verdict on a claim. `found`: by place of the comparison and of its side, the records by seed."""

    def of(number: int, pairing: Versus) -> Measured:
        a, b, *controls = (found.get((number, place), {}) for place, _ in enumerate(pairing.sides))
        metric, to_b = pairing.metric, {"margin": pairing.margin, "share": pairing.share}
        return Measured(
            pairing=pairing, contrast=_contrast(a, b, metric, **to_b),
            controls=tuple(
                Controlled(side=side, beaten=_contrast(a, one, metric), does_it_too=_contrast(one, b, metric, **to_b))
                for side, one in zip(pairing.controls, controls, strict=True)
            ),
            keys=tuple(record.key for side in (a, b, *controls) for record in side.values()),
        )  # fmt: skip

    return JudgedClaim(claim=claim, measured=tuple(of(i, pairing) for i, pairing in enumerate(claim.compare)))


def _contrast(a: BySeed, b: BySeed, metric: str, *, margin: float = 0.0, share: float = 1.0) -> Contrast:
    """A, which may be worse by a margin, against a share of B."""
    first, whole = (_scores(side, metric) for side in (a, b))
    second = {seed: share * score for seed, score in whole.items()}
    result = compare({seed: score + margin for seed, score in first.items()}, second)
    shared = first.keys() & second.keys()
    if len(shared) > 1 and all(len({side[seed] for seed in shared}) == 1 for side in (first, second)):
        reason = "cannot tell, all seeds gave the same two scores: they are one measurement"
        result = replace(result, verdict="cannot tell", reason=reason)
    verdicts: Mapping[str, Verdict] = {"yes": "holds", "no": "fails"}
    return Contrast(
        verdict=verdicts.get(result.verdict, "cannot tell"), reason=_reason(result, margin),
        a=summarise(first.values()), b=summarise(second.values()),
        difference=summarise([first[s] - second[s] for s in sorted(first.keys() & second.keys())]),
    )  # fmt: skip


def _scores(side: BySeed, metric: str) -> dict[int, float]:
    by_seed = {seed: {**r.notes, **r.values} for seed, r in side.items() if r.state == "done"}
    return {seed: scores.get(metric, math.nan) for seed, scores in by_seed.items()}


def _reason(result: Comparison, margin: float) -> str:
    return result.reason.replace(" 0", f" -{margin:g}") if margin else result.reason


def judge_all(claims: Claims, home: Home, keys: KeysOf) -> tuple[JudgedClaim, ...]:
    """The verdicts that the records in a home give today; `keys` names the cells of a side."""
    return tuple(judge(claim, _found(claim, home, keys)) for claim in claims.claims)


def _found(claim: Claim, home: Home, keys: KeysOf) -> dict[tuple[int, int], dict[int, Record]]:
    found = {}
    for i, pairing in enumerate(claim.compare):
        for place, side in enumerate(pairing.sides):
            ended = (Record.read(home.cell(key)) for key in keys(claim, side))
            found[i, place] = _by_seed(record for record in ended if record is not None)
    return found


def _by_seed(records: Iterable[Record]) -> dict[int, Record]:
    return {int(r.cell["seed"]): r for r in records}


def _finite(value: float) -> float | None:
    return value if math.isfinite(value) else None
