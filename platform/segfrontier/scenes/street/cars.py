"""Passenger cars: one builder, four body shapes. Slots: 0 paint, 1 glass, 2 dark trim, 3 hub, 4 lamp, 5 rear lamp,
6 plate."""

from __future__ import annotations

from dataclasses import dataclass

from segfrontier.scenes.street.labels import Label
from segfrontier.scenes.street.mesh import Face, Mesh, Point, far, near, side_profile, slope, top
from segfrontier.scenes.street.rounds import disc

PAINT, GLASS, DARK, HUB, LAMP, REAR_LAMP, PLATE = range(7)


@dataclass(frozen=True, slots=True, kw_only=True)
class Body:
    """A car's outline in metres: z of the screen bases and roof ends, from rear to front."""

    length: float
    width: float
    roof: float
    belt: float
    boot: float
    """z where the rear screen begins (its base)."""
    roof_back: float
    roof_front: float
    screen: float
    """z where the windscreen ends (its base)."""
    bonnet: float
    """Height of the bonnet's front edge."""


def wheel(x: float, z: float, radius: float, label: int, *, dark: int, hub: int) -> list[Face]:
    """A wheel that shows on one side of a vehicle; the side is the sign of x."""
    faces = []
    for r, slot in ((radius, dark), (radius * 0.6, hub)):
        outline = disc(z, radius, r, r, points=12)
        faces.append(Face(side_profile(x, outline, facing_right=x > 0), label, slot))
    return faces


def _sides(b: Body, half: float, inset: float) -> list[Face]:
    rear, front = -b.length / 2, b.length / 2
    lower = [(rear + 0.1, 0.22), (front - 0.1, 0.22), (front, 0.5), (front - 0.05, b.bonnet)]
    lower += [(b.screen, b.belt), (b.boot, b.belt), (rear, b.belt - 0.08)]
    cabin = [(b.boot, b.belt), (b.screen, b.belt), (b.roof_front, b.roof), (b.roof_back, b.roof)]
    drop, low = b.roof - 0.1, b.belt + 0.04
    middle = (b.roof_back + b.roof_front) / 2 - 0.1
    panes = (
        [(b.boot + 0.22, low), (middle - 0.05, low), (middle - 0.05, drop), (b.roof_back + 0.1, drop)],
        [(middle + 0.05, low), (b.screen - 0.22, low), (b.roof_front - 0.05, drop), (middle + 0.05, drop)],
    )
    faces = []
    for sign in (-1.0, 1.0):
        right = sign > 0

        def lean(profile: list[tuple[float, float]], sign: float = sign, right: bool = right) -> list[Point]:
            points = side_profile(sign * half, profile, facing_right=right)
            rise = b.roof - b.belt
            return [(x - sign * inset * max(0.0, y - b.belt) / rise, y, z) for x, y, z in points]

        faces += [Face(lean(lower), Label.CAR, PAINT), Face(lean(cabin), Label.CAR, PAINT)]
        faces += [Face(lean(pane), Label.CAR, GLASS) for pane in panes]
        sill = [(rear + 0.3, 0.22), (front - 0.3, 0.22), (front - 0.3, 0.32), (rear + 0.3, 0.32)]
        faces.append(Face(side_profile(sign * half, sill, facing_right=right), Label.CAR, DARK))
        for z in (rear + 0.82, front - 0.85):
            faces += wheel(sign * (half + 0.01), z, 0.33, Label.CAR, dark=DARK, hub=HUB)
    return faces


def _screen(half: float, inset: float, low: tuple[float, float], high: tuple[float, float]) -> list[Face]:
    """A screen with its frame: a sheet that narrows towards the roof."""
    faces = []
    for slot, edge, trim in ((PAINT, 0.0, 0.0), (GLASS, 0.1, 0.08)):
        (z0, y0), (z1, y1) = low, high
        z0, y0 = z0 + (z1 - z0) * trim, y0 + (y1 - y0) * trim
        z1, y1 = z1 + (z0 - z1) * trim, y1 + (y0 - y1) * trim
        a, b = half - edge, half - inset - edge
        sheet: list[Point] = [(-a, y0, z0), (a, y0, z0), (b, y1, z1), (-b, y1, z1)]
        if z1 < z0:
            sheet = [sheet[1], sheet[0], sheet[3], sheet[2]]
        faces.append(Face(sheet, Label.CAR, slot))
    return faces


def _rear(b: Body, half: float) -> list[Face]:
    z, high = -b.length / 2, b.belt - 0.08
    shapes = [
        (near(-half, half, 0.22, high, z), PAINT),
        (near(-half, half, 0.22, 0.42, z - 0.01), DARK),
        (near(-half + 0.04, -half + 0.32, high - 0.3, high - 0.08, z - 0.01), REAR_LAMP),
        (near(half - 0.32, half - 0.04, high - 0.3, high - 0.08, z - 0.01), REAR_LAMP),
        (near(-0.26, 0.26, 0.52, 0.64, z - 0.01), PLATE),
        (slope(-half, half, (z, high), (b.boot, b.belt)), PAINT),
    ]
    return [Face(points, Label.CAR, slot) for points, slot in shapes]


def _front(b: Body, half: float) -> list[Face]:
    z = b.length / 2
    shapes = [
        (far(-half, half, 0.22, b.bonnet, z), PAINT),
        (far(-half + 0.3, half - 0.3, 0.3, 0.5, z + 0.01), DARK),
        (far(-half + 0.4, half - 0.4, b.bonnet - 0.16, b.bonnet - 0.05, z + 0.01), DARK),
        (far(-half + 0.04, -half + 0.36, b.bonnet - 0.2, b.bonnet - 0.04, z + 0.01), LAMP),
        (far(half - 0.36, half - 0.04, b.bonnet - 0.2, b.bonnet - 0.04, z + 0.01), LAMP),
        (far(-0.26, 0.26, 0.36, 0.47, z + 0.02), PLATE),
        (slope(half, -half, (z, b.bonnet), (b.screen, b.belt)), PAINT),
    ]
    return [Face(points, Label.CAR, slot) for points, slot in shapes]


def car(b: Body) -> Mesh:
    """A car that points ahead."""
    half, inset = b.width / 2, 0.16
    under = [
        Face(shape, Label.CAR, DARK)
        for shape in (
            near(-half + 0.1, half - 0.1, 0.1, 0.24, -b.length / 2 + 0.2),
            far(-half + 0.1, half - 0.1, 0.1, 0.24, b.length / 2 - 0.2),
        )
    ]
    roof = Face(top(-half + inset, half - inset, b.roof, b.roof_back, b.roof_front), Label.CAR, PAINT)
    screens = _screen(half, inset, (b.boot, b.belt), (b.roof_back, b.roof))
    screens += _screen(half, inset, (b.screen, b.belt), (b.roof_front, b.roof))
    return Mesh.of(under + _sides(b, half, inset) + _front(b, half) + _rear(b, half) + screens + [roof])


HATCH = Body(
    length=3.9, width=1.74, roof=1.46, belt=0.94, boot=-1.9, roof_back=-1.45, roof_front=0.3, screen=1.05, bonnet=0.72
)
SEDAN = Body(
    length=4.6, width=1.8, roof=1.42, belt=0.94, boot=-1.55, roof_back=-0.95, roof_front=0.35, screen=1.1, bonnet=0.72
)
ESTATE = Body(
    length=4.6, width=1.82, roof=1.46, belt=0.95, boot=-2.2, roof_back=-1.95, roof_front=0.4, screen=1.15, bonnet=0.74
)
TALL = Body(
    length=4.5, width=1.86, roof=1.75, belt=1.06, boot=-2.15, roof_back=-1.95, roof_front=0.45, screen=1.2, bonnet=0.9
)
VAN = Body(
    length=4.9, width=1.95, roof=2.0, belt=1.15, boot=-2.4, roof_back=-2.3, roof_front=1.0, screen=1.75, bonnet=0.95
)

CARS = tuple(car(body) for body in (HATCH, SEDAN, ESTATE, TALL, VAN))
