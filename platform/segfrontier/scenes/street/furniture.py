"""Street furniture: poles, lamps, traffic lights and signs. Poles are one metre wide here and scaled when placed.

Slots: 0 pole, 1 plate or housing, 2 plate inside, 3 red lamp, 4 amber lamp, 5 green lamp.
"""

from __future__ import annotations

from segfrontier.scenes.street.labels import Label
from segfrontier.scenes.street.mesh import CARD, Face, Mesh, card
from segfrontier.scenes.street.rounds import Outline, disc


def _mesh(label: Label, *shapes: tuple[Outline, int]) -> Mesh:
    return Mesh.of([Face(card(outline), label, slot, CARD) for outline, slot in shapes])


def _rect(x0: float, x1: float, y0: float, y1: float) -> Outline:
    return [(x0, y0), (x1, y0), (x1, y1), (x0, y1)]


POLE = _mesh(Label.POLE, (_rect(-0.5, 0.5, 0.0, 1.0), 0))
"""A unit pole: width and height are its scale."""

ARM = _mesh(Label.POLE, ([(0.0, -0.06), (1.0, 0.0), (1.0, 0.1), (0.0, 0.06)], 0))
"""An arm that reaches out along x by its scale."""

LAMP_HEAD = _mesh(Label.POLE, ([(-0.45, 0.0), (0.25, -0.06), (0.45, 0.02), (0.3, 0.12), (-0.45, 0.1)], 1))
GLOBE = _mesh(Label.POLE, (disc(0.0, 0.22, 0.22, 0.24, points=12), 1))

LIGHT = _mesh(
    Label.LIGHT,
    (_rect(-0.19, 0.19, 0.0, 1.0), 1),
    (disc(0.0, 0.82, 0.12, 0.12), 3),
    (disc(0.0, 0.5, 0.12, 0.12), 4),
    (disc(0.0, 0.18, 0.12, 0.12), 5),
)
PEDESTRIAN_LIGHT = _mesh(
    Label.LIGHT, (_rect(-0.16, 0.16, 0.0, 0.62), 1), (disc(0.0, 0.46, 0.1, 0.1), 3), (disc(0.0, 0.17, 0.1, 0.1), 5)
)

ROUND_SIGN = _mesh(Label.SIGN, (disc(0.0, 0.0, 0.36, 0.36, points=12), 1), (disc(0.0, 0.0, 0.27, 0.27, points=12), 2))
STOP_SIGN = _mesh(Label.SIGN, (disc(0.0, 0.0, 0.4, 0.4), 1), (_rect(-0.26, 0.26, -0.08, 0.08), 2))
TRIANGLE_SIGN = _mesh(
    Label.SIGN, ([(-0.45, -0.36), (0.45, -0.36), (0.0, 0.44)], 1), ([(-0.29, -0.26), (0.29, -0.26), (0.0, 0.25)], 2)
)
YIELD_SIGN = _mesh(
    Label.SIGN, ([(0.0, -0.44), (0.45, 0.36), (-0.45, 0.36)], 1), ([(0.0, -0.25), (0.29, 0.26), (-0.29, 0.26)], 2)
)
PLATE_SIGN = _mesh(Label.SIGN, (_rect(-0.3, 0.3, -0.42, 0.42), 1), (_rect(-0.2, 0.2, -0.1, 0.3), 2))
NAME_SIGN = _mesh(Label.SIGN, (_rect(-0.5, 0.5, -0.11, 0.11), 1), (_rect(-0.4, 0.4, -0.04, 0.04), 2))
DIAMOND_SIGN = _mesh(
    Label.SIGN,
    ([(0.0, -0.42), (0.42, 0.0), (0.0, 0.42), (-0.42, 0.0)], 1),
    ([(0.0, -0.28), (0.28, 0.0), (0.0, 0.28), (-0.28, 0.0)], 2),
)
GUIDE_SIGN = _mesh(
    Label.SIGN, (_rect(-1.5, 1.5, -0.8, 0.8), 1), (_rect(-1.2, 0.9, 0.2, 0.4), 2), (_rect(-1.2, 0.5, -0.4, -0.2), 2)
)

SMALL_SIGNS = (ROUND_SIGN, ROUND_SIGN, STOP_SIGN, TRIANGLE_SIGN, YIELD_SIGN, PLATE_SIGN, DIAMOND_SIGN, PLATE_SIGN)
