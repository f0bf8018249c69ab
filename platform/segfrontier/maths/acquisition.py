"""Choosing where to ask: an image as a grid of patches, their mean scores, the highest of them, random pixels inside.

Letters: H W image, R C rows and columns of the grid, P = R * C patches in row-major order, N images, n points a patch.
Ties always go to the lower index, so that a choice is the same on every machine.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable

import numpy as np
from numpy.typing import ArrayLike, NDArray

from segfrontier.maths.checks import require_at_least, require_axes, require_integers


def grid_boxes(height: int, width: int, *, rows: int, columns: int) -> NDArray[np.int64]:
    """(P, 4) half-open x0, y0, x1, y1 of the patches. Sides that do not divide give patches that differ by a pixel."""
    y, x = _edges(height, rows), _edges(width, columns)
    top, left = (grid.ravel() for grid in np.meshgrid(np.arange(rows), np.arange(columns), indexing="ij"))
    return np.stack([x[left], y[top], x[left + 1], y[top + 1]], axis=1)


def patch_means(map_HW: ArrayLike, *, rows: int, columns: int) -> NDArray[np.float64]:
    """(R, C) means, so that patches of unequal size stay comparable."""
    values = np.asarray(map_HW, np.float64)
    require_axes("a map", values, "HW")
    y, x = _edges(values.shape[0], rows), _edges(values.shape[1], columns)
    sums = np.add.reduceat(np.add.reduceat(values, y[:-1], axis=0), x[:-1], axis=1)
    return np.asarray(sums / np.outer(np.diff(y), np.diff(x)))


def patch_of(xy: NDArray[np.integer], height: int, width: int, *, rows: int, columns: int) -> NDArray[np.int64]:
    """(n,) the patches that the pixels x, y lie in."""
    require_axes("pixels", xy, "n2")
    require_integers("pixels", xy)
    outside_n = ((xy < 0) | (xy >= (width, height))).any(axis=1)
    if outside_n.any():
        raise ValueError(
            f"pixels x, y must lie inside the image of {width} x {height}; found {xy[outside_n][0].tolist()}; check "
            f"their order and the image's size"
        )
    y, x = _edges(height, rows), _edges(width, columns)
    row, column = (np.searchsorted(edges, at, side="right") - 1 for edges, at in ((y, xy[:, 1]), (x, xy[:, 0])))
    return np.asarray(row * columns + column)


def draw_points(rng: np.random.Generator, boxes_P4: NDArray[np.int64], *, points: int) -> NDArray[np.int64]:
    """(P, n, 2) x and y of distinct pixels, uniformly drawn in each patch (Floyd's sampling, all patches at once)."""
    require_axes("boxes", boxes_P4, "P4")
    require_at_least("points", points, 0)
    wide, high = (boxes_P4[:, 2:] - boxes_P4[:, :2]).clip(min=0).T
    area = wide * high
    smallest = area.min(initial=np.iinfo(np.int64).max)
    if smallest < points:
        raise ValueError(
            f"every patch must hold the {points} distinct points asked of it; the smallest has {smallest} pixels; "
            f"ask for fewer points, or lay a coarser grid"
        )
    last_nP = area - points + np.arange(points)[:, None]
    drawn_nP = rng.integers(0, last_nP, endpoint=True)
    for i in range(1, points):
        taken = (drawn_nP[:i] == drawn_nP[i]).any(axis=0)
        drawn_nP[i] = np.where(taken, last_nP[i], drawn_nP[i])
    row, column = np.divmod(drawn_nP.T, wide[:, None])
    return np.stack([boxes_P4[:, :1] + column, boxes_P4[:, 1:2] + row], axis=-1)


def top_in_each(scores_NP: NDArray[np.float32], k: int) -> NDArray[np.bool_]:
    """(N, P): the `k` highest patches of each image, all of them where they are fewer; scores must not be NaN."""
    require_axes("scores", scores_NP, "NP")
    require_at_least("k", k, 0)
    if np.isnan(scores_NP).any():
        raise ValueError("scores must be numbers to be ranked; found NaN; look at the model that gave them")
    chosen = np.zeros(scores_NP.shape, np.bool_)
    falling_NP = np.negative(scores_NP, dtype=np.result_type(scores_NP, np.float32))  # unsigned integers would wrap
    order = np.argsort(falling_NP, axis=1, kind="stable")[:, :k]
    np.put_along_axis(chosen, order, True, axis=1)
    return chosen


class TopOfPool:
    """The `k` highest patches of a whole pool, whose scores come in chunks and are never held together.

    Two passes over the scores find the lowest one that is chosen; `choose`, called with the chunks in the same order,
    then tells which. Scores must be float32, not NaN and not negative: such floats sort like their bits.
    """

    def __init__(self, scan: Callable[[], Iterable[NDArray[np.float32]]], k: int) -> None:
        require_at_least("k", k, 0)
        high = self._histogram(_bits(chunk) >> 16 for chunk in scan())
        upper, above = _rank(high, k)
        same = (bits for chunk in scan() for bits in [_bits(chunk)])
        low = self._histogram(bits[bits >> 16 == upper] & 0xFFFF for bits in same)
        lower, over = _rank(low, k - above)
        self._least = np.uint32(upper << 16 | lower)
        self._ties = k - above - over  # how many of those that equal the least one still fit

    @staticmethod
    def _histogram(halves: Iterable[NDArray[np.integer]]) -> NDArray[np.int64]:
        counts = np.zeros(1 << 16, np.int64)
        for half in halves:
            counts += np.bincount(half, minlength=1 << 16)
        return counts

    def choose(self, scores_NP: NDArray[np.float32]) -> NDArray[np.bool_]:
        """Which patches of the next chunk are among the highest."""
        bits = _bits(scores_NP)
        tied = np.flatnonzero(bits == self._least)[: self._ties]
        self._ties -= len(tied)
        chosen = bits > self._least
        chosen[tied] = True
        return chosen.reshape(scores_NP.shape)


def _bits(scores: NDArray[np.float32]) -> NDArray[np.uint32]:
    # Adding 0 turns -0.0, which entropies of certain pixels are, into 0.0, and makes a contiguous copy.
    found = scores.ravel() + np.float32(0)
    if found.dtype != np.float32:
        raise ValueError(f"scores of a pool must be float32; found {scores.dtype}; convert them")
    bits = found.view(np.uint32)
    if bits.max(initial=0) > _INFINITY:
        wrong = found[bits > _INFINITY][0]
        raise ValueError(f"scores of a pool must be 0 or more; found {wrong}; shift them, or look at their model")
    return bits


_INFINITY = np.float32(np.inf).view(np.uint32)
"""All floats that sort like their bits end here; what lies above is negative or NaN."""


def _rank(counts: NDArray[np.int64], k: int) -> tuple[int, int]:
    """The value whose occurrences reach the k-th place from above, and how many lie above it."""
    last = len(counts) - 1
    if k < 1:
        return last, 0
    from_above = np.cumsum(counts[::-1])
    at = int(np.searchsorted(from_above, min(k, from_above[-1])))
    return last - at, int(from_above[at] - counts[last - at])


def _edges(side: int, parts: int) -> NDArray[np.int64]:
    if not 1 <= parts <= side:
        raise ValueError(
            f"a side of {side} pixels can be cut into 1..{side} patches; found {parts}; use a coarser grid"
        )
    return np.arange(parts + 1, dtype=np.int64) * side // parts
