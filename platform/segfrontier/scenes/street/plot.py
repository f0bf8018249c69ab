"""One plot of land beside the street and what can be built on it: houses, boundaries, plants."""

from __future__ import annotations

from collections.abc import Sequence

from segfrontier.scenes.street.dice import Dice
from segfrontier.scenes.street.houses import BALCONY, FENCES, STOREY, WALL, building
from segfrontier.scenes.street.materials import Material as M
from segfrontier.scenes.street.materials import Paint
from segfrontier.scenes.street.mesh import Mesh
from segfrontier.scenes.street.plan import StreetPlan, StreetSide
from segfrontier.scenes.street.plants import BARE_TREES, BUSHES, CONIFERS, DISTANT_TREES, HEDGE, STREET_TREES
from segfrontier.scenes.street.stage import Stage

WINDOWS: dict[M, tuple[int, float]] = {
    M.FACADE_TALL: (2, 5.2),
    M.FACADE_WIDE: (1, 6.8),
    M.FACADE_SMALL: (3, 6.0),
    M.FACADE_GLASS: (4, 4.4),
    M.FACADE_OLD: (2, 4.8),
}
"""Facades: windows across their tile, and the tile's metres, so that a front holds a whole number of windows."""
DISTANT = 50.0
"""Trees farther away than this have simpler crowns."""


def leaf_paints(dice: Dice, *, hedge: bool = False) -> tuple[Paint, Paint, Paint]:
    """Shaded, plain and sunlit leaves of one plant."""
    variant, tone = dice.unit(), dice.unit()
    inner, middle = (M.HEDGE, M.HEDGE) if hedge else (M.LEAVES_DARK, M.LEAVES)
    return Paint(inner, variant, tone), Paint(middle, variant, tone), Paint(M.LEAVES_LIT, variant, tone)


def plant(dice: Dice, stage: Stage, kind: str, x: float, z: float, scale: float) -> None:
    """A tree or bush of a kind ('tree', 'conifer', 'bare', 'bush') at a world place."""
    trees = STREET_TREES if z < DISTANT else DISTANT_TREES
    meshes = {"tree": trees, "conifer": CONIFERS, "bare": BARE_TREES, "bush": BUSHES}[kind]
    flip = 1.0 if dice.chance(0.5) else -1.0
    paints = (Paint(M.TRUNK, dice.unit(), dice.unit()), *leaf_paints(dice))
    size = (flip * scale * dice.between(0.85, 1.15), scale * dice.between(0.85, 1.15), 1.0)
    stage.put(dice.pick(meshes), paints, x=x, z=z, size=size)


class Plot:
    """A stretch of one side of the street, from z to z, behind the front line."""

    def __init__(self, dice: Dice, plan: StreetPlan, stage: Stage, side: StreetSide, z: tuple[float, float]) -> None:
        self.dice, self.plan, self.stage, self.side, self.z = dice, plan, stage, side, z
        self.heading = plan.heading((z[0] + z[1]) / 2, back=side.sign < 0)
        self.length = z[1] - z[0]

    def paint(self, *choices: M) -> Paint:
        """Fresh colours of one of some materials."""
        return Paint(self.dice.pick(choices), self.dice.unit(), self.dice.unit())

    def put(
        self, mesh: Mesh, paints: Sequence[Paint], size: tuple[float, float, float], *, behind: float = 0.0,
        rank: int = 0, start: float = 0.0, y: float = 0.0, stretch: float = 1.0,
    ) -> None:  # fmt: skip
        """A unit block along the street, `behind` the front line and `start` metres into the plot.

        Of one plot's things, those of a higher rank are painted first.
        """
        near = self.z[0] + start
        z = near if self.side.sign > 0 else near + size[2]
        x = self.plan.x(self.side.sign * (self.side.line + behind), z)
        key = self.z[1] + 0.02 * rank
        self.stage.put(mesh, paints, x=x, y=y, z=z, size=size, heading=self.heading, key=key, texture=(near, stretch))

    def house(self, *, setback: float, storeys: int, shop: bool, gable: bool) -> None:
        """A building with facade, ground floor, trim, door, awnings and balconies."""
        dice = self.dice
        style = dice.weighted(list(WINDOWS), self.plan.district.facades)
        across, metres = WINDOWS[style]
        windows = max(1, round(self.length * across / metres))
        variant, tone = dice.unit(), dice.unit()
        awnings = dice.below(4) if shop and dice.chance(0.45) else 0
        walls = Paint(style, variant, tone), Paint(M.PLASTER, variant, tone)
        paints = (*walls, *(self.paint(m) for m in (M.SHOP, M.TRIM, M.DOOR, M.AWNING, M.ROOF)))
        size = (dice.between(9.0, 14.0), storeys * STOREY, self.length)
        mesh, stretch = (
            building(storeys, shop=shop, gable=gable, awnings=awnings),
            windows * metres / (across * size[2]),
        )
        self.put(mesh, paints, size, behind=setback, rank=4, stretch=stretch)
        if storeys > 2 and not gable and dice.chance(0.25):
            self._balconies(setback, min(storeys, 5))

    def _balconies(self, setback: float, storeys: int) -> None:
        rail, long = (self.paint(M.FENCE_BARS, M.TRIM, M.FENCE_BARS),), self.length * 0.16
        for floor in range(1, storeys):
            for share in (0.7, 0.25):
                place, y = self.length * share, floor * STOREY + 0.05
                self.put(BALCONY, rail, (0.9, 1.0, long), behind=setback - 0.9, rank=3, start=place, y=y)

    def boundary(self, kind: str, high: float, *, gate: float = 0.0) -> None:
        """A wall, fence or hedge along the front line but for a gate, or nothing."""
        length = self.length - gate
        if kind == "hedge":
            self.put(HEDGE, (self.paint(M.TRUNK), *leaf_paints(self.dice, hedge=True)), (0.9, high, length), rank=2)
        elif kind == "wall":
            face = self.paint(M.STONE_WALL, M.BRICK_WALL, M.CONCRETE_WALL, M.PLASTER, M.STONE_WALL)
            self.put(WALL, (face, self.paint(M.COPING)), (0.35, high, length), rank=2)
        elif kind == "fence":
            panel = self.paint(M.FENCE_BARS, M.FENCE_MESH, M.FENCE_PLANKS, M.FENCE_BARS)
            self.put(self.dice.pick(FENCES), (panel, self.paint(M.FENCE_POST)), (0.1, high, length), rank=1)

    def plants(self, count: int, behind: tuple[float, float], *, bushes: float) -> None:
        """Trees and bushes at random places of the plot, `behind` its front line."""
        for _ in range(count):
            deep, z = self.dice.between(*behind), self.z[0] + self.length * self.dice.unit()
            x = self.plan.x(self.side.sign * (self.side.line + deep), z)
            bush = self.dice.chance(bushes)
            kind = "bush" if bush else self.dice.weighted(("tree", "conifer", "bare"), (8.0, 1.2, 0.5))
            plant(self.dice, self.stage, kind, x, max(z, 5.0), self.dice.between(0.8, 1.3))
