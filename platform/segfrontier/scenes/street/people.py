"""Persons on foot and riders: cards that face the camera, in a handful of poses.

Slots: 0 trousers, 1 top, 2 skin, 3 hair or helmet, 4 shoes, 5 bag.
"""

from __future__ import annotations

from segfrontier.scenes.street.labels import Label
from segfrontier.scenes.street.mesh import CARD, Face, Mesh, bar, card
from segfrontier.scenes.street.rounds import Outline, disc

LEGS, TOP, SKIN, HAIR, SHOES, BAG = range(6)

Part = tuple[Outline, int]


def _leg(hip: float, knee: float, foot: float, *, lift: float = 0.0) -> list[Part]:
    hip_at, knee_at, foot_at = (hip, 0.9), (knee, 0.48), (foot, 0.06 + lift)
    shoe = [(foot - 0.08, lift), (foot + 0.09, lift), (foot + 0.06, 0.1 + lift), (foot - 0.07, 0.1 + lift)]
    return [(bar(knee_at, foot_at, 0.13), LEGS), (bar(hip_at, knee_at, 0.17), LEGS), (shoe, SHOES)]


def _head(x: float, y: float) -> list[Part]:
    hair = [(x - 0.11, y), (x + 0.11, y), (x + 0.12, y + 0.07), (x + 0.06, y + 0.15), (x - 0.06, y + 0.15)]
    return [(disc(x, y, 0.1, 0.14), SKIN), ([*hair, (x - 0.12, y + 0.07)], HAIR)]


def _trunk(half: float, *, lean: float = 0.0, low: float = 0.84) -> Part:
    shoulder = half * 1.15
    outline = [(-half, low), (half, low), (half + lean, 1.25), (shoulder + lean, 1.42), (0.09 + lean, 1.51)]
    return [*outline, (-0.09 + lean, 1.51), (-shoulder + lean, 1.42), (-half + lean, 1.25)], TOP


def _arm(shoulder: tuple[float, float], elbow: tuple[float, float], hand: tuple[float, float]) -> list[Part]:
    return [(bar(elbow, hand, 0.09), TOP), (bar(shoulder, elbow, 0.11), TOP), (disc(*hand, 0.05, 0.06), SKIN)]


def _standing() -> list[Part]:
    parts = _leg(-0.09, -0.1, -0.11) + _leg(0.09, 0.1, 0.12)
    parts += [*_arm((-0.21, 1.38), (-0.27, 1.1), (-0.25, 0.84)), _trunk(0.19)]
    return parts + _arm((0.21, 1.38), (0.27, 1.1), (0.25, 0.84)) + _head(0.0, 1.62)


def _walking() -> list[Part]:
    parts = _leg(0.0, 0.12, 0.36) + _arm((0.0, 1.38), (-0.22, 1.12), (-0.34, 0.92))
    parts += [*_leg(0.0, -0.1, -0.34, lift=0.05), _trunk(0.15, lean=0.03)]
    return parts + _arm((0.02, 1.38), (0.2, 1.12), (0.36, 0.98)) + _head(0.06, 1.62)


def _skirt() -> list[Part]:
    shins = [(bar((x, 0.55), (x, 0.06), 0.1), SKIN) for x in (-0.08, 0.08)]
    shoes: list[Part] = [
        ([(x - 0.07, 0.0), (x + 0.07, 0.0), (x + 0.05, 0.08), (x - 0.05, 0.08)], SHOES) for x in (-0.08, 0.08)
    ]
    skirt: Part = ([(-0.27, 0.5), (0.27, 0.5), (0.16, 0.98), (-0.16, 0.98)], LEGS)
    long_hair: Part = ([(-0.13, 1.42), (0.13, 1.42), (0.13, 1.65), (-0.13, 1.65)], HAIR)
    parts = [*shins, *shoes, skirt, *_arm((-0.18, 1.36), (-0.25, 1.1), (-0.2, 0.86)), _trunk(0.16, low=0.92), long_hair]
    return parts + _arm((0.18, 1.36), (0.26, 1.12), (0.2, 0.9)) + _head(0.0, 1.6)


def _with_bag() -> list[Part]:
    parts = [*_leg(-0.07, -0.14, -0.2), *_leg(0.07, 0.1, 0.24, lift=0.03), _trunk(0.18)]
    parts.append(([(-0.2, 0.98), (0.2, 0.98), (0.18, 1.44), (-0.18, 1.44)], BAG))
    return parts + _arm((0.21, 1.38), (0.3, 1.12), (0.3, 0.88)) + _head(0.0, 1.62)


def _coat() -> list[Part]:
    parts = _leg(-0.07, -0.08, -0.1) + _leg(0.07, 0.1, 0.16)
    coat: Part = (
        [(-0.24, 0.45), (0.24, 0.45), (0.2, 1.0), (0.25, 1.4), (0.1, 1.51), (-0.1, 1.51), (-0.25, 1.4), (-0.2, 1.0)],
        TOP,
    )
    return [*parts, coat, (disc(0.26, 0.62, 0.14, 0.17), BAG), *_head(0.0, 1.63)]


def _person(parts: list[Part], label: Label) -> Mesh:
    return Mesh.of([Face(card(outline), label, slot, CARD) for outline, slot in parts])


def _rider(*, seat: float, knee: float, foot: float, grip: tuple[float, float]) -> Mesh:
    """Sitting, seen from in front or behind: knees out, arms to the bar, a helmet or hair."""
    rise = seat - 0.84
    parts: list[Part] = []
    for side in (-1.0, 1.0):
        leg: list[Part] = [(bar((side * knee, seat - 0.25), (side * 0.14, foot + 0.06), 0.12), LEGS)]
        leg += [(bar((side * 0.08, seat + 0.02), (side * knee, seat - 0.25), 0.17), LEGS)]
        leg += [([(side * 0.14 - 0.06, foot), (side * 0.14 + 0.06, foot), (side * 0.14, foot + 0.12)], SHOES)]
        elbow = (side * (grip[0] + 0.06), grip[1] + 0.16)
        parts += leg + _arm((side * 0.2, 1.38 + rise), elbow, (side * grip[0], grip[1]))
    trunk, slot = _trunk(0.19)
    parts.append(([(x, y + rise) for x, y in trunk], slot))
    parts += [(disc(0.0, 1.62 + rise, 0.1, 0.14), SKIN), (disc(0.0, 1.67 + rise, 0.13, 0.12), HAIR)]
    return _person(parts, Label.RIDER)


def _rider_side() -> Mesh:
    """Sitting, seen from the side: leaning forward to the bar at +x."""
    parts: list[Part] = [(bar((-0.2, 0.92), (0.16, 0.72), 0.17), LEGS), (bar((0.16, 0.72), (0.0, 0.25), 0.13), LEGS)]
    parts += [([(-0.08, 0.16), (0.16, 0.16), (0.1, 0.28), (-0.08, 0.28)], SHOES)]
    parts += [([(-0.36, 0.86), (-0.06, 0.86), (0.2, 1.3), (0.16, 1.45), (-0.02, 1.46), (-0.26, 1.2)], TOP)]
    parts += _arm((0.1, 1.38), (0.24, 1.16), (0.48, 1.08))
    parts += [(disc(0.17, 1.58, 0.11, 0.14), SKIN), (disc(0.15, 1.64, 0.14, 0.11), HAIR)]
    return _person(parts, Label.RIDER)


PERSONS = tuple(_person(p, Label.PERSON) for p in (_standing(), _walking(), _skirt(), _with_bag(), _coat()))
CYCLIST = _rider(seat=0.95, knee=0.22, foot=0.22, grip=(0.26, 1.05))
CYCLIST_SIDE = _rider_side()
BIKER = _rider(seat=0.84, knee=0.3, foot=0.3, grip=(0.34, 1.04))
