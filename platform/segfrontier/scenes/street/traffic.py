"""Where vehicles are: parked at the kerb, driving in the lanes, on the cross street, left on the walkways."""

from __future__ import annotations

from segfrontier.scenes.street.dice import Dice
from segfrontier.scenes.street.fleet import Fleet
from segfrontier.scenes.street.plan import StreetPlan
from segfrontier.scenes.street.stage import Stage

_DRIVING = {"car": 0.914, "truck": 0.012, "bus": 0.021, "motorcycle": 0.03, "cyclist": 0.028}
_CROSSING = {"car": 6.0, "truck": 0.2, "bus": 0.25, "cyclist": 0.8}


def _kind(dice: Dice, weights: dict[str, float]) -> str:
    return dice.weighted(list(weights), list(weights.values()))


def _park(fleet: Fleet) -> None:
    dice, plan = fleet.dice, fleet.plan
    for side in plan.sides:
        if not side.parking:
            continue
        s, z = side.sign * (side.kerb - 1.05), dice.between(6.0, 15.0)
        taken = plan.district.parked * dice.between(0.4, 1.5)
        while z < min(plan.end, 90.0):
            end = z + 4.5
            if dice.chance(taken) and not plan.in_crossing(end, 10.0):
                if dice.chance(0.03):
                    fleet.parked_cycle(s, z + 1.0, dice.between(-0.3, 0.3), motor=True)
                else:
                    kind = "truck" if dice.chance(0.006) else "car"
                    wrong_way = dice.chance(0.12)
                    end = fleet.vehicle(kind, s + dice.between(-0.12, 0.12), z, back=(side.sign < 0) != wrong_way)
            z = end + dice.between(0.8, 2.2)


def _drive(fleet: Fleet) -> None:
    dice, plan = fleet.dice, fleet.plan
    for i in range(2 * plan.lanes):
        back = i < plan.lanes
        s = (i - plan.lanes + 0.5) * plan.lane
        if plan.tram is not None and abs(s - plan.tram) < 0.6 and dice.chance(0.3):
            fleet.vehicle("train", plan.tram, dice.between(12.0, 45.0), back=back)
            continue
        mean = 100.0 / max(plan.district.traffic * dice.between(0.3, 1.9), 0.05)
        own = not back and i == plan.lanes
        z = dice.between(7.0, 10.0 + mean) if own else dice.between(5.0, 6.0 + mean)
        while z < min(plan.end, 130.0):
            z = _next(fleet, s + dice.between(-0.3, 0.3), z, back=back) + 3.0 + mean * dice.between(0.1, 1.9)


def _next(fleet: Fleet, s: float, z: float, *, back: bool) -> float:
    """Whatever drives in a lane next; gives where it ends."""
    kind = _kind(fleet.dice, _DRIVING)
    if kind == "motorcycle":
        fleet.motorcyclist(s, z + 1.0, back=back)
    elif kind == "cyclist":
        fleet.cyclist(s + (-0.9 if back else 0.9), z + 1.0, back=back)
    else:
        return fleet.vehicle(kind, s, z, back=back)
    return z + 2.0


def _cross(fleet: Fleet) -> None:
    if fleet.plan.crossing is None:
        return
    dice, (z0, z1) = fleet.dice, fleet.plan.crossing
    for share, left in ((0.28, False), (0.72, True)):
        s = dice.between(-22.0, 0.0)
        for _ in range(dice.below(3)):
            kind, z = _kind(dice, _CROSSING), z0 + (z1 - z0) * share
            if kind == "cyclist":
                fleet.crossing_cyclist(s, z, left=left)
                s += dice.between(4.0, 9.0)
            else:
                s += 2 * fleet.crossing(kind, s, z, left=left) + dice.between(4.0, 10.0)


def _stand(fleet: Fleet) -> None:
    dice = fleet.dice
    for side in fleet.plan.sides:
        if not dice.chance(0.3):
            continue
        z, motor = dice.between(8.0, 28.0), dice.chance(0.18)
        s = side.sign * (side.path + (dice.between(0.4, 0.9) if dice.chance(0.6) else side.walk - 0.5))
        way = 1.0 if dice.chance(0.5) else -1.0
        for _ in range(2 + dice.below(7)):
            fleet.parked_cycle(s, z, way * dice.between(0.2, 0.6 if motor else 1.0), motor=motor)
            z += dice.between(0.6, 1.6)


def _ride(fleet: Fleet) -> None:
    dice = fleet.dice
    for side in fleet.plan.sides:
        s = side.sign * (side.kerb - (2.1 if side.parking else 0.3) - 0.7)
        for _ in range(dice.below(3) if dice.chance(0.5 if side.bike else 0.12) else 0):
            fleet.cyclist(s, dice.between(9.0, 45.0), back=side.sign < 0)


def fill_traffic(dice: Dice, plan: StreetPlan, stage: Stage) -> None:
    """Put all vehicles on the stage."""
    fleet = Fleet(dice, plan, stage)
    for act in (_park, _drive, _cross, _stand, _ride):
        act(fleet)
