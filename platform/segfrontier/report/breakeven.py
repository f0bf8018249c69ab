"""Which prices change the order of methods: break-even prices for each kind of act that two methods use differently."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from fractions import Fraction
from itertools import combinations
from statistics import fmean

import numpy as np

from segfrontier.market.acts import FOR_SALE
from segfrontier.market.prices import PriceList
from segfrontier.report.answers import BreakEven, break_even, line
from segfrontier.report.frontier import Point
from segfrontier.report.redrawn import Array, needed

_WIDEST, _STEPS, _SURE = 32.0, 121, 0.975


def turning_prices(
    points: Sequence[Point], methods: Sequence[str], *, prices: PriceList, target: float
) -> tuple[BreakEven, ...]:
    """For every pair of methods and every kind of act: the prices at which the one that buys more of it still wins.

    Give one facet's points, and methods that reach the target.
    """
    thrifty, found = _thrifty(points, prices), []
    most = {m: _most(m, thrifty, prices) for m in methods}
    for a, b in combinations(methods, 2):
        for kind in (k for k in prices.acts if k in FOR_SALE):  # what was paid elsewhere has no price to wait for
            uses = most[a].get(kind, 0.0), most[b].get(kind, 0.0)
            if uses[0] != uses[1]:
                keen, other = (a, b) if uses[0] > uses[1] else (b, a)
                found.append(break_even(thrifty, keen, other, kind=kind, prices=prices, target=target))
    return tuple(found)


def _most(method: str, points: Sequence[Point], prices: PriceList) -> dict[str, float]:
    """By kind, the most that one of a method's points buys."""
    bought = [_bought(p, prices) for p in points if p.method == method]
    return {kind: max(b.get(kind, 0.0) for b in bought) for kind in {k for b in bought for k in b}}


def _bought(point: Point, prices: PriceList) -> dict[str, float]:
    """What is paid for, by kind of act, mean over seeds."""
    assert point.acts, "a point that was made from records knows its acts"
    acts = point.acts.values()
    kinds = {kind for by_kind in acts for kind in by_kind}
    return {k: fmean(getattr(a[k], prices.counter(k)) if k in a else 0 for a in acts) for k in kinds}


def _thrifty(points: Sequence[Point], prices: PriceList) -> tuple[Point, ...]:
    """Without the points that another one of their method beats at any prices: no more of any kind, no less score.

    Such a point never matters, and a sweep with hundreds of them would take long to price.
    """
    bought = {p: _bought(p, prices) for p in points}
    groups = [[p for p in points if p.method == method] for method in dict.fromkeys(p.method for p in points)]
    return tuple(p for group in groups for p in group if not any(_always_beats(q, p, bought) for q in group))


def _always_beats(q: Point, p: Point, bought: Mapping[Point, Mapping[str, float]]) -> bool:
    no_more = all(bought[q].get(k, 0) <= bought[p].get(k, 0) for k in {*bought[q], *bought[p]})
    return no_more and q.score >= p.score and (q.score > p.score or bought[q] != bought[p])


PriceRange = tuple[float, float]


def price_range(
    told: BreakEven,
    a: Sequence[Point],
    b: Sequence[Point],
    drawn_a: Sequence[Array],
    drawn_b: Sequence[Array],
    *,
    target: Array | float,
    prices: PriceList,
) -> PriceRange | None:
    """Between which prices the order changes for certain; None where it never is certain on both sides.

    `drawn_a`, `drawn_b`: by point, its score in each draw. Tried on a grid around the price found.
    """
    if not told.seconds:
        return None
    grid = told.seconds * np.geomspace(1 / _WIDEST, _WIDEST, _STEPS)
    lines = [[line(p, told.kind, prices) for p in side] for side in (a, b)]
    share = np.array([_share(lines, drawn_a, drawn_b, float(price), target) for price in grid])
    share = share if told.verdict == "under" else share[::-1]
    edges = grid if told.verdict == "under" else grid[::-1]
    won = int(np.argmax(share < _SURE)) - 1 if (share < _SURE).any() else _STEPS
    doubtful = np.flatnonzero(share > 1 - _SURE)
    lost = int(doubtful[-1]) + 1 if len(doubtful) else 0
    if won < 0 or lost >= _STEPS or won >= _STEPS:
        return None
    low, high = sorted((float(edges[won]), float(edges[lost])))
    return low, high


def _share(
    lines: Sequence[Sequence[tuple[Fraction, Fraction]]], a: Sequence[Array], b: Sequence[Array], price: float,
    target: Array | float,
) -> float:  # fmt: skip
    """In what share of draws A needs fewer hours than B at a price."""
    costs = [[float(fixed) + float(slope) * price for fixed, slope in side] for side in lines]
    least, _, most = needed(costs[0], a, target)
    other_least, _, other_most = needed(costs[1], b, target)
    # Open ends count for neither: what may be less is held against the other's least, never reached is more than all.
    sure, lost = most < other_least, other_most < least
    return float((sure + 0.5 * (~sure & ~lost)).mean())
