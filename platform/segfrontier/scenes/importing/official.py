"""A data set in its official layout as a source for the engine: label files read, mapped, held against images."""

from __future__ import annotations

import pickle
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from fractions import Fraction
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from segfrontier.errors import BadWorld
from segfrontier.scenes import raw as rawlabels
from segfrontier.scenes.classes import ClassTable
from segfrontier.scenes.codec import examine_image, resize_labels
from segfrontier.scenes.files import digest
from segfrontier.scenes.folders import TRAIN
from segfrontier.scenes.importing.engine import ImportSource, SizeMismatch, unlabelled_remark
from segfrontier.scenes.importing.layout import Dataset, RawTruth, SceneFiles
from segfrontier.scenes.importing.pairing import find, heads
from segfrontier.scenes.importing.street_classes import narrowed
from segfrontier.scenes.writer import Scene

_SAME_SHAPE = 0.02  # how far heights and widths may be from one ratio, so that resizing is right


Coarsen = Callable[[NDArray[np.uint8]], NDArray[np.uint8]]
"""What a coarse annotator would make of a fine map. A function of a module, so that it travels by its name."""


def official_source(
    dataset: Dataset, root: str | Path, *, domain: str = "", class_set: str = "", coarsen: Coarsen | None = None,
    unlabelled: bool = False,
) -> ImportSource:  # fmt: skip
    """What is to be imported of a data set below `root`; `coarsen` simulates coarse labels where it is divided.

    With `unlabelled`, training images that have no labels are scenes, too.
    """
    place = Path(root)
    found = find(dataset, place, unlabelled=unlabelled)
    table = dataset.classes(place) if callable(dataset.classes) else dataset.classes
    if class_set:
        table = narrowed(table, class_set, dataset.class_sets[class_set])
    items = tuple(found.items if dataset.fine is None else _divided(found.items, dataset.fine))
    domain = domain or dataset.domain
    read = partial(read_item, table=table, domain=domain, resize=dataset.resize, coarsen=coarsen)
    return ImportSource(
        name=dataset.world or dataset.name,
        classes=table,
        items=items,
        read=read,
        origin={"importer": dataset.name, "domain": domain},
        folders=heads(dataset, place),
        components=False,
        notes=replace(found.notes, remarks=(*unlabelled_remark(items), *found.notes.remarks)),
        state=digest(pickle.dumps([item.more for item in items])),
    )


def _divided(items: Sequence[SceneFiles], fine: Fraction) -> Iterator[SceneFiles]:
    """The training scenes whose names have the lowest hashes stay finely labelled, so many that the share is `fine`."""
    training = sorted((digest(item.id.encode()), item.id) for item in items if item.split == TRAIN and item.labels)
    coarse = {name for _, name in training[round(fine * len(training)) :]}
    return (replace(item, coarse_only=item.id in coarse) for item in items)


def read_item(
    item: SceneFiles, *, table: ClassTable, domain: str, resize: bool, coarsen: Coarsen | None
) -> tuple[Scene, list[str]]:
    """Read and map the files of one scene; and what is worth knowing of them."""
    image = rawlabels.read_file(item.image)
    size, odd = examine_image(image, name=str(item.image))
    remarks = [f"{item.image}: {what}" for what in odd]
    truth = item.read(item) if item.has_labels else RawTruth()
    remarks += [*truth.remarks, *rawlabels.oddities(dict.fromkeys(item.labels.values()))]

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
    rough = None if coarse is None else rawlabels.to_labels(coarse, table, encoding="ids", name=named["coarse"])
    if item.coarse_only and coarsen is not None and semantic is not None:
        rough, semantic, instance = coarsen(semantic), None, None
    scene = Scene(
        id=item.id, domain=domain, split=item.split, height=size[0], width=size[1], image=image,
        semantic=semantic, instance=instance, coarse=rough,
    )  # fmt: skip
    return scene, remarks


def _resized(values: NDArray[Any], size: tuple[int, int], path: Path, remarks: list[str] | None) -> NDArray[Any]:
    (height, width), (rows, columns) = size, values.shape
    if remarks is None or abs(height * columns / (width * rows) - 1) > _SAME_SHAPE:
        raise SizeMismatch(f"{path}: labels must be {width}x{height} like their image; found {columns}x{rows}")
    if values.dtype not in (np.uint8, np.uint16):
        raise BadWorld(f"{path}: labels to be resized to their image have 8 or 16 bits; found {values.dtype}")
    remarks.append(f"{path}: labels of {columns}x{rows} were resized to their image's {width}x{height}")
    return resize_labels(values, height, width)
