"""Which prices change the order of methods: break-even prices for each kind of act that two methods use differently."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import combinations
from statistics import fmean

from segfrontier.market.prices import PriceList
from segfrontier.report.answers import BreakEven, break_even
from segfrontier.report.frontier import Point


def turning_prices(
    points: Sequence[Point], methods: Sequence[str], *, prices: PriceList, target: float
) -> tuple[BreakEven, ...]:
    """For every pair of methods and every kind of act: the prices at which the one that buys more of it still wins.

    Give one facet's points, and methods that reach the target.
    """
    thrifty, found = _thrifty(points, prices), []
    most = {m: _most(m, thrifty, prices) for m in methods}
    for a, b in combinations(methods, 2):
        for kind in prices.acts:
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
