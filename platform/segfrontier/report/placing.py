"""Names beside points instead of a legend: each finds the place near one of its points where it covers least."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise, product
from typing import Any

import numpy as np
from numpy.typing import NDArray

XY = tuple[float, float]  # data coordinates
Rows = NDArray[np.float64]
Box = tuple[float, float, float, float]  # left, bottom, right, top in pixels

_GAP = 7.0  # between a marker's middle and a name, in points
_MOST_POINTS = 10  # of a name's points, those near which it may stand
_LOST = 1e6  # the cost of leaving the panel


def place_labels(
    axes: Any, names: Sequence[tuple[str, str, Sequence[XY]]], lines: Sequence[Sequence[XY]], *, size: float
) -> None:
    """Write each (text, colour, its points) once, where it covers little of all points and `lines`.

    Call it when the limits of the axes are final.
    """
    from matplotlib.patheffects import withStroke

    renderer = axes.figure.canvas.get_renderer()
    inside, scale = axes.get_window_extent(renderer), axes.figure.dpi / 72
    marks = [axes.transData.transform(points) for _, _, points in names]
    busy = [_around(np.concatenate(marks), 5 * scale)]
    busy += [_around(_along(axes.transData.transform(line), 4 * scale), 2 * scale) for line in lines]
    drawn, placed = np.concatenate(busy), np.empty((0, 4))
    for own, (text, colour, points) in enumerate(names):
        others = np.concatenate([np.empty((0, 2)), *(m for i, m in enumerate(marks) if i != own)])
        label = axes.annotate(
            text, xy=points[0], xytext=(0, 0), textcoords="offset points", color=colour, fontsize=size, zorder=6,
            path_effects=[withStroke(linewidth=2.5, foreground="white")],
        )  # fmt: skip
        extent = label.get_window_extent(renderer)
        places = _places(points[-_MOST_POINTS:], extent.width / scale, extent.height / scale)
        boxes = [_box(axes, place, extent, scale) for place in places]
        costs = [
            _cost(box, _distance(box, axes.transData.transform([place[0]]))[0], (placed, drawn, others), inside, scale)
            + place[3]
            for place, box in zip(places, boxes, strict=True)
        ]
        best = int(np.argmin(costs))
        label.xy, label.xyann = places[best][0], places[best][1:3]
        placed = np.concatenate([placed, [boxes[best]]])


_Place = tuple[XY, float, float, float]  # point, offsets of the text's corner, dislike


def _places(points: Sequence[XY], width: float, height: float) -> list[_Place]:
    """Right, above, below, left and the corners of each point; the last points and the first sides are liked best."""
    sides = [
        (_GAP, -height / 2), (-width / 2, _GAP), (-width / 2, -height - _GAP), (-width - _GAP, -height / 2),
        (_GAP, _GAP / 2), (_GAP, -height - _GAP / 2), (-width - _GAP, _GAP / 2), (-width - _GAP, -height - _GAP / 2),
        (-width / 2, 3 * _GAP), (-width / 2, -height - 3 * _GAP),
    ]  # fmt: skip
    spots = product(enumerate(reversed(points)), enumerate(sides))
    return [(point, dx, dy, 30.0 * late + 4.0 * side) for (late, point), (side, (dx, dy)) in spots]


def _box(axes: Any, place: _Place, extent: Any, scale: float) -> Box:
    x, y = axes.transData.transform(place[0])
    left, bottom = x + place[1] * scale, y + place[2] * scale
    return left, bottom, left + extent.width, bottom + extent.height


def _cost(box: Box, reach: float, taken: tuple[Rows, Rows, Rows], inside: Any, scale: float) -> float:
    """What a name hides in that box, and whether it would be taken for the name of another point."""
    placed, drawn, others = taken
    out = box[0] < inside.x0 or box[1] < inside.y0 or box[2] > inside.x1 or box[3] > inside.y1
    near = np.count_nonzero(_distance(box, others) < max(12 * scale, reach))
    return float(_LOST * out + 20 * _shared(box, placed) + _shared(box, drawn) + 250 * near)


def _distance(box: Box, points: Rows) -> Rows:
    """(n,) pixels from points (n, 2) to a box."""
    x = np.maximum(np.maximum(box[0] - points[:, 0], points[:, 0] - box[2]), 0)
    y = np.maximum(np.maximum(box[1] - points[:, 1], points[:, 1] - box[3]), 0)
    return np.hypot(x, y)


def _shared(box: Box, others: Rows) -> float:
    """Square pixels that a box shares with others (n, 4)."""
    wide = np.minimum(box[2], others[:, 2]) - np.maximum(box[0], others[:, 0])
    high = np.minimum(box[3], others[:, 3]) - np.maximum(box[1], others[:, 1])
    return float((np.maximum(wide, 0) * np.maximum(high, 0)).sum())


def _along(line: Rows, step: float) -> Rows:
    """(n, 2) points every `step` pixels along a line."""
    parts = [np.linspace(a, b, int(np.hypot(*(b - a)) // step) + 2) for a, b in pairwise(line)]
    return np.concatenate(parts) if parts else line


def _around(points: Rows, reach: float) -> Rows:
    """(n, 4) boxes about points (n, 2)."""
    return np.concatenate([points - reach, points + reach], axis=1)
