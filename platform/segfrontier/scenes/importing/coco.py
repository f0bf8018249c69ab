"""COCO panoptic: colour files with a number for each segment, and a JSON file that says what each segment is.

Things are objects of their own (COCO's instances), crowds are things without a number, and black is void. The 133
classes are those of the JSON file. Images are jpg; in what `world export` writes, png too.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from segfrontier.basics.reading import load_json
from segfrontier.errors import BadWorld
from segfrontier.scenes.classes import ClassTable, SceneClass
from segfrontier.scenes.importing.labelfiles import numbers_in_colours
from segfrontier.scenes.importing.layout import Dataset, LayoutPart, RawTruth, SceneFiles

_JSON = "annotations/panoptic_{}2017.json"
_LARGEST = 2**31  # bytes; that of the training images has some hundred million
Segments = Mapping[int, tuple[int, bool]]
"""Of one image: category and whether it is a crowd, by the number of the segment."""


def read(item: SceneFiles) -> RawTruth:
    """The category of each pixel, and the numbers of segments that are no crowds."""
    path, segments = item.labels["semantic"], item.more
    numbers = numbers_in_colours(path)
    values, where = np.unique(numbers, return_inverse=True)
    if strays := [value for value in values.tolist() if value and value not in segments]:
        raise BadWorld(
            f"{path}: its segments must be those that the JSON file lists; {len(strays)} are not, e.g. {strays[0]}. "
            f"Take both from one release."
        )
    known = [segments.get(value, (0, True)) for value in values.tolist()]
    categories = np.array([category for category, _ in known], np.int64)
    objects = np.array([0 if crowd else v for v, (_, crowd) in zip(values.tolist(), known, strict=True)], np.int64)
    where = where.reshape(numbers.shape)
    return RawTruth(semantic=categories[where], instance=objects[where])


def classes(root: Path) -> ClassTable:
    """The categories of the validation images' JSON file, in its order."""
    path = root / _JSON.format("val")
    try:
        rows = _load(path)["categories"]
        table = tuple(
            SceneClass(name=row["name"], colour=(red, green, blue), thing=bool(row["isthing"]), raw_ids=(row["id"],))
            for row in rows
            for red, green, blue in [row["color"]]
        )
    except (KeyError, TypeError, ValueError) as error:
        if isinstance(error, BadWorld):
            raise
        raise _not_panoptic(path, error) from None
    return ClassTable(name="coco-panoptic", classes=table, void_ids=(0,))


def segments(split: str, root: Path) -> Mapping[str, Segments]:
    """What the JSON file says of each image."""
    path = root / _JSON.format(split)
    try:
        return {
            unicodedata.normalize("NFC", Path(row["file_name"]).stem): {  # as the names of files are
                int(s["id"]): (int(s["category_id"]), bool(s["iscrowd"])) for s in row["segments_info"]
            }
            for row in _load(path)["annotations"]
        }
    except (KeyError, TypeError, ValueError) as error:
        if isinstance(error, BadWorld):
            raise
        raise _not_panoptic(path, error) from None


def _load(path: Path) -> Any:
    return load_json(path, what="COCO's panoptic JSON file", error=BadWorld, limit=_LARGEST)


def _not_panoptic(path: Path, error: Exception) -> BadWorld:
    return BadWorld(
        f"{path}: must list `categories`, and `annotations` with `segments_info`, as COCO's panoptic files do; it does "
        f"not ({type(error).__name__}: {error}). Take panoptic_annotations_trainval2017."
    )


def _parts(labels: str) -> tuple[LayoutPart, ...]:
    return tuple(
        LayoutPart(
            name=split, images=f"{split}2017/{{id}}.*g", labels={"semantic": labels.format(split)}, read=read,
            more=partial(segments, split),
        )
        for split in ("train", "val")
    )  # fmt: skip


COCO = Dataset(
    name="coco",
    title="COCO panoptic",
    classes=classes,
    layouts=(_parts("annotations/panoptic_{}2017/{{id}}.png"), _parts("panoptic_{}2017/{{id}}.png")),
    pool="unlabeled2017/{id}.*g",
)
