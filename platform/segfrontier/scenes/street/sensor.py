"""The camera behind the lens: samples to pixels, blur, vignetting, colour loss, exposure, noise. Whole numbers only."""

from __future__ import annotations

from functools import lru_cache

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

from segfrontier.scenes.street.look import Lens

U16 = NDArray[np.uint16]
I16 = NDArray[np.int16]
U8 = NDArray[np.uint8]


def _tent(field: U16, axis: int, step: int) -> U16:
    """1-2-1 sums along an axis around every `step`-th sample; the border repeats itself."""
    field = np.moveaxis(field, axis, -1)
    before = np.concatenate([field[..., :1], field[..., :-1]], -1)[..., ::step]
    after = np.concatenate([field[..., 1:], field[..., -1:]], -1)[..., ::step]
    total: U16 = before + after + field[..., ::step] * np.uint16(2)
    return np.moveaxis(total, -1, axis)


def _pixels(samples: U16, step: int) -> U16:
    """Each pixel from the 3 x 3 samples around its centre: 1-2-1 weights along both axes."""
    return (_tent(_tent(samples, 1, step), 2, step) + np.uint16(8)) >> np.uint16(4)


def _soften(field: U16, share: float) -> U16:
    """A mix of the picture and its 3 x 3 binomial blur."""
    k = np.uint16(int(share * 16 + 0.5))
    mixed: U16 = (field * (np.uint16(16) - k) + _pixels(field, 1) * k + np.uint16(8)) >> np.uint16(4)
    return mixed


def _less_colour(field: I16, saturation: float, loss: float) -> I16:
    """Scale the difference from grey, and average a share of it over 2 x 2 pixels."""
    grey = (field[0] * np.int32(77) + field[1] * np.int32(150) + field[2] * np.int32(29)) >> 8
    chroma = field - grey.astype(np.int16)
    coarse = chroma.copy()
    rows, columns = grey.shape[0] & ~1, grey.shape[1] & ~1
    block = chroma[:, :rows, :columns].reshape(3, rows // 2, 2, columns // 2, 2)
    mean = (block[:, :, 0, :, 0] + block[:, :, 1, :, 0] + block[:, :, 0, :, 1] + block[:, :, 1, :, 1]) >> 2
    coarse[:, :rows, :columns] = mean.repeat(2, 1).repeat(2, 2)
    k, s = int(loss * 16 + 0.5), int(saturation * 32 + 0.5)
    mixed = (chroma * (16 - k) + coarse * k) >> 4
    return grey.astype(np.int16) + ((mixed * s) >> 5)


@lru_cache(maxsize=8)
def _squared_radius(height: int, width: int) -> NDArray[np.int32]:
    """0 in the middle, 255 in the corners."""
    y, x = 2 * np.arange(height) + 1 - height, 2 * np.arange(width) + 1 - width
    radius = 128 * (y * y)[:, None] // (height * height) + 128 * (x * x) // (width * width)
    field: NDArray[np.int32] = radius.astype(np.int32)
    field.setflags(write=False)
    return field


def _noise(rng: Generator, shape: tuple[int, ...], sigma: float) -> I16:
    """Triangular noise: the sum of two uniform bytes, scaled. Their sum has a standard deviation of 104.5."""
    size = int(np.prod(shape))
    grains = np.frombuffer(rng.bytes(2 * size), np.uint8).astype(np.int16)
    pairs = (grains[:size] + grains[size:] - 255).reshape(shape)
    return ((pairs * np.int32(int(sigma * 256 / 104.5 + 0.5))) >> 8).astype(np.int16)


def develop(samples: U16, step: int, lens: Lens, rng: Generator) -> U8:
    """The picture (H, W, 3) from colours (3, rows, columns) at sample resolution."""
    field = _soften(_pixels(samples, step), lens.blur)
    tinted = _less_colour(field.astype(np.int16), lens.saturation, lens.chroma)
    dim = 256 - ((_squared_radius(*tinted.shape[1:]) * int(lens.vignette * 256)) >> 8)
    out = np.empty((*tinted.shape[1:], 3), np.uint8)
    grain = _noise(rng, tinted.shape, lens.noise)
    for c in range(3):
        gain = int(lens.gain[c] * lens.contrast * 256 + 0.5)
        base = int(lens.lift + 128 * (1 - lens.contrast) * 0.6)
        value = ((tinted[c] * dim >> 8) * gain >> 8) + base + grain[c]
        out[..., c] = np.clip(value, 0, 255)
    return out
