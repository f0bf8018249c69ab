"""PASCAL-Context: MATLAB files with 459 categories over VOC 2010's images, of which 59 are classes.

Which number a category has, `labels.txt` of the release says. All others, and what is not labelled, are background.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from segfrontier.basics.reading import read_text
from segfrontier.errors import BadWorld
from segfrontier.scenes.classes import ClassTable
from segfrontier.scenes.importing.labelfiles import matrix
from segfrontier.scenes.importing.layout import Dataset, LayoutPart, RawTruth, SceneFiles
from segfrontier.scenes.pascal import PASCAL_CONTEXT

_NAMES = "labels.txt"
_DEVKIT = "VOCdevkit/VOC2010"


def read(item: SceneFiles) -> RawTruth:
    """The category of each pixel."""
    return RawTruth(semantic=matrix(item.labels["semantic"], "LabelMap"))


def classes(root: Path) -> ClassTable:
    """The 59 classes and the background, by the numbers in the release's list of names."""
    text = read_text(root / _NAMES, what="PASCAL-Context's list of categories", error=BadWorld)
    numbers: dict[str, int] = {}
    for line in filter(str.strip, text.splitlines()):
        number, colon, name = line.partition(":")
        if not colon or not number.strip().isdecimal() or int(number) > 65535:
            raise BadWorld(f"{root / _NAMES}: a line must be `number: name`; found {line[:60]!r}. Unpack it anew.")
        numbers[name.replace(" ", "")] = int(number)
    named = PASCAL_CONTEXT.names[1:]
    if missing := [name for name in named if name not in numbers]:
        raise BadWorld(
            f"{root / _NAMES}: all of the 59 classes must be in it; missing: {', '.join(missing[:5])}. Take the list "
            f"that came with the labels."
        )
    others = tuple(sorted({0, *numbers.values()} - {numbers[name] for name in named}))
    background, *rest = PASCAL_CONTEXT.classes
    table = (replace(background, raw_ids=others), *(replace(c, raw_ids=(numbers[c.name],)) for c in rest))
    return ClassTable(name=PASCAL_CONTEXT.name, classes=table, void_ids=())


CONTEXT = Dataset(
    name="pascal-context",
    title="PASCAL-Context",
    classes=classes,
    layouts=(tuple(
        LayoutPart(
            name=split, images=f"{_DEVKIT}/JPEGImages/{{id}}.jpg", labels={"semantic": "trainval/{id}.mat"}, read=read,
            listed=(f"{_DEVKIT}/ImageSets/Main/{split}.txt",),
        )
        for split in ("train", "val")
    ),),
)  # fmt: skip
