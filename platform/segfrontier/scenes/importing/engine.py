"""The engine of every import: scenes are read on all cores and written in their order.

What cannot be used is left out, counted and named. An import that was killed goes on with the shards that it had
written when it is started again and nothing that it reads has changed (local worlds; see `writer`).
"""

from __future__ import annotations

import json
import pickle
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from decimal import Decimal
from pathlib import Path
from typing import Any, Protocol

from segfrontier.errors import BadWorld, SegFrontierError
from segfrontier.scenes.classes import ClassTable
from segfrontier.scenes.files import chunked, digest
from segfrontier.scenes.folder import refuse_taken
from segfrontier.scenes.manifest import ImportNotes
from segfrontier.scenes.processes import FEW, cores, results, start
from segfrontier.scenes.raw import UnknownLabel
from segfrontier.scenes.world import World
from segfrontier.scenes.writer import PackedScene, Scene, WorldWriter, pack

VERSION = 3
"""Goes up when the same files give another world, so that no import goes on with what an older one wrote."""
MAX_BAD_SHARE = 0.01
_AHEAD = 64  # scenes decoded ahead of the writer
_SHARD_BYTES = 128 * 2**20

Progress = Callable[[int, int], None]


class SizeMismatch(BadWorld):
    """An image and its labels differ in size."""


class ReaderLost(SegFrontierError):
    """A process that read scenes ended before it was done."""


class SceneItem(Protocol):
    """The files of one scene."""

    @property
    def id(self) -> str:
        """The scene's id in the world."""

    @property
    def paths(self) -> tuple[Path, ...]:
        """All of its files."""

    @property
    def has_labels(self) -> bool:
        """Whether anything can be bought of it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ImportSource:
    """What is imported: scenes by their files, and how a scene is read from them. `read` travels to processes."""

    name: str
    classes: ClassTable
    items: tuple[Any, ...]  # each an Item
    read: Callable[[Any], tuple[Scene, Sequence[str]]]  # the scene, and remarks
    origin: Mapping[str, Any]
    folders: tuple[Path, ...]
    components: bool
    notes: ImportNotes  # what pairing came upon
    state: str = ""  # a digest of what the items hold beside files
    existing: Mapping[str, Decimal] = field(default_factory=dict)  # see `WorldWriter`


@dataclass(frozen=True, slots=True)
class ReadScene:
    """What became of one scene: it is packed, or there is a problem."""

    scene: PackedScene | None = None
    remarks: tuple[str, ...] = ()
    problem: BadWorld | None = None


def import_source(
    source: ImportSource,
    folder: str | Path,
    *,
    max_bad: float = MAX_BAD_SHARE,
    progress: Progress | None = None,
    processes: int | None = None,
    shard_bytes: int = _SHARD_BYTES,
) -> World:
    """Import into a new world at `folder`, which must not lie where the data set's files do.

    Files that do not decode and pairs of different size are left out, counted and named, up to the share `max_bad`;
    beyond it the import stops. A label value that nobody declared stops it at once: it means that the class map is
    wrong, not that a file is. `processes` read the files; None: one a core, or this one alone where scenes are few.
    """
    refuse_taken(folder, sources=source.folders)
    if not 0 <= max_bad <= 1:
        raise BadWorld(f"max_bad is a share from 0 to 1; found {max_bad}")
    skipped: list[str] = []
    mismatched: list[str] = []
    total = len(source.items)
    writer = WorldWriter(
        folder, name=source.name, classes=source.classes, components=source.components, origin=source.origin,
        existing=source.existing, shard_bytes=shard_bytes, key=_key(source, shard_bytes),
    )  # fmt: skip
    with writer:
        left = [item for item in source.items if item.id not in writer.stored]
        for done, outcome in enumerate(_outcomes(source, left, processes), start=total - len(left) + 1):
            if outcome.scene is not None:
                writer.add_packed(outcome.scene, outcome.remarks)
            else:
                (mismatched if isinstance(outcome.problem, SizeMismatch) else skipped).append(str(outcome.problem))
                _require_few(skipped + mismatched, total, max_bad, outcome.problem)
            if progress:
                progress(done, total)
        writer.notes = replace(
            source.notes,
            skipped=(*source.notes.skipped, *skipped),
            size_mismatches=tuple(mismatched),
            remarks=(*source.notes.remarks, *sorted(writer.remarks)),
        )
    return World.open(folder)


def unlabelled_remark(items: Sequence[SceneItem]) -> tuple[str, ...]:
    """How many scenes have no labels, in a line; none where all have some."""
    bare = [item.paths[0] for item in items if not item.has_labels]
    if not bare:
        return ()
    return (f"{len(bare)} of {len(items)} scenes have no labels, so nothing can be bought of them, e.g. {bare[0]}",)


def _require_few(bad: Sequence[str], total: int, max_bad: float, problem: BadWorld | None) -> None:
    if len(bad) > max_bad * total:
        raise BadWorld(
            f"{len(bad)} of {total} scenes cannot be used, more than the share {max_bad:g} that may be left out. Mend "
            f"them or raise max_bad. Found: " + " | ".join(bad[:5])
        ) from problem


def _key(source: ImportSource, shard_bytes: int) -> str:
    """All that the written shards depend on: a file counts by its place, its size and when it was changed."""
    files = [[item.id, [[str(path), *_stamp(path)] for path in item.paths]] for item in source.items]
    plain = [VERSION, source.name, source.classes.to_json(), dict(source.origin), source.state, shard_bytes, files]
    return digest(json.dumps(plain, default=str).encode("utf-8", "surrogateescape"))[:12]


def _stamp(path: Path) -> tuple[int, int]:
    try:
        found = path.stat()
    except OSError:  # it will be named when it is read
        return -1, -1
    return found.st_size, found.st_mtime_ns


def _outcomes(source: ImportSource, items: Sequence[Any], processes: int | None) -> Iterator[ReadScene]:
    count = processes or (1 if len(items) < FEW else cores())
    if count == 1 or not items:
        with ThreadPoolExecutor() as threads:  # decoding releases the interpreter lock
            for chunk in chunked(items, _AHEAD):
                yield from threads.map(SceneReader(source.read, source.classes), chunk)
        return
    work = SceneReader(source.read, source.classes)
    readers = [
        start("segfrontier.scenes.importing.worker", given=pickle.dumps((work, items[number::count])))
        for number in range(count)
    ]
    yield from results(readers, len(items), lost=ReaderLost, doing="read scenes")


@dataclass(frozen=True, slots=True)
class SceneReader:
    """Read, check and encode one scene; what is wrong with it alone is an outcome, too."""

    read: Callable[[Any], tuple[Scene, Sequence[str]]]
    classes: ClassTable

    def __call__(self, item: SceneItem) -> ReadScene:
        try:
            if not item.id.isprintable():
                raise BadWorld(f"{str(item.paths[0])!a}: a file's name must be printable. Rename the file.")
            scene, remarks = self.read(item)
            return ReadScene(pack(scene, self.classes), tuple(remarks))
        except UnknownLabel:
            raise
        except BadWorld as error:
            return ReadScene(problem=error)
