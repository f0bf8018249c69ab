"""The plan of one street: its district, cross-section, bends and ends, drawn before anything is placed."""

from __future__ import annotations

import math
from dataclasses import dataclass

from segfrontier.scenes.street.dice import Dice
from segfrontier.scenes.street.stage import Heading


@dataclass(frozen=True, slots=True, kw_only=True)
class District:
    """What kind of place a street runs through: shares and rates from which its furniture is drawn."""

    name: str
    weight: float
    lots: dict[str, float]
    """Kinds of frontage and their weights."""
    storeys: tuple[int, int]
    facades: tuple[float, ...]
    """How often each kind of facade is seen, in the order of `plot.WINDOWS`."""
    walk: tuple[float, float]
    verge: float
    """Chance of a planted strip between kerb and walkway."""
    paved: float
    """Chance that the land behind a frontage is paved, not green."""
    trees: float
    """Chance of a row of street trees on a side."""
    bollards: float
    """Chance of a row of bollards on a side."""
    parked: float
    """Share of kerbside places that are taken."""
    traffic: float
    """Vehicles per 100 m and lane."""
    walkers: float
    """Persons per 100 m and side."""
    tram: float
    """Chance of tram tracks."""


# fmt: off
DISTRICTS = (
    District(
        name="centre", weight=0.36, lots={"shops": 7, "house": 3, "gap": 0.4, "green": 0.5, "wall": 0.2},
        storeys=(4, 7), facades=(3.0, 2.0, 2.0, 1.2, 3.0), walk=(3.4, 6.6), verge=0.06, paved=0.8, trees=0.4,
        bollards=0.3, parked=0.48, traffic=2.1, walkers=10.0, tram=0.3,
    ),
    District(
        name="avenue", weight=0.26,
        lots={"house": 5, "shops": 2, "yard": 2, "green": 1.0, "gap": 0.5, "wall": 0.25},
        storeys=(3, 6), facades=(3.0, 2.0, 3.0, 0.6, 2.0), walk=(2.8, 5.6), verge=0.35, paved=0.8, trees=0.85,
        bollards=0.05, parked=0.5, traffic=2.0, walkers=4.0, tram=0.22,
    ),
    District(
        name="suburb", weight=0.25,
        lots={"yard": 6, "house": 2, "green": 1.4, "gap": 0.5, "wall": 0.4, "grove": 1.6},
        storeys=(2, 3), facades=(2.0, 1.0, 4.0, 0.1, 2.0), walk=(2.0, 3.8), verge=0.45, paved=0.0, trees=0.55,
        bollards=0.0, parked=0.32, traffic=1.4, walkers=1.4, tram=0.04,
    ),
    District(
        name="edge", weight=0.15,
        lots={"green": 2.0, "grove": 3.0, "wall": 1.3, "works": 1.8, "yard": 1.2, "gap": 0.5},
        storeys=(2, 4), facades=(1.0, 3.0, 3.0, 1.0, 1.0), walk=(1.6, 3.0), verge=0.55, paved=0.0, trees=0.4,
        bollards=0.0, parked=0.18, traffic=1.9, walkers=0.7, tram=0.1,
    ),
)
# fmt: on


@dataclass(frozen=True, slots=True, kw_only=True)
class StreetSide:
    """One side of the street, in metres from the centre line outwards."""

    sign: float
    kerb: float
    parking: bool
    verge: float
    walk: float
    bike: bool

    @property
    def path(self) -> float:
        """Where the walkway begins."""
        return self.kerb + self.verge

    @property
    def line(self) -> float:
        """Where the frontage stands."""
        return self.kerb + self.verge + self.walk


@dataclass(frozen=True, slots=True, kw_only=True)
class StreetPlan:
    """A street in road coordinates: s metres to the right of the centre line, z metres ahead."""

    district: District
    sides: tuple[StreetSide, StreetSide]
    lane: float
    """Width of a lane."""
    lanes: int
    """Lanes in each direction."""
    lean: float
    bend: float
    end: float
    """Where the street ends or is lost from sight."""
    crossing: tuple[float, float] | None
    """A cross street, from z to z."""
    tram: float | None
    """The s of the tracks' centre."""

    def x(self, s: float, z: float) -> float:
        """World x of a point of the street."""
        return s + (self.lean + self.bend * z) * z

    def heading(self, z: float, *, back: bool = False) -> Heading:
        """The direction of the street at z, or the opposite one, as (cosine, sine)."""
        steep = self.lean + 2 * self.bend * z
        cos = 1.0 / math.sqrt(1.0 + steep * steep)
        return (-cos, -steep * cos) if back else (cos, steep * cos)

    def in_crossing(self, z: float, margin: float = 0.0) -> bool:
        """Whether z lies in the cross street."""
        return self.crossing is not None and self.crossing[0] - margin < z < self.crossing[1] + margin


def _side(dice: Dice, district: District, sign: float, carriage: float) -> StreetSide:
    parking = dice.chance(0.55 if district.parked > 0.3 else 0.35)
    bike = dice.chance(0.15)
    return StreetSide(
        sign=sign,
        kerb=carriage + (2.1 if parking else 0.3) + (1.5 if bike else 0.0),
        parking=parking,
        verge=dice.between(0.9, 2.2) if dice.chance(district.verge) else 0.0,
        walk=dice.between(*district.walk),
        bike=bike,
    )


def draw_plan(dice: Dice) -> StreetPlan:
    """A street plan."""
    district = dice.weighted(DISTRICTS, [d.weight for d in DISTRICTS])
    lane = dice.between(2.9, 3.5)
    lanes = 2 if dice.chance(0.25 if district.tram > 0.2 else 0.12) else 1
    tram = dice.chance(district.tram)
    carriage = lane * lanes + (1.2 if tram and dice.chance(0.4) else 0.0)
    sides = (_side(dice, district, -1.0, carriage), _side(dice, district, 1.0, carriage))
    bend = dice.between(-1.0, 1.0)
    end = dice.between(45.0, 75.0) if dice.chance(0.25) else dice.between(90.0, 170.0)
    start = dice.between(16.0, 60.0)
    crossing = (start, start + dice.between(9.0, 14.0)) if dice.chance(0.4) and start + 20 < end else None
    return StreetPlan(
        district=district,
        sides=sides,
        lane=lane,
        lanes=lanes,
        lean=dice.between(-0.03, 0.03),
        bend=0.0017 * bend * abs(bend),
        end=end,
        crossing=crossing,
        tram=(lane / 2 if dice.chance(0.5) else -lane / 2) if tram else None,
    )
