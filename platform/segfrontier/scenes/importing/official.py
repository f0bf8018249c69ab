"""A data set in its official layout as a source for the engine: label files read, mapped, held against images."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from segfrontier.errors import BadWorld
from segfrontier.scenes import raw as rawlabels
from segfrontier.scenes.classes import ClassTable
from segfrontier.scenes.codec import examine_image, resize_labels
from segfrontier.scenes.importing.engine import SizeMismatch, Source
from segfrontier.scenes.importing.layout import Dataset, Item
from segfrontier.scenes.importing.pairing import find, heads
from segfrontier.scenes.writer import Scene

_SAME_SHAPE = 0.02  # how far heights and widths may be from one ratio, so that resizing is right


def official_source(dataset: Dataset, root: str | Path, *, domain: str = "") -> Source:
    """What is to be imported of a data set below `root`."""
    place = Path(root)
    found = find(dataset, place)
    read = partial(
        read_item, table=dataset.classes, domain=domain or dataset.domain, resize=dataset.resize,
        components=dataset.components,
    )  # fmt: skip
    return Source(
        name=dataset.name,
        classes=dataset.classes,
        items=tuple(found.items),
        read=read,
        origin={"importer": dataset.name, "domain": domain or dataset.domain},
        folders=heads(dataset, place),
        components=dataset.components,
        notes=found.notes,
    )


def read_item(item: Item, *, table: ClassTable, domain: str, resize: bool, components: bool) -> tuple[Scene, list[str]]:
    """Read and map the files of one scene; and what is worth knowing of them."""
    image = rawlabels.read_file(item.image)
    size, odd = examine_image(image, name=str(item.image))
    remarks = [f"{item.image}: {what}" for what in odd]
    truth = item.read(item)
    remarks += truth.remarks

    def sized(values: NDArray[Any] | None, kind: str) -> NDArray[Any] | None:
        if values is None or values.shape == size:
            return values
        path = item.labels.get(kind) or next(iter(item.labels.values()))
        return _resized(values, size, path, remarks if resize else None)

    raw, coarse = sized(truth.semantic, "semantic"), sized(truth.coarse, "coarse")
    numbers = sized(truth.instance, "instance")
    named = {kind: str(item.labels.get(kind, item.image)) for kind in ("semantic", "instance", "coarse")}
    semantic = None if raw is None else rawlabels.to_labels(raw, table, encoding="ids", name=named["semantic"])
    instance = None
    if semantic is not None and numbers is not None:
        instance = rawlabels.instances_from_file(numbers, semantic, table, name=named["instance"])
    elif semantic is not None and components:
        instance = rawlabels.components(semantic, table)
    scene = Scene(
        id=item.id, domain=domain, split=item.split, height=size[0], width=size[1], image=image,
        semantic=semantic, instance=instance,
        coarse=None if coarse is None else rawlabels.to_labels(coarse, table, encoding="ids", name=named["coarse"]),
    )  # fmt: skip
    return scene, remarks


def _resized(values: NDArray[Any], size: tuple[int, int], path: Path, remarks: list[str] | None) -> NDArray[Any]:
    (height, width), (rows, columns) = size, values.shape
    if remarks is None or abs(height * columns / (width * rows) - 1) > _SAME_SHAPE:
        raise SizeMismatch(f"{path}: labels must be {width}x{height} like their image; found {columns}x{rows}")
    remarks.append(f"{path}: labels of {columns}x{rows} were resized to their image's {width}x{height}")
    if values.dtype.itemsize > 4 or values.dtype.kind not in "iu":
        raise BadWorld(f"{path}: labels to be resized have 32 bits at most; found {values.dtype}")
    wide = values.astype(np.int32) if values.dtype not in (np.uint8, np.uint16) else values
    return resize_labels(wide, height, width)
