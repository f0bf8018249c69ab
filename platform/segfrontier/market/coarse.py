"""The coarse annotator where a dataset has no coarse masks: a rough polygon well inside each sizeable object.

After the simulator that goes with paper 000 (Das et al.): per class and connected component, drop the small ones, erode
by a k x k square with k such that about 35 % of the component disappears, replace the outline by a polygon of about 50
vertices, fill, and leave the rest void.

- Small: below (H * W) / 1000 pixels. The reference also has an absolute floor of 100 px; as a share of its 1024 x 2048
  images that is H * W / 20972, so that once both scale with the image the first rule alone decides, at any size.
- k is found exactly instead of by bisection: in the chessboard distance transform, erosion by k = 2r + 1 keeps the
  pixels deeper than r, so that one histogram has the loss for every odd k; the even k between is tried too, because on
  small images the odd ones are too far apart. The image's border is not an outline: objects go on behind it.
- A side of the polygon may cut across a bay of the outline. A human's polygon lies inside the object, so what falls
  outside is dropped: every labelled pixel has its true class. Holes are polygons as well.
"""

from __future__ import annotations

from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from segfrontier.scenes.classes import VOID

LOST_SHARE = 0.35
VERTICES = 50
SMALL_SHARE = 1 / 1000
Outline = NDArray[np.integer[Any] | np.floating[Any]]
_PAIR = np.ones((2, 2), np.uint8)


def coarse_map(semantic: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """(H, W) the coarse annotation of a fine map: 255 wherever no polygon lies."""
    coarse = np.full(semantic.shape, VOID, np.uint8)
    counts = np.bincount(semantic.ravel(), minlength=VOID + 1)[:VOID]
    for label in np.flatnonzero(counts >= semantic.size * SMALL_SHARE):
        inside = (semantic == label).astype(np.uint8)
        window = _window(inside)
        _draw(coarse[window], eroded(inside[window], small=semantic.size * SMALL_SHARE), inside[window], int(label))
    return coarse


def eroded(inside: NDArray[np.uint8], *, small: float) -> NDArray[np.uint8]:
    """A 0/1 mask with each 8-connected component eroded by its own square; those below `small` pixels are gone."""
    count, ids, stats, _ = cv2.connectedComponentsWithStats(inside, connectivity=8)
    areas = stats[:, cv2.CC_STAT_AREA].astype(np.int64)
    big = areas >= small
    big[0] = False
    number = int(big.sum())
    if number == 0:
        return np.zeros_like(inside)
    rank = np.zeros(count, np.int32)  # 0 is the background and everything small
    rank[big] = np.arange(1, number + 1, dtype=np.int32)
    component = rank[ids]
    # 8-connected components of one class never touch, so that each one's outline is the only one it is near to.
    depth = np.minimum(np.rint(cv2.distanceTransform(inside, cv2.DIST_C, 3)), max(inside.shape)).astype(np.int32)
    depth[component == 0] = 0
    areas = np.concatenate([[1], areas[big]])
    radius = _last_radius_within(component, depth, areas)[component]
    odd = depth > radius
    even = cv2.erode(odd.astype(np.uint8), _PAIR) > 0
    masks = (odd, even, depth > radius + 1)  # each inside the one before
    lost = np.stack([1 - np.bincount(component[m], minlength=number + 1) / areas for m in masks])
    choice = np.abs(lost - LOST_SHARE).argmin(axis=0).astype(np.uint8)[component]
    kept = masks[0] & (masks[1] | (choice < 1)) & (masks[2] | (choice < 2)) & (component > 0)
    return kept.astype(np.uint8)


def _last_radius_within(
    component: NDArray[np.int32], depth: NDArray[np.int32], areas: NDArray[np.int64]
) -> NDArray[np.int32]:
    """For each component the largest r whose erosion by 2r + 1 loses at most the wanted share."""
    deepest = int(depth.max())
    histogram = np.bincount((component * (deepest + 1) + depth).ravel(), minlength=len(areas) * (deepest + 1))
    lost = np.cumsum(histogram.reshape(len(areas), deepest + 1), axis=1)
    within = lost <= LOST_SHARE * areas[:, None]
    return np.maximum(within.sum(axis=1) - 1, 0).astype(np.int32)


def _draw(coarse: NDArray[np.uint8], kept: NDArray[np.uint8], inside: NDArray[np.uint8], label: int) -> None:
    """Fill the polygons of what erosion kept, hole by hole, and keep them inside the object."""
    outlines, tree = cv2.findContours(kept, cv2.RETR_CCOMP, cv2.CHAIN_APPROX_NONE)
    for number, outline in enumerate(outlines):
        if tree[0][number][3] >= 0:
            continue  # a hole: drawn with the outline around it
        polygons = [_polygon(outline)]
        hole = tree[0][number][2]
        while hole >= 0:
            polygons.append(_polygon(outlines[hole]))
            hole = tree[0][hole][0]
        x, y, width, height = cv2.boundingRect(outline)
        filled = np.zeros((height, width), np.uint8)
        cv2.fillPoly(filled, polygons, 1, offset=(-x, -y))
        part = (slice(y, y + height), slice(x, x + width))
        coarse[part][(filled & inside[part]) > 0] = label


def _polygon(outline: Outline) -> Outline:
    """Evenly spaced points of an outline, at most `VERTICES`."""
    if len(outline) <= VERTICES:
        return outline
    return outline[np.arange(VERTICES) * len(outline) // VERTICES]


def _window(inside: NDArray[np.uint8]) -> tuple[slice, slice]:
    """The class's bounding box and one pixel around it, so that its outline is an outline there too."""
    x, y, width, height = cv2.boundingRect(inside)
    return slice(max(y - 1, 0), y + height + 1), slice(max(x - 1, 0), x + width + 1)
