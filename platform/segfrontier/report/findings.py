"""What a study found, facet by facet: its frontier, and the answers that are read off it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from itertools import combinations
from math import isfinite
from typing import Any

import numpy as np

from segfrontier.errors import BadInput
from segfrontier.market.budget import hours, seconds_from_hours
from segfrontier.market.prices import PriceList
from segfrontier.report.answers import BreakEven, Need, Saving, beats, needs, percent_of_full, savings
from segfrontier.report.breakeven import turning_prices
from segfrontier.report.frontier import Front, Point, area, frontiers, probability_on_frontier
from segfrontier.report.load import Harvest
from segfrontier.report.points import Entry, facet_words
from segfrontier.report.statistics import Comparison, How, Summary

FULL, YARDSTICK = "oracle", "fine"
"""The method with every label, and the one that savings are told against."""


@dataclass(frozen=True, kw_only=True)
class Reading:
    """How scores are read."""

    target: float | None = None
    gpu: bool = False  # computing is a second cost
    how: How = "t"
    level: float = 0.95

    def __post_init__(self) -> None:
        if self.target is not None and not 0 < self.target <= 1:
            raise BadInput(f"a target is a score above 0 and up to 1; found {self.target:g}. Write 0.6 for 60 %.")
        if not 0 < self.level < 1:
            raise BadInput(f"the level of an interval lies between 0 and 1; found {self.level:g}. Write e.g. 0.95.")

    def summary(self, point: Point) -> Summary:
        """A point's mean and interval."""
        return point.summary(how=self.how, level=self.level, rng=np.random.default_rng(0))


@dataclass(frozen=True, kw_only=True)
class Duel:
    """Does A beat B with so many hours?"""

    a: str
    b: str
    hours: float
    result: Comparison

    @property
    def words(self) -> str:
        """ "coarse beats fine at 10 h: yes (+0.031 [0.012, 0.050])"."""
        d = self.result.difference
        spread = f" [{d.interval[0]:+.3f}, {d.interval[1]:+.3f}]" if d.interval else ""
        because = f" ({d.mean:+.3f}{spread})" if isfinite(d.mean) else f" ({self.result.reason})"
        return f"{self.a} beats {self.b} at {self.hours:g} h: {self.result.verdict}{because}"


@dataclass(frozen=True, kw_only=True, eq=False)
class Finding:
    """One facet of a study."""

    harvest: Harvest
    reading: Reading
    front: Front
    entries: tuple[Entry, ...]  # cheapest first, those without a score last
    probability: Mapping[Point, float]

    @property
    def words(self) -> str:
        """What the facet is."""
        return facet_words(self.front.facet)

    @property
    def points(self) -> tuple[Point, ...]:
        """All that have a score."""
        return tuple(e.point for e in self.entries if isfinite(e.point.score))

    @property
    def methods(self) -> tuple[str, ...]:
        """Those with a score, in the order of the study."""
        here = {p.method for p in self.points}
        return tuple(m for m in self.harvest.methods if m in here)

    @property
    def prices(self) -> PriceList | None:
        """What hours are made from."""
        return self.harvest.prices.get(self.front.facet)

    @cached_property
    def percent(self) -> Mapping[Point, float | None]:
        """Of the fully supervised score."""
        return percent_of_full(self.points, full=FULL)

    @cached_property
    def target(self) -> tuple[float, str] | None:
        """The score to reach, and why this one; None where nothing has a score."""
        if self.reading.target is not None:
            return self.reading.target, ""
        best = {m: max(p.score for p in self.points if p.method == m) for m in self.methods}
        if FULL in best:
            return _down(0.9 * best[FULL]), f"90 % of {FULL}'s {best[FULL]:.3f}"
        if YARDSTICK in best:
            return _down(best[YARDSTICK]), f"the best of {YARDSTICK}"
        return (_down(max(best.values())), "the best score measured") if best else None

    @cached_property
    def needs(self) -> tuple[Need, ...]:
        """What each method needs for the target, thriftiest first."""
        if self.target is None:
            return ()
        found = needs(self.points, target=self.target[0])
        return tuple(sorted(found, key=lambda n: (n.seconds is None, n.seconds or 0, -n.best)))

    @cached_property
    def savings(self) -> tuple[Saving, ...]:
        """Against fine masks; full supervision is the yardstick of scores, not of costs, and is left out."""
        return savings((n for n in self.needs if n.method != FULL), against=YARDSTICK)

    @cached_property
    def duels(self) -> tuple[Duel, ...]:
        """Every pair of methods at every budget where both have something to show."""
        found = []
        for budget in self.budgets:
            for a, b in combinations(self.methods, 2):
                if None not in (self._can(a, budget), self._can(b, budget)):
                    found.append(self._duel(a, b, budget))
        return tuple(found)

    def leaders(self) -> Iterator[tuple[float, str, tuple[Duel, ...]]]:
        """At each budget the method with the best mean, and how sure it is that it beats each of the others."""
        for budget in self.budgets:
            able = {m: score for m in self.methods if (score := self._can(m, budget)) is not None}
            if len(able) > 1:
                first = max(able, key=lambda m: able[m])
                yield budget, first, tuple(self._duel(first, m, budget) for m in able if m != first)

    @property
    def budgets(self) -> tuple[float, ...]:
        """The hours that cells of this facet were given, other than none and all labels."""
        given = {e.budget for e in self.entries}
        return tuple(sorted(b for b in given if b != "all" and b > 0))

    @cached_property
    def areas(self) -> tuple[tuple[float, float], dict[str, float]] | None:
        """Limits in hours, and the mean score that budgets between them buy, over all ("") and by method."""
        costs = sorted({p.seconds for p in self.points if p.seconds > 0})
        if len(costs) < 2:
            return None
        top = float(seconds_from_hours(self.budgets[-1])) if self.budgets else costs[-1]
        limits = costs[0], min(top, costs[-1]) if top > costs[0] else costs[-1]
        groups = {"": self.points} | {m: tuple(p for p in self.points if p.method == m) for m in self.methods}
        told = {name: area(group, low=limits[0], high=limits[1], log=True) for name, group in groups.items()}
        return (hours(limits[0]), hours(limits[1])), told

    @cached_property
    def break_evens(self) -> tuple[BreakEven, ...]:
        """For each kind of act that two methods use differently: the prices at which the keener buyer still wins."""
        if self.prices is None or self.target is None:
            return ()
        reached = [n.method for n in self.needs if n.seconds is not None and n.method != FULL]
        methods = [m for m in self.methods if m in reached]
        return turning_prices(self.points, methods, prices=self.prices, target=self.target[0])

    def _can(self, method: str, budget: float) -> float | None:
        """The best mean that a method buys with so many hours."""
        limit = seconds_from_hours(budget)
        return max((p.score for p in self.points if p.method == method and p.seconds <= limit), default=None)

    def _duel(self, a: str, b: str, budget: float) -> Duel:
        reading = self.reading
        found = beats(
            self.points, a, b, seconds=seconds_from_hours(budget),
            how=reading.how, level=reading.level, rng=np.random.default_rng(0),
        )  # fmt: skip
        return Duel(a=a, b=b, hours=budget, result=found[self.front.facet])


def findings(harvest: Harvest, reading: Reading | None = None) -> tuple[Finding, ...]:
    """One a facet, in the order of the study's table."""
    reading = reading or Reading()
    members = [e.point for e in harvest.entries]
    fronts = {f.facet: f for f in frontiers([*members, *harvest.stars], gpu=reading.gpu)}
    chances = probability_on_frontier(members, rng=np.random.default_rng(0), gpu=reading.gpu)
    return tuple(
        Finding(
            harvest=harvest, reading=reading, front=fronts[facet], probability=chances,
            entries=tuple(sorted((e for e in harvest.entries if e.point.facet == facet), key=_thrift)),
        )
        for facet in harvest.facets
    )  # fmt: skip


def _thrift(entry: Entry) -> tuple[Any, ...]:
    p = entry.point
    return not isfinite(p.score), p.seconds, -p.score if isfinite(p.score) else 0, entry.name


def _down(score: float) -> float:
    """Three digits, never above the score itself, so that what a table shows is what was asked for."""
    return float(np.floor(score * 1000) / 1000)
