"""Deferred shading: from the face map and the look to colours at sample resolution.

Per sample: where its ray meets the face, which texel lies there, how the light falls, how much haze is in between.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from segfrontier.scenes.street.camera import Camera
from segfrontier.scenes.street.look import Air, Swatches
from segfrontier.scenes.street.materials import Paint
from segfrontier.scenes.street.mesh import CARD, GROUND
from segfrontier.scenes.street.raster import Faces
from segfrontier.scenes.street.tiles import LEVEL_START, LEVELS, SIZE

F32 = NDArray[np.float32]
F64 = NDArray[np.float64]
U8 = NDArray[np.uint8]
At = NDArray[np.intp]

SKY_DISTANCE = 2000.0
_BAND = 1 << 16
"""Samples shaded at a time, so that their fields stay in the processor's cache."""
_POSITIVE = 1 << 20
"""Added to texel coordinates, a whole number of tiles, so that cutting off decimals rounds down."""


@dataclass(frozen=True, slots=True, eq=False)
class Skin:
    """What shading needs to know of every face, the sky first. Inverse distance is linear over the picture."""

    depth: F32
    across: F32
    down: F32
    from_side: NDArray[np.bool_]
    ground: NDArray[np.bool_]
    u_scale: F32
    u_start: F32
    v_scale: F32
    tile: NDArray[np.int32]
    first: NDArray[np.int16]
    """(3, F) colour at texel 0, lit."""
    change: NDArray[np.int16]
    """(3, F) colour at texel 255 less `first`."""


def _light(faces: Faces, air: Air) -> F64:
    """How bright each face is: sky light from above, sun from its side."""
    n, sun = faces.normal, air.sun
    facing = np.maximum(n[:, 0] * sun[0] + n[:, 1] * sun[1] + n[:, 2] * sun[2], 0.0)
    facing = np.where(faces.flags & CARD > 0, 0.55, facing)
    lit = air.ambient * (0.86 + 0.14 * n[:, 1]) + air.direct * facing
    return np.where(faces.flags & GROUND > 0, air.ambient + air.direct * sun[1], lit)


def dress(faces: Faces, paints: list[Paint], sky: Paint, camera: Camera, swatches: Swatches, air: Air) -> Skin:
    """Colours and texture mapping of every face."""

    def with_sky(value: float, column: NDArray[np.generic]) -> F32:
        return np.concatenate([[value], column]).astype(np.float32)

    ground = faces.flags & GROUND > 0
    side = (np.abs(faces.normal[:, 0]) > np.abs(faces.normal[:, 2])) & ~ground
    first, second, material = swatches.coloured([sky, *paints])
    chosen = np.concatenate([[0], faces.paint + 1])
    light = with_sky(1.0, _light(faces, air))[:, None]
    near, far = (np.clip(np.floor(tone[chosen] * light + 0.5), 0, 255).astype(np.int16) for tone in (first, second))
    density = swatches.density[material[chosen]]
    u_scale = density[:, 0] * with_sky(1.0, faces.texture[:, 1])
    return Skin(
        depth=with_sky(1.0 / SKY_DISTANCE, np.where(ground, 0.0, faces.depth - faces.across * faces.column)),
        across=with_sky(0.0, faces.across),
        down=with_sky(0.0, np.where(ground, 1.0 / (camera.focal * camera.height), 0.0)),
        from_side=np.concatenate([[False], side]),
        ground=np.concatenate([[False], ground]),
        u_scale=u_scale.astype(np.float32),
        u_start=(_POSITIVE - with_sky(0.0, faces.texture[:, 0]) * u_scale).astype(np.float32),
        v_scale=density[:, 1].astype(np.float32),
        tile=swatches.tile[material[chosen]].astype(np.int32),
        first=near.T.copy(),
        change=(far - near).T.copy(),
    )


def _texels(skin: Skin, at: At, coordinates: tuple[F32, F32], texels_a_sample: F32, atlas: U8) -> U8:
    """Values from the atlas, at the mip level whose texels are about as large as the samples."""
    u = coordinates[0] * skin.u_scale[at] + skin.u_start[at]
    v = coordinates[1] * skin.v_scale[at] + np.float32(_POSITIVE)
    level = np.clip(np.frexp(texels_a_sample)[1], 0, LEVELS - 1)
    mask = (SIZE - 1) >> level
    column, row = (u.astype(np.int32) >> level) & mask, (v.astype(np.int32) >> level) & mask
    place = skin.tile[at] + LEVEL_START.astype(np.int32)[level] + row * (mask + 1) + column
    return atlas[place]


def _band(skin: Skin, at: At, first_row: int, camera: Camera, air: Air, shadow: U8, atlas: U8) -> NDArray[np.uint16]:
    """Colours (3, rows, columns) of one band of the face map."""
    rows, columns = at.shape
    right = np.arange(columns, dtype=np.float32)
    below = (np.arange(first_row, first_row + rows) - camera.horizon).astype(np.float32)[:, None]
    across, down, ground = skin.across[at], skin.down[at], skin.ground[at]
    z = np.float32(1.0) / np.maximum(skin.depth[at] + across * right + down * below, np.float32(1.0 / SKY_DISTANCE))
    metre = z * np.float32(1.0 / camera.focal)
    x, y = (
        (right - np.float32(camera.centre)) * metre + np.float32(camera.aside),
        np.float32(camera.height) - below * metre,
    )
    u, v = np.where(skin.from_side[at], z, x), np.where(ground, z, y)
    texels = np.maximum(metre, z * z * (np.abs(across) + down)) * np.maximum(skin.u_scale, skin.v_scale)[at]
    weight = (_texels(skin, at, (u, v), texels, atlas) >> 1).astype(np.int16)

    dim = np.where(ground, 256 - (shadow.astype(np.int16) * 5 >> 3), np.clip(205 + y * 40, 205, 256).astype(np.int16))
    haze = (127 * (z / (z + np.float32(air.haze)))).astype(np.int16)
    sky = np.clip(110 + 1100 * below / np.float32(camera.focal), 0, 110).astype(np.int16)
    haze = np.where(at == 0, sky, haze)
    colours = np.empty((3, rows, columns), np.uint16)
    for c in range(3):
        plain = skin.first[c][at] + ((skin.change[c][at] * weight) >> 7)
        lit = ((plain.astype(np.uint16) * dim.view(np.uint16)) >> 8).view(np.int16)
        colours[c] = lit + (((np.int16(air.haze_colour[c]) - lit) * haze) >> 7)
    return colours


def shade(index: NDArray[np.uint16], skin: Skin, camera: Camera, air: Air, shadow: U8, atlas: U8) -> NDArray[np.uint16]:
    """(3, rows, columns) colours in 0..255 of a face map."""
    rows, columns = index.shape
    step = max(1, _BAND // columns)
    colours = np.empty((3, rows, columns), np.uint16)
    for top in range(0, rows, step):
        part = slice(top, top + step)
        colours[:, part] = _band(skin, index[part].astype(np.intp), top, camera, air, shadow[part], atlas)
    return colours
