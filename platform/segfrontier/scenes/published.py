"""What is published of well-known data sets: enough to plan with one before it lies on a disk.

A world that a study calls `worlds/gta5` is taken for the data set `gta5`. Counts and sizes are those of the data sets'
own pages; where images differ in size, the most frequent one.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from segfrontier.scenes.classes import CAMVID, CITYSCAPES, ClassTable
from segfrontier.scenes.pascal import PASCAL_CONTEXT, VOC


@dataclass(frozen=True, kw_only=True)
class Published:
    """A data set as published. `scenes` counts them by (domain, split), as they lie in a world."""

    name: str
    about: str
    size: tuple[int, int]  # (height, width)
    scenes: Mapping[tuple[str, str], int]
    coarse_only: int = 0  # of the target's training scenes: those without fine labels
    classes: ClassTable = CITYSCAPES


def _street(name: str, about: str, size: tuple[int, int], *, train: int, val: int, coarse_only: int = 0) -> Published:
    scenes = {("target", "train"): train, ("target", "val"): val}
    return Published(name=name, about=about, size=size, scenes=scenes, coarse_only=coarse_only)


def _synthetic(name: str, about: str, size: tuple[int, int], *, train: int) -> Published:
    return Published(name=name, about=about, size=size, scenes={("source", "train"): train})


PUBLISHED: Mapping[str, Published] = {
    data_set.name: data_set
    for data_set in (
        _street("cityscapes", "Cityscapes, finely labelled part", (1024, 2048), train=2975, val=500),
        _street("cityscapes-extra", "Cityscapes with its 19,998 coarsely labelled images", (1024, 2048),
                train=2975 + 19998, val=500, coarse_only=19998),
        _street("bdd100k", "BDD100K, segmentation part", (720, 1280), train=7000, val=1000),
        _synthetic("synscapes", "Synscapes", (720, 1440), train=25000),
        _synthetic("gta5", "GTA5 (Playing for Data)", (1052, 1914), train=24966),
        _synthetic("cityscapes-source", "Cityscapes, finely labelled, as the source of another city", (1024, 2048),
                   train=2975),
        _synthetic("synthia", "SYNTHIA-RAND-CITYSCAPES", (760, 1280), train=9400),
        Published(name="camvid", about="CamVid in the SegNet layout", size=(360, 480), classes=CAMVID,
                  scenes={("target", "train"): 367, ("target", "val"): 101}),
        _street("cityscapes-half", "Cityscapes, finely labelled part, at half its size", (512, 1024),
                train=2975, val=500),
        Published(name="voc", about="PASCAL VOC 2012 with the masks of SBD", size=(375, 500), classes=VOC,
                  scenes={("target", "train"): 10_582, ("target", "val"): 1449}),
        Published(name="pascal-context", about="PASCAL-Context, 59 classes and a background", size=(375, 500),
                  classes=PASCAL_CONTEXT, scenes={("target", "train"): 4998, ("target", "val"): 5105}),
    )
}  # fmt: skip


def published(ref: str) -> Published | None:
    """The data set that a world's folder or URI is named after, if it is a known one."""
    return PUBLISHED.get(ref.rstrip("/").rpartition("/")[2])
