"""COCO's panoptic form: for each split a folder of images, one of segments as colours, a JSON file of what they are.

A segment is an object with its number, the rest of a thing's pixels (a crowd), or all pixels of a stuff class; void is
black. A world with scenes of both domains becomes two such folders.
"""

from __future__ import annotations

import json
from collections import Counter, defaultdict
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from segfrontier.errors import BadWorld
from segfrontier.scenes.classes import VOID, ClassTable
from segfrontier.scenes.exporting.content import Contents, Key
from segfrontier.scenes.exporting.layouts import put
from segfrontier.scenes.exporting.places import flat_names
from segfrontier.scenes.world import World

_JSON = "annotations/panoptic_{}2017.json"
_LARGEST = 2**24  # one more than the largest number that three bytes hold


def segments(
    semantic: NDArray[np.uint8], instance: NDArray[np.uint16] | None, classes: ClassTable
) -> tuple[NDArray[np.int64], list[dict[str, Any]]]:
    """(H, W) numbers of segments, 0 is void, and a row for each segment as COCO has them.

    Objects come first, in the order of their numbers, so that reading counts them in that order again.
    """
    thing = np.isin(semantic, classes.things)
    number = np.zeros(semantic.shape, np.int64) if instance is None else np.where(thing, instance, 0).astype(np.int64)
    rest = np.where(number > 0, 0, np.int64(1) << 32)  # behind all objects
    code = np.where(semantic == VOID, -1, rest + number * 256 + semantic)
    values, where = np.unique(code, return_inverse=True)
    where = where.reshape(code.shape) + (0 if values[0] == -1 else 1)
    if len(values) >= _LARGEST:
        raise BadWorld(f"a scene has fewer than {_LARGEST} segments in COCO's form; found {len(values)}")
    rows = []
    known = [value for value in values.tolist() if value >= 0]
    boxes = _boxes(where, len(known))
    for at, (value, (box, area)) in enumerate(zip(known, boxes, strict=True), start=1):
        label = value % 256
        crowd = value >= 1 << 32 and label in classes.things
        rows.append({"id": at, "category_id": label + 1, "area": area, "bbox": box, "iscrowd": int(crowd)})
    return where, rows


def _boxes(where: NDArray[np.int64], count: int) -> list[tuple[list[int], int]]:
    """(x, y, width, height) and area of each number from 1 on."""
    y, x = np.indices(where.shape)
    flat, areas = where.ravel(), np.bincount(where.ravel(), minlength=count + 1)
    low = np.full((2, count + 1), np.iinfo(np.int64).max)
    high = np.full((2, count + 1), -1)
    for axis, places in enumerate((x.ravel(), y.ravel())):
        np.minimum.at(low[axis], flat, places)
        np.maximum.at(high[axis], flat, places)
    sides = high - low + 1
    return [
        ([int(low[0, n]), int(low[1, n]), int(sides[0, n]), int(sides[1, n])], int(areas[n]))
        for n in range(1, count + 1)
    ]


def colour_png(numbers: NDArray[np.int64]) -> bytes:
    """Numbers as R + 256 G + 65536 B."""
    blue_first = np.stack([numbers >> 16, numbers >> 8 & 255, numbers & 255], -1).astype(np.uint8)
    ok, data = cv2.imencode(".png", blue_first)
    if not ok:
        raise BadWorld(f"a map of segments of shape {numbers.shape} could not be encoded")
    return bytes(data)


class CocoPanoptic:
    """The form `coco-panoptic`."""

    def __init__(self, world: World, contents: Contents) -> None:
        self._world, self._contents = world, contents
        self._apart = len({domain for domain, _ in contents.scenes}) > 1
        self._images: defaultdict[Key, list[dict[str, Any]]] = defaultdict(list)
        self._annotations: defaultdict[Key, list[dict[str, Any]]] = defaultdict(list)
        self._endings = Counter[str]()
        self._uncounted = self.left_out = 0

    def _root(self, key: Key) -> str:
        return f"{key[0]}/" if self._apart else ""

    def jobs(self) -> Sequence[Callable[[Path], Any]]:
        """One for each scene."""
        return [
            partial(self._write, key, scene, name, number)
            for key, scenes in self._contents.scenes.items()
            for number, (scene, name) in enumerate(zip(scenes, flat_names(scenes), strict=True), start=1)
        ]

    def begin(self, draft: Path) -> None:
        """Folders come with their files."""

    def _write(self, key: Key, scene: str, name: str, number: int, draft: Path) -> Any:
        content = self._contents.read(key, scene)
        if content.semantic is None:
            return None
        numbers, rows = segments(content.semantic, content.instance, self._world.classes)
        root, split = self._root(key), key[1]
        put(draft / f"{root}{split}2017/{name}.{content.ending}", content.image)
        put(draft / f"{root}annotations/panoptic_{split}2017/{name}.png", colour_png(numbers))
        height, width = content.size
        image = {"id": number, "file_name": f"{name}.{content.ending}", "height": height, "width": width}
        annotation = {"image_id": number, "file_name": f"{name}.png", "segments_info": rows}
        return key, image | {"scene": scene}, annotation, content.ending, content.instance is None

    def take(self, result: Any) -> None:
        """What stands in the JSON file."""
        if result is None:
            self.left_out += 1
            return
        key, image, annotation, ending, uncounted = result
        self._images[key].append(image)
        self._annotations[key].append(annotation)
        self._endings[ending] += 1
        self._uncounted += uncounted

    def finish(self, draft: Path) -> None:
        """Write a JSON file for each split."""
        if not self._images:
            raise BadWorld(f"{self._world.name!r} must have scenes with fine labels for COCO's form; it has none.")
        classes = self._world.classes.classes
        categories = [
            {"id": label + 1, "name": c.name, "supercategory": c.name, "color": list(c.colour), "isthing": int(c.thing)}
            for label, c in enumerate(classes)
        ]
        for key, images in self._images.items():
            plain = {
                "info": {"description": self._world.name}, "licenses": [], "images": images,
                "annotations": self._annotations[key], "categories": categories,
            }  # fmt: skip
            text = json.dumps(plain, ensure_ascii=False)
            put(draft / f"{self._root(key)}{_JSON.format(key[1])}", text.encode())

    def remarks(self) -> Sequence[str]:
        """What reading these files will not give back."""
        lines = []
        if self._contents.existing:
            lines.append("boxes and tags that exist already have no place in this form; `--to folders` keeps them")
        if self._apart:
            lines.append("scenes of both domains: each has a folder of its own")
        if self._uncounted:
            lines.append(f"{self._uncounted} scenes have no instances; their things are crowds")
        if missing := {"train", "val"} - {split for _, split in self._images}:
            lines.append(f"no {' and no '.join(sorted(missing))}: `world import coco` reads both splits, and no other")
        if self._endings["webp"]:
            lines.append(f"{self._endings['webp']} images are webp, which `world import coco` does not look for")
        return lines
