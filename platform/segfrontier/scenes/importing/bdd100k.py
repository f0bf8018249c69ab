"""BDD100K, the 10K images with semantic labels: grey files of Cityscapes' train ids, in either form of the release.

`bdd100k-divided` is paper 000's division of the 7,000 training images: 3,000 keep their fine labels, and of the other
4,000 there are coarse labels alone, simulated from the fine ones. The paper does not say which; here the scenes' names
decide, by their hash.
"""

from __future__ import annotations

from fractions import Fraction

from segfrontier.scenes.importing.labelfiles import plain
from segfrontier.scenes.importing.layout import Dataset, LayoutPart
from segfrontier.scenes.importing.street_classes import BY_TRAIN_ID, CLASS_SETS


def _parts(images: str, labels: str) -> tuple[LayoutPart, ...]:
    return tuple(
        LayoutPart(
            name=split, images=f"{images}/{split}/{{id}}.jpg", labels={"semantic": labels.format(split)}, read=plain
        )
        for split in ("train", "val")
    )


_LAYOUTS = (
    _parts("images/10k", "labels/sem_seg/masks/{}/{{id}}.png"),
    _parts("seg/images", "seg/labels/{}/{{id}}_train_id.png"),
)
_WITHHELD = ("images/10k/test/{id}.jpg", "seg/images/test/{id}.jpg")

BDD100K = Dataset(
    name="bdd100k", title="BDD100K", classes=BY_TRAIN_ID, layouts=_LAYOUTS, withheld=_WITHHELD, class_sets=CLASS_SETS
)
BDD100K_DIVIDED = Dataset(
    name="bdd100k-divided", title="BDD100K", classes=BY_TRAIN_ID, layouts=_LAYOUTS, withheld=_WITHHELD,
    class_sets=CLASS_SETS, world="bdd100k", fine=Fraction(3000, 7000),
)  # fmt: skip
