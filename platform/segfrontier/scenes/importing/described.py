"""Folders that a short YAML describes (see `folders`), as a source for the engine."""

from __future__ import annotations

import json
from dataclasses import replace
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
    """Read and map the files of one scene; and what is worth knowing of its image."""
    image = rawlabels.read_file(files.image)
    size, odd = examine_image(image, name=str(files.image))
    scene = Scene(
        id=files.id, domain=files.domain, split=files.split, height=size[0], width=size[1], image=image, semantic=None
    )
    if files.coarse is not None:
        coarse = rawlabels.to_labels(_sized(files.coarse, size), table, encoding=spec.encoding, name=str(files.coarse))
        scene = replace(scene, coarse=coarse)
    if files.semantic is not None:
        scene = _with_fine(scene, files, files.semantic, spec, table)
    if files.boxes is not None:
        if files.boxed_size not in (None, size):
            raise SizeMismatch(
                f"{files.image}: its boxes must be of an image of {size[1]}x{size[0]}; their file says "
                f"{files.boxed_size[1]}x{files.boxed_size[0]}"
            )
        boxes, cut = whole_boxes(files.boxes, size)
        scene, odd = replace(scene, boxes=boxes), (*odd, *cut)
    if files.tags is not None:
        scene = replace(scene, tags=np.array([(0, label) for label in files.tags], np.int32).reshape(-1, 2))
    remarks = [f"{files.image}: {what}" for what in odd]
    used = dict.fromkeys(path for path in (files.semantic, files.instances, files.coarse) if path is not None)
    return scene, remarks + rawlabels.oddities(used)


def _with_fine(scene: Scene, files: Files, path: Path, spec: FolderSpec, table: ClassTable) -> Scene:
    size = (scene.height, scene.width)
    raw = _sized(path, size)
    semantic = rawlabels.to_labels(raw, table, encoding=spec.encoding, name=str(path))
    scene = replace(scene, semantic=semantic)
    if spec.encoding == "instances" and spec.instances != "none":
        scene = replace(scene, instance=rawlabels.instances_from_raw(raw, semantic, table))
    elif spec.instances == "files":
        if files.instances is None:
            raise BadWorld(f"{files.image}: `instances: files` is declared, but this scene has no instance file")
        ids = _sized(files.instances, size)
        scene = replace(scene, instance=rawlabels.instances_from_file(ids, semantic, table, name=str(files.instances)))
    elif spec.instances == "exact" and files.instances is not None:
        ids = _sized(files.instances, size)
        scene = replace(scene, instance=rawlabels.instances_as_they_are(ids, name=str(files.instances)))
    elif spec.instances == "components":
        scene = replace(scene, instance=rawlabels.components(semantic, table))
    return scene


def _sized(path: Path, size: tuple[int, int]) -> NDArray[Any]:
    raw = rawlabels.read_raw(rawlabels.read_file(path), name=str(path))
    require_size(raw, size, path)
    return raw


def require_size(raw: NDArray[Any], size: tuple[int, int], path: Path) -> None:
    """Raise unless labels have their image's size."""
    if raw.shape[:2] != size:
        raise SizeMismatch(
            f"{path}: labels must be {size[1]}x{size[0]} like their image; found {raw.shape[1]}x{raw.shape[0]}"
        )
