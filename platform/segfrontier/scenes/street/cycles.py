"""Bicycles and motorcycles: two crossed cards, one seen from the side and one from behind, so any heading reads right.

Bicycle slots: 0 frame, 1 tyre, 2 saddle. Motorcycle slots: 0 paint, 1 tyre, 2 engine, 3 chrome, 4 lamp, 5 saddle.
"""

from __future__ import annotations

from segfrontier.scenes.street.labels import Label
from segfrontier.scenes.street.mesh import CARD, Face, Mesh, bar, card
from segfrontier.scenes.street.rounds import Outline, disc, half_ring


def side_card(outline: Outline, x: float = 0.0) -> list[tuple[float, float, float]]:
    """An outline of (z, y) points in a plane of constant x."""
    return [(x, y, z) for z, y in outline]


def _bicycle() -> Mesh:
    label = Label.BICYCLE
    crank, seat, head, hub, front = (-0.12, 0.3), (-0.25, 0.88), (0.4, 0.88), (-0.52, 0.34), (0.55, 0.34)
    faces = []
    for z in (hub[0], front[0]):
        faces += [Face(side_card(half_ring(z, 0.34, 0.36, 0.06, right=r)), label, 1, CARD) for r in (False, True)]
    stay, stem = (-0.22, 0.8), (0.36, 1.02)
    tubes = ((hub, crank), (hub, stay), (crank, seat), (crank, (0.41, 0.75)), (stay, head), (front, stem))
    faces += [Face(side_card(bar(stem, (0.5, 1.06), 0.05)), label, 0, CARD)]
    faces += [Face(side_card(bar(a, b, 0.05)), label, 0, CARD) for a, b in tubes]
    faces.append(Face(side_card(bar((-0.38, 0.93), (-0.12, 0.93), 0.08)), label, 2, CARD))
    behind: list[tuple[Outline, int]] = [
        ([(-0.035, 0.0), (0.035, 0.0), (0.035, 0.7), (-0.035, 0.7)], 1),
        ([(-0.06, 0.34), (0.06, 0.34), (0.03, 0.9), (-0.03, 0.9)], 0),
        ([(-0.09, 0.88), (0.09, 0.88), (0.07, 0.97), (-0.07, 0.97)], 2),
        ([(-0.3, 1.0), (0.3, 1.0), (0.3, 1.06), (-0.3, 1.06)], 0),
        ([(-0.14, 0.24), (0.14, 0.28), (0.14, 0.32), (-0.14, 0.28)], 2),
    ]
    faces += [Face(card(outline), label, slot, CARD) for outline, slot in behind]
    return Mesh.of(faces)


def _motorcycle() -> Mesh:
    label = Label.MOTORCYCLE
    faces = []
    for z in (-0.68, 0.72):
        faces += [Face(side_card(disc(z, 0.32, 0.33, 0.33, points=12)), label, 1, CARD)]
        faces += [Face(side_card(disc(z, 0.32, 0.16, 0.16)), label, 3, CARD)]
    shapes: list[tuple[Outline, int]] = [
        (bar((0.72, 0.32), (0.42, 1.0), 0.08), 3),
        ([(-0.35, 0.22), (0.3, 0.22), (0.38, 0.6), (-0.4, 0.6)], 2),
        ([(-0.95, 0.66), (-0.3, 0.5), (0.4, 0.55), (0.5, 0.95), (0.1, 0.98), (-0.15, 0.76), (-0.9, 0.86)], 0),
        ([(-0.85, 0.76), (-0.15, 0.72), (-0.05, 0.84), (-0.8, 0.92)], 5),
        (bar((-0.75, 0.3), (0.0, 0.24), 0.1), 3),
        ([(0.4, 0.88), (0.6, 0.82), (0.55, 1.1), (0.36, 1.12)], 0),
    ]
    faces += [Face(side_card(outline), label, slot, CARD) for outline, slot in shapes]
    behind: list[tuple[Outline, int]] = [
        ([(-0.08, 0.0), (0.08, 0.0), (0.08, 0.66), (-0.08, 0.66)], 1),
        ([(-0.25, 0.3), (0.25, 0.3), (0.22, 0.65), (-0.22, 0.65)], 2),
        ([(-0.16, 0.6), (0.16, 0.6), (0.2, 0.9), (-0.2, 0.9)], 0),
        ([(-0.1, 0.74), (0.1, 0.74), (0.1, 0.84), (-0.1, 0.84)], 4),
        ([(-0.38, 1.0), (0.38, 1.0), (0.38, 1.06), (-0.38, 1.06)], 3),
        (disc(-0.42, 1.14, 0.07, 0.06), 2),
        (disc(0.42, 1.14, 0.07, 0.06), 2),
    ]
    faces += [Face(card(outline), label, slot, CARD) for outline, slot in behind]
    return Mesh.of(faces)


BICYCLE = _bicycle()
MOTORCYCLE = _motorcycle()
