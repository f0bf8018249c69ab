"""Trees, bushes and hedges: clumps of ragged blobs in three tones on a trunk.

Slots: 0 trunk, 1 shaded leaves, 2 leaves, 3 sunlit leaves.
"""

from __future__ import annotations

from numpy.random import PCG64, Generator

from segfrontier.scenes.street.dice import Dice
from segfrontier.scenes.street.labels import Label
from segfrontier.scenes.street.mesh import CARD, Face, Mesh, Point, bar, card
from segfrontier.scenes.street.rounds import CIRCLE, Outline


def _ragged(dice: Dice, cx: float, cy: float, rx: float, ry: float, *, points: int = 24) -> Outline:
    """A blob with a toothed rim."""
    step = 48 // points
    rim = []
    for i, (x, y) in enumerate(CIRCLE[::step]):
        reach = dice.between(0.86, 1.12) if i % 2 else dice.between(0.72, 1.0)
        rim.append((cx + rx * reach * x, cy + ry * reach * y))
    return rim


def _crown(dice: Dice, blobs: int, points: int, half: float, low: float, high: float, taper: float) -> list[Face]:
    """Blobs from the shaded back to the sunlit front; `taper` narrows the crown upwards."""
    faces = []
    for i in range(blobs):
        y = dice.between(0.12, 0.88)
        reach = half * (1 - taper * y) * (1 - 0.55 * (2 * y - 1) * (2 * y - 1))
        size = dice.between(0.26, 0.42) * half * (1 - 0.4 * taper * y)
        x = dice.between(-1.0, 1.0) * max(0.0, reach - size * 0.6)
        slot = 1 if i < blobs * 0.4 else (2 if i < blobs * 0.78 else 3)
        size *= 1.25 if slot == 1 else (1.0 if slot == 2 else 0.6)
        shift = 0.12 * half if slot == 3 else 0.0
        centre = low + (high - low) * y
        rim = _ragged(dice, x + shift, centre + shift, size, size * 0.85, points=points)
        faces.append(Face(card(rim), Label.VEGETATION, slot, CARD))
    return faces


def _tree(dice: Dice, *, half: float, low: float, high: float, taper: float, blobs: int = 15, points: int = 24) -> Mesh:
    stem = card([(-0.17, 0.0), (0.17, 0.0), (0.11, low + 0.6), (-0.11, low + 0.6)])
    trunk = [Face(stem, Label.VEGETATION, 0, CARD)]
    for side in (-1.0, 1.0):
        branch = bar((0.0, low * 0.8), (side * half * 0.45, low + (high - low) * 0.35), 0.12)
        trunk.append(Face(card(branch), Label.VEGETATION, 0, CARD))
    core = _ragged(dice, 0.0, (low + high) / 2, half * 0.7, (high - low) * 0.42, points=points)
    heart = Face(card(core), Label.VEGETATION, 1, CARD)
    return Mesh.of([*trunk, heart, *_crown(dice, blobs, points, half, low, high, taper)])


def _bush(dice: Dice, *, half: float, high: float) -> Mesh:
    core = _ragged(dice, 0.0, high * 0.42, half * 0.85, high * 0.5)
    faces = [Face(card([(x, max(0.0, y)) for x, y in core]), Label.VEGETATION, 1, CARD)]
    for i in range(5):
        x = dice.between(-0.6, 0.6) * half
        blob = _ragged(dice, x, high * dice.between(0.35, 0.65), half * 0.42, high * 0.34)
        faces.append(Face(card([(px, max(0.0, py)) for px, py in blob]), Label.VEGETATION, 2 + i % 2, CARD))
    return Mesh.of(faces)


def _bare_tree(dice: Dice, *, half: float, high: float) -> Mesh:
    """A winter tree: a trunk and forked branches."""
    outlines = [[(-0.15, 0.0), (0.15, 0.0), (0.08, high * 0.5), (-0.08, high * 0.5)]]
    for _ in range(7):
        start = (0.0, high * dice.between(0.25, 0.5))
        middle = (half * dice.between(-0.6, 0.6), high * dice.between(0.55, 0.75))
        outlines.append(bar(start, middle, 0.14))
        for _ in range(3):
            tip = (middle[0] + half * dice.between(-0.5, 0.5), high * dice.between(0.75, 1.0))
            outlines.append(bar(middle, tip, 0.08))
    return Mesh.of([Face(card(outline), Label.VEGETATION, 0, CARD) for outline in outlines])


def _hedge(dice: Dice) -> Mesh:
    """A unit block along z, its top edge ragged; scaled when placed."""
    steps = [i / 12 for i in range(13)]
    rim: list[Point] = [(0.0, dice.between(0.88, 1.04), z) for z in steps]
    street: list[Point] = [(0.0, 0.0, 1.0), (0.0, 0.0, 0.0), *rim]
    faces = []
    for z, flip in ((1.0, -1.0), (0.0, 1.0)):
        end: list[Point] = [(0.0, 0.0, z), (1.0, 0.0, z), (1.0, 1.0, z), (0.5, 1.04, z), (0.0, 0.96, z)]
        points = end if flip > 0 else [end[1], end[0], *end[:1:-1]]
        faces.append(Face(points, Label.VEGETATION, 1))
    return Mesh.of([*faces, Face(street, Label.VEGETATION, 2)])


_DICE = Dice(Generator(PCG64(20240517)))

STREET_TREES = (
    _tree(_DICE, half=2.4, low=2.4, high=7.2, taper=0.2),
    _tree(_DICE, half=3.2, low=2.8, high=9.5, taper=0.15),
    _tree(_DICE, half=2.9, low=2.2, high=11.5, taper=0.35, blobs=18),
    _tree(_DICE, half=1.5, low=1.8, high=5.0, taper=0.1, blobs=11),
    _tree(_DICE, half=3.8, low=3.2, high=8.5, taper=0.05, blobs=18),
)
CONIFERS = tuple(_tree(_DICE, half=h, low=0.5, high=top, taper=0.85, blobs=18) for h, top in ((1.7, 8.0), (2.3, 11.0)))
DISTANT_TREES = (
    _tree(_DICE, half=2.6, low=2.4, high=8.2, taper=0.2, blobs=7, points=12),
    _tree(_DICE, half=3.2, low=2.8, high=9.5, taper=0.1, blobs=8, points=12),
    _tree(_DICE, half=2.7, low=2.2, high=10.5, taper=0.35, blobs=8, points=12),
)
"""Simpler crowns for trees that are seen from afar."""
BARE_TREES = (_bare_tree(_DICE, half=2.6, high=7.5), _bare_tree(_DICE, half=3.2, high=9.5))
BUSHES = tuple(_bush(_DICE, half=h, high=top) for h, top in ((0.7, 0.8), (1.1, 1.3), (1.6, 1.8)))
HEDGE = _hedge(_DICE)
