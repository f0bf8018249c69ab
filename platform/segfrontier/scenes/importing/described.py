"""Folders that a short YAML describes (see `folders`), as a source for the engine."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from segfrontier.errors import BadWorld
from segfrontier.scenes import raw as rawlabels
from segfrontier.scenes.classes import ClassTable
from segfrontier.scenes.codec import examine_image
from segfrontier.scenes.files import digest
from segfrontier.scenes.folder import refuse_taken
from segfrontier.scenes.folders import Files, FolderSpec, Matched, pair
from segfrontier.scenes.importing.engine import (
    MAX_BAD_SHARE,
    ImportSource,
    Progress,
    SizeMismatch,
    import_source,
    unlabelled_remark,
)
from segfrontier.scenes.importing.existing import whole_boxes, with_existing
from segfrontier.scenes.manifest import ImportNotes
from segfrontier.scenes.raw import RawFile
from segfrontier.scenes.world import World
from segfrontier.scenes.writer import Scene


def import_folders(
    spec: FolderSpec,
    folder: str | Path,
    *,
    max_bad: float = MAX_BAD_SHARE,
    progress: Progress | None = None,
    processes: int | None = None,
) -> World:
    """Import a dataset described by `spec` into a new world at `folder`; see `engine.import_source`."""
    refuse_taken(folder, sources=spec.folders)  # before anything of the data set is looked at
    table = spec.table()
    pairing, remarks = with_existing(spec, table, pair(spec))
    apart = {"root"} if spec.existing is not None else {"root", "existing"}  # what is not there changes no manifest
    source = ImportSource(
        name=spec.name,
        classes=table,
        items=pairing.scenes,
        read=partial(read_scene, spec=spec, table=table),
        origin={"importer": "folders", "spec": spec.model_dump(mode="json", exclude=apart)},
        folders=spec.folders,
        components=spec.instances == "components",
        notes=ImportNotes(
            skipped=pairing.twice,
            images_without_labels=pairing.images_without_labels,
            labels_without_images=pairing.labels_without_images,
            remarks=(*unlabelled_remark(pairing.scenes), *remarks),
        ),
        state=_state(pairing),
        existing={} if spec.existing is None else spec.existing.seconds,
    )
    return import_source(source, folder, max_bad=max_bad, progress=progress, processes=processes)


def _state(pairing: Matched) -> str:
    """A digest of the labels that exist: an import that was killed goes on only where they are the same."""
    found = [(f.id, f.boxes, f.boxed_size, f.tags) for f in pairing.scenes if (f.boxes, f.tags) != (None, None)]
    return digest(json.dumps(found).encode()) if found else ""


def read_scene(files: Files, spec: FolderSpec, table: ClassTable) -> tuple[Scene, list[str]]:
    """Read and map the files of one scene; and what is worth knowing of them."""
    image = rawlabels.read_file(files.image)
    size, odd = examine_image(image, name=str(files.image))
    read = _LabelFiles(size)
    coarse = None if files.coarse is None else _labels(read[files.coarse], spec, table)
    semantic = None if files.semantic is None else _labels(read[files.semantic], spec, table)
    instance = None if semantic is None else _instances(files, read, semantic, spec, table)
    boxes, cut = _boxes(files, size)
    scene = Scene(
        id=files.id, domain=files.domain, split=files.split, height=size[0], width=size[1], image=image,
        semantic=semantic, instance=instance, coarse=coarse, boxes=boxes,
        tags=None if files.tags is None else np.array([(0, t) for t in files.tags], np.int32).reshape(-1, 2),
        encoded=_encoded(read, {
            "semantic": (files.semantic, semantic), "instance": (files.instances, instance),
            "coarse": (files.coarse, coarse),
        }),
    )  # fmt: skip
    remarks = [f"{files.image}: {what}" for what in (*odd, *cut)]
    return scene, remarks + [remark for file in read.values() for remark in file.remarks()]


class _LabelFiles(dict[Path, RawFile]):
    """The label files of a scene, each read once, when it is asked for, and held against the size of the image."""

    def __init__(self, size: tuple[int, int]) -> None:
        self._size = size

    def __missing__(self, path: Path) -> RawFile:
        self[path] = file = rawlabels.read_label_file(path)
        require_size(file.values, self._size, path)
        return file


def _encoded(
    read: _LabelFiles, maps: Mapping[str, tuple[Path | None, NDArray[Any] | None]]
) -> dict[str, bytes]:  # fmt: skip
    """Those of the maps that their files hold as a world stores them."""
    known = {
        name: read[path].as_map(labels)
        for name, (path, labels) in maps.items()
        if path is not None and path in read and labels is not None
    }
    return {name: data for name, data in known.items() if data is not None}


def _labels(file: RawFile, spec: FolderSpec, table: ClassTable) -> NDArray[np.uint8]:
    return rawlabels.to_labels(file.values, table, encoding=spec.encoding, name=str(file.path))


def _instances(
    files: Files, read: _LabelFiles, semantic: NDArray[np.uint8], spec: FolderSpec, table: ClassTable
) -> NDArray[np.uint16] | None:
    if spec.instances == "none":
        return None
    if spec.encoding == "instances" and files.semantic is not None:
        return rawlabels.instances_from_raw(read[files.semantic].values, semantic, table)
    if spec.instances == "components":
        return rawlabels.components(semantic, table)
    if files.instances is None:
        if spec.instances == "files":
            raise BadWorld(f"{files.image}: `instances: files` is declared, but this scene has no instance file")
        return None
    ids, name = read[files.instances].values, str(files.instances)
    if spec.instances == "files":
        return rawlabels.instances_from_file(ids, semantic, table, name=name)
    return rawlabels.instances_as_they_are(ids, name=name)


def _boxes(files: Files, size: tuple[int, int]) -> tuple[NDArray[np.int32] | None, Sequence[str]]:
    """The scene's boxes that exist, and what had to be cut of them."""
    if files.boxes is None:
        return None, ()
    if files.boxed_size not in (None, size):
        raise SizeMismatch(
            f"{files.image}: its boxes must be of an image of {size[1]}x{size[0]}; their file says "
            f"{files.boxed_size[1]}x{files.boxed_size[0]}"
        )
    return whole_boxes(files.boxes, size)


def require_size(raw: NDArray[Any], size: tuple[int, int], path: Path) -> None:
    """Raise unless labels have their image's size."""
    if raw.shape[:2] != size:
        raise SizeMismatch(
            f"{path}: labels must be {size[1]}x{size[0]} like their image; found {raw.shape[1]}x{raw.shape[0]}"
        )
