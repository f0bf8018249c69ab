"""What mean scores answer, exactly: hours to a target, percent of full supervision, other prices.

"Not reached" is a value, never an exception. What the seeds support of it is said by `statements`.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from itertools import combinations, pairwise
from math import inf, isfinite
from statistics import fmean
from typing import Literal

from segfrontier.market.budget import hours
from segfrontier.market.prices import PriceList
from segfrontier.report.frontier import Facet, Point, by_facet, one_facet

Between = Literal["linear", "step"]


@dataclass(frozen=True, slots=True)
class Need:
    """Annotation seconds that a method needs for a target score; None where no measured budget reaches it.

    `at_most`: the cheapest budget measured reaches the target already, so less may do.
    """

    facet: Facet
    method: str
    target: float
    seconds: float | None
    at_most: bool
    best: float


@dataclass(frozen=True, slots=True)
class BreakEven:
    """Prices of one kind of act at which A needs no more hours than B for a target. `wins`: (from, to) in seconds."""

    kind: str
    a: str
    b: str
    target: float
    wins: tuple[tuple[float, float], ...]
    reason: str = ""

    @property
    def verdict(self) -> Literal["under", "over", "between", "always", "never"]:
        """Where A wins: under or over one price, between some, at every price or at none."""
        if len(self.wins) != 1:
            return "between" if self.wins else "never"
        low, high = self.wins[0]
        if low == 0:
            return "always" if high == inf else "under"
        return "over" if high == inf else "between"

    @property
    def seconds(self) -> float | None:
        """The break-even price; None where there is none (always, never) or more than one (see `wins`)."""
        return {"under": self.wins[-1][1], "over": self.wins[0][0]}.get(self.verdict) if self.wins else None


def needs(points: Iterable[Point], *, target: float, between: Between = "linear") -> tuple[Need, ...]:
    """What each method needs for `target`, facet by facet, read off its own budget curve of mean scores.

    `step`: the cheapest budget measured that reaches it. `linear`: a straight line to that budget from the best of the
    cheaper ones. Nothing is extrapolated.
    """
    found = []
    for facet, members in by_facet(_ranked(points)).items():
        for method in sorted({p.method for p in members}):
            curve = [p for p in members if p.method == method]
            mix = _mix([p.seconds for p in curve], [p.score for p in curve], target, between)
            seconds = None if mix is None else float(sum(w * Fraction(curve[i].seconds) for i, w in mix.items()))
            at_most = seconds is not None and 0 < seconds == min(p.seconds for p in curve)
            found.append(Need(facet, method, target, seconds, at_most, max(p.score for p in curve)))
    return tuple(found)


def percent_of_full(points: Iterable[Point], *, full: str = "oracle") -> dict[Point, float | None]:
    """Each point's mean score in percent of the best `full` point of its facet; None where there is none above 0."""
    found: dict[Point, float | None] = {}
    for members in by_facet(_ranked(points)).values():
        best = max((p.score for p in members if p.method == full), default=0.0)
        found |= {p: 100 * p.score / best if best > 0 else None for p in members}
    return found


def reprice(points: Iterable[Point], prices: PriceList) -> tuple[tuple[Point, ...], tuple[Point, ...]]:
    """The points with the seconds that their acts cost under `prices` (mean over seeds), and those without known acts.

    The latter keep their old seconds and must not be shown beside the former.
    """
    points = tuple(points)
    known = [(p, p.acts) for p in points if p.acts]
    priced = [replace(p, seconds=fmean(prices.bill(acts) for acts in by_seed.values())) for p, by_seed in known]
    return tuple(priced), tuple(p for p in points if not p.acts)


def break_even(
    points: Iterable[Point],
    a: str,
    b: str,
    *,
    kind: str,
    prices: PriceList,
    target: float,
    between: Between = "linear",
) -> BreakEven:
    """For which prices of `kind` does A need no more hours than B for `target`, all other prices as listed?

    Solved exactly, in fractions, on bills before they are rounded up to a whole second. Between two prices at which
    bills of one method change their order, both needs are straight lines in the price, so each stretch has at most one
    crossing. Give one facet's points.
    """
    members = one_facet(_ranked(points))
    curves = [[p for p in members if p.method == m] for m in (a, b)]
    reached = [any(p.score >= target for p in curve) for curve in curves]
    if not all(reached):
        short = " and ".join(m for m, r in zip((a, b), reached, strict=True) if not r)
        wins = ((0.0, inf),) if reached[0] else ()
        return BreakEven(kind, a, b, target, wins, f"{short} not measured to reach {target:g}")
    first, second = ([line(p, kind, prices) for p in curve] for curve in curves)
    scores_a, scores_b = ([p.score for p in curve] for curve in curves)
    edges: list[Fraction | float] = [Fraction(0), *sorted(_crossings(first) | _crossings(second)), inf]
    stretches: list[tuple[Fraction | float, Fraction | float]] = []
    for low, high in pairwise(edges):
        assert isinstance(low, Fraction)
        inside = (low + high) / 2 if isinstance(high, Fraction) else low + 1
        line_a = _need_line(first, scores_a, inside, target, between)
        line_b = _need_line(second, scores_b, inside, target, between)
        stretches += _not_above(line_a[0] - line_b[0], line_a[1] - line_b[1], low, high)
    return BreakEven(kind, a, b, target, tuple((float(low), float(high)) for low, high in _joined(stretches)))


def in_words(seconds: float) -> str:
    """ "12.5 h"; seconds where that would be under a tenth of an hour."""
    return f"{_short(seconds)} s" if seconds < 360 else f"{_short(hours(seconds))} h"


def _short(number: float) -> str:
    return f"{number:,.2f}".rstrip("0").rstrip(".")


def _ranked(points: Iterable[Point]) -> list[Point]:
    return [p for p in points if not p.star and isfinite(p.score)]


def _mix(
    costs: Sequence[float | Fraction], scores: Sequence[float], target: float, between: Between
) -> dict[int, Fraction] | None:
    """The need for `target` as a weighted mean of the costs of one point or two: index -> weight.

    Of points with one cost, the best one counts.
    """
    last: int | None = None
    for i in sorted(range(len(costs)), key=lambda i: (costs[i], -scores[i])):
        if scores[i] >= target:
            if last is None or between == "step":
                return {i: Fraction(1)}
            low = Fraction(scores[last])
            weight = (Fraction(target) - low) / (Fraction(scores[i]) - low)
            return {last: 1 - weight, i: weight}
        if last is None or scores[i] > scores[last]:
            last = i
    return None


_Line = tuple[Fraction, Fraction]  # seconds = first + second * price


def line(point: Point, kind: str, prices: PriceList) -> _Line:
    """A point's bill as a line in the price of `kind`, mean over the seeds."""
    if not point.acts:
        raise ValueError(
            f"{point.method} {point.label}: prices can only be tried on points whose acts are known; it has none. "
            f"Leave it out, as reprice() does."
        )
    fixed = slope = 0
    for acts in point.acts.values():
        others = {k: c for k, c in acts.items() if k != kind}
        fixed += sum(prices.milliseconds(k, units=c.units, asked=c.asked) for k, c in others.items())
        slope += getattr(acts[kind], prices.counter(kind)) if kind in acts else 0
    return Fraction(fixed, 1000 * len(point.acts)), Fraction(slope, len(point.acts))


def _crossings(lines: Sequence[_Line]) -> set[Fraction]:
    """Prices above 0 at which two bills are equal and change their order."""
    pairs = [(p, q) for p, q in combinations(set(lines), 2) if p[1] != q[1]]
    return {x for p, q in pairs if (x := (q[0] - p[0]) / (p[1] - q[1])) > 0}


def _need_line(
    lines: Sequence[_Line], scores: Sequence[float], price: Fraction, target: float, between: Between
) -> _Line:
    mix = _mix([fixed + slope * price for fixed, slope in lines], scores, target, between)
    assert mix is not None, "a curve that reaches the target reaches it at every price"
    return (
        sum((w * lines[i][0] for i, w in mix.items()), Fraction(0)),
        sum((w * lines[i][1] for i, w in mix.items()), Fraction(0)),
    )


def _not_above(
    fixed: Fraction, slope: Fraction, low: Fraction, high: Fraction | float
) -> list[tuple[Fraction | float, Fraction | float]]:
    """The part of low..high where fixed + slope * price <= 0."""
    if slope == 0:
        return [(low, high)] if fixed <= 0 else []
    root = -fixed / slope
    part = (low, min(root, high)) if slope > 0 else (max(root, low), high)
    return [part] if part[0] < part[1] else []


def _joined(
    stretches: Iterable[tuple[Fraction | float, Fraction | float]],
) -> list[tuple[Fraction | float, Fraction | float]]:
    joined: list[tuple[Fraction | float, Fraction | float]] = []
    for low, high in stretches:
        if joined and joined[-1][1] == low:
            low = joined.pop()[0]
        joined.append((low, high))
    return joined
