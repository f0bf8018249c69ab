"""What is known of a scene, as one object: what an annotator gave, a model said, or the evaluator holds.

Each part is optional: None means that nothing is known of that kind, an empty array that there is none of it. Dense
parts have the scene's size; sparse ones keep their coordinates, whatever becomes of the pixels around them.
"""

from __future__ import annotations

import zlib
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
    confidence: NDArray[np.float32] | None = None  # (H, W) of the semantic map; for the evaluator, never stored
    tag_scores: NDArray[np.float32] | None = None  # (K,) of each class in the image; for the evaluator, never stored

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

    def over(self, below: SceneLabels) -> SceneLabels:
        """The labels of single pixels and the instances of both; where both know a pixel, it is as this one says.

        Points stay points, so that none is lost when the scene is resized.
        """
        mine = self.map() != VOID
        semantic = below.semantic if self.semantic is None else self.semantic
        if self.semantic is not None and below.semantic is not None:
            semantic = np.where(mine, self.semantic, below.semantic)
        points = [] if below.points is None else [below.points[~mine[below.points[:, 1], below.points[:, 0]]]]
        points += [] if self.points is None else [self.points]
        return SceneLabels(
            size=self.size,
            semantic=semantic,
            instance=below.instance if self.instance is None else self.instance,
            points=np.concatenate(points) if points else None,
        )


def packed_detections(found: Detections, size: tuple[int, int], classes: int) -> bytes:
    """Detections as bytes: their number, labels, scores, and the masks' bits compressed."""
    count = len(found.label)
    if found.score.shape != (count,) or found.mask.shape != (count, *size) or found.label.shape != (count,):
        raise ValueError(
            f"detections have a label, a score and a mask of {size} each; found shapes {found.label.shape}, "
            f"{found.score.shape} and {found.mask.shape}"
        )
    if (found.label >= classes).any() or not np.isfinite(found.score).all():
        raise ValueError(f"detections have labels 0..{classes - 1} and finite scores; correct the rule")
    bits = zlib.compress(np.packbits(found.mask.astype(np.bool_), axis=None).tobytes(), 1)
    head = np.array(count, "<u4").tobytes() + found.label.astype(np.uint8).tobytes()
    return head + found.score.astype("<f4").tobytes() + bits


def unpacked_detections(data: bytes, size: tuple[int, int]) -> Detections:
    """The detections that `packed_detections` packed."""
    view = memoryview(data)
    count, pixels = int(np.frombuffer(view[:4], "<u4")[0]), size[0] * size[1]
    bits = np.frombuffer(zlib.decompress(view[4 + 5 * count :]), np.uint8)
    return Detections(
        label=np.frombuffer(view[4 : 4 + count], np.uint8).copy(),
        score=np.frombuffer(view[4 + count : 4 + 5 * count], "<f4").astype(np.float32),
        mask=np.unpackbits(bits, count=count * pixels).reshape(count, *size).astype(np.bool_),
    )
