"""SYNTHIA-RAND-CITYSCAPES: `RGB`, and `GT/LABELS` with 16 bits a channel: red is the class, green the object's number.

Every id is looked up as the file has it; a table applied key by key in place would map what it has just mapped.
Lane markings, parking slots and road works are void, as the papers that adapt from this data set have it.
"""

from __future__ import annotations

from segfrontier.scenes.importing.labelfiles import deep
from segfrontier.scenes.importing.layout import Dataset, LayoutPart, RawTruth, SceneFiles
from segfrontier.scenes.importing.street_classes import CLASS_SETS, renumbered

_IDS = {
    "sky": 1, "building": 2, "road": 3, "sidewalk": 4, "fence": 5, "vegetation": 6, "pole": 7, "car": 8, "sign": 9,
    "person": 10, "bicycle": 11, "motorcycle": 12, "light": 15, "terrain": 16, "rider": 17, "truck": 18, "bus": 19,
    "train": 20, "wall": 21,
}  # fmt: skip
_VOID = (0, 13, 14, 22)  # void, parking slot, road work, lane marking


def read(item: SceneFiles) -> RawTruth:
    """Classes and numbers of objects, from one file."""
    channels = deep(item.labels["semantic"])
    return RawTruth(semantic=channels[..., 0], instance=channels[..., 1])


SYNTHIA = Dataset(
    name="synthia",
    title="SYNTHIA-RAND-CITYSCAPES",
    classes=renumbered(_IDS, void=_VOID),
    layouts=((LayoutPart(name="train", images="RGB/{id}.png", labels={"semantic": "GT/LABELS/{id}.png"}, read=read),),),
    domain="source",
    class_sets=CLASS_SETS,
)
