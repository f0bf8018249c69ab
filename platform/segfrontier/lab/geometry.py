"""Where the pixels of an image go when it is resized, cropped and flipped, and with them what is known at coordinates.

Points and boxes move as coordinates: in a map of pixels most of them would fall between the pixels of a smaller one.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from segfrontier.scenes.classes import VOID
from segfrontier.scenes.known import Detections, SceneLabels

_PAD = (124, 116, 104)  # ImageNet's mean colour pads images that are smaller than the crop; its label is void


@dataclass(frozen=True, slots=True, kw_only=True)
class Geometry:
    """One sample's way: from `source` to `size` (height, width), then a window of it, then perhaps mirrored."""

    source: tuple[int, int]
    size: tuple[int, int]
    corner: tuple[int, int] = (0, 0)
    window: tuple[int, int] | None = None
    mirrored: bool = False

    @property
    def shape(self) -> tuple[int, int]:
        """(height, width) of what comes out."""
        return self.window or self.size

    def image(self, image: NDArray[np.uint8]) -> NDArray[np.uint8]:
        """The image, resized smoothly."""
        if self.source != self.size:
            smaller = self.size[0] * self.size[1] < self.source[0] * self.source[1]
            how = cv2.INTER_AREA if smaller else cv2.INTER_LINEAR
            image = np.asarray(cv2.resize(image, self.size[::-1], interpolation=how), np.uint8)
        return self._cut(image, _PAD)

    def map(self, labels: NDArray[Any], *, outside: int) -> NDArray[Any]:
        """Labels or ids of single pixels, resized by nearest neighbour."""
        if self.source != self.size:
            labels = np.asarray(cv2.resize(labels, self.size[::-1], interpolation=cv2.INTER_NEAREST_EXACT))
        return self._cut(labels, outside)

    def points(self, points: NDArray[np.int32]) -> NDArray[np.int32]:
        """Those of (n, 3) points that the window shows, each at a pixel of its own where anything was resized."""
        x, y = (_scaled(points[:, axis], self.source[1 - axis], self.size[1 - axis]) for axis in (0, 1))
        x, y = x - self.corner[1], y - self.corner[0]
        height, width = self.shape
        seen = (x >= 0) & (x < width) & (y >= 0) & (y < height)
        x, y, rest = x[seen], y[seen], points[seen, 2:]
        if self.mirrored:
            x = width - 1 - x
        if self.source != self.size:
            x, y = _apart(x, y, self.shape)
            rest = rest[: len(x)]
        return np.column_stack([x, y, rest]).astype(np.int32)

    def boxes(self, boxes: NDArray[np.int32]) -> NDArray[np.int32]:
        """Those of (n, 6) boxes that the window shows, cut off at its edges."""
        (down, right), (height, width) = self.corner, self.shape
        x = boxes[:, [0, 2]] * (self.size[1] / self.source[1])
        y = boxes[:, [1, 3]] * (self.size[0] / self.source[0])
        (x0, x1), (y0, y1) = ((np.floor(e[:, 0]), np.ceil(e[:, 1])) for e in (x, y))
        x0, x1 = (np.clip(e - right, 0, width) for e in (x0, x1))
        y0, y1 = (np.clip(e - down, 0, height) for e in (y0, y1))
        if self.mirrored:
            x0, x1 = width - x1, width - x0
        moved = np.column_stack([x0, y0, x1, y1, boxes[:, 4:]]).astype(np.int32)
        return moved[(x0 < x1) & (y0 < y1)]

    def detections(self, found: Detections) -> Detections:
        """Those of which the window shows a pixel, their masks moved as maps are."""
        masks = [self.map(mask.astype(np.uint8), outside=0) > 0 for mask in found.mask]
        seen = [i for i, mask in enumerate(masks) if mask.any()]
        moved = np.stack([masks[i] for i in seen]) if seen else np.zeros((0, *self.shape), np.bool_)
        return Detections(label=found.label[seen], score=found.score[seen], mask=moved)

    def sparse(self, known: SceneLabels) -> SceneLabels:
        """What is known at coordinates, where it has come to lie; tags speak of the scene and stay."""
        return SceneLabels(
            size=self.shape,
            points=None if known.points is None else self.points(known.points),
            boxes=None if known.boxes is None else self.boxes(known.boxes),
            tags=known.tags,
            detections=None if known.detections is None else self.detections(known.detections),
        )

    def labels(self, known: SceneLabels | None) -> NDArray[np.uint8]:
        """The labels of single pixels: the semantic map with the points in it, void elsewhere."""
        if known is None or (known.semantic is None and known.points is None):
            return np.full(self.shape, VOID, np.uint8)
        dense, points = known.semantic, known.points
        labels = np.full(self.shape, VOID, np.uint8) if dense is None else self.map(dense, outside=VOID)
        if points is not None:
            x, y, label = self.points(points).T
            labels[y, x] = label
        return labels

    def _cut(self, pixels: NDArray[Any], outside: Any) -> NDArray[Any]:
        if self.window:
            down, right = max(0, self.window[0] - self.size[0]), max(0, self.window[1] - self.size[1])
            if down or right:
                kind = pixels.dtype
                pixels = cv2.copyMakeBorder(pixels, 0, down, 0, right, cv2.BORDER_CONSTANT, value=outside)
                pixels = np.asarray(pixels, kind)
            top, left = self.corner
            pixels = np.ascontiguousarray(pixels[top : top + self.window[0], left : left + self.window[1]])
        return np.ascontiguousarray(pixels[:, ::-1]) if self.mirrored else pixels


def _scaled(at: NDArray[np.int32], before: int, after: int) -> NDArray[np.int64]:
    """The pixel that holds a pixel's centre, in whole numbers."""
    return (2 * at.astype(np.int64) + 1) * after // (2 * before)


def _apart(
    x: NDArray[np.int64], y: NDArray[np.int64], shape: tuple[int, int]
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """A pixel for each point: its own for the first that comes to lie there, the nearest free one for the others."""
    flat = y * shape[1] + x
    _, first = np.unique(flat, return_index=True)
    late = np.setdiff1d(np.arange(len(flat)), first)
    free = np.ones(shape, np.bool_)
    free[y, x] = False
    x, y = x.copy(), y.copy()
    room = int(np.count_nonzero(free))
    for point in late[:room]:
        x[point], y[point] = _nearest_free(free, int(x[point]), int(y[point]))
        free[y[point], x[point]] = False
    kept = np.setdiff1d(np.arange(len(flat)), late[room:])  # more points than pixels: one each is all there is
    return x[kept], y[kept]


def _nearest_free(free: NDArray[np.bool_], x: int, y: int) -> tuple[int, int]:
    """The free pixel at the least distance; of several, the uppermost, then the leftmost."""
    radius = 2
    while True:
        top, left = max(0, y - radius), max(0, x - radius)
        rows, columns = np.nonzero(free[top : y + radius + 1, left : x + radius + 1])
        if len(rows):
            distance = (rows + top - y) ** 2 + (columns + left - x) ** 2
            best = int(distance.argmin())
            if distance[best] <= radius**2 or radius >= max(free.shape):
                return int(columns[best] + left), int(rows[best] + top)
        radius *= 2
