"""From a stage to a map of faces: which face is in front at every sample, and where its surface lies.

OpenCV only fills polygons with integer corners here; all else is exact or correctly rounded arithmetic on doubles,
so the same scene gives the same map on any machine.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from segfrontier.scenes.street import stage as st
from segfrontier.scenes.street.camera import NEAR, Camera
from segfrontier.scenes.street.mesh import CARD, CULL, GROUND

SHIFT = 4
"""Polygon corners are placed to 1/16 of a sample."""
_REACH = 1 << 18
"""Corners farther away than this many samples are brought back: no edge that crosses a picture starts out there."""

F64 = NDArray[np.float64]
I64 = NDArray[np.int64]


@dataclass(frozen=True, slots=True, eq=False)
class Faces:
    """All faces of a scene, farthest first. Face i is value i + 1 of the face map; 0 is the sky."""

    label: NDArray[np.uint8]
    instance: NDArray[np.uint16]
    paint: I64
    """Row in the stage's list of paints."""
    flags: I64
    normal: F64
    """(F, 3) outward unit normals in the world."""
    depth: F64
    """Inverse distance of the first corner."""
    across: F64
    """Change of inverse distance per sample to the right."""
    column: F64
    """Column of the first corner, where `depth` holds."""
    texture: F64
    """(F, 2) world coordinate where the pattern starts, and its stretch."""


@dataclass(frozen=True, slots=True, eq=False)
class Raster:
    """The face map at sample resolution, with the table it points into."""

    index: NDArray[np.uint16]
    faces: Faces


def on_grid(column: F64, row: F64) -> NDArray[np.int32]:
    """Sample coordinates as the whole numbers that OpenCV fills polygons with, the last axis (column, row)."""
    bounded = np.clip(np.stack([column, row], -1), -_REACH, _REACH)
    return np.floor(bounded * (1 << SHIFT) + 0.5).astype(np.int32)


def _in_sight(table: F64, reach: F64, camera: Camera, width: int) -> NDArray[np.bool_]:
    """Meshes that can reach into the picture, given the radius of their footprints. It only saves work."""
    wide = max(camera.centre, width - camera.centre) / camera.focal
    near = np.abs(table[:, st.X] - camera.aside) - reach < wide * (table[:, st.Z] + reach)
    return near | (table[:, st.KEY] >= st.GROUND_KEY)


def _world(table: F64, sizes: list[int], points: F64, camera: Camera, least: float) -> tuple[F64, F64, F64]:
    """World coordinates of every point; mesh i owns `sizes[i]` of them. Thin things stay `least` samples wide."""
    wide, deep = table[:, st.SX], table[:, st.SZ]
    wide = np.where(table[:, st.THIN] > 0, np.maximum(wide, least * table[:, st.Z] / camera.focal), wide)
    cos, sin = table[:, st.COS], table[:, st.SIN]
    lateral = (table[:, st.X], cos * wide, sin * deep)
    upward = (table[:, st.Y], table[:, st.SY])
    ahead = (table[:, st.Z], cos * deep, sin * wide)
    x0, xa, xb, y0, ya, z0, zb, za = np.repeat(np.stack((*lateral, *upward, *ahead)), sizes, axis=1)
    a, h, b = points.T.copy()
    return x0 + xa * a + xb * b, y0 + ya * h, z0 + zb * b - za * a


def _normals(x: F64, y: F64, z: F64, start: I64) -> F64:
    """Outward unit normals from the first three corners of each face."""
    p, q, r = (np.stack([x[start + i], y[start + i], z[start + i]], 1) for i in range(3))
    e, g = q - p, r - p
    nx = e[:, 2] * g[:, 1] - e[:, 1] * g[:, 2]
    ny = e[:, 0] * g[:, 2] - e[:, 2] * g[:, 0]
    nz = e[:, 1] * g[:, 0] - e[:, 0] * g[:, 1]
    length = np.maximum(np.sqrt(nx * nx + ny * ny + nz * nz), 1e-9)
    return np.stack([nx / length, ny / length, nz / length], 1)


def _drawn(corners: NDArray[np.int32], start: I64, flags: I64, shape: tuple[int, int]) -> NDArray[np.bool_]:
    """Faces worth drawing: turned to the camera, inside the picture, larger than a speck."""
    low, high = np.minimum.reduceat(corners, start), np.maximum.reduceat(corners, start)
    p, q, r = (corners[start + i].astype(np.int64) for i in range(3))
    area = (q[:, 0] - p[:, 0]) * (r[:, 1] - p[:, 1]) - (q[:, 1] - p[:, 1]) * (r[:, 0] - p[:, 0])
    inside = (high[:, 0] >= 0) & (high[:, 1] >= 0)
    inside &= (low[:, 0] < shape[1] << SHIFT) & (low[:, 1] < shape[0] << SHIFT)
    speck = ((high - low) < (1 << SHIFT) * 3 // 4).all(1)
    return inside & ~speck & ((area < 0) | (flags & CULL == 0))


def _fill(
    corners: NDArray[np.int32], start: I64, counts: I64, drawn: I64, shape: tuple[int, int]
) -> NDArray[np.uint16]:
    """The face map: later faces cover earlier ones."""
    index = np.zeros(shape, np.uint16)
    fill, spans = cv2.fillPoly, zip(start[drawn].tolist(), (start + counts)[drawn].tolist(), strict=True)
    for face, (a, b) in zip((drawn + 1).tolist(), spans, strict=True):
        fill(index, [corners[a:b]], face, 8, SHIFT)
    return index


def _planes(z: F64, column: F64, start: I64, flags: I64) -> tuple[F64, F64]:
    """Inverse distance at each face's first corner and its change per sample along the bottom edge."""
    inverse = 1.0 / np.maximum(z, NEAR)
    run, rise = column[start + 1] - column[start], inverse[start + 1] - inverse[start]
    slanted = (np.abs(run) > 0.01) & (flags & (GROUND | CARD) == 0)
    return inverse[start], np.where(slanted, rise, 0.0) / np.where(slanted, run, 1.0)


def rasterise(stage: st.Stage, camera: Camera, height: int, width: int, *, thin: float) -> Raster:
    """Paint the stage from far to near into a face map of height x width samples."""
    table = stage.table()
    reach = np.array([m.reach for m in stage.meshes]) * np.maximum(np.abs(table[:, st.SX]), table[:, st.SZ])
    order = np.argsort(-table[:, st.KEY], kind="stable")
    order = order[_in_sight(table, reach, camera, width)[order]]
    table, meshes = table[order], [stage.meshes[i] for i in order.tolist()]

    points, counts = np.concatenate([m.points for m in meshes]), np.concatenate([m.counts for m in meshes])
    flags, labels = np.concatenate([m.flags for m in meshes]), np.concatenate([m.labels for m in meshes])
    assert len(labels) < 1 << 16, "a face map holds 16 bits"
    x, y, z = _world(table, [len(m.points) for m in meshes], points, camera, thin)
    column, row = camera.project(x, y, z)
    corners, start = on_grid(column, row), np.cumsum(counts) - counts
    drawn = np.flatnonzero(_drawn(corners, start, flags, (height, width)))
    index = _fill(corners, start, counts, drawn, (height, width))

    rows = table[np.repeat(np.arange(len(meshes)), [len(m.counts) for m in meshes])]
    depth, across = _planes(z, column, start, flags)
    faces = Faces(
        label=labels,
        instance=rows[:, st.THING].astype(np.uint16),
        paint=rows[:, st.PAINT].astype(np.int64) + np.concatenate([m.slots for m in meshes]),
        flags=flags,
        normal=_normals(x, y, z, start),
        depth=depth,
        across=across,
        column=column[start],
        texture=rows[:, [st.U0, st.KU]],
    )
    return Raster(index, faces)
