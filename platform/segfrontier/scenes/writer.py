"""Writing a world: scenes go in one by one, Parquet shards and at the very end the manifest come out.

All of it is written beside its place and gets there whole (see `folder`): an import that fails or dies leaves nothing
that could be taken for a world, and nothing that was there before is touched. A writer with a key goes on where one
that was killed had come to, shard by shard (see `journal`).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from decimal import Decimal
from pathlib import Path
from types import TracebackType
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray
from pyarrow import fs

from segfrontier.errors import BadWorld
from segfrontier.scenes.classes import VOID, ClassTable
from segfrontier.scenes.codec import encode_map
from segfrontier.scenes.existing import packed, truth_digest
from segfrontier.scenes.files import DigestedFile, digest, join
from segfrontier.scenes.folder import new_world
from segfrontier.scenes.journal import Journal, Written
from segfrontier.scenes.manifest import (
    EXISTING_SCHEMA,
    IMAGE_SCHEMA,
    MANIFEST,
    TRUTH_SCHEMA,
    ImportNotes,
    Shard,
    WorldManifest,
)
from segfrontier.scenes.names import PLAIN, is_plain, shown

DOMAINS = ("source", "target")
POOL = ("target", "train")
"""Domain and split of the scenes that labels are bought of; only there may a scene have no truth."""
_SHARD_BYTES = 128 * 2**20
_LONGEST_ID = 1000
_ROW_GROUP = 64  # small enough for Ray Data to stream, large enough to read well


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Scene:
    """One image with whatever truth its dataset holds, on its way into a world."""

    id: str
    domain: str
    split: str
    height: int
    width: int
    image: bytes
    semantic: NDArray[np.uint8] | None  # None: it was labelled coarsely only, or not at all
    instance: NDArray[np.uint16] | None = None
    coarse: NDArray[np.uint8] | None = None
    boxes: NDArray[np.int32] | None = None  # that exist, as the next; see `existing`
    tags: NDArray[np.int32] | None = None
    encoded: Mapping[str, bytes] = field(default_factory=dict)  # those of the maps that are encoded already


class PackedScene(NamedTuple):
    """One scene as a world stores it: checked, its maps encoded, small enough to travel between processes."""

    id: str
    domain: str
    split: str
    height: int
    width: int
    image: bytes
    image_digest: str
    maps: tuple[bytes | None, bytes | None, bytes | None]  # semantic, instance, coarse
    truth_digest: str
    existing: tuple[bytes | None, bytes | None] = (None, None)  # boxes, tags

    @property
    def nbytes(self) -> int:
        """About what it takes on disk."""
        return len(self.image) + sum(len(m or b"") for m in (*self.maps, *self.existing))


def pack(scene: Scene, classes: ClassTable) -> PackedScene:
    """Check a scene against the format's rules, and encode it."""
    check_scene(scene, classes)
    maps = (_encoded(scene, "semantic"), _encoded(scene, "instance"), _encoded(scene, "coarse"))
    boxes, tags = (
        None if rows is None else packed(scene.id, kind, rows, (scene.height, scene.width), classes)
        for kind, rows in (("box", scene.boxes), ("tag", scene.tags))
    )
    return PackedScene(
        scene.id, scene.domain, scene.split, scene.height, scene.width, scene.image, digest(scene.image), maps,
        truth_digest(maps, (boxes, tags)), (boxes, tags),
    )  # fmt: skip


def _encoded(scene: Scene, name: str) -> bytes | None:
    values: NDArray[Any] | None = getattr(scene, name)
    return None if values is None else scene.encoded.get(name) or encode_map(values)


class WorldWriter:
    """Use as a context manager; the world exists when the block ends without an error.

    `existing` says, by kind of act, what labels took that exist already, of a world that holds such.

    `key` names all that the scenes are made from. What a killed writer of the same key left is taken over: `stored`
    are the scenes that need not come again, `remarks` what was remarked of them.
    """

    def __init__(
        self,
        folder: str | Path,
        *,
        name: str,
        classes: ClassTable,
        components: bool = False,
        origin: Mapping[str, Any] | None = None,
        existing: Mapping[str, Decimal] | None = None,
        shard_bytes: int = _SHARD_BYTES,
        key: str = "",
    ) -> None:
        if not is_plain(name):
            raise BadWorld(f"a world's name has {PLAIN}; found {shown(name)}. Choose another name.")
        self._uri, self._classes, self._name = str(folder), classes, name
        self._components, self._origin, self._shard_bytes = components, dict(origin or {}), shard_bytes
        self._open: dict[tuple[str, str], _OpenShard] = {}
        self._shards: list[Shard] = []
        self._seen: dict[str, str] = {}
        self._key, self._journal, self._existing = key, Journal(None), dict(existing or {})
        self._writing = self._written()
        self.notes = ImportNotes()
        self.stored: frozenset[str] = frozenset()
        self.remarks: list[str] = []

    @contextmanager
    def _written(self) -> Iterator[WorldWriter]:
        with new_world(self._uri, key=self._key) as (self._fs, self._path):
            for part in ("images", "truth"):
                self._fs.create_dir(join(self._path, part), recursive=True)
            if self._key:
                self._take_over()
            try:
                yield self
                self._finish()
            finally:
                for shard in self._open.values():  # of a world that is not to be
                    shard.images.give_up()
                    shard.truth.give_up()

    def _take_over(self) -> None:
        if not isinstance(self._fs, fs.LocalFileSystem):
            return  # nothing is left there by one that was killed
        self._journal = Journal(Path(self._path))
        for written in self._journal.restore():
            self._shards.append(written.shard)
            self._seen |= written.seen
            self.remarks += written.remarks
        self.stored = frozenset(self._seen)

    def __enter__(self) -> WorldWriter:
        return self._writing.__enter__()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._writing.__exit__(kind, error, trace)

    def add(self, scene: Scene) -> None:
        """Check one scene against the format's rules and take it in."""
        self.add_packed(pack(scene, self._classes))

    def add_packed(self, scene: PackedScene, remarks: Sequence[str] = ()) -> None:
        """Take in a scene that `pack` made with this world's classes."""
        if scene.id in self._seen:
            raise BadWorld(f"scene ids must be unique in a world; {scene.id!r} came twice. Put the folder into the id.")
        if not self._existing and scene.existing != (None, None):
            raise BadWorld(
                f"scene {scene.id!r}: labels that exist need a world that says what each took; this does not"
            )
        key = (scene.domain, scene.split)
        if key not in self._open:
            self._open[key] = self._opened(*key)
        shard = self._open[key]
        self._seen[scene.id] = shard.seen[scene.id] = scene.image_digest + scene.truth_digest
        self.remarks += remarks
        head = (scene.id, scene.domain, scene.split, scene.height, scene.width)
        shard.images.add((*head, scene.image, scene.image_digest))
        shard.truth.add((*head, *scene.maps, *(scene.existing if self._existing else ()), scene.truth_digest))
        shard.bytes += scene.nbytes
        shard.remarks += remarks
        if shard.bytes >= self._shard_bytes:
            self._flush(key)

    def _opened(self, domain: str, split: str) -> _OpenShard:
        number = sum((shard.domain, shard.split) == (domain, split) for shard in self._shards)
        name = f"{domain}-{split}-{number:05d}.parquet"
        images, truth = (join(self._path, f"{part}/{name}") for part in ("images", "truth"))
        return _OpenShard(
            name,
            images=_Rows(self._fs, images, IMAGE_SCHEMA),
            truth=_Rows(self._fs, truth, EXISTING_SCHEMA if self._existing else TRUTH_SCHEMA),
        )

    def _flush(self, key: tuple[str, str]) -> None:
        shard = self._open[key]
        image_bytes, image_digest = shard.images.close()
        truth_bytes, truth_digest = shard.truth.close()
        del self._open[key]
        self._shards.append(
            Shard(
                name=shard.name, domain=key[0], split=key[1], rows=len(shard.seen), image_bytes=image_bytes,
                image_digest=image_digest, truth_bytes=truth_bytes, truth_digest=truth_digest,
            )
        )  # fmt: skip
        self._journal.add(Written(shard=self._shards[-1], seen=shard.seen, remarks=tuple(shard.remarks)))

    def _finish(self) -> None:
        for key in list(self._open):
            self._flush(key)
        if not self._shards:
            raise BadWorld(
                f"{self._uri}: a world needs at least one scene; none was given. Check the paths of the import."
            )
        content = "".join(f"{s}:{d};" for s, d in sorted(self._seen.items())) + self._classes.digest
        content += "".join(f";{kind} {int(1000 * seconds)} ms" for kind, seconds in sorted(self._existing.items()))
        manifest = WorldManifest(
            name=self._name,
            classes=self._classes,
            shards=tuple(sorted(self._shards, key=lambda s: s.name)),
            digest=digest(content.encode()),
            components=self._components,
            origin=self._origin,
            notes=self.notes,
            existing=self._existing,
        )
        with self._fs.open_output_stream(join(self._path, MANIFEST)) as stream:
            stream.write(manifest.to_bytes())
        self._journal.remove()


class _OpenShard:
    """A pair of shards that is being written."""

    def __init__(self, name: str, *, images: _Rows, truth: _Rows) -> None:
        self.name, self.images, self.truth = name, images, truth
        self.seen: dict[str, str] = {}
        self.remarks: list[str] = []
        self.bytes = 0


class _Rows:
    """A Parquet file that rows go into, one row group after the other while more are made."""

    def __init__(self, filesystem: fs.FileSystem, path: str, schema: pa.Schema) -> None:
        self._schema, self._file = schema, DigestedFile(filesystem, path)
        # Images and PNG maps are compressed already; doing it again costs reading time and saves nothing.
        self._writer = pq.ParquetWriter(self._file, schema, compression="none", use_dictionary=False)
        self._rows: list[tuple[Any, ...]] = []

    def add(self, row: tuple[Any, ...]) -> None:
        self._rows.append(row)
        if len(self._rows) == _ROW_GROUP:
            self._write()

    def _write(self) -> None:
        columns = zip(zip(*self._rows, strict=True), self._schema, strict=True)
        self._writer.write_table(pa.table([pa.array(c, f.type) for c, f in columns], schema=self._schema))
        self._rows = []

    def close(self) -> tuple[int, str]:
        """Write what is left; how many bytes the file has, and their digest."""
        if self._rows:
            self._write()
        self._writer.close()
        self._file.close()
        return self._file.size, self._file.digest

    def give_up(self) -> None:
        """Let go of the file, whatever is in it."""
        for part in (self._writer, self._file):
            with suppress(OSError, pa.ArrowException):
                part.close()


def check_scene(scene: Scene, classes: ClassTable) -> None:
    """Raise unless the scene keeps the format's rules."""
    if scene.domain not in DOMAINS:
        raise BadWorld(f"scene {scene.id!r}: domain must be one of {DOMAINS}; found {scene.domain!r}")
    if not scene.id or not scene.split:
        raise BadWorld(f"a scene needs an id and a split; found id {scene.id!r}, split {scene.split!r}")
    if not is_plain(scene.split):
        raise BadWorld(f"scene {scene.id!r}: a split's name has {PLAIN}; found {shown(scene.split)}")
    if not scene.id.isprintable() or len(scene.id) > _LONGEST_ID:
        raise BadWorld(f"a scene id has up to {_LONGEST_ID} printable characters; found {shown(scene.id)}")
    if scene.semantic is None and scene.instance is not None:
        raise BadWorld(f"scene {scene.id!r}: a scene without fine labels has no instances; found some")
    if scene.semantic is None and scene.coarse is None and (scene.domain, scene.split) != POOL:
        raise BadWorld(
            f"scene {scene.id!r}: without labels it can stand in {'/'.join(POOL)} alone, where nothing is scored; it "
            f"stands in {scene.domain}/{scene.split}. Give it labels, or leave it out."
        )
    size = (scene.height, scene.width)
    for what, values, dtype in (
        ("semantic", scene.semantic, np.uint8),
        ("instance", scene.instance, np.uint16),
        ("coarse", scene.coarse, np.uint8),
    ):
        if values is None:
            continue
        if values.shape != size or values.dtype != dtype:
            raise BadWorld(
                f"scene {scene.id!r}: the {what} map must be {size} {np.dtype(dtype).name} like its image; "
                f"found {values.shape} {values.dtype}"
            )
        if what != "instance":
            bad = np.flatnonzero(np.bincount(values.ravel(), minlength=256)[len(classes) : VOID])
            if bad.size:
                raise BadWorld(
                    f"scene {scene.id!r}: {what} labels must be 0..{len(classes) - 1} or {VOID}; "
                    f"found {(bad + len(classes)).tolist()}. Map raw ids through the class table first."
                )
    if scene.instance is not None:
        _check_instances(scene, classes)


def _check_instances(scene: Scene, classes: ClassTable) -> None:
    assert scene.instance is not None and scene.semantic is not None
    inside = scene.instance > 0
    pairs = np.unique(scene.instance[inside].astype(np.int64) * 256 + scene.semantic[inside])
    ids, labels = pairs // 256, pairs % 256
    if len(np.unique(ids)) != len(ids):
        twice = ids[np.flatnonzero(np.diff(ids) == 0)][:5].tolist()
        raise BadWorld(f"scene {scene.id!r}: an instance lies inside one class; instances {twice} touch several")
    strays = sorted(set(labels.tolist()) - set(classes.things))
    if strays:
        raise BadWorld(f"scene {scene.id!r}: only countable classes have instances; found instances on labels {strays}")
