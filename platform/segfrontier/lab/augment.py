"""Augmentation, the same for the same (seed, epoch, scene) whoever computes it."""

from __future__ import annotations

import math
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from segfrontier.errors import BadInput
from segfrontier.lab.geometry import Geometry


@dataclass(frozen=True, slots=True, kw_only=True)
class Augment:
    """Random scale, crop, flip, colour and blur; every part is off by default.

    `resize` brings each scene to one size (height, width) first. `colour` is the largest relative change of brightness,
    contrast and saturation; `blur` the largest sigma of a Gaussian in pixels.
    """

    resize: tuple[int, int] | None = None
    scale: tuple[float, float] = (1.0, 1.0)
    crop: tuple[int, int] | None = None
    flip: bool = False
    colour: float = 0.0
    blur: float = 0.0

    def __post_init__(self) -> None:
        low, high = self.scale
        if not 0 < low <= high < math.inf:
            raise BadInput(f"augment scale is (low, high) with 0 < low <= high, both finite; found {self.scale}")
        if not (0 <= self.colour < 1 and 0 <= self.blur < math.inf):
            raise BadInput(f"augment needs 0 <= colour < 1 and a finite blur >= 0; found {self.colour} and {self.blur}")
        for name, size in (("resize", self.resize), ("crop", self.crop)):
            if size is not None and min(size) < 1:
                raise BadInput(f"augment {name} is (height, width) of at least one pixel each; found {tuple(size)}")

    @property
    def moves(self) -> bool:
        """Whether pixels may come to lie elsewhere."""
        return self.resize is not None or self.crop is not None or self.flip or tuple(self.scale) != (1.0, 1.0)

    def geometry(self, source: tuple[int, int], rng: np.random.Generator) -> Geometry:
        """Where the pixels of an image of this size go."""
        height, width = self.resize or source
        factor = rng.uniform(*self.scale) if self.scale[0] < self.scale[1] else self.scale[0]
        size = (max(1, round(height * factor)), max(1, round(width * factor)))
        corner = (0, 0)
        if self.crop:
            top, left = (int(rng.integers(max(0, s - c) + 1)) for s, c in zip(size, self.crop, strict=True))
            corner = (top, left)
        mirrored = self.flip and rng.random() < 0.5
        return Geometry(source=source, size=size, corner=corner, window=self.crop, mirrored=mirrored)

    def recoloured(self, image: NDArray[np.uint8], rng: np.random.Generator) -> NDArray[np.uint8]:
        """The image in other colours, less sharp."""
        if self.colour:
            image = _jitter(image, self.colour, rng)
        if self.blur:
            sigma = rng.uniform(0, self.blur)
            if sigma > 0.1:
                image = np.asarray(cv2.GaussianBlur(image, (0, 0), sigma), np.uint8)
        return image


def _jitter(image: NDArray[np.uint8], strength: float, rng: np.random.Generator) -> NDArray[np.uint8]:
    brightness, contrast, saturation = rng.uniform(1 - strength, 1 + strength, 3).astype(np.float32)
    pixels = image.astype(np.float32) * brightness
    grey = pixels @ np.array([0.299, 0.587, 0.114], np.float32)
    pixels = (pixels - grey.mean()) * contrast + grey.mean()
    pixels = grey[..., None] + (pixels - grey[..., None]) * saturation
    return np.clip(np.rint(pixels), 0, 255).astype(np.uint8)
