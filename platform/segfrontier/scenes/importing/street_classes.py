"""Cityscapes' 19 classes under the ids that other street data sets give them, and the smaller sets of SYNTHIA."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from segfrontier.scenes.classes import CITYSCAPES, ClassTable

_THIRTEEN = (
    "road", "sidewalk", "building", "light", "sign", "vegetation", "sky", "person", "rider", "car", "bus",
    "motorcycle", "bicycle",
)  # fmt: skip
CLASS_SETS: Mapping[str, tuple[str, ...]] = {
    "synthia16": tuple(name for name in CITYSCAPES.names if name in (*_THIRTEEN, "wall", "fence", "pole")),
    "synthia13": _THIRTEEN,
}
"""What SYNTHIA shows (no terrain, trucks and trains), and the same without walls, fences and poles."""


def renumbered(ids: Mapping[str, int], *, void: tuple[int, ...], name: str = CITYSCAPES.name) -> ClassTable:
    """The 19 classes with other raw ids; a class that has none never occurs in the data set."""
    classes = tuple(replace(c, raw_ids=(ids[c.name],) if c.name in ids else ()) for c in CITYSCAPES.classes)
    return ClassTable(name=name, classes=classes, void_ids=void)


BY_TRAIN_ID = renumbered({name: label for label, name in enumerate(CITYSCAPES.names)}, void=(255,))
"""Files that hold the labels themselves: 0 to 18, 255 is void."""


def narrowed(table: ClassTable, name: str, kept: tuple[str, ...]) -> ClassTable:
    """The table with some of its classes, in its order; what meant the others is void."""
    gone = tuple(raw for c in table.classes if c.name not in kept for raw in c.raw_ids)
    return ClassTable(
        name=name, classes=tuple(c for c in table.classes if c.name in kept), void_ids=(*table.void_ids, *gone)
    )
