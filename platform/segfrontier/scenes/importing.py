"""From a dataset's files to a world: pair, check, map, write. Unreadable files are skipped, counted and named."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any

from numpy.typing import NDArray

from segfrontier.errors import BadWorld
from segfrontier.scenes import raw as rawlabels
from segfrontier.scenes.classes import ClassTable
from segfrontier.scenes.codec import check_image
from segfrontier.scenes.files import chunked
from segfrontier.scenes.folder import refuse_taken
from segfrontier.scenes.folders import Files, FolderSpec, pair
from segfrontier.scenes.manifest import ImportNotes
from segfrontier.scenes.world import World
from segfrontier.scenes.writer import Scene, WorldWriter

MAX_BAD_SHARE = 0.01
_AHEAD = 64  # scenes decoded ahead of the writer


class SizeMismatch(BadWorld):
    """An image and its labels differ in size."""


def import_folders(
    spec: FolderSpec,
    folder: str | Path,
    *,
    max_bad: float = MAX_BAD_SHARE,
    progress: Callable[[int, int], None] | None = None,
) -> World:
    """Import a dataset described by `spec` into a new world at `folder`.

    Files that do not decode and pairs of different size are left out, counted and named, up to the share `max_bad`;
    beyond it the import stops. A label value that nobody declared stops it at once: it means that the class map is
    wrong, not that a file is. The new world must not lie where the dataset's files do.
    """
    refuse_taken(folder, sources=spec.folders)
    if not 0 <= max_bad <= 1:
        raise BadWorld(f"max_bad is a share from 0 to 1; found {max_bad}")
    table, pairing = spec.table(), pair(spec)
    skipped: list[str] = []
    mismatched: list[str] = []
    allowed = max_bad * len(pairing.scenes)
    origin = {"importer": "folders", "spec": spec.model_dump(mode="json", exclude={"root"})}
    writer = WorldWriter(
        folder, name=spec.name, classes=table, components=spec.instances == "components", origin=origin
    )
    with writer:
        for done, result in enumerate(_read_all(pairing.scenes, spec, table), start=1):
            if isinstance(result, Scene):
                writer.add(result)
            else:
                (mismatched if isinstance(result, SizeMismatch) else skipped).append(str(result))
                if len(skipped) + len(mismatched) > allowed:
                    raise BadWorld(
                        f"{len(skipped) + len(mismatched)} of {len(pairing.scenes)} scenes cannot be used, more than "
                        f"the share {max_bad:g} that may be left out. Mend them or raise max_bad. Found: "
                        + " | ".join((skipped + mismatched)[:5])
                    ) from result
            if progress:
                progress(done, len(pairing.scenes))
        writer.notes = ImportNotes(
            skipped=tuple(skipped),
            size_mismatches=tuple(mismatched),
            images_without_labels=pairing.images_without_labels,
            labels_without_images=pairing.labels_without_images,
        )
    return World.open(folder)


def _read_all(scenes: tuple[Files, ...], spec: FolderSpec, table: ClassTable) -> Iterator[Scene | BadWorld]:
    def read(files: Files) -> Scene | BadWorld:
        try:
            return read_scene(files, spec, table)
        except rawlabels.UnknownLabel:
            raise
        except BadWorld as error:
            return error

    with ThreadPoolExecutor() as threads:  # decoding releases the interpreter lock
        for chunk in chunked(scenes, _AHEAD):
            yield from threads.map(read, chunk)


def read_scene(files: Files, spec: FolderSpec, table: ClassTable) -> Scene:
    """Read and map the files of one scene."""
    if not files.id.isprintable():
        raise BadWorld(f"{str(files.image)!a}: a file's name must be printable. Rename the file.")
    image = rawlabels.read_file(files.image)
    size = check_image(image, name=str(files.image))
    scene = Scene(
        id=files.id, domain=files.domain, split=files.split, height=size[0], width=size[1], image=image, semantic=None
    )
    if files.coarse is not None:
        coarse = rawlabels.to_labels(_sized(files.coarse, size), table, encoding=spec.encoding, name=str(files.coarse))
        scene = replace(scene, coarse=coarse)
    return scene if files.semantic is None else _with_fine(scene, files, files.semantic, spec, table)


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
    elif spec.instances == "components":
        scene = replace(scene, instance=rawlabels.components(semantic, table))
    return scene


def _sized(path: Path, size: tuple[int, int]) -> NDArray[Any]:
    raw = rawlabels.read_raw(rawlabels.read_file(path), name=str(path))
    if raw.shape[:2] != size:
        raise SizeMismatch(
            f"{path}: labels must be {size[1]}x{size[0]} like their image; found {raw.shape[1]}x{raw.shape[0]}"
        )
    return raw
