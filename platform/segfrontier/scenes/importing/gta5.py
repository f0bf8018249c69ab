"""GTA5 (Playing for Data): `images` and `labels`, palette files with Cityscapes' ids and 34 for licence plates.

A few label files differ in size from their images by some pixels: they are resized to them, and named.
"""

from __future__ import annotations

from dataclasses import replace

from segfrontier.scenes.classes import CITYSCAPES
from segfrontier.scenes.importing.labelfiles import plain
from segfrontier.scenes.importing.layout import Dataset, LayoutPart
from segfrontier.scenes.importing.street_classes import CLASS_SETS

_LICENCE_PLATE = 34

GTA5 = Dataset(
    name="gta5",
    title="GTA5",
    classes=replace(CITYSCAPES, void_ids=(*CITYSCAPES.void_ids, _LICENCE_PLATE)),
    layouts=(
        (LayoutPart(name="train", images="images/{id}.png", labels={"semantic": "labels/{id}.png"}, read=plain),),
    ),
    domain="source",
    resize=True,
    class_sets=CLASS_SETS,
)
