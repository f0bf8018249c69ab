"""Vehicles: parked at the kerb, driving in the lanes, crossing; motorcycles and bicycles with and without riders."""

from __future__ import annotations

from collections.abc import Sequence

from segfrontier.scenes.street import cars, cycles, heavies, people
from segfrontier.scenes.street.crowd import person_paints
from segfrontier.scenes.street.dice import Dice
from segfrontier.scenes.street.materials import Material as M
from segfrontier.scenes.street.materials import Paint
from segfrontier.scenes.street.mesh import Mesh
from segfrontier.scenes.street.plan import Plan
from segfrontier.scenes.street.stage import Stage

_CAR_SLOTS = (M.CAR_PAINT, M.CAR_GLASS, M.DARK_TRIM, M.HUB, M.HEADLAMP, M.REAR_LAMP, M.PLATE)
_HEAVY_SLOTS = (M.COACH_GLASS, M.DARK_TRIM, M.HUB, M.HEADLAMP, M.REAR_LAMP)
_KINDS = ("car", "truck", "bus", "motorcycle", "cyclist")
_MIX = (0.925, 0.016, 0.013, 0.018, 0.028)


class Fleet:
    """Puts vehicles on one street."""

    def __init__(self, dice: Dice, plan: Plan, stage: Stage) -> None:
        self.dice, self.plan, self.stage = dice, plan, stage

    def _paints(self, *materials: M) -> tuple[Paint, ...]:
        return tuple(Paint(m, self.dice.unit(), self.dice.unit()) for m in materials)

    def _put(self, mesh: Mesh, paints: Sequence[Paint], s: float, z: float, *, back: bool, key: float = 0.0) -> None:
        self.stage.put(
            mesh, paints, x=self.plan.x(s, z), z=z, heading=self.plan.heading(z, back=back), key=z + key, thing=True
        )

    def car(self, s: float, z: float, *, back: bool) -> None:
        """A passenger car."""
        mesh = self.dice.weighted(cars.CARS, (3.0, 2.5, 2.5, 2.0, 0.8))
        self._put(mesh, self._paints(*_CAR_SLOTS), s, z, back=back)

    def heavy(self, kind: str, s: float, z: float, *, back: bool) -> None:
        """A truck, a bus or a tram; z is its middle."""
        meshes, first, second = {
            "truck": (heavies.TRUCKS, M.TRUCK_PAINT, M.CARGO),
            "bus": (heavies.BUSES, M.BUS_PAINT, M.COACH_STRIPE),
            "train": (heavies.TRAMS, M.TRAM_PAINT, M.COACH_STRIPE),
        }[kind]
        paints = self._paints(first, *_HEAVY_SLOTS, second, M.BOARD)
        mesh = self.dice.pick(meshes)
        reach = mesh.footprint[3]
        self._put(mesh, paints, s, max(z, 6.0) + reach, back=back, key=-reach * 0.6)

    def cyclist(self, s: float, z: float, *, back: bool, side_on: bool = False) -> None:
        """A bicycle with its rider; `side_on` crosses the street."""
        x = self.plan.x(s, z)
        heading = ((0.0, -1.0 if back else 1.0)) if side_on else self.plan.heading(z, back=back)
        paints = self._paints(M.CYCLE_PAINT, M.DARK_TRIM, M.SADDLE)
        self.stage.put(cycles.BICYCLE, paints, x=x, z=z, heading=heading, thing=True)
        mesh = people.CYCLIST_SIDE if side_on else people.CYCLIST
        size = (-1.0 if back and side_on else 1.0, self.dice.between(0.92, 1.06), 1.0)
        self.stage.put(mesh, person_paints(self.dice, helmet=0.55), x=x, z=z - 0.02, size=size, thing=True)

    def motorcycle(self, s: float, z: float, *, back: bool, ridden: bool) -> None:
        """A motorcycle, with a rider or parked."""
        x = self.plan.x(s, z)
        paints = self._paints(M.CYCLE_PAINT, M.DARK_TRIM, M.ENGINE, M.CHROME, M.REAR_LAMP, M.SADDLE)
        heading = self.plan.heading(z, back=back)
        if not ridden:
            lean = self.dice.between(-0.6, 0.6)
            heading = (heading[0] * (1 - lean * lean) / (1 + lean * lean), 2 * lean / (1 + lean * lean))
        self.stage.put(cycles.MOTORCYCLE, paints, x=x, z=z, heading=heading, thing=True)
        if ridden:
            self.stage.put(people.BIKER, person_paints(self.dice, helmet=1.0), x=x, z=z - 0.02, thing=True)

    def any(self, s: float, z: float, *, back: bool) -> None:
        """Whatever drives here."""
        kind = self.dice.weighted(_KINDS, _MIX)
        if kind == "car":
            self.car(s, z, back=back)
        elif kind == "motorcycle":
            self.motorcycle(s, z, back=back, ridden=True)
        elif kind == "cyclist":
            self.cyclist(s + 0.9, z, back=back)
        else:
            self.heavy(kind, s, z, back=back)


def _park(fleet: Fleet) -> None:
    dice, plan = fleet.dice, fleet.plan
    for side in plan.sides:
        if not side.parking:
            continue
        s, z = side.sign * (side.kerb - 1.05), dice.between(8.0, 17.0)
        taken = plan.district.parked * dice.between(0.4, 1.5)
        while z < min(plan.end, 90.0):
            if dice.chance(taken) and not plan.in_crossing(z, 8.0):
                back = (side.sign < 0) != dice.chance(0.12)
                if dice.chance(0.008):
                    fleet.heavy("truck", s, z, back=back)
                    z += 6.0
                elif dice.chance(0.03):
                    fleet.motorcycle(s, z, back=back, ridden=False)
                else:
                    fleet.car(s + dice.between(-0.12, 0.12), z, back=back)
            z += dice.between(5.4, 6.8)


def _drive(fleet: Fleet) -> None:
    dice, plan = fleet.dice, fleet.plan
    for i in range(2 * plan.lanes):
        back = i < plan.lanes
        s = (i - plan.lanes + 0.5) * plan.lane
        if plan.tram is not None and abs(s - plan.tram) < 0.6 and dice.chance(0.32):
            fleet.heavy("train", plan.tram, dice.between(12.0, 55.0), back=back)
            continue
        mean = 100.0 / max(plan.district.traffic * dice.between(0.3, 1.9), 0.05)
        own = not back and i == plan.lanes
        z = dice.between(9.0, 12.0 + mean) if own else dice.between(7.0, 7.0 + mean)
        while z < min(plan.end, 130.0):
            fleet.any(s + dice.between(-0.3, 0.3), z, back=back)
            z += 7.5 + mean * dice.between(0.1, 1.9)


def _cross(fleet: Fleet) -> None:
    """Vehicles on the cross street, seen from the side."""
    if fleet.plan.crossing is None:
        return
    dice, (z0, z1) = fleet.dice, fleet.plan.crossing
    for z, turn in ((z0 + (z1 - z0) * 0.28, 1.0), (z0 + (z1 - z0) * 0.72, -1.0)):
        for _ in range(dice.below(3)):
            s, kind = dice.between(-14.0, 14.0), dice.weighted(("car", "truck", "bus", "cyclist"), (6, 0.2, 0.2, 0.8))
            if kind == "cyclist":
                fleet.cyclist(s, z, back=turn < 0, side_on=True)
                continue
            if kind == "car":
                mesh, paints = dice.pick(cars.CARS), fleet._paints(*_CAR_SLOTS)
            elif kind == "truck":
                mesh, paints = dice.pick(heavies.TRUCKS), fleet._paints(M.TRUCK_PAINT, *_HEAVY_SLOTS, M.CARGO, M.BOARD)
            else:
                mesh, paints = (
                    dice.pick(heavies.BUSES),
                    fleet._paints(M.BUS_PAINT, *_HEAVY_SLOTS, M.COACH_STRIPE, M.BOARD),
                )
            fleet.stage.put(mesh, paints, x=fleet.plan.x(s, z), z=z, heading=(0.0, turn), thing=True)


def _stand(fleet: Fleet) -> None:
    """Bicycles and motorcycles left on the walkways."""
    dice, plan = fleet.dice, fleet.plan
    for side in plan.sides:
        if not dice.chance(0.3):
            continue
        z, motor = dice.between(8.0, 28.0), dice.chance(0.12)
        inset = dice.between(0.4, 0.9) if dice.chance(0.6) else side.walk - 0.5
        for _ in range(2 + dice.below(7)):
            s = side.sign * (side.path + inset)
            if motor:
                fleet.motorcycle(s, z, back=False, ridden=False)
            else:
                turn = dice.between(0.2, 1.0) * (1.0 if dice.chance(0.5) else -1.0)
                heading = ((1 - turn * turn) / (1 + turn * turn), 2 * turn / (1 + turn * turn))
                paints = fleet._paints(M.CYCLE_PAINT, M.DARK_TRIM, M.SADDLE)
                fleet.stage.put(cycles.BICYCLE, paints, x=plan.x(s, z), z=z, heading=heading, thing=True)
            z += dice.between(0.6, 1.6)


def _ride(fleet: Fleet) -> None:
    """Cyclists near the kerb or on the bike lane."""
    dice = fleet.dice
    for side in fleet.plan.sides:
        inner = side.kerb - (2.1 if side.parking else 0.3) - 0.7
        for _ in range(dice.below(3) if dice.chance(0.55 if side.bike else 0.16) else 0):
            fleet.cyclist(side.sign * inner, dice.between(9.0, 45.0), back=side.sign < 0)


def fill_traffic(dice: Dice, plan: Plan, stage: Stage) -> None:
    """Put all vehicles on the stage."""
    fleet = Fleet(dice, plan, stage)
    for act in (_park, _drive, _cross, _stand, _ride):
        act(fleet)
