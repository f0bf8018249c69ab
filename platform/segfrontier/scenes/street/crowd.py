"""Persons on foot: alone, in groups, at the kerb, crossing the street."""

from __future__ import annotations

from segfrontier.scenes.street import people
from segfrontier.scenes.street.dice import Dice
from segfrontier.scenes.street.materials import Material as M
from segfrontier.scenes.street.materials import Paint
from segfrontier.scenes.street.plan import StreetPlan
from segfrontier.scenes.street.stage import Stage


def person_paints(dice: Dice, *, helmet: float = 0.0) -> tuple[Paint, ...]:
    """Clothes for a person; `helmet` is the chance of wearing one."""
    head = M.HELMET if helmet > 0 and dice.chance(helmet) else M.HAIR
    unit = dice.unit
    return tuple(Paint(m, unit(), unit()) for m in (M.TROUSERS, M.TOP, M.SKIN, head, M.SHOES, M.BAG))


def _person(dice: Dice, stage: Stage, x: float, z: float) -> None:
    child = dice.chance(0.08)
    high = dice.between(0.6, 0.8) if child else dice.between(0.92, 1.08)
    wide = high * dice.between(0.92, 1.15) * (1.0 if dice.chance(0.5) else -1.0)
    mesh = dice.weighted(people.PERSONS, (2.0, 3.0, 1.0, 1.6, 1.4))
    stage.put(mesh, person_paints(dice), x=x, z=z, size=(wide, high, 1.0), thing=True)


def _group(dice: Dice, plan: StreetPlan, stage: Stage, s: float, z: float) -> None:
    """One to five persons who walk together."""
    for _ in range(dice.weighted((1, 2, 3, 4, 5), (5, 3, 1.3, 0.7, 0.5))):
        _person(dice, stage, plan.x(s + dice.between(-0.7, 0.7), z), z)
        z += dice.between(0.0, 1.0)


def fill_walkways(dice: Dice, plan: StreetPlan, stage: Stage) -> None:
    """Put the persons on the stage."""
    for side in plan.sides:
        mean = 100.0 / max(plan.district.walkers * dice.between(0.1, 2.2), 0.05)
        z = dice.between(7.0, 7.0 + mean)
        while z < min(plan.end, 75.0):
            s = side.sign * dice.between(side.path + 0.4, side.line - 0.3)
            _group(dice, plan, stage, s, z)
            z += 1.0 + mean * dice.between(0.1, 1.9)
    spots = [z - 3.2 for z in plan.crossing[:1]] if plan.crossing is not None else []
    if dice.chance(0.1):
        spots.append(dice.between(12.0, 45.0))
    for z in spots:
        for _ in range(dice.below(4)):
            s = dice.between(-plan.sides[0].kerb, plan.sides[1].kerb)
            _person(dice, stage, plan.x(s, z), z + dice.between(-1.0, 1.0))
