"""PASCAL VOC 2012 and the masks of SBD: palette files of classes and objects, and MATLAB files of both.

`voc` is what the papers train on: VOC's own 1,464 training images with VOC's masks, and SBD's for all of its 11,355
images that are not among VOC's training or validation images, which comes to 10,582; VOC's 1,449 validate.
"""

from __future__ import annotations

import numpy as np

from segfrontier.scenes.importing.labelfiles import ids, matrix
from segfrontier.scenes.importing.layout import Dataset, LayoutPart, RawTruth, SceneFiles
from segfrontier.scenes.pascal import VOC

_OUTLINE = 255
_DEVKIT, _SBD = "VOCdevkit/VOC2012", "benchmark_RELEASE/dataset"
_LISTS = {split: f"{_DEVKIT}/ImageSets/Segmentation/{split}.txt" for split in ("train", "val")}


def read_voc(item: SceneFiles) -> RawTruth:
    """Classes, and objects by their place in a palette file; an outline belongs to none."""
    semantic = ids(item.labels["semantic"])
    if "instance" not in item.labels:
        return RawTruth(semantic=semantic)
    numbers = ids(item.labels["instance"])
    return RawTruth(semantic=semantic, instance=np.where(numbers == _OUTLINE, 0, numbers))


def read_sbd(item: SceneFiles) -> RawTruth:
    """Classes and objects as MATLAB wrote them."""
    semantic = matrix(item.labels["semantic"], "GTcls", "Segmentation")
    if "instance" not in item.labels:
        return RawTruth(semantic=semantic)
    return RawTruth(semantic=semantic, instance=matrix(item.labels["instance"], "GTinst", "Segmentation"))


def _voc(split: str) -> LayoutPart:
    labels = {"semantic": f"{_DEVKIT}/SegmentationClass/{{id}}.png"}
    labels["instance"] = f"{_DEVKIT}/SegmentationObject/{{id}}.png"
    return LayoutPart(
        name=split, images=f"{_DEVKIT}/JPEGImages/{{id}}.jpg", labels=labels, read=read_voc, listed=(_LISTS[split],)
    )


_MORE = LayoutPart(
    name="sbd", split="train", images=f"{_DEVKIT}/JPEGImages/{{id}}.jpg", read=read_sbd,
    labels={"semantic": f"{_SBD}/cls/{{id}}.mat", "instance": f"{_SBD}/inst/{{id}}.mat"},
    listed=(f"{_SBD}/train.txt", f"{_SBD}/val.txt"), unlisted=tuple(_LISTS.values()),
)  # fmt: skip

VOC_AND_SBD = Dataset(
    name="voc", title="PASCAL VOC 2012 with SBD", classes=VOC, layouts=((_voc("train"), _MORE, _voc("val")),)
)
VOC_ALONE = Dataset(
    name="voc-alone", title="PASCAL VOC 2012", classes=VOC, layouts=((_voc("train"), _voc("val")),), world="voc"
)
