"""Names beside points instead of a legend: each finds the place near one of its points where it covers least."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import pairwise, product
from typing import Any

import numpy as np

XY = tuple[float, float]  # data coordinates
Box = tuple[float, float, float, float]  # left, bottom, right, top in pixels

_GAP = 7.0  # between a marker's middle and a name, in points
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
    busy = [_around(axes.transData.transform(p), 5 * scale) for _, _, points in names for p in points]
    busy += [_around(p, 2 * scale) for line in lines for p in _along(axes.transData.transform(line), 4 * scale)]
    marks = [[axes.transData.transform(p) for p in points] for _, _, points in names]
    placed: list[Box] = []
    for own, (text, colour, points) in enumerate(names):
        others = [p for i, group in enumerate(marks) if i != own for p in group]
        label = axes.annotate(
            text, xy=points[0], xytext=(0, 0), textcoords="offset points", color=colour, fontsize=size, zorder=6,
            path_effects=[withStroke(linewidth=2.5, foreground="white")],
        )  # fmt: skip
        extent = label.get_window_extent(renderer)
        best = min(
            _places(points, extent.width / scale, extent.height / scale),
            key=lambda place: _cost(axes, place, extent, scale, (placed, busy, others, inside)),
        )  # fmt: skip
        label.xy, label.xyann = best[0], best[1:3]
        placed.append(_box(axes, best, extent, scale))


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


def _cost(axes: Any, place: _Place, extent: Any, scale: float, drawn: tuple[Any, Any, Any, Any]) -> float:
    """What a name hides there, and whether it would be taken for the name of another point."""
    placed, busy, others, inside = drawn
    box = _box(axes, place, extent, scale)
    reach = max(12 * scale, _distance(box, axes.transData.transform(place[0])))
    out = box[0] < inside.x0 or box[1] < inside.y0 or box[2] > inside.x1 or box[3] > inside.y1
    near = sum(_distance(box, p) < reach for p in others)
    hidden = 20 * sum(_shared(box, other) for other in placed) + sum(_shared(box, other) for other in busy)
    return _LOST * out + hidden + 250 * near + place[3]


def _distance(box: Box, point: Any) -> float:
    """Pixels from a point to a box."""
    x, y = max(box[0] - point[0], point[0] - box[2], 0.0), max(box[1] - point[1], point[1] - box[3], 0.0)
    return float(np.hypot(x, y))


def _shared(a: Box, b: Box) -> float:
    """Square pixels that two boxes share."""
    return max(0.0, min(a[2], b[2]) - max(a[0], b[0])) * max(0.0, min(a[3], b[3]) - max(a[1], b[1]))


def _along(line: Any, step: float) -> Iterator[Any]:
    """Points every `step` pixels along a line."""
    for a, b in pairwise(line):
        for part in np.linspace(0, 1, int(np.hypot(*(b - a)) // step) + 2):
            yield a + part * (b - a)


def _around(point: Any, reach: float) -> Box:
    x, y = float(point[0]), float(point[1])
    return x - reach, y - reach, x + reach, y + reach
