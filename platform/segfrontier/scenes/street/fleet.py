"""Vehicles with their paints, put on the street one at a time: cars, trucks, buses, trams, cycles and their riders."""

from __future__ import annotations

from segfrontier.scenes.street import cars, cycles, heavies, people
from segfrontier.scenes.street.crowd import person_paints
from segfrontier.scenes.street.dice import Dice
from segfrontier.scenes.street.materials import Material as M
from segfrontier.scenes.street.materials import Paint
from segfrontier.scenes.street.mesh import Mesh
from segfrontier.scenes.street.plan import StreetPlan
from segfrontier.scenes.street.stage import Heading, Stage, turned

_CAR = (M.CAR_PAINT, M.CAR_GLASS, M.DARK_TRIM, M.HUB, M.HEADLAMP, M.REAR_LAMP, M.PLATE)
_COACH = (M.COACH_GLASS, M.DARK_TRIM, M.HUB, M.HEADLAMP, M.REAR_LAMP)
_KINDS: dict[str, tuple[tuple[Mesh, ...], tuple[float, ...], tuple[M, ...]]] = {
    "car": (cars.CARS, (3.0, 2.5, 2.5, 2.0, 0.8), _CAR),
    "truck": (heavies.TRUCKS, (3.0, 3.0, 2.0, 2.0), (M.TRUCK_PAINT, *_COACH, M.CARGO, M.BOARD)),
    "bus": (heavies.BUSES, (1.0, 1.0), (M.BUS_PAINT, *_COACH, M.COACH_STRIPE, M.BOARD)),
    "train": (heavies.TRAMS, (1.0, 1.0), (M.TRAM_PAINT, *_COACH, M.COACH_STRIPE, M.BOARD)),
}
"""Shapes with their weights, and the materials of their slots."""
_BICYCLE = (M.CYCLE_PAINT, M.DARK_TRIM, M.SADDLE)
_MOTORCYCLE = (M.CYCLE_PAINT, M.DARK_TRIM, M.ENGINE, M.CHROME, M.REAR_LAMP, M.SADDLE)


class Fleet:
    """Puts vehicles on one street: s metres to the right of the centre line, z metres ahead."""

    def __init__(self, dice: Dice, plan: StreetPlan, stage: Stage) -> None:
        self.dice, self.plan, self.stage = dice, plan, stage

    def paints(self, materials: tuple[M, ...]) -> tuple[Paint, ...]:
        """A fresh choice of colours for every slot."""
        return tuple(Paint(m, self.dice.unit(), self.dice.unit()) for m in materials)

    def vehicle(self, kind: str, s: float, z: float, *, back: bool) -> float:
        """A vehicle whose near end is at z, along the street or coming back; gives the z of its far end."""
        shapes, weights, materials = _KINDS[kind]
        mesh = self.dice.weighted(shapes, weights)
        reach = mesh.footprint[3]
        middle = z + reach
        # Nearer things beside a long vehicle must be painted after it, so it counts as almost as near as its near end.
        self.stage.put(
            mesh, self.paints(materials), x=self.plan.x(s, middle), z=middle, key=z + 0.4 * reach,
            heading=self.plan.heading(middle, back=back), thing=True,
        )  # fmt: skip
        return middle + reach

    def crossing(self, kind: str, s: float, z: float, *, left: bool) -> float:
        """A vehicle on a cross street, seen from the side; gives half its length."""
        shapes, weights, materials = _KINDS[kind]
        mesh = self.dice.weighted(shapes, weights)
        x, heading = self.plan.x(s, z), (0.0, -1.0 if left else 1.0)
        self.stage.put(mesh, self.paints(materials), x=x, z=z, heading=heading, thing=True)
        return mesh.footprint[3]

    def cyclist(self, s: float, z: float, *, back: bool) -> None:
        """A bicycle and its rider, along the street."""
        self._ridden(cycles.BICYCLE, _BICYCLE, people.CYCLIST, 0.55, s, z, self.plan.heading(z, back=back))

    def crossing_cyclist(self, s: float, z: float, *, left: bool) -> None:
        """A bicycle and its rider, seen from the side."""
        heading = (0.0, -1.0 if left else 1.0)
        self._ridden(cycles.BICYCLE, _BICYCLE, people.CYCLIST_SIDE, 0.55, s, z, heading, flip=-1.0 if left else 1.0)

    def motorcyclist(self, s: float, z: float, *, back: bool) -> None:
        """A motorcycle and its rider, along the street."""
        self._ridden(cycles.MOTORCYCLE, _MOTORCYCLE, people.BIKER, 1.0, s, z, self.plan.heading(z, back=back))

    def parked_cycle(self, s: float, z: float, turn: float, *, motor: bool) -> None:
        """A bicycle or a motorcycle that stands, turned away from the street by `turn` (tangent of half the angle)."""
        mesh, materials = (cycles.MOTORCYCLE, _MOTORCYCLE) if motor else (cycles.BICYCLE, _BICYCLE)
        self.stage.put(mesh, self.paints(materials), x=self.plan.x(s, z), z=z, heading=turned(turn), thing=True)

    def _ridden(
        self, mesh: Mesh, materials: tuple[M, ...], rider: Mesh, helmet: float, s: float, z: float, heading: Heading,
        *, flip: float = 1.0,
    ) -> None:  # fmt: skip
        x, high = self.plan.x(s, z), self.dice.between(0.92, 1.06)
        self.stage.put(mesh, self.paints(materials), x=x, z=z, heading=heading, thing=True)
        clothes = person_paints(self.dice, helmet=helmet)
        self.stage.put(rider, clothes, x=x, z=z - 0.02, size=(flip, high, 1.0), thing=True)
