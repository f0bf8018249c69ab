"""The engine of every export: scenes are read and written by threads, into a draft that becomes the folder."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from segfrontier.basics.atomic import draft_folder, sweep
from segfrontier.basics.disk import room_at
from segfrontier.errors import BadInput
from segfrontier.scenes.exporting.content import Contents, LabelledScenes, WholeWorld
from segfrontier.scenes.exporting.layouts import Layout
from segfrontier.scenes.exporting.panoptic import CocoPanoptic
from segfrontier.scenes.exporting.plain import PlainFolders
from segfrontier.scenes.files import chunked
from segfrontier.scenes.labels import LabelSet
from segfrontier.scenes.world import World

_AHEAD = 64  # scenes on their way at once

Progress = Callable[[int, int], None]
FORMS: Mapping[str, Callable[[World, Contents], Layout]] = {"folders": PlainFolders, "coco-panoptic": CocoPanoptic}


@dataclass(frozen=True, slots=True, kw_only=True)
class ExportedWorld:
    """What was written, and what whoever reads it should know."""

    scenes: int
    left_out: int  # scenes of the world that have no such labels
    remarks: tuple[str, ...]


def export_world(
    world: World, out: str | Path, *, form: str = "folders", labels: LabelSet | None = None,
    progress: Progress | None = None,
) -> ExportedWorld:  # fmt: skip
    """Write a world into a new folder; with `labels`, the images that these label, with these labels alone.

    Nothing that is there is touched; an export that fails or dies leaves no folder, and the next one clears its draft.
    """
    target = _new_folder(out, world)
    contents: Contents = WholeWorld(world) if labels is None else LabelledScenes(world, labels)
    layout = FORMS[form](world, contents)
    jobs = layout.jobs()
    try:
        sweep(target.parent, of=f"{target.name[:80]}.")
        with room_at(target.parent), draft_folder(target) as draft:
            for done, _ in enumerate(_written(layout, jobs, draft), start=1):
                if progress:
                    progress(done, len(jobs))
            layout.finish(draft)
            os.sync()  # once for all files: one by one takes longer than writing them
            draft.rename(target)
    except OSError as error:
        raise BadInput(f"{out}: an export must be written to a new folder; it cannot be ({error}).") from None
    written = len(jobs) - layout.left_out
    return ExportedWorld(scenes=written, left_out=contents.left_out + layout.left_out, remarks=tuple(layout.remarks()))


def _written(layout: Layout, jobs: Iterable[Callable[[Path], Any]], draft: Path) -> Iterator[object]:
    layout.begin(draft)
    with ThreadPoolExecutor() as threads:  # decoding and encoding release the interpreter lock
        for chunk in chunked(jobs, _AHEAD):
            for result in threads.map(lambda job: job(draft), chunk):
                layout.take(result)
                yield result


def _new_folder(out: str | Path, world: World) -> Path:
    if "://" in str(out):
        raise BadInput(f"{out}: an export must go to a folder of this machine. Copy it from there.")
    try:
        target = Path(out).absolute().resolve()
        if target.exists() and not target.is_dir():
            raise BadInput(f"{out}: an export must go to a new or empty folder; a file is there. Choose another one.")
        if target.is_dir() and (held := sorted(p.name for p in target.iterdir())):
            raise BadInput(
                f"{out}: an export must go to a new or empty folder; there are {len(held)} files or folders in it, "
                f"e.g. {held[0]!r}. Choose another one."
            )
        home = None if "://" in world.uri else Path(world.uri).resolve()
    except (OSError, ValueError) as error:
        if isinstance(error, BadInput):
            raise
        raise BadInput(f"{out}: an export must go to a new or empty folder; it cannot ({error}).") from None
    if home is not None and (home == target or home in target.parents):
        raise BadInput(f"{out}: an export must lie apart from the world; {world.uri} holds it. Choose another folder.")
    return target
