"""What lines a street: plots with shops, houses, yards behind fences and walls, greens, works, and the far end."""

from __future__ import annotations

from collections.abc import Callable

from segfrontier.scenes.street.dice import Dice
from segfrontier.scenes.street.houses import BACKDROP, BALCONY, FENCES, STOREY, WALL, building
from segfrontier.scenes.street.materials import Material as M
from segfrontier.scenes.street.materials import Paint
from segfrontier.scenes.street.plan import Plan, Side
from segfrontier.scenes.street.plants import BARE_TREES, BUSHES, CONIFERS, DISTANT_TREES, HEDGE, STREET_TREES
from segfrontier.scenes.street.stage import Stage

_FACADES = (M.FACADE_TALL, M.FACADE_WIDE, M.FACADE_SMALL, M.FACADE_GLASS, M.FACADE_OLD)
_PANES_ACROSS = {M.FACADE_TALL: 2, M.FACADE_WIDE: 1, M.FACADE_SMALL: 3, M.FACADE_GLASS: 4, M.FACADE_OLD: 2}
_PITCH = {M.FACADE_TALL: 5.2, M.FACADE_WIDE: 6.8, M.FACADE_SMALL: 6.0, M.FACADE_GLASS: 4.4, M.FACADE_OLD: 4.8}
_STYLES = {
    "centre": (3, 2, 2, 1.2, 3),
    "avenue": (3, 2, 3, 0.6, 2),
    "suburb": (2, 1, 4, 0.1, 2),
    "edge": (1, 3, 3, 1.0, 1),
}


class Plot:
    """One plot of land beside the street, with the tools to build on it."""

    def __init__(self, dice: Dice, plan: Plan, stage: Stage, side: Side, z: tuple[float, float]) -> None:
        self.dice, self.plan, self.stage, self.side, self.z = dice, plan, stage, side, z
        self.heading = plan.heading((z[0] + z[1]) / 2, back=side.sign < 0)

    def paint(self, material: M) -> Paint:
        """A fresh choice of a material's colours."""
        return Paint(material, self.dice.unit(), self.dice.unit())

    def corner(self, setback: float) -> tuple[float, float]:
        """World (x, z) of the corner where a block's own z is 0, `setback` metres behind the front line."""
        z = self.z[0] if self.side.sign > 0 else self.z[1]
        s = self.side.sign * (self.side.line + setback)
        return self.plan.x(s, z), z

    def along(self, share: float, behind: float) -> tuple[float, float]:
        """World (x, z) at a share of the plot's length, `behind` metres behind the front line."""
        z = self.z[0] + (self.z[1] - self.z[0]) * share
        return self.plan.x(self.side.sign * (self.side.line + behind), z), z

    @property
    def length(self) -> float:
        """Metres along the street."""
        return self.z[1] - self.z[0]


def _house(p: Plot, *, setback: float, storeys: int, shop: bool, gable: bool) -> None:
    """A building with facade, ground floor, trim, door, awnings and balconies, `setback` metres behind the line."""
    dice, length = p.dice, p.length
    style = dice.weighted(_FACADES, _STYLES[p.plan.district.name])
    windows = max(1, round(length * _PANES_ACROSS[style] / _PITCH[style]))
    stretch = windows * _PITCH[style] / (_PANES_ACROSS[style] * length)
    variant, tone = dice.unit(), dice.unit()
    awnings = dice.below(4) if shop and dice.chance(0.45) else 0
    paints = (
        Paint(style, variant, tone),
        Paint(M.PLASTER, variant, tone),
        p.paint(M.SHOP),
        p.paint(M.TRIM),
        p.paint(M.DOOR),
        p.paint(M.AWNING),
        p.paint(M.ROOF),
    )
    mesh = building(storeys, shop=shop, gable=gable, awnings=awnings)
    x, z = p.corner(setback)
    size = (dice.between(9.0, 14.0), storeys * STOREY, length)
    key = p.z[1] + 0.1 + setback * 0.01
    p.stage.put(mesh, paints, x=x, z=z, size=size, heading=p.heading, key=key, texture=(p.z[0], stretch))
    if storeys > 2 and not gable and dice.chance(0.25):
        _balconies(p, setback, storeys, length)


def _balconies(p: Plot, setback: float, storeys: int, length: float) -> None:
    paint = (p.paint(p.dice.pick((M.FENCE_BARS, M.TRIM, M.FENCE_BARS))),)
    for floor in range(1, min(storeys, 5)):
        for share in (0.25, 0.7):
            x, z = p.along(share, setback - 0.9)
            long = length * 0.16
            place = z if p.side.sign > 0 else z + long
            p.stage.put(
                BALCONY,
                paint,
                x=x,
                z=place,
                y=floor * STOREY + 0.05,
                size=(0.9, 1.0, long),
                heading=p.heading,
                key=p.z[1] + 0.05,
            )


def _boundary(p: Plot, kind: str, high: float, *, shrink: float = 0.0) -> None:
    """A wall, fence or hedge along the front line, or nothing."""
    x, z = p.corner(0.0)
    length = p.length - shrink
    if kind == "hedge":
        paints = (p.paint(M.TRUNK), *_leaf_paints(p.dice, hedge=True))
        p.stage.put(HEDGE, paints, x=x, z=z, size=(0.9, high, length), heading=p.heading, key=p.z[1] + 0.03)
    elif kind == "wall":
        face = p.paint(p.dice.weighted((M.STONE_WALL, M.BRICK_WALL, M.CONCRETE_WALL, M.PLASTER), (3, 2, 3, 2)))
        paints = (face, p.paint(M.COPING))
        p.stage.put(WALL, paints, x=x, z=z, size=(0.35, high, length), heading=p.heading, key=p.z[1] + 0.03)
    elif kind == "fence":
        paints = (
            p.paint(p.dice.pick((M.FENCE_BARS, M.FENCE_MESH, M.FENCE_PLANKS, M.FENCE_BARS))),
            p.paint(M.FENCE_POST),
        )
        p.stage.put(
            p.dice.pick(FENCES), paints, x=x, z=z, size=(0.1, high, length), heading=p.heading, key=p.z[1] + 0.02
        )


def _leaf_paints(dice: Dice, *, hedge: bool = False) -> tuple[Paint, Paint, Paint]:
    variant, tone = dice.unit(), dice.unit()
    inner, middle = (M.HEDGE, M.HEDGE) if hedge else (M.LEAVES_DARK, M.LEAVES)
    return Paint(inner, variant, tone), Paint(middle, variant, tone), Paint(M.LEAVES_LIT, variant, tone)


def plant(dice: Dice, stage: Stage, kind: str, x: float, z: float, scale: float) -> None:
    """A tree or bush of a kind ('tree', 'conifer', 'bare', 'bush') at a world place."""
    meshes = {
        "tree": STREET_TREES if z < 50.0 else DISTANT_TREES,
        "conifer": CONIFERS,
        "bare": BARE_TREES,
        "bush": BUSHES,
    }[kind]
    flip = 1.0 if dice.chance(0.5) else -1.0
    paints = (Paint(M.TRUNK, dice.unit(), dice.unit()), *_leaf_paints(dice))
    size = (flip * scale * dice.between(0.85, 1.15), scale * dice.between(0.85, 1.15), 1.0)
    stage.put(dice.pick(meshes), paints, x=x, z=z, size=size)


def _trees(p: Plot, count: int, behind: tuple[float, float], *, bushes: float) -> None:
    for _ in range(count):
        deep = p.dice.between(*behind)
        x, z = p.along(p.dice.unit(), deep)
        kind = "bush" if p.dice.chance(bushes) else p.dice.weighted(("tree", "conifer", "bare"), (8, 1.2, 0.5))
        plant(p.dice, p.stage, kind, x, max(z, 5.0), p.dice.between(0.8, 1.3))


def _shops(p: Plot) -> None:
    low, high = p.plan.district.storeys
    _house(p, setback=0.0, storeys=low + p.dice.below(high - low + 1), shop=True, gable=p.dice.chance(0.25))


def _plain_house(p: Plot) -> None:
    low, high = p.plan.district.storeys
    storeys = low + p.dice.below(high - low + 1)
    _house(p, setback=0.0, storeys=storeys, shop=p.dice.chance(0.12), gable=p.dice.chance(0.5))


def _yard(p: Plot) -> None:
    low, high = p.plan.district.storeys
    setback = p.dice.between(2.5, 8.0)
    _house(p, setback=setback, storeys=low + p.dice.below(max(1, high - low)), shop=False, gable=p.dice.chance(0.75))
    kind = p.dice.weighted(("hedge", "fence", "wall", "none"), (3.2, 3.6, 1.5, 1.7))
    _boundary(p, kind, p.dice.between(0.9, 1.7), shrink=0.0 if p.dice.chance(0.5) else 2.0)
    _trees(p, p.dice.below(4), (0.8, setback), bushes=0.5)


def _green(p: Plot) -> None:
    _trees(p, 3 + p.dice.below(4), (2.0, 14.0), bushes=0.25)
    _boundary(p, p.dice.weighted(("hedge", "fence", "none"), (1.0, 1.6, 3.0)), p.dice.between(0.7, 1.4))


def _grove(p: Plot) -> None:
    """A closed mass of trees."""
    for behind in (12.0, 7.0, 3.0):
        _trees(p, 2 + p.dice.below(2), (behind, behind + 4.0), bushes=0.12)
    _trees(p, 2, (0.6, 2.0), bushes=1.0)
    _boundary(p, p.dice.weighted(("hedge", "fence", "wall", "none"), (1.0, 1.8, 0.8, 3.0)), p.dice.between(0.8, 1.8))


def _walled(p: Plot) -> None:
    _trees(p, 2 + p.dice.below(3), (2.5, 8.0), bushes=0.0)
    if p.dice.chance(0.4):
        _house(p, setback=p.dice.between(5.0, 10.0), storeys=2 + p.dice.below(3), shop=False, gable=p.dice.chance(0.5))
    _boundary(p, "wall", p.dice.between(1.4, 3.4))


def _works(p: Plot) -> None:
    _house(p, setback=p.dice.between(4.0, 12.0), storeys=2 + p.dice.below(2), shop=False, gable=False)
    _boundary(p, "fence" if p.dice.chance(0.8) else "wall", p.dice.between(1.6, 2.6))
    _trees(p, p.dice.below(3), (1.0, 4.0), bushes=0.6)


_LOTS: dict[str, tuple[Callable[[Plot], None] | None, tuple[float, float]]] = {
    "shops": (_shops, (8.0, 17.0)),
    "house": (_plain_house, (8.0, 15.0)),
    "yard": (_yard, (9.0, 16.0)),
    "green": (_green, (10.0, 18.0)),
    "grove": (_grove, (10.0, 18.0)),
    "wall": (_walled, (10.0, 20.0)),
    "works": (_works, (14.0, 24.0)),
    "gap": (None, (3.0, 6.0)),
}


def _far_end(dice: Dice, plan: Plan, stage: Stage) -> None:
    """Buildings and trees that close the view."""
    leafy = dice.chance(0.45)
    middle = plan.x(0.0, plan.end)
    for i in range(12):
        x, z = middle + (i - 5.5) * 9.0 + dice.between(-3.0, 3.0), plan.end + dice.between(8.0, 40.0)
        if dice.chance(0.75 if leafy else 0.3):
            plant(dice, stage, "tree", x, z, dice.between(1.0, 1.7))
        else:
            style, storeys = dice.pick(_FACADES), 2 + dice.below(5)
            size = (dice.between(9.0, 16.0), storeys * STOREY, 1.0)
            stage.put(BACKDROP, (Paint(style, dice.unit(), dice.unit()),), x=x, z=z, size=size)


def line_street(dice: Dice, plan: Plan, stage: Stage) -> None:
    """Fill both sides of the street with plots, from the camera to the end, and close the view."""
    names = list(plan.district.lots)
    weights = [plan.district.lots[n] for n in names]
    for side in plan.sides:
        z = dice.between(1.0, 8.0)
        while z < plan.end:
            build, (short, long) = _LOTS[dice.weighted(names, weights)]
            end = z + dice.between(short, long)
            if plan.crossing is not None and z < plan.crossing[1] + 2.0 and end > plan.crossing[0] - 2.0:
                end = plan.crossing[0] - 2.0
            if end - z > 3.0 and build is not None:
                build(Plot(dice, plan, stage, side, (z, end)))
            z = max(z, end)
            if plan.crossing is not None and plan.crossing[0] - 2.5 <= z < plan.crossing[1] + 2.0:
                z = plan.crossing[1] + 2.0
    _far_end(dice, plan, stage)
