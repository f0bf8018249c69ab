"""The ground of a street: carriageway, walkways, verges, markings, rails, crossings. One mesh, painted first."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from segfrontier.scenes.street.dice import Dice
from segfrontier.scenes.street.labels import Label
from segfrontier.scenes.street.materials import Material as M
from segfrontier.scenes.street.materials import Paint
from segfrontier.scenes.street.mesh import GROUND, Mesh, Point
from segfrontier.scenes.street.plan import StreetPlan
from segfrontier.scenes.street.rounds import disc
from segfrontier.scenes.street.stage import GROUND_KEY, Stage

FIRST, LAST = 2.0, 2000.0
_STATIONS = (2.0, 4.0, 6.0, 9.0, 13.0, 18.0, 25.0, 34.0, 46.0, 62.0, 85.0, 120.0, 180.0)


class Ground:
    """Collects flat patches in painting order."""

    def __init__(self, dice: Dice, plan: StreetPlan) -> None:
        self.dice, self.plan = dice, plan
        self._points: list[Point] = []
        self._counts: list[int] = []
        self._labels: list[int] = []
        self._paints: list[Paint] = []

    def patch(self, points: Sequence[Point], label: int, paint: Paint) -> None:
        """A polygon in world coordinates, near edge first."""
        self._points.extend(points)
        self._counts.append(len(points))
        self._labels.append(label)
        self._paints.append(paint)

    def strip(self, s: tuple[float, float], label: int, paint: Paint, z: tuple[float, float] = (FIRST, 180.0)) -> None:
        """A band between two distances from the centre line that follows the street."""
        x, (z0, z1) = self.plan.x, z
        stations = [z0, *(v for v in _STATIONS if z0 < v < z1), z1]
        right = [(x(s[1], v), 0.0, v) for v in stations]
        left = [(x(s[0], v), 0.0, v) for v in reversed(stations)]
        self.patch([left[-1], *right, *left[:-1]], label, paint)

    def across(self, x: tuple[float, float], z: tuple[float, float], label: int, paint: Paint) -> None:
        """A rectangle in world coordinates."""
        self.patch([(x[0], 0.0, z[0]), (x[1], 0.0, z[0]), (x[1], 0.0, z[1]), (x[0], 0.0, z[1])], label, paint)

    def paint(self, material: M) -> Paint:
        """A fresh choice of a material's colours."""
        return Paint(material, self.dice.unit(), self.dice.unit())

    def put_on(self, stage: Stage) -> None:
        """Add the ground to the stage as one mesh."""
        n = len(self._counts)
        mesh = Mesh(
            points=np.array(self._points, np.float64),
            counts=np.array(self._counts, np.int64),
            labels=np.array(self._labels, np.uint8),
            slots=np.arange(n),
            flags=np.full(n, GROUND),
            footprint=(0.0, 0.0, 0.0, 0.0),
            height=0.0,
            casts=False,
        )
        stage.put(mesh, self._paints, x=0.0, z=0.0, key=GROUND_KEY)


def _open_land(g: Ground, reach: float) -> None:
    """What lies behind the frontage, out to the horizon."""
    for sign in (-1.0, 1.0):
        built = g.dice.chance(g.plan.district.paved)
        label, paint = (Label.SIDEWALK, g.paint(M.PAVING)) if built else (Label.TERRAIN, g.paint(M.GRASS))
        x0, x1 = sorted((0.0, sign * reach))
        g.across((x0, x1), (FIRST, LAST), label, paint)


def _span(sign: float, a: float, b: float) -> tuple[float, float]:
    """Distances from the centre line on one side, as an interval of s."""
    return (a, b) if sign > 0 else (-b, -a)


def _walkways(g: Ground) -> None:
    for side in g.plan.sides:
        s = side.sign
        paving = g.paint(M.COBBLE) if g.dice.chance(0.15) else g.paint(M.PAVING)
        g.strip(_span(s, side.path, side.line), Label.SIDEWALK, paving)
        if side.verge:
            green = g.dice.chance(0.75)
            g.strip(_span(s, side.kerb, side.path), Label.TERRAIN, g.paint(M.GRASS if green else M.SOIL))
        g.strip(_span(s, side.kerb, side.kerb + 0.28), Label.SIDEWALK, g.paint(M.KERB))


def _carriageway(g: Ground) -> Paint:
    left, right = g.plan.sides
    asphalt = g.paint(M.COBBLE) if g.dice.chance(0.04) else g.paint(M.ASPHALT)
    g.strip((-left.kerb, right.kerb), Label.ROAD, asphalt)
    for _ in range(g.dice.below(6)):
        s, z = g.dice.between(-left.kerb, right.kerb - 1.0), g.dice.between(5.0, 30.0)
        wide, long = g.dice.between(0.6, 2.6), g.dice.between(1.0, 14.0)
        g.strip((s, min(s + wide, right.kerb)), Label.ROAD, g.paint(M.PATCH), (z, z + long))
    for _ in range(g.dice.below(3)):
        s, z = g.dice.between(-left.kerb + 1, right.kerb - 1), g.dice.between(6.0, 25.0)
        x = g.plan.x(s, z)
        g.patch([(x + a, 0.0, z + b) for a, b in disc(0.0, 0.0, 0.35, 0.35, points=12)], Label.ROAD, g.paint(M.RAIL))
    for side in g.plan.sides:
        if side.bike:
            outer = side.kerb - (2.1 if side.parking else 0.3)
            surface = g.paint(M.BIKE_LANE if g.dice.chance(0.5) else M.ASPHALT)
            g.strip(_span(side.sign, outer - 1.5, outer), Label.ROAD, surface)
    return asphalt


def _cross_street(g: Ground, asphalt: Paint) -> None:
    if g.plan.crossing is None:
        return
    z0, z1 = g.plan.crossing
    for a, b in ((z0 - 2.0, z0), (z1, z1 + 2.0)):
        for side in g.plan.sides:
            x0, x1 = sorted((g.plan.x(side.sign * side.path, a), side.sign * 400.0))
            g.across((x0, x1), (a, b), Label.SIDEWALK, g.paint(M.PAVING))
    g.across((-400.0, 400.0), (z0, z1), Label.ROAD, asphalt)
    for a, b in ((z0 - 4.6, z0 - 1.8), (z1 + 1.8, z1 + 4.6)):
        if g.dice.chance(0.75):
            _zebra(g, a, b)
    g.strip((0.2, g.plan.lanes * g.plan.lane), Label.ROAD, g.paint(M.MARKING), (z0 - 5.8, z0 - 5.3))


def _zebra(g: Ground, z0: float, z1: float) -> None:
    left, right = g.plan.sides
    paint = g.paint(M.MARKING)
    for i in range(int((left.kerb + right.kerb) / 1.1)):
        s = -left.kerb + 0.4 + i * 1.1
        g.strip((s, s + 0.5), Label.ROAD, paint, (z0, z1))


def _markings(g: Ground) -> None:
    plan, dice = g.plan, g.dice
    if dice.chance(0.12):
        return
    paint, half = g.paint(M.MARKING), 0.075
    style = dice.below(3)
    lines = [i * plan.lane for i in range(1 - plan.lanes, plan.lanes)]
    for s in lines:
        if s == 0.0 and style == 0:
            g.strip((s - half, s + half), Label.ROAD, paint)
            continue
        dash, gap = dice.between(2.0, 4.0), dice.between(3.0, 6.0)
        z = 3.0 + dice.between(0.0, dash + gap)
        while z < 75.0:
            if not plan.in_crossing(z + dash / 2, 4.0):
                g.strip((s - half, s + half), Label.ROAD, paint, (z, z + dash))
            z += dash + gap
    for side in plan.sides:
        if dice.chance(0.5):
            edge = plan.lanes * plan.lane + 0.1
            g.strip(_span(side.sign, edge, edge + 0.13), Label.ROAD, paint)


def _rails(g: Ground) -> None:
    if g.plan.tram is None:
        return
    steel = g.paint(M.RAIL)
    if g.dice.chance(0.35):
        g.strip((g.plan.tram - 1.3, g.plan.tram + 1.3), Label.ROAD, g.paint(M.COBBLE))
    for s in (-0.72, 0.72):
        g.strip((g.plan.tram + s - 0.06, g.plan.tram + s + 0.06), Label.ROAD, steel)


def lay_ground(dice: Dice, plan: StreetPlan, stage: Stage) -> None:
    """Put the whole ground on the stage."""
    g = Ground(dice, plan)
    _open_land(g, LAST)
    _walkways(g)
    asphalt = _carriageway(g)
    _rails(g)
    _markings(g)
    _cross_street(g, asphalt)
    if plan.crossing is None and dice.chance(0.18):
        z = dice.between(10.0, 40.0)
        _zebra(g, z, z + dice.between(2.5, 3.5))
    g.put_on(stage)
