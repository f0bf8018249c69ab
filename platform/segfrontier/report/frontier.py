"""The frontier: which points no other point of their facet beats at equal or lower cost.

Costs are annotation seconds and, when asked for, GPU hours. Facets are never mixed: every answer comes one a facet.
Stars (reference points from papers) are carried along and take part in nothing.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from segfrontier.market.prices import Count
from segfrontier.report.statistics import How, Summary, summarise

Facet = tuple[tuple[str, Hashable], ...]


@dataclass(frozen=True, kw_only=True, eq=False)
class Point:
    """One method with its knobs at one budget. Identity is the object: two points may look alike.

    `acts` holds, by seed, the acts bought by kind; None where they are unknown, as with a number read in a paper.
    """

    method: str
    label: str
    seconds: float
    facet: Facet
    scores: Mapping[int, float]
    gpu_hours: Mapping[int, float] = field(default_factory=dict)
    steps: Mapping[int, int] = field(default_factory=dict)  # optimiser steps of all trainings, where they are known
    images: Mapping[int, int] = field(default_factory=dict)  # that these saw
    runs: tuple[str, ...] = ()
    acts: Mapping[int, Mapping[str, Count]] | None = None
    star: bool = False

    def __post_init__(self) -> None:
        if not (np.isfinite(self.seconds) and self.seconds >= 0):
            raise ValueError(
                f"{self.method} {self.label}: annotation seconds are finite and 0 or more; got {self.seconds!r}"
            )

    @cached_property
    def score(self) -> float:
        """Mean over the seeds; NaN without a seed or where one of them has no score."""
        return summarise(self.scores.values()).mean

    @cached_property
    def gpu(self) -> float:
        """Mean GPU hours over the seeds; NaN where none were measured."""
        return summarise(self.gpu_hours.values()).mean

    @property
    def trained(self) -> float:
        """Mean optimiser steps over the seeds; NaN where they are not known of all."""
        return summarise(self.steps.values()).mean if self.steps.keys() == self.scores.keys() else float("nan")

    @property
    def seen(self) -> float:
        """Mean number of images that trainings saw, over the seeds; NaN where it is not known of all."""
        return summarise(self.images.values()).mean if self.images.keys() == self.scores.keys() else float("nan")

    def summary(self, *, how: How = "t", level: float = 0.95, rng: np.random.Generator | None = None) -> Summary:
        """Mean score with its interval over the seeds."""
        return summarise(self.scores.values(), how=how, level=level, rng=rng)


@dataclass(frozen=True, slots=True)
class Front:
    """One facet's points, cheapest first: those on the frontier, the beaten, those without a number, the stars."""

    facet: Facet
    on: tuple[Point, ...]
    beaten: tuple[Point, ...]
    unranked: tuple[Point, ...]
    stars: tuple[Point, ...]


def frontiers(points: Iterable[Point], *, gpu: bool = False) -> tuple[Front, ...]:
    """The frontier of every facet; with `gpu`, GPU hours are a second cost next to annotation seconds.

    A point whose score (or cost that counts) is not a number is listed under `unranked`.
    """
    fronts = []
    for facet, members in by_facet(points).items():
        ranked = [p for p in members if _ranked(p, gpu=gpu)]
        beaten = _beaten(_costs(ranked, gpu=gpu), np.array([p.score for p in ranked]))
        fronts.append(
            Front(
                facet=facet,
                on=_sorted(p for p, b in zip(ranked, beaten, strict=True) if not b),
                beaten=_sorted(p for p, b in zip(ranked, beaten, strict=True) if b),
                unranked=_sorted(p for p in members if not p.star and not _ranked(p, gpu=gpu)),
                stars=_sorted(p for p in members if p.star),
            )
        )
    return tuple(fronts)


def dominates(p: Point, q: Point, *, gpu: bool = False) -> bool:
    """Whether p costs no more and scores no less than q, and is better in one of them. Never across facets."""
    if p.facet != q.facet or not (_ranked(p, gpu=gpu) and _ranked(q, gpu=gpu)):
        return False
    return bool(_beaten(_costs([p, q], gpu=gpu), np.array([p.score, q.score]))[1])


def probability_on_frontier(
    points: Iterable[Point], *, rng: np.random.Generator, draws: int = 1000, gpu: bool = False
) -> dict[Point, float]:
    """How often each ranked point is on its facet's frontier when the seeds are drawn again (bootstrap).

    Points with the same seeds are drawn together, so what a seed does to all of them cancels; costs stay as they are.
    A point with one seed is taken at its word: add seeds before reading much into its probability.
    """
    if draws < 1:
        raise ValueError(f"a bootstrap needs one draw or more; got {draws}")
    found: dict[Point, float] = {}
    for members in by_facet(points).values():
        ranked = [p for p in members if _ranked(p, gpu=gpu)]
        costs = _costs(ranked, gpu=gpu)
        drawn = _redrawn(ranked, draws, rng)
        if gpu:
            on = np.sum([~_beaten(costs, scores) for scores in drawn], axis=0)
        else:
            on = np.sum(~_beaten_along(costs[:, 0], drawn), axis=0)
        found |= dict(zip(ranked, (on / draws).tolist(), strict=True))
    return found


def area(points: Iterable[Point], *, low: float, high: float, log: bool = False, floor: float = 0.0) -> float:
    """Mean score that a budget buys between `low` and `high` seconds: the area under the step function, normalised.

    At each budget the step is the best affordable mean score, `floor` where nothing is affordable. With `log` every
    doubling of the budget weighs the same. Give one facet's points: all of them, or one method's.
    """
    if not (0 < low < high if log else 0 <= low < high) or not np.isfinite(high):
        raise ValueError(f"an area needs finite limits low < high, low above 0 for log hours; got {low!r} to {high!r}")
    ranked = _sorted(p for p in one_facet(points) if _ranked(p, gpu=False))
    edges = np.array([low, *(min(max(p.seconds, low), high) for p in ranked), high], np.float64)
    heights = np.maximum.accumulate([floor, *(p.score for p in ranked)])
    along = np.log(edges) if log else edges
    return float(np.dot(np.diff(along), heights) / (along[-1] - along[0]))


def by_facet(points: Iterable[Point]) -> dict[Facet, list[Point]]:
    """Points by facet, in an order of facets that does not depend on the order of the points."""
    groups: dict[Facet, list[Point]] = {}
    for p in points:
        groups.setdefault(p.facet, []).append(p)
    return dict(sorted(groups.items(), key=lambda group: repr(group[0])))


def one_facet(points: Iterable[Point]) -> list[Point]:
    """The points themselves, once it is sure that they may be compared."""
    members = list(points)
    facets = {p.facet for p in members}
    if len(facets) > 1:
        raise ValueError(f"points of one facet can be compared; got {len(facets)} facets; split them with by_facet()")
    return members


def _ranked(p: Point, *, gpu: bool) -> bool:
    return not p.star and bool(np.isfinite(p.score)) and (not gpu or bool(np.isfinite(p.gpu)))


def _costs(points: Sequence[Point], *, gpu: bool) -> NDArray[np.float64]:
    """(points, 1 or 2)"""
    rows = [(p.seconds, p.gpu)[: 1 + gpu] for p in points]
    return np.array(rows, np.float64).reshape(len(points), 1 + gpu)


def _beaten(costs: NDArray[np.float64], scores: NDArray[np.float64]) -> NDArray[np.bool_]:
    """Which points another one dominates. Rows are the other, columns the one in question."""
    if not len(scores):
        return np.zeros(0, np.bool_)
    no_dearer = (costs[:, None] <= costs[None]).all(axis=2)
    cheaper = no_dearer & (costs[:, None] < costs[None]).any(axis=2)
    better, no_worse = scores[:, None] > scores[None], scores[:, None] >= scores[None]
    return np.any((no_dearer & better) | (cheaper & no_worse), axis=0)


def _beaten_along(costs: NDArray[np.float64], scores: NDArray[np.float64]) -> NDArray[np.bool_]:
    """`_beaten` by one cost, for many draws (draws, points) at once: held against the best that is no dearer."""
    order = np.argsort(costs, kind="stable")
    costs, ordered = costs[order], scores[:, order]
    best = np.maximum.accumulate(ordered, axis=1) if len(costs) else ordered
    last = np.searchsorted(costs, costs, side="right") - 1  # of those that cost as much
    before = np.searchsorted(costs, costs, side="left") - 1  # of those that cost less
    cheaper = np.where(before >= 0, best[:, np.maximum(before, 0)], -np.inf)
    beaten = np.empty(scores.shape, np.bool_)
    beaten[:, order] = (best[:, last] > ordered) | (cheaper >= ordered)
    return beaten


def _redrawn(points: Sequence[Point], draws: int, rng: np.random.Generator) -> NDArray[np.float64]:
    """(draws, points) mean scores, with one draw of seeds for all the points that share their seeds."""
    columns: dict[tuple[int, ...], list[int]] = {}
    for i, p in enumerate(points):
        columns.setdefault(tuple(sorted(p.scores)), []).append(i)
    means = np.empty((draws, len(points)))
    for seeds, group in sorted(columns.items()):
        table = np.array([[points[i].scores[s] for i in group] for s in seeds])
        times = rng.multinomial(len(seeds), [1 / len(seeds)] * len(seeds), size=draws)
        # One column at a time: a matrix product rounds alike points apart, and a tie must stay a tie.
        for column, i in enumerate(group):
            means[:, i] = (times * table[:, column]).sum(axis=1) / len(seeds)
    return means


def _sorted(points: Iterable[Point]) -> tuple[Point, ...]:
    return tuple(sorted(points, key=lambda p: (p.seconds, -np.nan_to_num(p.score), p.method, p.label)))
