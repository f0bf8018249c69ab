"""Annotator noise, a seeded option: a share of wrong answers, shaken boxes, wobbling outlines. The default is none.

Each draw is a function of (seed, scene, kind, item) alone, so that asking again gives the same answer: errors cannot be
averaged away by buying twice, and an answer does not depend on what else was asked.
"""

from __future__ import annotations

import hashlib
import math
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from segfrontier.errors import BadInput

_CORRELATION = 8
"""An outline's error keeps its sign over this many times its size, as a hand's does."""


@dataclass(frozen=True, kw_only=True)
class Noise:
    """How wrong the annotators are."""

    points: float = 0.0
    """Share of points that are given another class."""
    tags: float = 0.0
    """Share of (crop, class) questions that are answered wrongly."""
    boxes: float = 0.0
    """Standard deviation of each edge of a box, as a share of the box's width or height."""
    outlines: float = 0.0
    """Standard deviation, in pixels, of the outlines of fine and coarse masks."""

    def __post_init__(self) -> None:
        for name, top in (("points", 1.0), ("tags", 1.0), ("boxes", 1.0), ("outlines", 1000.0)):
            value = getattr(self, name)
            if not (isinstance(value, int | float) and math.isfinite(value) and 0 <= value <= top):
                raise BadInput(f"annotator noise {name!r} must lie in 0..{top:g}; found {value!r}. Write 0 for none.")


def scene_key(seed: int, scene: str, kind: str) -> int:
    """A 64-bit key that is the same on every machine."""
    return int.from_bytes(hashlib.blake2b(f"{seed}/{kind}/{scene}".encode(), digest_size=8).digest(), "little")


def uniforms(key: int, items: NDArray[np.int64], *, stream: int) -> NDArray[np.float64]:
    """One number in (0, 1) for each item, by two rounds of the splitmix64 finaliser; streams are independent."""
    with np.errstate(over="ignore"):
        state = _mix(items.astype(np.uint64) * np.uint64(0x9E3779B97F4A7C15) + np.uint64(key))
        state = _mix(state + np.uint64((stream + 1) * 0xD1B54A32D192ED03 % 2**64))
    return (np.asarray(state >> np.uint64(11), np.float64) + 0.5) / 2.0**53


def misnamed(
    labels: NDArray[np.uint8], items: NDArray[np.int64], *, share: float, classes: int, key: int
) -> NDArray[np.uint8]:
    """Labels of which about `share` became another class, each other class equally likely."""
    if share == 0:
        return labels
    wrong = uniforms(key, items, stream=0) < share
    others = np.where(labels < classes, classes - 1, classes)
    pick = np.floor(uniforms(key, items, stream=1) * others).astype(np.int64)
    pick += (pick >= labels) & (labels < classes)
    return np.where(wrong & (others > 0), pick, labels).astype(np.uint8)


def misread(present: NDArray[np.bool_], items: NDArray[np.int64], *, share: float, key: int) -> NDArray[np.bool_]:
    """(n, classes) presence in which about `share` of the answers are turned round."""
    if share == 0:
        return present
    columns = [uniforms(key, items, stream=c) < share for c in range(present.shape[1])]
    return present ^ np.stack(columns, axis=1)


def shaken(
    boxes: NDArray[np.int64], items: NDArray[np.int64], *, share: float, height: int, width: int, key: int
) -> NDArray[np.int64]:
    """(n, 4) half-open boxes with each edge moved by about `share` of its side; inside the image, never empty."""
    if share == 0 or len(boxes) == 0:
        return boxes
    from scipy.special import ndtri  # a tenth of a second of every process, and few draw boxes that are shaken

    sides = np.tile(boxes[:, 2:] - boxes[:, :2], 2)
    steps = np.stack([ndtri(uniforms(key, items, stream=edge)) for edge in range(4)], axis=1)
    moved = np.rint(boxes + share * sides * steps).astype(np.int64)
    near = np.clip(np.minimum(moved[:, :2], moved[:, 2:]), 0, [width - 1, height - 1])
    far = np.clip(np.maximum(moved[:, :2], moved[:, 2:]), near + 1, [width, height])
    return np.concatenate([near, far], axis=1)


class Wobble:
    """A smooth displacement of one scene, for all of its maps alike: outlines move, the inside stays."""

    def __init__(self, height: int, width: int, *, pixels: float, key: int) -> None:
        pitch = _CORRELATION * max(1.0, pixels)
        grid = (math.ceil(height / pitch) + 3, math.ceil(width / pitch) + 3)
        coarse = np.random.default_rng(key).standard_normal((*grid, 2)).astype(np.float32)
        smooth = cv2.resize(coarse, (width, height), interpolation=cv2.INTER_CUBIC)
        scale = np.float32(pixels / max(float(smooth.std()), 1e-6))
        y, x = np.mgrid[0:height, 0:width].astype(np.float32)
        self._x, self._y = x + scale * smooth[..., 0], y + scale * smooth[..., 1]

    def map(self, labels: NDArray[np.uint8]) -> NDArray[np.uint8]:
        """A label map with moved outlines; no label that it did not have."""
        return cv2.remap(labels, self._x, self._y, cv2.INTER_NEAREST, borderMode=cv2.BORDER_REPLICATE).astype(np.uint8)

    def instance(self, ids: NDArray[np.uint16]) -> NDArray[np.uint16]:
        """The instance map under the same displacement."""
        return cv2.remap(ids, self._x, self._y, cv2.INTER_NEAREST, borderMode=cv2.BORDER_REPLICATE).astype(np.uint16)


def _mix(state: NDArray[np.uint64]) -> NDArray[np.uint64]:
    state = (state ^ (state >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    state = (state ^ (state >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return state ^ (state >> np.uint64(31))
