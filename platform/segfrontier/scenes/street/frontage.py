"""What lines a street: plots with shops, houses, yards behind fences and walls, greens, works, and the far end."""

from __future__ import annotations

from collections.abc import Callable

from segfrontier.scenes.street.dice import Dice
from segfrontier.scenes.street.houses import BACKDROP, STOREY
from segfrontier.scenes.street.materials import Paint
from segfrontier.scenes.street.plan import StreetPlan, StreetSide
from segfrontier.scenes.street.plot import WINDOWS, Plot, plant
from segfrontier.scenes.street.stage import Stage

_MARGIN = 2.0
"""Metres between a cross street and the plots at its corners."""


def _storeys(p: Plot) -> int:
    low, high = p.plan.district.storeys
    return low + p.dice.below(high - low + 1)


def _shops(p: Plot) -> None:
    p.house(setback=0.0, storeys=_storeys(p), shop=True, gable=p.dice.chance(0.25))


def _house(p: Plot) -> None:
    p.house(setback=0.0, storeys=_storeys(p), shop=p.dice.chance(0.12), gable=p.dice.chance(0.5))


def _yard(p: Plot) -> None:
    setback = p.dice.between(2.5, 8.0)
    p.house(setback=setback, storeys=_storeys(p), shop=False, gable=p.dice.chance(0.75))
    kind = p.dice.weighted(("hedge", "fence", "wall", "none"), (3.2, 3.6, 1.0, 1.7))
    p.boundary(kind, p.dice.between(0.9, 1.7), gate=2.0 if p.dice.chance(0.5) else 0.0)
    p.plants(p.dice.below(4), (0.8, setback), bushes=0.5)


def _green(p: Plot) -> None:
    p.plants(3 + p.dice.below(4), (2.0, 14.0), bushes=0.25)
    p.boundary(p.dice.weighted(("hedge", "fence", "none"), (1.0, 1.8, 3.0)), p.dice.between(0.7, 1.4))


def _grove(p: Plot) -> None:
    """A closed mass of trees."""
    for behind in (12.0, 7.0, 3.0):
        p.plants(2 + p.dice.below(2), (behind, behind + 4.0), bushes=0.12)
    p.plants(2, (0.6, 2.0), bushes=1.0)
    kind = p.dice.weighted(("hedge", "fence", "wall", "none"), (1.0, 2.0, 0.5, 3.0))
    p.boundary(kind, p.dice.between(0.8, 1.8))


def _walled(p: Plot) -> None:
    p.plants(2 + p.dice.below(3), (2.5, 8.0), bushes=0.0)
    if p.dice.chance(0.4):
        p.house(setback=p.dice.between(5.0, 10.0), storeys=_storeys(p), shop=False, gable=p.dice.chance(0.5))
    p.boundary("wall", p.dice.between(1.6, 3.6))


def _works(p: Plot) -> None:
    p.house(setback=p.dice.between(4.0, 12.0), storeys=_storeys(p), shop=False, gable=False)
    p.boundary("fence" if p.dice.chance(0.85) else "wall", p.dice.between(1.6, 2.6))
    p.plants(p.dice.below(3), (1.0, 4.0), bushes=0.6)


def _nothing(p: Plot) -> None:
    """An open gap."""


_LOTS: dict[str, tuple[Callable[[Plot], None], tuple[float, float]]] = {
    "shops": (_shops, (8.0, 17.0)),
    "house": (_house, (8.0, 15.0)),
    "yard": (_yard, (9.0, 16.0)),
    "green": (_green, (10.0, 18.0)),
    "grove": (_grove, (10.0, 18.0)),
    "wall": (_walled, (10.0, 20.0)),
    "works": (_works, (14.0, 24.0)),
    "gap": (_nothing, (3.0, 6.0)),
}
"""How to build each kind of plot, and its shortest and longest front."""


def _line(dice: Dice, plan: StreetPlan, stage: Stage, side: StreetSide) -> None:
    """Plots along one side, from beside the camera to the end, with a hole where a street crosses."""
    names, weights = list(plan.district.lots), list(plan.district.lots.values())
    hole = plan.crossing
    z = dice.between(1.0, 8.0)
    while z < plan.end:
        build, lengths = _LOTS[dice.weighted(names, weights)]
        end = z + dice.between(*lengths)
        if hole is not None and end > hole[0] - _MARGIN:
            end, after, hole = hole[0] - _MARGIN, hole[1] + _MARGIN, None
        else:
            after = end
        if end - z > 3.0:
            build(Plot(dice, plan, stage, side, (z, end)))
        z = after


def _far_end(dice: Dice, plan: StreetPlan, stage: Stage) -> None:
    """Buildings and trees that close the view."""
    leafy = dice.chance(0.45)
    middle = plan.x(0.0, plan.end)
    for i in range(12):
        x, z = middle + (i - 5.5) * 9.0 + dice.between(-3.0, 3.0), plan.end + dice.between(8.0, 40.0)
        if dice.chance(0.75 if leafy else 0.3):
            plant(dice, stage, "tree", x, z, dice.between(1.1, 1.9))
        else:
            facade = Paint(dice.pick(list(WINDOWS)), dice.unit(), dice.unit())
            size = (dice.between(10.0, 18.0), (3 + dice.below(5)) * STOREY, 1.0)
            stage.put(BACKDROP, (facade,), x=x, z=z, size=size)


def line_street(dice: Dice, plan: StreetPlan, stage: Stage) -> None:
    """Fill both sides of the street with plots and close the view."""
    for side in plan.sides:
        _line(dice, plan, stage, side)
    _far_end(dice, plan, stage)
