"""Differences between the contenders of a report, all judged together: at most one study in twenty holds a false one.

Every difference that a sentence of a report may assert is a contrast of cell means. Each is studentised by moderated
variances with Welch and Satterthwaite's degrees of freedom, brought to a normal scale (Wallace), and held against
the distribution of the largest of all of them (max-T), drawn from normal errors with the covariances that the shared
cells make. Then it steps down (Romano and Wolf): what was found leaves the family, and the rest is judged anew. That
holds the family-wise error whichever contenders truly differ, and whether or not their variances do.
"""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass
from statistics import NormalDist

import numpy as np
from numpy.typing import NDArray

from segfrontier.report.spread import Array, Spread, effective, seed_effects, spread

LEAST_SEEDS = 3
"""With fewer, nothing is decided."""
_SPENT, _SPENT_ALONE, _SPENT_LONE = 0.5, 0.65, 0.9
"""Of the error allowed, what the formula spends on a family, on one difference alone, or on that of two cells without
any others; the rest is for what it leaves out, as simulations have it (docs/statistics.md)."""
_DRAWS, _MOST_NUMBERS = 4000, 4_000_000


@dataclass(frozen=True)
class SeedScores:
    """Scores by seed that are compared: of a group (a contender in its facet) at a level (a budget in its facet)."""

    facet: Hashable
    group: Hashable
    level: Hashable
    scores: Mapping[int, float]


@dataclass(frozen=True)
class Difference:
    """A contrast with its simultaneous interval."""

    value: float
    low: float
    high: float
    sign: int  # 1 or -1 where it is decided, else 0
    error: float  # its standard error
    strength: float  # on the scale of a normal


@dataclass(frozen=True)
class Contrasts:
    """All contrasts of a family, and the means of their cells."""

    differences: tuple[Difference, ...]
    means: Array
    errors: Array  # standard errors of the means
    freedom: Array
    limit: float  # what the largest of all contrasts exceeds by chance as often as allowed; about 2 for a single one
    variance: Array  # of one seed

    def redrawn(self, draws: int) -> Array:
        """(draws, cells) means as other seeds might have had them, spread as wide as the simultaneous intervals are.

        What is read off them (hours, factors, percents) thus has intervals that hold together with all differences:
        the middle 95 % of it.
        """
        errors = _normals(draws, len(self.means)) * self.errors
        return self.means + errors * _student(np.full(len(self.means), self.limit), self.freedom) / 1.96


def judge(cells: Sequence[SeedScores], contrasts: Sequence[Mapping[int, float]], *, level: float = 0.95) -> Contrasts:
    """Judge contrasts (cell -> weight) of cells of three seeds or more; all weights of a contrast add up to 0."""
    means, squares, freedom = _summed(cells)
    known = spread(squares, freedom, [(c.facet, c.group) for c in cells], [(c.facet, c.level) for c in cells])
    count = np.array([len(c.scores) for c in cells], np.float64)
    errors = known.variance / count
    weights = _weights(contrasts)
    values, variances, degrees = _measured(weights, means, errors, known)
    sure = np.sqrt(np.where(variances > 0, variances, 1.0))
    strength = _wallace(values / sure, degrees)
    few = 0 < weights.count * len(cells) <= _MOST_NUMBERS  # too many to draw are held against Holm's limits instead
    loads = weights.dense(len(cells)) * np.sqrt(errors) / sure[:, None] if few else None
    spent = (_SPENT_LONE if known.lone else _SPENT_ALONE if len(contrasts) == 1 else _SPENT) * (1 - level)
    decided, limits = _stepped_down(np.abs(strength), loads, 1 - spent)
    half = _student(limits, degrees) * sure
    columns = (x.tolist() for x in (values, half, decided, sure, strength))
    return Contrasts(
        tuple(
            Difference(v, v - h, v + h, int(np.sign(v)) if d else 0, e, z)
            for v, h, d, e, z in zip(*columns, strict=True)
        ),
        means, np.sqrt(errors), known.freedom, float(limits.max(initial=1.96)), known.variance,
    )  # fmt: skip


@dataclass(frozen=True)
class _Weights:
    """All contrasts: of each one's cells, one after the other, the contrast (row), the cell and its weight."""

    row: NDArray[np.int64]
    cell: NDArray[np.int64]
    weight: Array
    count: int

    def summed(self, values: Array) -> Array:
        """By contrast."""
        return np.asarray(np.bincount(self.row, values, minlength=self.count), np.float64)

    def dense(self, cells: int) -> Array:
        """(contrasts, cells)"""
        table = np.zeros((self.count, cells))
        table[self.row, self.cell] = self.weight
        return table


def _weights(contrasts: Sequence[Mapping[int, float]]) -> _Weights:
    each = [len(contrast) for contrast in contrasts]
    cells = np.fromiter((cell for contrast in contrasts for cell in contrast), np.int64, sum(each))
    weights = np.fromiter((w for contrast in contrasts for w in contrast.values()), np.float64, sum(each))
    return _Weights(np.repeat(np.arange(len(each)), each), cells, weights, len(each))


def _measured(weights: _Weights, means: Array, errors: Array, known: Spread) -> tuple[Array, Array, Array]:
    """Values of contrasts, their variances and degrees of freedom."""
    values = weights.summed(weights.weight * means[weights.cell])
    parts = weights.weight**2 * errors[weights.cell]
    return np.where(np.abs(values) < 1e-12, 0.0, values), weights.summed(parts), _satterthwaite(weights, parts, known)


def _summed(cells: Sequence[SeedScores]) -> tuple[Array, Array, Array]:
    """Means, variances and degrees of freedom, what seeds do to a whole facet alike taken out where they do."""
    means, squares, freedom = (np.zeros(len(cells)) for _ in range(3))
    for facet in dict.fromkeys(c.facet for c in cells):
        members = [i for i, c in enumerate(cells) if c.facet == facet]
        seeds = sorted({s for i in members for s in cells[i].scores})
        table = np.array([[cells[i].scores.get(s, np.nan) for s in seeds] for i in members])
        effects = seed_effects(table)
        own, degrees = effective(table - effects, paired=bool(effects.any()))
        means[members], squares[members], freedom[members] = np.nanmean(table - effects, axis=1), own, degrees
    return means, squares, freedom


def _satterthwaite(weights: _Weights, parts: Array, known: Spread) -> Array:
    """Degrees of freedom of each contrast; with few groups a part of the way to those of its least known cell."""
    by_group = np.array([known.freedom[known.group == g].min() for g in range(known.groups)])
    places, inverse = np.unique(weights.row * known.groups + known.group[weights.cell], return_inverse=True)
    row, free = places // known.groups, by_group[places % known.groups]
    own = np.bincount(inverse, parts)  # what a group adds to a contrast
    whole = np.bincount(row, own, minlength=weights.count)
    below = np.bincount(row, own**2 / free, minlength=weights.count)
    degrees = np.divide(whole**2, below, out=np.full(weights.count, 1e6), where=whole > 0)
    least = np.full(weights.count, np.inf)
    np.minimum.at(least, row[own > 0], free[own > 0])
    share = 0.0 if known.lone else min(0.5, 1.4 / known.groups)
    return np.asarray(1 / ((1 - share) / degrees + share / np.minimum(least, degrees)))


def _stepped_down(strength: Array, loads: Array | None, allowed: float) -> tuple[NDArray[np.bool_], Array]:
    """Which contrasts are decided, and the limit that each was held against. `loads`: (contrasts, cells)."""
    decided, limits = np.zeros(len(strength), np.bool_), np.full(len(strength), 1.96)
    drawn = None
    alone = loads is not None and len(np.unique(np.abs(loads).round(9), axis=0)) == 1  # one difference, and its likes
    if loads is not None and not alone:
        draws = max(500, min(_DRAWS, _MOST_NUMBERS // len(strength)))
        drawn = np.abs(_normals(draws, loads.shape[1]) @ loads.T)
    while (left := ~decided).any():
        if drawn is not None:
            limit = max(1.0, float(np.quantile(drawn[:, left].max(axis=1), allowed)))
        else:
            limit = NormalDist().inv_cdf(1 - (1 - allowed) / (2 * (1 if alone else int(left.sum()))))
        limits[left] = limit
        found = left & (strength > limit)
        if not found.any():
            break
        decided |= found
    return decided, limits


def _normals(draws: int, cells: int) -> Array:
    """Half of them, and their mirror images: the same every time."""
    half = np.random.default_rng(20_11).standard_normal((-(-draws // 2), cells))
    return np.concatenate([half, -half])


def _wallace(t: Array, degrees: Array) -> Array:
    """Student's t as a normal of the same tail."""
    scale = (8 * degrees + 1) / (8 * degrees + 3)
    return np.asarray(np.sign(t) * scale * np.sqrt(degrees * np.log1p(t * t / degrees)))


def _student(z: Array, degrees: Array) -> Array:
    """The inverse of `_wallace`."""
    scaled = z * (8 * degrees + 3) / (8 * degrees + 1)
    return np.asarray(np.sqrt(degrees * np.expm1(np.minimum(scaled**2 / degrees, 600))))
