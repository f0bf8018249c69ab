"""Texture tiles: 256 x 256 patterns with their mip levels, one atlas for each domain and a blend of the two by gap.

Columns run along a surface, rows run up (or ahead on the ground). A texel is the weight of a surface's second tone.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache

import numpy as np
from numpy.random import PCG64, Generator
from numpy.typing import NDArray

from segfrontier.scenes.street.materials import Tile

SIZE = 256
LEVELS = 9
UNIT = SIZE // 64
"""Layouts are written on a 64 x 64 grid; this many texels make one of its cells."""
LEVEL_START = np.cumsum([0] + [(SIZE >> level) ** 2 for level in range(LEVELS - 1)])
TILE_TEXELS = int(LEVEL_START[-1]) + 1

Pattern = NDArray[np.int64]
Rect = tuple[int, int, int, int, int]


def _noise(rng: Generator, cells: int) -> Pattern:
    """Smooth periodic noise in 0..255 with `cells` lattice points a side, in whole numbers."""
    step = SIZE // cells
    field: Pattern = rng.integers(0, 256, (cells, cells))
    ramp = np.arange(step)
    for axis in (0, 1):
        ahead = np.moveaxis(np.roll(field, -1, axis), axis, -1)[..., None]
        here = np.moveaxis(field, axis, -1)[..., None]
        blend = (here * (step - ramp) + ahead * ramp) // step
        field = np.moveaxis(blend.reshape(*blend.shape[:-2], SIZE), -1, axis)
    return field


def _mixed(rng: Generator, *octaves: tuple[int, int]) -> Pattern:
    """A sum of noises, each (cells, weight in 1/16)."""
    return sum((_noise(rng, cells) * weight for cells, weight in octaves), np.zeros((SIZE, SIZE), np.int64)) >> 4


def _rects(rects: list[Rect], base: int = 0) -> Pattern:
    """Rectangles (column, row, width, height, weight) on a flat ground; they wrap around."""
    field = np.full((SIZE, SIZE), base, np.int64)
    for u, v, wide, tall, weight in rects:
        rows, columns = np.arange(v * UNIT, (v + tall) * UNIT), np.arange(u * UNIT, (u + wide) * UNIT)
        field[np.ix_(rows % SIZE, columns % SIZE)] = weight
    return field


def _panes(rng: Generator, columns: int, pane: Rect, *, bars: list[Rect], fuss: int) -> Pattern:
    """Two storeys of windows, each pane a little different, some with a curtain when `fuss` is above zero."""
    u, v, wide, tall, weight = pane
    pitch = 64 // columns
    rects: list[Rect] = []
    for row in range(2):
        for column in range(columns):
            x, y = u + column * pitch, v + row * 32
            rects.append((x - 1, y - 2, wide + 2, 2, 70))
            rects.append((x, y, wide, tall, weight - int(rng.integers(0, 30 + fuss))))
            if rng.integers(0, 64) < fuss:
                rects.append((x, y + tall // 2, wide, tall - tall // 2, 110))
            rects += [(x + bu, y + bv, bw, bt, value) for bu, bv, bw, bt, value in bars]
    return _rects(rects)


def _courses(rng: Generator, *, rows: int, columns: int, joint: int, spread: int) -> Pattern:
    """Bricks or slabs in rows, every second row shifted by half, with joints of full weight."""
    high, wide = 64 // rows, 64 // columns
    rects: list[Rect] = []
    for row in range(rows):
        for column in range(columns):
            u = column * wide + (row % 2) * (wide // 2)
            rects.append((u, row * high, wide - joint, high - joint, int(rng.integers(0, spread))))
    return _rects(rects, base=255)


def _lines(period: int, width: int, *, upright: bool, value: int = 255, base: int = 0) -> Pattern:
    line = np.where(np.arange(SIZE) // UNIT % period < width, value, base).astype(np.int64)
    return np.broadcast_to(line if upright else line[:, None], (SIZE, SIZE)).copy()


def _mesh(fuss: int) -> Pattern:
    row, column = np.indices((SIZE, SIZE)) // UNIT
    wires = ((row + column) % 16 < 3) | ((row - column) % 16 < 3)
    return np.where(wires, 255 - fuss, 0).astype(np.int64)


def _leaves(rng: Generator, fuss: int) -> Pattern:
    rough = _mixed(rng, (8, 5), (16, 6), (32, 5))
    return np.clip((rough - 128) * (3 + fuss // 20) + 128, 0, 255)


def _clouds(rng: Generator, fuss: int) -> Pattern:
    return np.clip((_mixed(rng, (4, 7), (8, 5), (16, 3), (32, 1)) - 120) * (6 - fuss // 16) + 60 + 2 * fuss, 0, 255)


def _shopfront(rng: Generator, fuss: int) -> Pattern:
    lit = 255 - fuss
    rects: list[Rect] = [
        (2, 4, 26, 40, lit),
        (30, 2, 10, 42, lit - 30),
        (42, 4, 20, 40, lit),
        (4, 50, 56, 10, 60 + fuss),
    ]
    rects += [(u, 52, 2, 6, int(rng.integers(0, 255))) for u in range(8, 56, 4)]
    return _rects(rects)


_RECIPES: dict[Tile, Callable[[Generator, int], Pattern]] = {
    Tile.PLAIN: lambda _rng, _fuss: np.zeros((SIZE, SIZE), np.int64),
    Tile.GRAIN: lambda rng, fuss: _mixed(rng, (4, 2 + fuss // 12), (16, 4), (64, 8)),
    Tile.WORN: lambda rng, fuss: np.clip((_mixed(rng, (8, 6), (32, 5), (64, 5)) - 150 + fuss) * 4, 0, 255),
    Tile.SLABS: lambda rng, fuss: _courses(rng, rows=4, columns=4, joint=1 + fuss // 48, spread=60 + fuss),
    Tile.BRICKS: lambda rng, fuss: _courses(rng, rows=8, columns=4, joint=1 + fuss // 64, spread=110 + fuss),
    Tile.STUCCO: lambda rng, fuss: _mixed(rng, (4, 6 + fuss // 16), (8, 3), (32, 3)),
    Tile.WINDOWS_TALL: lambda rng, fuss: _panes(
        rng, 2, (10, 9, 12, 18, 250), bars=[(5, 0, 2, 18, 90), (0, 11, 12, 1, 90)], fuss=fuss
    ),
    Tile.WINDOWS_WIDE: lambda rng, fuss: _panes(
        rng, 1, (3, 11, 58, 13, 250), bars=[(19, 0, 2, 13, 60), (38, 0, 2, 13, 60)], fuss=fuss
    ),
    Tile.WINDOWS_SMALL: lambda rng, fuss: _panes(rng, 3, (7, 12, 8, 11, 240), bars=[(3, 0, 1, 11, 90)], fuss=fuss),
    Tile.WINDOWS_GLASS: lambda rng, fuss: _panes(rng, 4, (1, 3, 14, 27, 255), bars=[], fuss=fuss // 2),
    Tile.WINDOWS_OLD: lambda rng, fuss: _panes(
        rng, 2, (9, 8, 13, 19, 235), bars=[(6, 0, 1, 19, 50), (0, 6, 13, 1, 50), (0, 13, 13, 1, 50)], fuss=fuss
    ),
    Tile.SHOPFRONT: _shopfront,
    Tile.STRIPES: lambda _rng, _fuss: _lines(32, 16, upright=True),
    Tile.ROOF_TILES: lambda rng, fuss: _courses(rng, rows=16, columns=8, joint=1, spread=130 + fuss),
    Tile.BARS: lambda _rng, fuss: np.maximum(_lines(8, 2 + fuss // 24, upright=True), _lines(56, 4, upright=False)),
    Tile.MESH: lambda _rng, fuss: _mesh(fuss),
    Tile.PLANKS: lambda rng, fuss: np.maximum(
        _lines(8, 1, upright=True), _mixed(rng, (4, 3 + fuss // 12), (32, 2)) // 2
    ),
    Tile.RIBS: lambda rng, fuss: _lines(8, 3, upright=True, value=200) + _mixed(rng, (4, fuss // 12)) // 2,
    Tile.LEAVES: _leaves,
    Tile.GRASS: lambda rng, fuss: _mixed(rng, (4, 4 + fuss // 12), (8, 3), (32, 3), (64, 5)),
    Tile.CLOUDS: _clouds,
    Tile.CLOTH: lambda rng, _fuss: _mixed(rng, (4, 6), (16, 6), (32, 4)),
    Tile.MULLIONS: lambda rng, _fuss: np.maximum(_lines(22, 2, upright=True, value=30), _mixed(rng, (4, 9), (8, 5))),
}
assert set(_RECIPES) == set(Tile)


def _mips(field: Pattern) -> NDArray[np.int64]:
    """A pattern and its halvings, end to end."""
    levels = [field]
    while len(field) > 1:
        field = (field[::2, ::2] + field[1::2, ::2] + field[::2, 1::2] + field[1::2, 1::2] + 2) >> 2
        levels.append(field)
    return np.concatenate([level.ravel() for level in levels])


def _atlas(fuss: int, seed: int) -> NDArray[np.int64]:
    rng = Generator(PCG64(seed))
    return np.stack([_mips(np.clip(_RECIPES[tile](rng, fuss), 0, 255)) for tile in Tile])


@lru_cache(maxsize=16)
def atlas(game_share: float) -> NDArray[np.uint8]:
    """All tiles end to end: those of `city` at 0, those of `game` at 1, and their blend in between."""
    city, game = _atlas(48, 11), _atlas(6, 23)
    blend = np.floor(city + (game - city) * game_share + 0.5)
    flat: NDArray[np.uint8] = blend.astype(np.uint8).ravel()
    flat.setflags(write=False)
    return flat
