"""Trucks, buses and trams: long boxes that differ in how their sides are divided.

Slots: 0 paint, 1 glass, 2 dark trim, 3 hub, 4 lamp, 5 rear lamp, 6 second paint (cargo box, stripe), 7 lit board.
"""

from __future__ import annotations

from segfrontier.scenes.street.cars import wheel
from segfrontier.scenes.street.labels import Label
from segfrontier.scenes.street.mesh import Face, Mesh, Point, box, far, left, near, right, top

PAINT, GLASS, DARK, HUB, LAMP, REAR_LAMP, SECOND, BOARD = range(8)

Span = tuple[float, float]


def _both_sides(half: float, y: Span, z: Span, label: int, slot: int) -> list[Face]:
    return [
        Face(left(-half - 0.01, *y, *z), label, slot),
        Face(right(half + 0.01, *y, *z), label, slot),
    ]


def _wheels(half: float, radius: float, at: tuple[float, ...], label: int) -> list[Face]:
    return [f for x in (-half - 0.02, half + 0.02) for z in at for f in wheel(x, z, radius, label, dark=DARK, hub=HUB)]


def _ends(reach: float, label: int, *parts: tuple[Span, Span, int, str]) -> list[Face]:
    """Rectangles (x span, y span) on the rear ('r') or the front ('f') end."""
    faces = []
    for x, y, slot, end in parts:
        points: list[Point] = near(*x, *y, -reach - 0.02) if end == "r" else far(*x, *y, reach + 0.02)
        faces.append(Face(points, label, slot))
    return faces


def box_truck(*, length: float, cab: float, high: float) -> Mesh:
    """A cab with a cargo box behind it."""
    half, label, front = 1.2, Label.TRUCK, length / 2
    split = front - cab
    faces = box((-half + 0.1, half - 0.1), (0.45, 0.9), (-front, split), label, DARK)
    faces += box((-half, half), (0.9, high), (-front, split - 0.15), label, SECOND)
    faces += _ends(
        front,
        label,
        ((-half + 0.12, -0.03), (1.0, high - 0.15), SECOND, "r"),
        ((0.03, half - 0.12), (1.0, high - 0.15), SECOND, "r"),
        ((-half, half), (0.55, 0.72), DARK, "r"),
        ((-half + 0.05, -half + 0.35), (0.74, 0.88), REAR_LAMP, "r"),
        ((half - 0.35, half - 0.05), (0.74, 0.88), REAR_LAMP, "r"),
    )
    tall = min(high - 0.1, 2.6)
    cab_faces = box((-half + 0.05, half - 0.05), (0.4, tall), (split, front), label, PAINT)
    faces += cab_faces[:-1]  # the cargo hides its back
    faces += _both_sides(half - 0.05, (1.45, tall - 0.25), (split + 0.3, front - 0.25), label, GLASS)
    faces += _ends(
        front,
        label,
        ((-half + 0.15, half - 0.15), (1.45, tall - 0.2), GLASS, "f"),
        ((-half + 0.3, half - 0.3), (0.8, 1.2), DARK, "f"),
        ((-half + 0.1, -half + 0.4), (0.6, 0.78), LAMP, "f"),
        ((half - 0.4, half - 0.1), (0.6, 0.78), LAMP, "f"),
    )
    return Mesh.of(faces + _wheels(half - 0.05, 0.48, (-front + 1.3, front - 1.1), label))


def pickup(*, length: float) -> Mesh:
    """A cab with an open flat bed and low sides."""
    half, label, front = 1.0, Label.TRUCK, length / 2
    split = front - 2.2
    faces = box((-half, half), (0.5, 1.05), (-front, split), label, SECOND)
    faces += box((-half + 0.05, half - 0.05), (0.4, 2.15), (split, front), label, PAINT)
    faces += [Face(near(-half + 0.25, half - 0.25, 1.35, 2.0, split - 0.01), label, GLASS)]
    faces += box((-half, half), (0.5, 1.05), (-front, -front + 0.06), label, SECOND)
    faces += _both_sides(half - 0.05, (1.3, 2.0), (split + 0.3, front - 0.5), label, GLASS)
    faces += _ends(
        front,
        label,
        ((-half + 0.1, half - 0.1), (1.3, 2.0), GLASS, "f"),
        ((-half + 0.4, half - 0.4), (0.7, 1.0), DARK, "f"),
        ((-half + 0.05, -half + 0.35), (0.75, 0.95), LAMP, "f"),
        ((half - 0.35, half - 0.05), (0.75, 0.95), LAMP, "f"),
        ((-half + 0.02, -half + 0.22), (0.6, 0.95), REAR_LAMP, "r"),
        ((half - 0.22, half - 0.02), (0.6, 0.95), REAR_LAMP, "r"),
    )
    return Mesh.of(faces + _wheels(half - 0.02, 0.4, (-front + 1.0, front - 0.9), label))


def bus(*, length: float, doors: tuple[float, ...]) -> Mesh:
    """A city bus: one box, a belt of windows, doors on the right, a lit board at both ends."""
    half, label, front, high = 1.27, Label.BUS, length / 2, 3.05
    faces = box((-half, half), (0.3, high), (-front, front), label, PAINT)
    faces += _both_sides(half, (0.3, 0.6), (-front, front), label, DARK)
    faces += _both_sides(half, (1.35, 2.55), (-front + 0.35, front - 0.15), label, GLASS)
    faces += _both_sides(half, (0.85, 1.1), (-front, front), label, SECOND)
    for z in doors:
        faces += [Face(right(half + 0.02, 0.4, 2.5, z - 0.65, z + 0.65), label, DARK)]
        faces += [Face(right(half + 0.03, 0.6, 2.4, z + a, z + a + 0.5), label, GLASS) for a in (-0.55, 0.05)]
    faces += _ends(
        front,
        label,
        ((-half + 0.12, half - 0.12), (1.1, 2.5), GLASS, "f"),
        ((-0.8, 0.8), (2.62, 2.92), BOARD, "f"),
        ((-half + 0.1, -half + 0.45), (0.6, 0.8), LAMP, "f"),
        ((half - 0.45, half - 0.1), (0.6, 0.8), LAMP, "f"),
        ((-half + 0.2, half - 0.2), (1.6, 2.5), GLASS, "r"),
        ((0.1, 0.7), (2.62, 2.9), BOARD, "r"),
        ((-half + 0.3, half - 0.3), (0.55, 1.1), DARK, "r"),
        ((-half + 0.04, -half + 0.24), (0.8, 1.5), REAR_LAMP, "r"),
        ((half - 0.24, half - 0.04), (0.8, 1.5), REAR_LAMP, "r"),
    )
    return Mesh.of(faces + _wheels(half, 0.48, (-front + 2.6, front - 2.3), label))


def _nose(half: float, z: float, *, ahead: bool) -> list[Face]:
    """A tram's slanting nose: cheeks, mask, screen, board and lamps."""
    tip, narrow, label = z + (0.9 if ahead else -0.9), half - 0.25, Label.TRAIN
    way = -1.0 if ahead else 1.0  # seen from outside, corners run from left to right
    a, b = way * narrow, way * (half - 0.1)
    cheeks: list[Face] = []
    for sign in (-1.0, 1.0):
        points: list[Point] = [(sign * half, 0.25, z), (sign * narrow, 0.25, tip), (sign * narrow, 1.5, tip)]
        points.append((sign * half, 3.3, z))
        outward = points if sign == -way else [points[1], points[0], points[3], points[2]]
        cheeks.append(Face(outward, label, PAINT))
    mask: list[Point] = [(-a, 0.25, tip), (a, 0.25, tip), (a, 1.5, tip), (-a, 1.5, tip)]
    screen: list[Point] = [(-a, 1.5, tip), (a, 1.5, tip), (b, 3.0, z), (-b, 3.0, z)]
    board: list[Point] = [(-b, 3.0, z), (b, 3.0, z), (b, 3.35, z), (-b, 3.35, z)]
    faces = [*cheeks, Face(mask, label, PAINT), Face(screen, label, GLASS), Face(board, label, BOARD)]
    for x in (-narrow + 0.25, narrow - 0.25):
        x0, x1 = x - way * 0.15, x + way * 0.15
        lamp: list[Point] = [(x0, 0.8, tip), (x1, 0.8, tip), (x1, 1.0, tip), (x0, 1.0, tip)]
        faces.append(Face(lamp, label, LAMP if ahead else REAR_LAMP))
    return faces


def tram(*, cars: int) -> Mesh:
    """Coupled tram cars with dark bellows between them and a slanting nose at both ends."""
    half, label, unit, high = 1.25, Label.TRAIN, 9.0, 3.4
    faces: list[Face] = []
    start = -cars * unit / 2
    faces += _nose(half, start + cars * unit - 0.9, ahead=True)
    for i in reversed(range(cars)):
        z = (start + i * unit + (0.9 if i == 0 else 0.3), start + (i + 1) * unit - (0.9 if i == cars - 1 else 0.3))
        if i < cars - 1:
            faces += _both_sides(half - 0.15, (0.4, high - 0.2), (z[1], z[1] + 0.6), label, DARK)
        faces += _both_sides(half - 0.01, (0.25, high), z, label, PAINT)
        faces += _both_sides(half, (0.15, 0.5), z, label, DARK)
        faces += _both_sides(half, (1.3, 2.6), (z[0] + 0.3, z[1] - 0.3), label, GLASS)
        faces += _both_sides(half, (2.8, 3.15), z, label, SECOND)
        middle = (z[0] + z[1]) / 2
        faces += _both_sides(half + 0.01, (0.4, 2.65), (middle - 0.7, middle + 0.7), label, SECOND)
        faces += _both_sides(half + 0.02, (1.0, 2.5), (middle - 0.55, middle + 0.55), label, GLASS)
        faces += [Face(top(-0.7, 0.7, high + 0.25, middle - 2, middle + 2), label, DARK)]
        faces += [Face(near(-0.7, 0.7, high, high + 0.25, middle - 2), label, DARK)]
    faces += _nose(half, start + 0.9, ahead=False)
    return Mesh.of(faces)


TRUCKS = (
    box_truck(length=6.4, cab=1.7, high=2.9),
    box_truck(length=8.5, cab=2.0, high=3.6),
    box_truck(length=12.0, cab=2.2, high=3.9),
    pickup(length=5.6),
)
BUSES = (bus(length=10.5, doors=(3.6, -1.0)), bus(length=12.0, doors=(4.3, 0.2, -3.9)))
TRAMS = (tram(cars=2), tram(cars=3))
