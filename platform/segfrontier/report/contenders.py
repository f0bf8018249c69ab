"""What a report compares: contenders (a method with its knobs) at the budgets where they were measured.

Like is compared with like: two contenders at a budget that both were given. What costs nothing stands at every budget.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import combinations
from math import isfinite
from typing import Literal

from segfrontier.report.frontier import Facet, Point
from segfrontier.report.points import FrontierPoint
from segfrontier.report.redrawn import Array
from segfrontier.report.simultaneous import LEAST_SEEDS, Contrasts, Difference, SeedScores, judge

FULL = "oracle"
"""The method with every label, of whose score others reach so many percent."""

YARDSTICK = "fine"
"""The method that savings are counted against."""

Level = float | Literal["all"]
Key = tuple[Facet, str, str, Level | None]
"""Facet, contender, contender, and the budget; None for all budgets that both have, with equal weights."""


@dataclass(frozen=True, eq=False)
class Contender:
    """A method with its knobs and its entry at each budget."""

    facet: Facet
    name: str
    method: str
    at: Mapping[Level, FrontierPoint]
    called: str  # in sentences: the method alone where its knobs do not tell it from another of the facet

    @property
    def curve(self) -> tuple[FrontierPoint, ...]:
        """Its entries, cheapest first."""
        return tuple(sorted(dict.fromkeys(self.at.values()), key=lambda e: (e.point.seconds, -e.point.score)))

    def beside(self, full: Contender) -> FrontierPoint:
        """What full supervision has at this one's dearest budget, or at its own where it has nothing there."""
        last = self.curve[-1]
        return next((full.at[b] for b in (last.budget, *last.also) if b in full.at), full.curve[-1])


@dataclass(frozen=True, eq=False)
class Comparisons:
    """All differences that a report may assert, and how its scores might have fallen out with other seeds."""

    contenders: Mapping[Facet, tuple[Contender, ...]]
    place: Mapping[Point, int]  # among the cells that were judged
    family: Mapping[Key, int]
    judged: Contrasts | None

    def difference(self, a: Contender, b: Contender, level: Level | None) -> Difference | None:
        """A minus B at a budget, or over all that both have; None where either has too few seeds there."""
        if self.judged is None:
            return None
        if (i := self.family.get((a.facet, a.name, b.name, level))) is not None:
            return self.judged.differences[i]
        if (i := self.family.get((a.facet, b.name, a.name, level))) is not None:
            d = self.judged.differences[i]
            return Difference(-d.value, -d.high, -d.low, -d.sign, d.error, -d.strength)
        return None

    def better(self, a: Contender, b: Contender) -> bool:
        """Whether A is found better than B at a budget or over all."""
        found = [self.difference(a, b, level) for level in (None, *levels((a, b)))]
        return any(d is not None and d.sign > 0 for d in found)

    @cached_property
    def redrawn(self) -> Mapping[Point, Array]:
        """By point, its mean score in each of so many draws; see `Contrasts.redrawn`."""
        if self.judged is None:
            return {}
        table = self.judged.redrawn(2000)
        return {point: table[:, i] for point, i in self.place.items()}


def compared(entries: Sequence[FrontierPoint], *, level: float = 0.95) -> Comparisons:
    """All contenders of a report against each other, at every budget and over all; each facet for itself."""
    contenders: dict[Facet, tuple[Contender, ...]] = {}
    for facet in dict.fromkeys(e.point.facet for e in entries):
        contenders[facet] = tuple(_contenders(facet, [e for e in entries if e.point.facet == facet]))
    # In an order of their own, so that the same scores in any order are drawn alike.
    judged = sorted((e for e in entries if _decides(e)), key=lambda e: (repr(e.point.facet), e.name, str(e.budget)))
    place = {e.point: i for i, e in enumerate(judged)}
    family: dict[Key, int] = {}
    contrasts: list[Mapping[int, float]] = []
    for key, contrast in _contrasts(contenders, place):
        if key not in family:
            family[key] = len(contrasts)
            contrasts.append(contrast)
    cells = [SeedScores(e.point.facet, e.name, e.budget, e.point.scores) for e in judged]
    return Comparisons(contenders, place, family, judge(cells, contrasts, level=level) if cells else None)


def levels(contenders: Iterable[Contender]) -> tuple[Level, ...]:
    """Budgets that two contenders or more can be compared at, none at all left out, all labels last."""
    contenders = tuple(contenders)
    found = {level for c in contenders for level in c.at}
    least = {level: 2 if level == "all" else 1 for level in found}  # all labels are no budget for what buys none
    both = [
        level
        for level in found
        if sum(standing(c, level) is not None for c in contenders) > 1
        and sum(level in c.at for c in contenders) >= least[level]
        and level != 0
    ]
    return tuple(sorted(both, key=lambda level: (level == "all", 0.0 if level == "all" else level)))


def _contenders(facet: Facet, entries: Sequence[FrontierPoint]) -> Iterable[Contender]:
    methods = {e.name: e.point.method for e in entries}
    alone = [method for method, count in Counter(methods.values()).items() if count == 1]
    for name, method in methods.items():
        own = [e for e in entries if e.name == name]
        at = {level: e for e in own for level in (e.budget, *e.also)}
        yield Contender(facet, name, method, at, called=method if method in alone else name)


def _decides(entry: FrontierPoint) -> bool:
    return isfinite(entry.point.score) and len(entry.point.scores) >= LEAST_SEEDS


def standing(contender: Contender, level: Level) -> FrontierPoint | None:
    """What it has at a budget; what costs nothing has it at every budget."""
    if level in contender.at:
        return contender.at[level]
    free = contender.at.get(0.0)
    return free if free is not None and len(contender.at) == 1 else None


def _contrasts(
    contenders: Mapping[Facet, tuple[Contender, ...]], place: Mapping[Point, int]
) -> Iterable[tuple[Key, Mapping[int, float]]]:
    for facet, members in contenders.items():
        full = next((c for c in members if c.method == FULL), None)
        for a, b in combinations(members, 2):
            pairs = [(x, standing(a, x), standing(b, x)) for x in levels((a, b))]
            known = [
                (x, place[p.point], place[q.point])
                for x, p, q in pairs
                if p and q and p.point in place and q.point in place
            ]
            for level, i, j in known:
                yield (facet, a.name, b.name, level), {i: 1.0, j: -1.0}
            if len({(i, j) for _, i, j in known}) > 1:
                mean: dict[int, float] = {}
                for _, i, j in known:
                    mean[i] = mean.get(i, 0.0) + 1 / len(known)
                    mean[j] = mean.get(j, 0.0) - 1 / len(known)
                yield (facet, a.name, b.name, None), mean
        for one in members if full else ():
            assert full is not None
            own, other = place.get(one.curve[-1].point), place.get(one.beside(full).point)
            if one is not full and own is not None and other is not None:
                yield (facet, one.name, full.name, "all"), {own: 1.0, other: -1.0}
