"""Two more synthetic cities: Synscapes, with Cityscapes' ids and numbered objects, and UrbanSyn, with its train ids."""

from __future__ import annotations

from dataclasses import replace

from segfrontier.scenes.classes import CITYSCAPES
from segfrontier.scenes.importing.labelfiles import ids, numbers_in_colours, plain
from segfrontier.scenes.importing.layout import Dataset, LayoutPart, RawTruth, SceneFiles
from segfrontier.scenes.importing.street_classes import BY_TRAIN_ID, CLASS_SETS


def read_synscapes(item: SceneFiles) -> RawTruth:
    """Classes, and objects numbered R + 256 G + 65536 B."""
    instance = numbers_in_colours(item.labels["instance"]) if "instance" in item.labels else None
    return RawTruth(semantic=ids(item.labels["semantic"]), instance=instance)


SYNSCAPES = Dataset(
    name="synscapes",
    title="Synscapes",
    classes=CITYSCAPES,
    layouts=((
        LayoutPart(
            name="train", images="img/rgb/{id}.png", read=read_synscapes,
            labels={"semantic": "img/class/{id}.png", "instance": "img/instance/{id}.png"},
        ),
    ),),
    domain="source",
    class_sets=CLASS_SETS,
)  # fmt: skip

_UNLABELLED = 19  # UrbanSyn's, beside 255

URBANSYN = Dataset(
    name="urbansyn",
    title="UrbanSyn",
    classes=replace(BY_TRAIN_ID, void_ids=(_UNLABELLED, *BY_TRAIN_ID.void_ids)),
    layouts=(
        (LayoutPart(name="train", images="rgb/rgb_{id}.png", labels={"semantic": "ss/ss_{id}.png"}, read=plain),),
    ),
    domain="source",
    class_sets=CLASS_SETS,
)
