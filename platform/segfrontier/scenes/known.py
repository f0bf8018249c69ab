"""What is known of a scene, as one object: what an annotator gave, a model said, or the evaluator holds.

Each part is optional: None means that nothing is known of that kind, an empty array that there is none of it. Dense
parts have the scene's size; sparse ones keep their coordinates, whatever becomes of the pixels around them.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from segfrontier.scenes.classes import VOID


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class Detections:
    """Instances that a model found. Unlike those of an instance map they have scores, and may overlap."""

    label: NDArray[np.uint8]  # (n,)
    score: NDArray[np.float32]  # (n,)
    mask: NDArray[np.bool_]  # (n, H, W)


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class SceneLabels:
    """All that is known of one scene of `size` (height, width)."""

    size: tuple[int, int]
    semantic: NDArray[np.uint8] | None = None  # (H, W), 255 where nothing is known
    instance: NDArray[np.uint16] | None = None  # (H, W), 0 is none
    points: NDArray[np.int32] | None = None  # (n, 3): x, y, label
    boxes: NDArray[np.int32] | None = None  # (n, 6): x0, y0, x1, y1 (half-open), label, group
    tags: NDArray[np.int32] | None = None  # (n, 2): crop, label
    detections: Detections | None = None

    def map(self) -> NDArray[np.uint8]:
        """(H, W) labels of single pixels: the semantic map with the points in it; 255 wherever nothing is known.

        Boxes and tags say nothing of any single pixel, so they do not show here.
        """
        labels = np.full(self.size, VOID, np.uint8) if self.semantic is None else self.semantic
        if self.points is not None and len(self.points):
            labels = labels.copy()
            x, y, label = self.points.T
            labels[y, x] = label
        return labels
