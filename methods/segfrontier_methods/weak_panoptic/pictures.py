"""From boxes to labels, as one row of pictures a scene: what each source makes of the boxes, seeds, and every round."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import ClassVar

import cv2
import numpy as np
from numpy.typing import NDArray

from segfrontier.lab import Part, Predictors, Sketch
from segfrontier_methods.weak_panoptic.box_masks import BoxMasks, Source
from segfrontier_methods.weak_panoptic.tags import BOXES

_GROUP = (255, 255, 255)
_UNCOLOURED = (205, 205, 205)
"""Void is pale, for no class of a street is (a building is dark grey); and the boxes' outlines stay visible on it."""


@dataclass(frozen=True, kw_only=True)
class FromBoxes(Sketch):
    """The part's set `boxes`, drawn; masks of each of `sources` by `rule`; then each other set of the part by name."""

    note: ClassVar[str] = "Pale grey has no label (void). Outlines are the bought boxes; those of groups are white."

    rule: BoxMasks
    sources: tuple[Source, ...] = ("grabcut", "proposals", "both")

    def panels(self, models: Predictors, part: Part, scene: str) -> Sequence[tuple[str, NDArray[np.uint8]]]:
        """See `Sketch.panels`."""
        image, sets = part.images.image(scene), part.sets()
        palette = sets[BOXES].classes.palette.copy()
        palette[255] = _UNCOLOURED
        known = sets[BOXES].labels(scene)
        boxes = np.zeros((0, 6), np.int32) if known.boxes is None else known.boxes
        panels = [(scene, image), (f"{len(boxes)} boxes", outlined(image, boxes, palette))]
        for source in self.sources:
            made = replace(self.rule, masks=source).label(models, image, known)
            panels.append((f"masks: {source}", outlined(palette[made.map()], boxes, palette)))
        for name, one in sets.items():
            if name != BOXES and scene in one:
                labels = one.map(scene)
                panels.append((f"{name} ({(labels != 255).mean():.0%} labelled, rest pale)", palette[labels]))
        return panels


def outlined(picture: NDArray[np.uint8], boxes: NDArray[np.int32], palette: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """A copy of the picture with boxes in their classes' colours, those of groups in white."""
    drawn, thick = picture.copy(), max(1, round(picture.shape[1] / 320))  # seen when the sheet makes it smaller, too
    for x0, y0, x1, y1, label, group in boxes.tolist():
        colour = _GROUP if group else tuple(palette[label].tolist())
        cv2.rectangle(drawn, (x0, y0), (x1 - 1, y1 - 1), colour, thick)
    return drawn
