"""How a domain looks: its colours, its tiles, and the weather and optics drawn for each scene.

`game_share` is the one dial: 0 is `city`, 1 is `game`. Both use the same random numbers, so every quantity of a scene
moves on a straight line from one domain to the other.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from itertools import chain

import numpy as np
from numpy.typing import NDArray

from segfrontier.scenes.street.dice import Dice
from segfrontier.scenes.street.materials import Material, Paint
from segfrontier.scenes.street.palette_movers import MOVERS
from segfrontier.scenes.street.palette_places import PLACES
from segfrontier.scenes.street.swatch import Swatch
from segfrontier.scenes.street.tiles import SIZE, TILE_TEXELS

F64 = NDArray[np.float64]
I64 = NDArray[np.int64]


@dataclass(frozen=True, slots=True, eq=False)
class Swatches:
    """All palettes of a domain as arrays: colour pairs end to end, and one row a material."""

    first: F64
    second: F64
    start: I64
    count: I64
    spread: F64
    tile: I64
    """Where the material's tile starts in the atlas."""
    density: F64
    """(M, 2) texels a metre, across and along."""

    def coloured(self, paints: list[Paint]) -> tuple[F64, F64, I64]:
        """First and second colour (N, 3) in 0..255, and the material, of every paint."""
        table = np.fromiter(chain.from_iterable(paints), np.float64, 3 * len(paints)).reshape(-1, 3)
        material = table[:, 0].astype(np.int64)
        row = self.start[material] + (table[:, 1] * self.count[material]).astype(np.int64)
        tone = table[:, 2, None] * np.array([1.0, 7.0, 13.0])
        tone = tone - np.floor(tone)
        lightness = 1.0 + self.spread[material, None] * (2.0 * tone[:, :1] - 1.0)
        tint = 1.0 + 0.04 * (2.0 * tone[:, [1, 2, 1]] - 1.0) * np.array([1.0, 0.3, -1.0])
        return self.first[row] * lightness * tint, self.second[row] * lightness * tint, material


def _colours(text: str) -> F64:
    """(variants, 2, 3) from `rrggbb/rrggbb` pairs, or `rrggbb` for twice the same."""
    pairs = [[list(bytes.fromhex(half)) for half in (pair.split("/") * 2)[:2]] for pair in text.split()]
    return np.array(pairs, np.float64)


def _blend(swatch: Swatch, game_share: float) -> F64:
    city, game = _colours(swatch.city), _colours(swatch.game)
    return city + (game - city) * game_share


@lru_cache(maxsize=16)
def swatches(game_share: float) -> Swatches:
    """The palettes at one place between the domains."""
    palettes = PLACES | MOVERS
    rows = [palettes[m] for m in Material]
    colours = [_blend(row, game_share) for row in rows]
    counts = np.array([len(c) for c in colours])
    flat = np.concatenate(colours)
    return Swatches(
        first=flat[:, 0],
        second=flat[:, 1],
        start=np.cumsum(counts) - counts,
        count=counts,
        spread=np.array([row.spread for row in rows]),
        tile=np.array([int(row.tile) * TILE_TEXELS for row in rows]),
        density=np.array([(SIZE / row.across, SIZE / row.along) for row in rows]),
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Air:
    """Light and haze of one scene."""

    sun: tuple[float, float, float]
    """Unit vector towards the sun."""
    ambient: float
    direct: float
    haze: float
    """Distance in metres at which half of the colour is haze."""
    haze_colour: tuple[float, float, float]


@dataclass(frozen=True, slots=True, kw_only=True)
class Lens:
    """Camera and processing of one scene."""

    gain: tuple[float, float, float]
    contrast: float
    lift: float
    saturation: float
    vignette: float
    blur: float
    noise: float
    chroma: float
    """Share of colour detail lost, as in a compressed picture."""


_AIR = {
    # name: city low, city high, game low, game high
    "cloud": (0.0, 1.0, 0.0, 0.25),
    "haze": (110.0, 700.0, 1500.0, 2500.0),
    "warmth": (-1.0, 1.0, 0.1, 0.5),
}
_LENS = {
    "exposure": (1.0, 1.5, 0.97, 1.05),
    "red": (0.92, 1.1, 0.99, 1.01),
    "blue": (0.88, 1.1, 0.99, 1.03),
    "contrast": (0.78, 1.05, 1.02, 1.08),
    "lift": (4.0, 24.0, 0.0, 2.0),
    "saturation": (0.8, 1.1, 1.05, 1.2),
    "vignette": (0.15, 0.5, 0.0, 0.03),
    "blur": (0.1, 0.85, 0.0, 0.05),
    "noise": (1.5, 6.5, 0.0, 1.0),
    "chroma": (0.5, 1.0, 0.0, 0.1),
}


def _draw(dice: Dice, ranges: dict[str, tuple[float, float, float, float]], game_share: float) -> dict[str, float]:
    values = {}
    for name, (low, high, game_low, game_high) in ranges.items():
        u = dice.unit()
        city, game = low + (high - low) * u, game_low + (game_high - game_low) * u
        values[name] = city + (game - city) * game_share
    return values


def draw_air(dice: Dice, game_share: float) -> Air:
    """Weather for one scene."""
    v = _draw(dice, _AIR, game_share)
    clear, warmth = 1.0 - v["cloud"], v["warmth"]
    x, y, z = dice.between(-1.0, 1.0), dice.between(0.45, 1.3), dice.between(-1.0, 0.6)
    length = float(np.sqrt(x * x + y * y + z * z))
    return Air(
        sun=(x / length, y / length, z / length),
        ambient=0.9 - 0.4 * clear,
        direct=0.72 * clear,
        haze=v["haze"],
        haze_colour=(206 + 12 * warmth, 210.0, 214 - 14 * warmth),
    )


def draw_lens(dice: Dice, game_share: float) -> Lens:
    """Optics and processing for one scene."""
    v = _draw(dice, _LENS, game_share)
    e = v["exposure"]
    return Lens(
        gain=(e * v["red"], e, e * v["blue"]),
        contrast=v["contrast"],
        lift=v["lift"],
        saturation=v["saturation"],
        vignette=v["vignette"],
        blur=v["blur"],
        noise=v["noise"],
        chroma=v["chroma"],
    )
