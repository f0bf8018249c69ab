"""Shadows on the ground: one polygon for everything that stands, moved by the sun, and a dark rim under vehicles."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from segfrontier.scenes.street import stage as st
from segfrontier.scenes.street.camera import NEAR, Camera
from segfrontier.scenes.street.mesh import CARD, Mesh
from segfrontier.scenes.street.raster import SHIFT, on_grid
from segfrontier.scenes.street.rounds import CIRCLE

F64 = NDArray[np.float64]

CONTACT = 255
"""Mask value right under a vehicle, whatever the weather."""
_ROUND = np.array(CIRCLE[::4])


def _footprints(meshes: list[Mesh], row: F64) -> F64:
    """x0, x1, z0, z1 of each mesh in the world, as an upright rectangle around its turned footprint."""
    local = np.array([mesh.footprint for mesh in meshes]).reshape(-1, 4)
    a, b = local[:, :2] * row[:, st.SX, None], local[:, 2:] * row[:, st.SZ, None]
    cos, sin = row[:, st.COS, None, None], row[:, st.SIN, None, None]
    x = (row[:, st.X, None, None] + cos * a[:, :, None] + sin * b[:, None, :]).reshape(-1, 4)
    z = (row[:, st.Z, None, None] + cos * b[:, None, :] - sin * a[:, :, None]).reshape(-1, 4)
    return np.stack([x.min(1), x.max(1), z.min(1), z.max(1)], 1)


def _blocks(feet: F64, dx: F64, dz: F64) -> F64:
    """(N, 6, 2) outlines swept by rectangles that move by (dx, dz)."""
    x0, x1 = np.where(dx > 0, feet[:, 0], feet[:, 1]), np.where(dx > 0, feet[:, 1], feet[:, 0])
    z0, z1 = np.where(dz > 0, feet[:, 2], feet[:, 3]), np.where(dz > 0, feet[:, 3], feet[:, 2])
    outline = ((x0, z0), (x1, z0), (x1 + dx, z0 + dz), (x1 + dx, z1 + dz), (x0 + dx, z1 + dz), (x0, z1))
    return np.stack([np.stack(point, 1) for point in outline], 1)


def _rounds(feet: F64, dx: F64, dz: F64) -> F64:
    """(N, 12, 2) ellipses from a thing's foot to the shadow of its top."""
    x, z = (feet[:, :1] + feet[:, 1:2]) / 2, (feet[:, 2:3] + feet[:, 3:4]) / 2
    length = np.sqrt(dx * dx + dz * dz)[:, None] + 1e-6
    half = (feet[:, 1:2] - feet[:, :1]) / 2
    along, aside = (1 + _ROUND[None, :, 1]) / 2, _ROUND[None, :, 0] * half
    px = x + dx[:, None] * along + dz[:, None] / length * aside
    pz = z + dz[:, None] * along - dx[:, None] / length * aside
    return np.stack([px, pz], 2)


def _fill(mask: NDArray[np.uint8], outlines: F64, camera: Camera, value: int) -> None:
    z = np.maximum(outlines[..., 1], 1.5 * NEAR)
    column, row = camera.project(outlines[..., 0], np.zeros_like(z), z)
    for outline in on_grid(column, row):
        cv2.fillConvexPoly(mask, outline, value, 8, SHIFT)


def cast(
    stage: st.Stage, camera: Camera, shape: tuple[int, int], sun: tuple[float, float, float], dark: int
) -> NDArray[np.uint8]:
    """A mask of shape (rows, columns): 0 in the light, `dark` in the sun's shadow, CONTACT under vehicles."""
    mask = np.zeros(shape, np.uint8)
    casters = [i for i, mesh in enumerate(stage.meshes) if mesh.casts]
    meshes, row = [stage.meshes[i] for i in casters], stage.table()[casters]
    feet = _footprints(meshes, row)
    is_card = np.array([bool(mesh.flags[0] & CARD) for mesh in meshes], np.bool_)
    if dark > 0:
        high = np.array([mesh.height for mesh in meshes]) * row[:, st.SY]
        dx, dz = -sun[0] / sun[1] * high, -sun[2] / sun[1] * high
        for chosen, outline in ((~is_card, _blocks), (is_card, _rounds)):
            _fill(mask, outline(feet[chosen], dx[chosen], dz[chosen]), camera, dark)
    under = feet[~is_card & (row[:, st.THING] > 0)] + np.array([-0.1, 0.1, -0.1, 0.1])
    flat = np.full(len(under), 1e-3)
    _fill(mask, _blocks(under, flat, flat), camera, CONTACT)
    return mask
