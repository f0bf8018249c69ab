"""GrabCut from a bought box: one of the paper's two sources of masks (section 3.2), fed to work on small objects.

OpenCV's GrabCut given the image and a tight box finds next to nothing of small objects, since what it knows of the
background is a whole street and of the foreground a few hundred pixels. So it sees a crop with a margin of half the box
on each side, brought to one size (small objects grow, large ones cost no more than small ones), the box's core is sure
foreground, and an answer that can hardly be right is not believed: only the core is kept, the rest of the box is open.
Nothing here learns, and the state of OpenCV's generator is set before each box: its mask is the same anywhere.

A patch is what a source says of the pixels of one box, (h, w): 1 the object, 0 not the object, 255 open.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray

from segfrontier.errors import BadInput

Patch = NDArray[np.uint8]
OUT, OBJECT, OPEN = 0, 1, 255


class Box(NamedTuple):
    """Half-open, inside the image, of at least one pixel."""

    x0: int
    y0: int
    x1: int
    y1: int

    @property
    def size(self) -> tuple[int, int]:
        """Height and width."""
        return self.y1 - self.y0, self.x1 - self.x0

    @property
    def area(self) -> int:
        """In pixels."""
        return (self.y1 - self.y0) * (self.x1 - self.x0)


@dataclass(frozen=True, kw_only=True)
class Crop:
    """How a box's surroundings are looked at: with a margin as a share of the box on each side, and at one size."""

    margin: float = 0.5
    side: int = 128

    def __post_init__(self) -> None:
        if not 0 < self.margin <= 4 or not 8 <= self.side <= 1024:
            raise BadInput(
                f"a crop has a margin in (0, 4] and a longer side of 8 to 1024 pixels; found {self.margin}, {self.side}"
            )

    def around(self, box: Box, size: tuple[int, int]) -> Box:
        """The part of an image of this (height, width) that is looked at: the margin ends where the image does."""
        high, wide = (round(side * self.margin) or 1 for side in box.size)
        return Box(
            max(box.x0 - wide, 0), max(box.y0 - high, 0), min(box.x1 + wide, size[1]), min(box.y1 + high, size[0])
        )

    def scaled(self, part: Box) -> tuple[int, int]:
        """(height, width) at which this part of an image is looked at."""
        scale = self.side / max(part.size)
        return max(round(part.size[0] * scale), 1), max(round(part.size[1] * scale), 1)

    def look(self, image: NDArray[np.uint8], part: Box) -> NDArray[np.uint8]:
        """The pixels of a part at that size."""
        pixels, (height, width) = image[part.y0 : part.y1, part.x0 : part.x1], self.scaled(part)
        smaller = height < part.size[0]
        ways = cv2.INTER_AREA if smaller else cv2.INTER_LINEAR
        return np.asarray(cv2.resize(pixels, (width, height), interpolation=ways), np.uint8)

    def inside(self, box: Box, part: Box) -> Box:
        """Where the box lies in the scaled part; at least one pixel of it."""
        height, width = self.scaled(part)
        across, down = width / part.size[1], height / part.size[0]
        x0, y0 = int((box.x0 - part.x0) * across), int((box.y0 - part.y0) * down)
        x1, y1 = round((box.x1 - part.x0) * across), round((box.y1 - part.y0) * down)
        return Box(x0, y0, max(x1, x0 + 1), max(y1, y0 + 1))

    def back(self, mask: NDArray[np.bool_], box: Box, part: Box) -> NDArray[np.bool_]:
        """The box's own pixels of a mask of the scaled part."""
        ways = cv2.INTER_LINEAR if mask.shape[0] < part.size[0] else cv2.INTER_AREA
        grown = cv2.resize(mask.astype(np.float32), part.size[::-1], interpolation=ways)
        y, x = box.y0 - part.y0, box.x0 - part.x0
        return grown[y : y + box.size[0], x : x + box.size[1]] >= 0.5


@dataclass(frozen=True, kw_only=True)
class Guard:
    """Which answers are believed, by the share of the box they cover; of others the core is kept, the rest is open."""

    least: float = 0.2
    most: float = 0.95
    core: tuple[float, float] = (0.3, 0.7)

    def __post_init__(self) -> None:
        low, high = self.core
        if not (0 <= self.least <= self.most <= 1 and 0 <= low < high <= 1):
            raise BadInput(
                f"a guard has 0 <= least <= most <= 1 and a core inside 0 to 1; found {self.least}, {self.most}, "
                f"{self.core}"
            )

    def core_of(self, size: tuple[int, int]) -> tuple[slice, slice]:
        """Rows and columns of the core of a box of this (height, width); at least one pixel."""
        rows, columns = ((int(side * self.core[0]), round(side * self.core[1])) for side in size)
        return slice(rows[0], max(rows[1], rows[0] + 1)), slice(columns[0], max(columns[1], columns[0] + 1))

    def judge(self, mask: NDArray[np.bool_] | None) -> Patch | None:
        """The mask as a patch; None if it is not believed. Shares at a threshold are."""
        if mask is None or not self.least <= mask.mean() <= self.most:
            return None
        return mask.astype(np.uint8)

    def guarded(self, mask: NDArray[np.bool_] | None, size: tuple[int, int]) -> Patch:
        """What is left of an answer (None: there is none) for a box of this (height, width)."""
        patch = self.judge(mask)
        if patch is None:
            patch = np.full(size, OPEN, np.uint8)
            patch[self.core_of(size)] = OBJECT
        return patch


@dataclass(frozen=True, kw_only=True)
class GrabCut:
    """OpenCV's GrabCut in `rounds` iterations; 5 as is common, for the paper names no number."""

    crop: Crop = field(default_factory=Crop)
    guard: Guard = field(default_factory=Guard)
    rounds: int = 5
    seed: int = 0

    def __post_init__(self) -> None:
        if self.rounds < 1:
            raise BadInput(f"GrabCut needs at least one round; found {self.rounds}")

    def patch(self, image: NDArray[np.uint8], box: Box) -> Patch:
        """What GrabCut says of a box; of one without surroundings nothing: its core is the object, the rest open."""
        return self.guard.guarded(self._mask(image, box), box.size)

    def _mask(self, image: NDArray[np.uint8], box: Box) -> NDArray[np.bool_] | None:
        part = self.crop.around(box, image.shape[:2])
        if part == box:  # GrabCut has no background to learn from
            return None
        pixels, inner = self.crop.look(image, part), self.crop.inside(box, part)
        state = np.full(pixels.shape[:2], cv2.GC_BGD, np.uint8)
        boxed = state[inner.y0 : inner.y1, inner.x0 : inner.x1]
        boxed[...] = cv2.GC_PR_FGD
        boxed[self.guard.core_of(boxed.shape)] = cv2.GC_FGD
        if not (state == cv2.GC_BGD).any():  # a margin of less than a pixel of the scaled crop
            return None
        cv2.setRNGSeed(self.seed)
        cv2.grabCut(
            pixels, state, (0, 0, 1, 1), np.zeros((1, 65)), np.zeros((1, 65)), self.rounds, cv2.GC_INIT_WITH_MASK
        )
        return self.crop.back((state == cv2.GC_FGD) | (state == cv2.GC_PR_FGD), box, part)
