"""Augmentation, the same for the same (seed, epoch, scene) whoever computes it."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from segfrontier.errors import BadInput

VOID = 255
# ImageNet's mean colour pads images that are smaller than the crop; its label is void.
_PAD = (124, 116, 104)


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

    def __call__(
        self,
        image: NDArray[np.uint8],
        label: NDArray[np.uint8],
        instance: NDArray[np.uint16] | None,
        rng: np.random.Generator,
    ) -> tuple[NDArray[np.uint8], NDArray[np.uint8], NDArray[np.uint16] | None]:
        """The augmented (image, label, instance); truth is resized by nearest neighbour."""
        height, width = self.resize or (image.shape[0], image.shape[1])
        factor = rng.uniform(*self.scale) if self.scale[0] < self.scale[1] else self.scale[0]
        size = (max(1, round(height * factor)), max(1, round(width * factor)))
        maps: list[NDArray[Any]] = [_resized_image(image, size), _nearest(label, size)]
        if instance is not None:
            maps.append(_nearest(instance, size))
        if self.crop:
            maps = _crop(maps, self.crop, rng)
        if self.flip and rng.random() < 0.5:
            maps = [np.ascontiguousarray(m[:, ::-1]) for m in maps]
        if self.colour:
            maps[0] = _jitter(maps[0], self.colour, rng)
        if self.blur:
            sigma = rng.uniform(0, self.blur)
            if sigma > 0.1:
                maps[0] = np.asarray(cv2.GaussianBlur(maps[0], (0, 0), sigma), np.uint8)
        return maps[0], maps[1], maps[2] if instance is not None else None


def _resized_image(image: NDArray[np.uint8], size: tuple[int, int]) -> NDArray[np.uint8]:
    if image.shape[:2] == size:
        return image
    smaller = size[0] * size[1] < image.shape[0] * image.shape[1]
    how = cv2.INTER_AREA if smaller else cv2.INTER_LINEAR
    return np.asarray(cv2.resize(image, (size[1], size[0]), interpolation=how), np.uint8)


def _nearest(labels: NDArray[Any], size: tuple[int, int]) -> NDArray[Any]:
    if labels.shape == size:
        return labels
    return np.asarray(cv2.resize(labels, (size[1], size[0]), interpolation=cv2.INTER_NEAREST_EXACT))


def _crop(maps: list[NDArray[Any]], crop: tuple[int, int], rng: np.random.Generator) -> list[NDArray[Any]]:
    down, right = max(0, crop[0] - maps[0].shape[0]), max(0, crop[1] - maps[0].shape[1])
    if down or right:
        fills: tuple[Any, ...] = (_PAD, VOID, 0)
        maps = [
            np.asarray(cv2.copyMakeBorder(m, 0, down, 0, right, cv2.BORDER_CONSTANT, value=fill), m.dtype)
            for m, fill in zip(maps, fills, strict=False)
        ]
    top = int(rng.integers(maps[0].shape[0] - crop[0] + 1))
    left = int(rng.integers(maps[0].shape[1] - crop[1] + 1))
    return [np.ascontiguousarray(m[top : top + crop[0], left : left + crop[1]]) for m in maps]


def _jitter(image: NDArray[np.uint8], strength: float, rng: np.random.Generator) -> NDArray[np.uint8]:
    brightness, contrast, saturation = rng.uniform(1 - strength, 1 + strength, 3).astype(np.float32)
    pixels = image.astype(np.float32) * brightness
    grey = pixels @ np.array([0.299, 0.587, 0.114], np.float32)
    pixels = (pixels - grey.mean()) * contrast + grey.mean()
    pixels = grey[..., None] + (pixels - grey[..., None]) * saturation
    return np.clip(np.rint(pixels), 0, 255).astype(np.uint8)
