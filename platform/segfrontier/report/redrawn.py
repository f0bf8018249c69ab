"""What is read off curves, over many draws of their scores at once: hours to a target, factors, areas.

A draw that never reaches the target needs more than was measured; one that is there at once needs no more than its
cheapest point. Both stay open ends, so that nothing is extrapolated.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]


def needed(costs: Sequence[float], scores: Sequence[Array], target: Array | float) -> tuple[Array, Array, Array]:
    """By draw: the least, the likeliest and the most that reaches `target`; costs in any order, inf where none does."""
    order = sorted(range(len(costs)), key=lambda i: (costs[i], -float(scores[i].mean())))
    draws = np.broadcast_to(np.asarray(target, np.float64), scores[0].shape)
    need, best, at = np.full(len(draws), np.nan), np.full(len(draws), -np.inf), np.zeros(len(draws))
    first = costs[order[0]]
    for i in order:
        score, cost = scores[i], costs[i]
        hit = np.isnan(need) & (score >= draws)
        flat = ~np.isfinite(best)
        with np.errstate(divide="ignore", invalid="ignore"):
            share = np.where(flat, 1.0, (draws - best) / (score - best))
        need = np.where(hit, np.where(flat, cost, at + share * (cost - at)), need)
        better = score > best
        best, at = np.where(better, score, best), np.where(better, cost, at)
    short = np.isnan(need)
    least = np.where(short, costs[order[-1]], np.where(need <= first, 0.0, need))
    return least, np.where(short, np.inf, need), np.where(short, np.inf, need)


def middle(low: Array, high: Array) -> tuple[float, float]:
    """The ends of the middle 95 % of draws that are only known between `low` and `high`."""
    return float(_quantile(low, 0.025)), float(_quantile(high, 0.975))


def stepped_area(costs: Sequence[float], scores: Sequence[Array], low: float, high: float) -> Array:
    """By draw, the mean over log costs from `low` to `high` of the best score affordable; 0 where there is none."""
    order = sorted(range(len(costs)), key=lambda i: costs[i])
    edges = np.log(np.array([low, *(min(max(costs[i], low), high) for i in order), high]))
    heights = np.maximum.accumulate(np.stack([np.zeros(len(scores[0])), *(scores[i] for i in order)]), axis=0)
    return np.asarray(np.diff(edges) @ heights / (edges[-1] - edges[0]))


def _quantile(values: Array, share: float) -> float:
    """A quantile of values that may be infinite: one of them, on the outer side."""
    ordered = np.sort(values)
    place = share * (len(ordered) - 1)
    return float(ordered[int(np.floor(place)) if share < 0.5 else int(np.ceil(place))])
