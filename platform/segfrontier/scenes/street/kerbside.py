"""What stands on the walkways: street trees, lamp posts, signs, traffic lights, bollards, utility poles."""

from __future__ import annotations

from segfrontier.scenes.street import furniture as fur
from segfrontier.scenes.street.dice import Dice
from segfrontier.scenes.street.materials import Material as M
from segfrontier.scenes.street.materials import Paint
from segfrontier.scenes.street.mesh import Mesh
from segfrontier.scenes.street.plan import StreetPlan, StreetSide
from segfrontier.scenes.street.plot import plant
from segfrontier.scenes.street.stage import Stage


class Kerb:
    """A side of the street with the tools to furnish it."""

    def __init__(self, dice: Dice, plan: StreetPlan, stage: Stage, side: StreetSide) -> None:
        self.dice, self.plan, self.stage, self.side = dice, plan, stage, side
        self.metal = Paint(M.POLE, dice.unit(), dice.unit())

    def at(self, z: float, inset: float = 0.5) -> float:
        """World x of a point `inset` metres behind the kerb."""
        return self.plan.x(self.side.sign * (self.side.kerb + inset), z)

    def post(self, x: float, z: float, high: float, thick: float, metal: Paint | None = None) -> None:
        """A round pole."""
        paint = self.metal if metal is None else metal
        self.stage.put(fur.POLE, (paint,), x=x, z=z, size=(thick, high, 1.0), thin=True)

    def fix(self, mesh: Mesh, paints: tuple[Paint, ...], x: float, y: float, z: float, scale: float = 1.0) -> None:
        """Something on a pole, just in front of it."""
        self.stage.put(mesh, paints, x=x, y=y, z=z - 0.05, size=(scale, scale, 1.0))


def _sign_paints(dice: Dice, *, guide: bool = False) -> tuple[Paint, ...]:
    variant, tone = dice.unit(), dice.unit()
    rim = Paint(M.SIGN_GUIDE if guide else M.SIGN_RIM, variant, tone)
    face = Paint(M.SIGN_FACE, 0.0 if guide else variant, tone)
    return (rim, rim, face)


def _signal_paints(dice: Dice, metal: Paint) -> tuple[Paint, ...]:
    housing = Paint(M.HOUSING, dice.unit(), dice.unit())
    lit = dice.below(3)
    lamps = [Paint(m if i == lit else M.UNLIT, 0.5, 0.5) for i, m in enumerate((M.RED_LIT, M.AMBER_LIT, M.GREEN_LIT))]
    return (metal, housing, housing, *lamps)


def _sign_post(k: Kerb, z: float) -> None:
    dice, x = k.dice, k.at(z, k.dice.between(0.3, 0.9))
    high = dice.between(2.3, 3.2)
    k.post(x, z, high, 0.08)
    y = high - 0.3
    for _ in range(1 + dice.below(2)):
        k.fix(dice.pick(fur.SMALL_SIGNS), _sign_paints(dice), x, y, z, dice.between(0.75, 1.1))
        y -= 0.8
    if dice.chance(0.15):
        k.fix(fur.NAME_SIGN, _sign_paints(dice), x + 0.4, high, z)


def _lamp_post(k: Kerb, z: float, *, arm: bool, high: float) -> None:
    x = k.at(z)
    k.post(x, z, high, 0.16)
    glass = (k.metal, Paint(M.LAMP_GLASS, k.dice.unit(), 0.5))
    if not arm:
        k.fix(fur.GLOBE, glass, x, high, z)
        return
    reach = -k.side.sign * 1.8
    k.stage.put(fur.ARM, (k.metal,), x=x, y=high - 0.1, z=z, size=(reach, 1.4, 1.0))
    k.fix(fur.LAMP_HEAD, glass, x + reach, high - 0.02, z, 1.1)


def _traffic_light(k: Kerb, z: float, *, gantry: bool) -> None:
    dice, x = k.dice, k.at(z)
    k.post(x, z, 5.8 if gantry else 3.4, 0.14)
    k.fix(fur.LIGHT, _signal_paints(dice, k.metal), x, 2.4, z)
    if gantry:
        reach = -k.side.sign * dice.between(3.5, 5.5)
        k.stage.put(fur.ARM, (k.metal,), x=x, y=5.6, z=z, size=(reach, 1.6, 1.0))
        k.fix(fur.LIGHT, _signal_paints(dice, k.metal), x + reach * 0.92, 4.9, z, 1.1)
    if dice.chance(0.5):
        k.fix(fur.PEDESTRIAN_LIGHT, _signal_paints(dice, k.metal), x + 0.35, 2.2, z)
    if dice.chance(0.4):
        k.fix(dice.pick(fur.SMALL_SIGNS), _sign_paints(dice), x - 0.05, 3.9, z)


def _guide_sign(k: Kerb, z: float) -> None:
    x = k.at(z, 1.0)
    for shift in (-0.9, 0.9):
        k.post(x + shift, z, 3.0, 0.1)
    k.fix(fur.GUIDE_SIGN, _sign_paints(k.dice, guide=True), x, 3.2, z, k.dice.between(0.7, 1.1))


def _bollards(k: Kerb, z: float) -> None:
    pitch = k.dice.between(1.5, 2.2)
    for i in range(4 + k.dice.below(5)):
        k.post(k.at(z + i * pitch, 0.45), z + i * pitch, 0.95, 0.12)


def _tree_row(k: Kerb) -> None:
    dice, side = k.dice, k.side
    inset = side.verge / 2 if side.verge else 0.7
    pitch, scale = dice.between(7.0, 13.0), dice.between(0.75, 1.2)
    kind = dice.weighted(("tree", "bare"), (9, 1))
    z = dice.between(7.0, 7.0 + pitch)
    while z < min(k.plan.end, 110.0):
        if not k.plan.in_crossing(z, 4.0) and dice.chance(0.88):
            plant(dice, k.stage, kind, k.at(z, inset), z, scale * dice.between(0.9, 1.1))
        z += pitch


def _poles(k: Kerb) -> None:
    """Lamps or utility poles at regular distances."""
    dice = k.dice
    style, high = dice.weighted(("arm", "globe", "wood", "none"), (4, 2, 1.0, 2.5)), dice.between(5.5, 8.5)
    if style == "none":
        return
    pitch = dice.between(16.0, 28.0)
    z = dice.between(8.0, 8.0 + pitch)
    wood = Paint(M.WOOD_POLE, dice.unit(), dice.unit())
    while z < min(k.plan.end, 120.0):
        if style == "wood":
            x = k.at(z, 0.6)
            k.post(x, z, high + 1.0, 0.26, wood)
            k.stage.put(fur.ARM, (wood,), x=x - 0.8, y=high + 0.4, z=z, size=(1.6, 1.0, 1.0))
        else:
            _lamp_post(k, z, arm=style == "arm", high=high if style == "arm" else high * 0.6)
        z += pitch


def furnish(dice: Dice, plan: StreetPlan, stage: Stage) -> None:
    """Put the street furniture on both walkways."""
    for side in plan.sides:
        k = Kerb(dice, plan, stage, side)
        if dice.chance(plan.district.trees):
            _tree_row(k)
        _poles(k)
        for _ in range(dice.below(5)):
            _sign_post(k, dice.between(13.0, 70.0))
        if dice.chance(0.06):
            _guide_sign(k, dice.between(14.0, 45.0))
        if dice.chance(plan.district.bollards):
            _bollards(k, dice.between(8.0, 20.0))
        if plan.crossing is not None and dice.chance(0.7):
            _traffic_light(k, plan.crossing[0] - 1.2, gantry=dice.chance(0.35))
            _traffic_light(k, plan.crossing[1] + 1.0, gantry=dice.chance(0.2))
        elif dice.chance(0.2):
            _traffic_light(k, dice.between(16.0, 50.0), gantry=dice.chance(0.4))
