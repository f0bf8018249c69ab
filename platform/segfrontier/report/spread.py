"""How much the seeds of each cell differ: what a handful of seeds says, steadied by what all the others say.

Three seeds know little of their own variance. Cells of a method are taken to differ by the factor between budgets, and
methods are drawn towards their common variance by as much as they resemble one another (moderated variances, Smyth
2004, with a prior that is read on the cautious side). Where methods differ, little is lent and the degrees of freedom
stay few: unequal variances cost power, not truth. Two cells alone resemble nobody, and keep what their seeds say.
"""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from dataclasses import dataclass
from functools import cache

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]

_CAUTION = 1.0
"""Standard errors by which the prior is taken to be wider than it looks."""
_LEAST = 1e-5
"""The least standard deviation believed in: seeds that agree to more than five digits were rounded, or are one run."""
_PAIRED, _PAIRED_LONE = 0.01, 0.002
"""Seeds are paired where chance alone would make them as alike less often than this; the second for two cells alone,
where nearly every such chance would be taken for a difference."""


@dataclass(frozen=True)
class Spread:
    """By cell: the variance of one seed's score, its degrees of freedom, and the cells that share what is known."""

    variance: Array
    freedom: Array
    group: NDArray[np.int64]
    groups: int

    @property
    def lone(self) -> bool:
        """Whether this is a pair alone, of which Welch's test says as much as there is to say."""
        return len(self.variance) == 2


def spread(squares: Array, freedom: Array, group: Sequence[Hashable], level: Sequence[Hashable]) -> Spread:
    """Steady the variances `squares` (each of `freedom` degrees) of cells, each of a group (method) and a level."""
    own, levels = _numbered(group), _numbered(level)
    groups = int(own.max()) + 1
    squares = np.maximum(squares, _LEAST**2)
    if len(squares) == 2:
        return Spread(squares, freedom, np.arange(2), 2)
    if groups < 4 or len(squares) == groups:  # too few to tell a level's factor from a method's
        variance, degrees = _moderated(squares, freedom)
        return Spread(variance, degrees, np.arange(len(squares)), len(squares))
    by_level, by_group = np.ones(int(levels.max()) + 1), np.ones(groups)
    weight = np.bincount(own, freedom)
    for _ in range(5):
        by_group = np.bincount(own, freedom * squares / by_level[levels]) / weight
        count = np.asarray(np.bincount(levels, freedom), np.float64)
        raw = np.bincount(levels, freedom * squares / by_group[own])
        by_level, _ = _moderated(raw / count, count, caution=0.5)
        by_level = by_level / np.average(by_level, weights=count)
    first = np.array([freedom[own == g].max() for g in range(groups)])
    degrees = first + (weight - first) * (1 - 1 / groups)  # the factors of levels were read off the same scores
    variance, degrees = _moderated(by_group, degrees)
    return Spread(variance[own] * by_level[levels], degrees[own], own, groups)


def seed_effects(scores: Array) -> Array:
    """What each seed adds to the scores of all cells alike; zeros where that may be chance.

    `scores`: (cells, seeds), NaN where a cell lacks a seed. Taking out an effect costs degrees of freedom, so that it
    is done only where an F test at 1 % finds one.
    """
    have = np.isfinite(scores)
    cells, seeds = scores.shape
    within = np.where(have, scores - np.nanmean(scores, axis=1, keepdims=True), 0.0)
    effects, nothing = np.zeros(seeds), np.zeros(seeds)
    if cells < 2:
        return nothing
    for _ in range(100):  # alternating means: exact at once where no seed is missing
        residual = np.where(have, within - effects, 0.0)
        residual -= np.where(have, residual.sum(1, keepdims=True) / have.sum(1, keepdims=True), 0.0)
        step = residual.sum(0) / have.sum(0)
        effects = effects + step
        if np.abs(step).max() < 1e-12:
            break
    rest = np.where(have, within - effects, 0.0)
    rest -= np.where(have, rest.sum(1, keepdims=True) / have.sum(1, keepdims=True), 0.0)
    numerator, denominator = seeds - 1, int(have.sum()) - cells - seeds + 1
    if denominator < 1:
        return nothing
    total, left = float((within**2).sum()), float((rest**2).sum())
    if left <= 1e-12 * total:
        return effects - effects.mean() if total > 0 else nothing
    ratio = (total - left) / numerator / (left / denominator)
    limit = _f_limit(numerator, denominator, _PAIRED if cells > 2 else _PAIRED_LONE)
    return effects - effects.mean() if ratio > limit else nothing


def effective(scores: Array, *, paired: bool) -> tuple[Array, Array]:
    """The variance of each row of (cells, seeds) around its mean, and its degrees of freedom."""
    have = np.isfinite(scores)
    count = have.sum(1)
    squares = np.nansum((scores - np.nanmean(scores, axis=1, keepdims=True)) ** 2, axis=1)
    freedom = (count - 1.0) * ((len(scores) - 1) / len(scores) if paired else 1.0)
    return squares / freedom, freedom


def _moderated(squares: Array, freedom: Array, *, caution: float = _CAUTION) -> tuple[Array, Array]:
    """Variances drawn towards their mean, with the degrees of freedom that they have then."""
    if len(squares) < 2:
        return squares, freedom
    logs = np.log(squares) - _digamma(freedom / 2) + np.log(freedom / 2)
    chance, seen = float(_trigamma(freedom / 2).mean()), float(logs.var(ddof=1))
    wide = max(seen - chance, 0.0) + caution * max(seen, chance) * np.sqrt(2 / (len(squares) - 1))
    prior = 2 * _trigamma_inverse(wide)
    pooled = float(np.average(squares, weights=freedom))
    return (prior * pooled + freedom * squares) / (prior + freedom), np.minimum(prior + freedom, freedom.sum())


def _numbered(names: Sequence[Hashable]) -> NDArray[np.int64]:
    place = {name: i for i, name in enumerate(dict.fromkeys(names))}
    return np.array([place[name] for name in names], np.int64)


def _digamma(x: Array) -> Array:
    """By recurrence to 8 and the asymptotic series from there."""
    x, low = np.array(x, np.float64), np.zeros_like(np.asarray(x, np.float64))
    while (small := x < 8).any():
        low, x = low - np.where(small, 1 / x, 0), np.where(small, x + 1, x)
    square = 1 / (x * x)
    return np.asarray(low + np.log(x) - 0.5 / x - square * (1 / 12 - square * (1 / 120 - square / 252)))


def _trigamma(x: Array) -> Array:
    x, low = np.array(x, np.float64), np.zeros_like(np.asarray(x, np.float64))
    while (small := x < 8).any():
        low, x = low + np.where(small, 1 / (x * x), 0), np.where(small, x + 1, x)
    square = 1 / (x * x)
    return np.asarray(low + 1 / x + 0.5 * square + square / x * (1 / 6 - square * (1 / 30 - square / 42)))


def _trigamma_inverse(y: float) -> float:
    at, value = _trigamma_table()
    return float(np.exp(np.interp(-np.log(max(y, 1e-6)), -np.log(value), np.log(at))))


@cache
def _trigamma_table() -> tuple[Array, Array]:
    at = np.exp(np.linspace(np.log(1e-3), np.log(1e5), 2000))
    return at, _trigamma(at)


@cache
def _f_limit(numerator: int, denominator: int, chance: float = _PAIRED) -> float:
    """What an F statistic exceeds by chance so often; drawn, so that SciPy stays unloaded."""
    rng = np.random.default_rng(0)
    over, under = rng.chisquare(numerator, 40_000), rng.chisquare(denominator, 40_000)
    return float(np.quantile(over / numerator / (under / denominator), 1 - chance))
