"""Cityscapes: `leftImg8bit`, `gtFine` with label and instance ids, `gtCoarse` with `train_extra`.

The ids are those of the data set's own label definition, where licence plates (-1) are drawn in no file. Labels of the
test split hold nothing but void, so it stays out.
"""

from __future__ import annotations

import numpy as np

from segfrontier.scenes.classes import CITYSCAPES
from segfrontier.scenes.importing.labelfiles import ids
from segfrontier.scenes.importing.layout import Dataset, LayoutPart, RawTruth, SceneFiles
from segfrontier.scenes.importing.street_classes import CLASS_SETS

_GROUP = 1000  # instanceIds: class * 1000 + number; below it, a class whose objects are not told apart


def read(item: SceneFiles) -> RawTruth:
    """Fine ids with numbers of instances, coarse ids, each where the scene has them."""
    files = item.labels
    semantic = ids(files["semantic"]) if "semantic" in files else None
    coarse = ids(files["coarse"]) if "coarse" in files else None
    if semantic is None or "instance" not in files:
        return RawTruth(semantic=semantic, coarse=coarse)
    instance = ids(files["instance"]).astype(np.int64)  # without any object it may be stored with 8 bits
    remarks = []
    if instance.shape == semantic.shape:
        classes = np.where(instance >= _GROUP, instance // _GROUP, instance)
        if apart := int((classes != semantic).sum()):
            remarks.append(
                f"{files['instance']}: on {apart} px it has another class than {files['semantic'].name}, which counts"
            )
    return RawTruth(semantic, np.where(instance >= _GROUP, instance, 0), coarse, tuple(remarks))


def _part(name: str, *, fine: bool = True, split: str = "") -> LayoutPart:
    labels = {
        "semantic": f"gtFine/{name}/{{city}}/{{id}}_gtFine_labelIds.png",
        "instance": f"gtFine/{name}/{{city}}/{{id}}_gtFine_instanceIds.png",
        "coarse": f"gtCoarse/{name}/{{city}}/{{id}}_gtCoarse_labelIds.png",
    }
    if not fine:
        labels = {"coarse": labels["coarse"]}
    return LayoutPart(
        name=name, split=split, images=f"leftImg8bit/{name}/{{city}}/{{id}}_leftImg8bit.png", labels=labels,
        read=read, needs=("semantic",) if fine else ("coarse",),
    )  # fmt: skip


_BESIDE = (
    "*_gtFine_color.png", "*_gtFine_polygons.json", "*_gtFine_labelTrainIds.png", "*_gtFine_instanceTrainIds.png",
    "*_gtCoarse_color.png", "*_gtCoarse_polygons.json", "*_gtCoarse_instanceIds.png", "*_gtCoarse_labelTrainIds.png",
    "*_gtCoarse_instanceTrainIds.png",
)  # fmt: skip
_FINE = (_part("train"), _part("val"))

CITYSCAPES_FINE = Dataset(
    name="cityscapes", title="Cityscapes", classes=CITYSCAPES, layouts=(_FINE,), beside=_BESIDE,
    withheld=("leftImg8bit/test/{city}/{id}_leftImg8bit.png",), class_sets=CLASS_SETS,
)  # fmt: skip

CITYSCAPES_EXTRA = Dataset(
    name="cityscapes-extra", title="Cityscapes with train_extra", classes=CITYSCAPES,
    layouts=((*_FINE, _part("train_extra", fine=False, split="train")),), beside=_BESIDE,
    withheld=CITYSCAPES_FINE.withheld, world="cityscapes", class_sets=CLASS_SETS,
)  # fmt: skip
