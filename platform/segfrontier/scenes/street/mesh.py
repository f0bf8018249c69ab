"""Meshes: flat polygons in metres (x right, y up, z ahead), each with its class and the paint slot that colours it.

The points of a face run counter-clockwise as seen from outside, its bottom edge first.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

Point = tuple[float, float, float]

CULL = 1
"""Face flag: seen from its outer side only."""
GROUND = 2
"""Face flag: lies on the ground plane, so its texture recedes and shadows fall on it."""
CARD = 4
"""Face flag: a flat stand-in for something round; the direction of the light does not matter."""


class Face(NamedTuple):
    """One polygon of a mesh."""

    points: Sequence[Point]
    label: int
    slot: int
    flags: int = CULL


@dataclass(frozen=True, slots=True, eq=False)
class Mesh:
    """Faces in painting order. `counts` says how many of the `points` each face owns."""

    points: NDArray[np.float64]
    counts: NDArray[np.int64]
    labels: NDArray[np.uint8]
    slots: NDArray[np.int64]
    flags: NDArray[np.int64]
    footprint: tuple[float, float, float, float]
    """x0, x1, z0, z1 on the ground."""
    height: float
    casts: bool

    @property
    def reach(self) -> float:
        """Radius on the ground that holds every point."""
        return max(-self.footprint[0], self.footprint[1]) + max(-self.footprint[2], self.footprint[3])

    @classmethod
    def of(cls, faces: Sequence[Face], *, casts: bool = True) -> Mesh:
        """A mesh from faces in painting order."""
        points = np.array([p for f in faces for p in f.points], np.float64)
        low, high = points.min(0).tolist(), points.max(0).tolist()
        return cls(
            points=points,
            counts=np.array([len(f.points) for f in faces], np.int64),
            labels=np.array([f.label for f in faces], np.uint8),
            slots=np.array([f.slot for f in faces], np.int64),
            flags=np.array([f.flags for f in faces], np.int64),
            footprint=(low[0], high[0], low[2], high[2]),
            height=high[1],
            casts=casts,
        )


def near(x0: float, x1: float, y0: float, y1: float, z: float) -> list[Point]:
    """A rectangle that looks back at the camera."""
    return [(x0, y0, z), (x1, y0, z), (x1, y1, z), (x0, y1, z)]


def far(x0: float, x1: float, y0: float, y1: float, z: float) -> list[Point]:
    """A rectangle that looks ahead, away from the camera."""
    return near(x1, x0, y0, y1, z)


def left(x: float, y0: float, y1: float, z0: float, z1: float) -> list[Point]:
    """A rectangle that looks to the left."""
    return [(x, y0, z1), (x, y0, z0), (x, y1, z0), (x, y1, z1)]


def right(x: float, y0: float, y1: float, z0: float, z1: float) -> list[Point]:
    """A rectangle that looks to the right."""
    return left(x, y0, y1, z1, z0)


def top(x0: float, x1: float, y: float, z0: float, z1: float) -> list[Point]:
    """A rectangle that looks up."""
    return [(x0, y, z0), (x1, y, z0), (x1, y, z1), (x0, y, z1)]


def slope(x0: float, x1: float, low: tuple[float, float], high: tuple[float, float]) -> list[Point]:
    """A sheet across x from the edge `low` = (z, y) to the edge `high`; it looks back if it rises ahead."""
    return [(x0, low[1], low[0]), (x1, low[1], low[0]), (x1, high[1], high[0]), (x0, high[1], high[0])]


def side_profile(x: float, profile: Sequence[tuple[float, float]], *, facing_right: bool) -> list[Point]:
    """A polygon in the plane of constant x from (z, y) points that run as seen from the right."""
    points = [(x, y, z) for z, y in profile]
    if facing_right:
        return points
    return [points[1], points[0], *points[:1:-1]]


def card(outline: Sequence[tuple[float, float]]) -> list[Point]:
    """A flat outline (x, y) in the plane z = 0."""
    return [(x, y, 0.0) for x, y in outline]


def box(x: tuple[float, float], y: tuple[float, float], z: tuple[float, float], label: int, slot: int) -> list[Face]:
    """The five visible faces of a block."""
    shapes = (far(*x, *y, z[1]), left(x[0], *y, *z), right(x[1], *y, *z), top(*x, y[1], *z), near(*x, *y, z[0]))
    return [Face(shape, label, slot) for shape in shapes]


def bar(a: tuple[float, float], b: tuple[float, float], thick: float) -> list[tuple[float, float]]:
    """A straight bar between two points of a plane, as an outline."""
    dx, dy = b[0] - a[0], b[1] - a[1]
    length = math.sqrt(dx * dx + dy * dy)
    nx, ny = -dy / length * thick / 2, dx / length * thick / 2
    return [(a[0] - nx, a[1] - ny), (b[0] - nx, b[1] - ny), (b[0] + nx, b[1] + ny), (a[0] + nx, a[1] + ny)]
