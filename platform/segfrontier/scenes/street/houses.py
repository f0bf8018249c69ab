"""Buildings, walls and fences in a unit block: x from the street inwards, y by height, z along the street.

Building slots: 0 facade, 1 plain wall, 2 ground floor, 3 trim, 4 door, 5 awning, 6 roof. Wall slots: 0 face, 1 coping.
Fence slots: 0 panel, 1 post.
"""

from __future__ import annotations

from functools import lru_cache

from segfrontier.scenes.street.labels import Label
from segfrontier.scenes.street.mesh import CARD, Face, Mesh, Point, card, far, left, near, top

FACADE, PLAIN, GROUND_FLOOR, TRIM, DOOR, AWNING, ROOF = range(7)
STOREY = 3.2
"""Metres from floor to floor; window tiles are two storeys high."""


@lru_cache(maxsize=64)
def building(storeys: int, *, shop: bool, gable: bool, awnings: int) -> Mesh:
    """A block of `storeys` floors; its scale is (depth, height of the eaves, length)."""
    label, floor = Label.BUILDING, 1.0 / storeys
    faces = []
    for outline in (far(0, 1, 0, 1, 1.0), near(0, 1, 0, 1, 0.0)):
        faces.append(Face(outline, label, PLAIN))
    if gable:
        ridge = 1 + 2.6 / (storeys * STOREY)
        for z, sign in ((1.0, -1), (0.0, 1)):
            ends: list[Point] = [(0, 1, z), (1, 1, z), (0.5, ridge, z)]
            faces.append(Face(ends if sign > 0 else [ends[1], ends[0], ends[2]], label, PLAIN))
        faces.append(Face([(-0.04, 0.98, 1), (-0.04, 0.98, 0), (0.5, ridge, 0), (0.5, ridge, 1)], label, ROOF))
    faces.append(Face(left(0, 0, 1, 0, 1), label, FACADE))
    if shop:
        faces.append(Face(left(0, 0, floor * 0.95, 0, 1), label, GROUND_FLOOR))
    faces.append(Face(left(-0.01, 0.005, 0.72 * floor, 0.44, 0.54), label, DOOR))
    if storeys > 2:
        faces.append(Face(left(-0.01, 0.965, 1.0, 0, 1), label, TRIM))
        faces.append(Face(left(-0.01, floor * 0.93, floor * 1.02, 0, 1), label, TRIM))
    for i in reversed(range(awnings)):
        z0, z1 = (i + 0.12) / awnings, (i + 0.85) / awnings
        sheet: list[Point] = [
            (-0.13, floor * 0.72, z1),
            (-0.13, floor * 0.72, z0),
            (0, floor * 0.92, z0),
            (0, floor * 0.92, z1),
        ]
        faces.append(Face(sheet, label, AWNING))
        faces.append(
            Face([(0, floor * 0.72, z0), (-0.13, floor * 0.72, z0), (0, floor * 0.92, z0)], label, AWNING, CARD)
        )
    return Mesh.of(faces)


def _balcony() -> Mesh:
    label = Label.BUILDING
    return Mesh.of(
        [Face(left(0, 0, 1, 0, 1), label, 0), Face(near(0, 1, 0, 1, 0), label, 0), Face(far(0, 1, 0, 1, 1), label, 0)]
    )


def _wall() -> Mesh:
    label = Label.WALL
    faces = [
        Face(far(0, 1, 0, 1, 1), label, 0),
        Face(top(0, 1, 1, 0, 1), label, 1),
        Face(left(0, 0, 1, 0, 1), label, 0),
    ]
    return Mesh.of([*faces, Face(left(-0.05, 0.93, 1.0, 0, 1), label, 1), Face(near(0, 1, 0, 1, 0), label, 0)])


def _fence(posts: int) -> Mesh:
    label = Label.FENCE
    faces = [Face(left(0, 0.04, 0.97, 0, 1), label, 0, 0)]
    for i in range(posts + 1):
        z = i / posts
        faces.append(Face(left(-0.01, 0, 1.03, z - 0.012, z + 0.012), label, 1, 0))
    faces.append(Face(left(-0.01, 0.94, 1.0, 0, 1), label, 1, 0))
    return Mesh.of(faces, casts=False)


def _backdrop() -> Mesh:
    """A far block that faces the camera."""
    return Mesh.of([Face(card([(-0.5, 0), (0.5, 0), (0.5, 1), (-0.5, 1)]), Label.BUILDING, 0, CARD)], casts=False)


BALCONY = _balcony()
WALL = _wall()
FENCES = (_fence(4), _fence(6))
BACKDROP = _backdrop()
