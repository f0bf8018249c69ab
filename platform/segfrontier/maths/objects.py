"""Boxes around what an instance map counts, and around the countable pixels that it does not."""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import find_objects

Ints = NDArray[np.int64]


def instance_boxes(semantic: NDArray[np.uint8], ids: NDArray[np.uint16]) -> tuple[Ints, Ints, Ints]:
    """(n,) instance ids in rising order, their tight half-open boxes (n, 4) x0, y0, x1, y1, and their labels (n,)."""
    numbers, boxes, labels = [], [], []
    for number, place in enumerate(find_objects(ids.astype(np.int32)), start=1):
        if place is None:
            continue
        rows, columns = place
        numbers.append(number)
        boxes.append((columns.start, rows.start, columns.stop, rows.stop))
        labels.append(semantic[place][ids[place] == number][0])  # an instance lies inside one class
    return np.array(numbers, np.int64), np.array(boxes, np.int64).reshape(-1, 4), np.array(labels, np.int64)


def group_boxes(semantic: NDArray[np.uint8], ids: NDArray[np.uint16], *, things: Sequence[int]) -> tuple[Ints, Ints]:
    """Boxes (n, 4) and labels (n,) of the 8-connected regions of a countable class that belong to no instance."""
    boxes: list[tuple[int, int, int, int]] = []
    labels: list[int] = []
    for label in things:
        region = ((semantic == label) & (ids == 0)).astype(np.uint8)
        count, _, stats, _ = cv2.connectedComponentsWithStats(region, connectivity=8)
        for x, y, width, height, _ in stats[1:count]:
            boxes.append((int(x), int(y), int(x + width), int(y + height)))
            labels.append(label)
    return np.array(boxes, np.int64).reshape(-1, 4), np.array(labels, np.int64)
