"""What a surface is made of. Layout code names materials; palettes and tiles say how each domain shows them."""

from __future__ import annotations

from enum import IntEnum, auto
from typing import NamedTuple


class Material(IntEnum):
    """Every surface of the street world."""

    SKY = 0
    ASPHALT = auto()
    PATCH = auto()
    MARKING = auto()
    COBBLE = auto()
    PAVING = auto()
    KERB = auto()
    BIKE_LANE = auto()
    RAIL = auto()
    GRASS = auto()
    SOIL = auto()
    FACADE_TALL = auto()
    FACADE_WIDE = auto()
    FACADE_SMALL = auto()
    FACADE_GLASS = auto()
    FACADE_OLD = auto()
    PLASTER = auto()
    ROOF = auto()
    SHOP = auto()
    AWNING = auto()
    TRIM = auto()
    DOOR = auto()
    STONE_WALL = auto()
    BRICK_WALL = auto()
    CONCRETE_WALL = auto()
    COPING = auto()
    FENCE_BARS = auto()
    FENCE_MESH = auto()
    FENCE_PLANKS = auto()
    FENCE_POST = auto()
    POLE = auto()
    WOOD_POLE = auto()
    LAMP_GLASS = auto()
    HOUSING = auto()
    RED_LIT = auto()
    AMBER_LIT = auto()
    GREEN_LIT = auto()
    UNLIT = auto()
    SIGN_RIM = auto()
    SIGN_FACE = auto()
    SIGN_GUIDE = auto()
    TRUNK = auto()
    LEAVES_DARK = auto()
    LEAVES = auto()
    LEAVES_LIT = auto()
    HEDGE = auto()
    SKIN = auto()
    HAIR = auto()
    TOP = auto()
    TROUSERS = auto()
    SHOES = auto()
    BAG = auto()
    HELMET = auto()
    CAR_PAINT = auto()
    CAR_GLASS = auto()
    DARK_TRIM = auto()
    HUB = auto()
    HEADLAMP = auto()
    REAR_LAMP = auto()
    PLATE = auto()
    TRUCK_PAINT = auto()
    CARGO = auto()
    BUS_PAINT = auto()
    COACH_STRIPE = auto()
    COACH_GLASS = auto()
    TRAM_PAINT = auto()
    BOARD = auto()
    CYCLE_PAINT = auto()
    ENGINE = auto()
    CHROME = auto()
    SADDLE = auto()


class Tile(IntEnum):
    """Texture patterns: each texel says how far a surface's colour goes from its first tone to its second."""

    PLAIN = 0
    GRAIN = auto()
    WORN = auto()
    SLABS = auto()
    BRICKS = auto()
    STUCCO = auto()
    WINDOWS_TALL = auto()
    WINDOWS_WIDE = auto()
    WINDOWS_SMALL = auto()
    WINDOWS_GLASS = auto()
    WINDOWS_OLD = auto()
    SHOPFRONT = auto()
    STRIPES = auto()
    ROOF_TILES = auto()
    BARS = auto()
    MESH = auto()
    PLANKS = auto()
    RIBS = auto()
    LEAVES = auto()
    GRASS = auto()
    CLOUDS = auto()
    CLOTH = auto()
    MULLIONS = auto()


class Paint(NamedTuple):
    """A material with the two numbers in [0, 1) that choose among its colours and shift their tone."""

    material: Material
    variant: float
    tone: float
