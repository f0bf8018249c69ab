"""What a study found, facet by facet: its frontier, and the answers that are read off it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from math import isfinite
from typing import Any

import numpy as np
from numpy.typing import NDArray

from segfrontier.errors import BadInput
from segfrontier.market.budget import hours, seconds_from_hours
from segfrontier.market.prices import Money, PriceList
from segfrontier.report.answers import BreakEven, Need, needs, percent_of_full
from segfrontier.report.breakeven import turning_prices
from segfrontier.report.contenders import FULL, YARDSTICK, Comparisons, Contender, compared
from segfrontier.report.frontier import Front, Point, area, frontiers, probability_on_frontier
from segfrontier.report.load import Harvest
from segfrontier.report.points import FrontierPoint, facet_words
from segfrontier.report.statistics import How, Summary

_OF_FULL = 0.9
"""The share of the fully supervised score that is the target."""


@dataclass(frozen=True, kw_only=True)
class Reading:
    """How scores are read."""

    target: float | None = None
    most: float = 1.0  # what a target may be; scores of a table may be in percent
    gpu: bool = False  # computing is a second cost
    how: How = "t"
    level: float = 0.95

    def __post_init__(self) -> None:
        if self.target is not None and not 0 < self.target <= self.most:
            raise BadInput(
                f"a target is a score above 0 and up to {self.most:g}; found {self.target:g}. Write 0.6 for 60 %."
            )
        if not 0 < self.level < 1:
            raise BadInput(f"the level of an interval lies between 0 and 1; found {self.level:g}. Write e.g. 0.95.")

    def summary(self, point: Point) -> Summary:
        """A point's mean and interval."""
        return point.summary(how=self.how, level=self.level, rng=np.random.default_rng(0))


class Chances:
    """How often each point is on its frontier when seeds are drawn again; drawn once, when first asked for."""

    def __init__(self, points: Sequence[Point], *, gpu: bool) -> None:
        self._points, self._gpu = points, gpu

    @cached_property
    def by_point(self) -> Mapping[Point, float]:
        """In 0..1."""
        return probability_on_frontier(self._points, rng=np.random.default_rng(0), gpu=self._gpu)


@dataclass(frozen=True, kw_only=True, eq=False)
class Finding:
    """One facet of a study."""

    harvest: Harvest
    reading: Reading
    front: Front
    entries: tuple[FrontierPoint, ...]  # cheapest first, those without a score last
    chances: Chances
    comparisons: Comparisons

    @property
    def probability(self) -> Mapping[Point, float]:
        """How often each point is on the frontier when seeds are drawn again."""
        return self.chances.by_point

    @property
    def contenders(self) -> tuple[Contender, ...]:
        """Methods with their knobs, in the order of the study."""
        return self.comparisons.contenders[self.front.facet]

    @property
    def yardstick(self) -> Contender | None:
        """What savings are counted against: fine masks, or the first contender where there are none."""
        ranked = [c for c in self.contenders if any(isfinite(e.point.score) for e in c.curve)]
        return next((c for c in ranked if c.method == YARDSTICK), ranked[0] if ranked else None)

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

    @property
    def money(self) -> Money | None:
        """What an hour is paid, where the price list says so."""
        return None if self.prices is None else self.prices.money

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
            return _down(_OF_FULL * best[FULL]), f"{100 * _OF_FULL:g} % of {FULL}'s {best[FULL]:.3f}"
        if YARDSTICK in best:
            return _down(best[YARDSTICK]), f"the best of {YARDSTICK}"
        return (_down(max(best.values())), "the best score measured") if best else None

    @cached_property
    def target_draws(self) -> NDArray[np.float64] | float | None:
        """The target in each draw of the seeds: one that is a measured score carries its noise; None if unknown."""
        if self.target is None or self.reading.target is not None:
            return self.target and self.target[0]
        source = next((m for m in (FULL, YARDSTICK) if m in self.methods), None)
        members = [p for p in self.points if source is None or p.method == source]
        drawn = [d for p in members if (d := self.comparisons.redrawn.get(p)) is not None]
        if len(drawn) < len(members) or not members:
            return None
        of_best = _OF_FULL if source == FULL else 1.0
        rounding = of_best * max(p.score for p in members) - self.target[0]  # the draws are of the number that is shown
        return np.asarray(np.max(drawn, axis=0) * of_best - rounding)

    @cached_property
    def needs(self) -> tuple[Need, ...]:
        """What each method needs for the target, thriftiest first."""
        if self.target is None:
            return ()
        found = needs(self.points, target=self.target[0])
        return tuple(sorted(found, key=lambda n: (n.seconds is None, n.seconds or 0, -n.best)))

    def need_of(self, contender: str) -> Need | None:
        """What the means of one contender need for the target; None where it has no score."""
        return self._needs_by_name.get(contender)

    @cached_property
    def _needs_by_name(self) -> Mapping[str, Need]:
        by_name: dict[str, list[Point]] = {}
        for e in self.entries:
            by_name.setdefault(e.name, []).append(e.point)
        if self.target is None:
            return {}
        found = {name: needs(own, target=self.target[0]) for name, own in by_name.items()}
        return {name: own[0] for name, own in found.items() if own}

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


def findings(harvest: Harvest, reading: Reading | None = None) -> tuple[Finding, ...]:
    """One a facet, in the order of the study's table."""
    reading = reading or Reading()
    members = [e.point for e in harvest.entries]
    fronts = {f.facet: f for f in frontiers([*members, *harvest.stars], gpu=reading.gpu)}
    chances, comparisons = Chances(members, gpu=reading.gpu), compared(harvest.entries, level=reading.level)
    return tuple(
        Finding(
            harvest=harvest, reading=reading, front=fronts[facet], chances=chances, comparisons=comparisons,
            entries=tuple(sorted((e for e in harvest.entries if e.point.facet == facet), key=_thrift)),
        )
        for facet in harvest.facets
    )  # fmt: skip


def _thrift(entry: FrontierPoint) -> tuple[Any, ...]:
    p = entry.point
    return not isfinite(p.score), p.seconds, -p.score if isfinite(p.score) else 0, entry.name


def _down(score: float) -> float:
    """Three digits, never above the score itself, so that what a table shows is what was asked for."""
    return float(np.floor(score * 1000) / 1000)
