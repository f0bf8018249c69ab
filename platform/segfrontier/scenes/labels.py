"""Label sets: what the market delivers and methods hold. One immutable Arrow file each, named by its content.

Kinds with a map: `fine`, `coarse` (dense, 255 where unlabelled) and, drawn on demand, `points`.
Kinds with values: `points` (x, y, label), `boxes` (x0, y0, x1, y1 half-open, label, group), `tags` (crop, label).
What a rule makes is `pseudo`: any of these side by side, and detections. `labels` reads every kind as one object.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from segfrontier.basics.atomic import open_draft, publish
from segfrontier.basics.disk import room_at
from segfrontier.errors import BadWorld
from segfrontier.scenes.arrow import FAULTS, read_arrow, require_types
from segfrontier.scenes.classes import VOID, ClassTable
from segfrontier.scenes.codec import decode_map, encode_map, require_size
from segfrontier.scenes.files import chunked
from segfrontier.scenes.known import Detections, SceneLabels, packed_detections, unpacked_detections

COLUMNS = {
    "points": ("x", "y", "label"),
    "boxes": ("x0", "y0", "x1", "y1", "label", "group"),
    "tags": ("crop", "label"),
}
KINDS = ("fine", "coarse", "pseudo", *COLUMNS)
_SCHEMA = pa.schema(
    [
        ("scene", pa.string()),
        ("height", pa.int32()),
        ("width", pa.int32()),
        ("map", pa.large_binary()),
        ("instance", pa.large_binary()),
        ("values", pa.large_binary()),
        ("points", pa.large_binary()),
        ("boxes", pa.large_binary()),
        ("tags", pa.large_binary()),
        ("detections", pa.large_binary()),
    ]
)
COLUMN_NAMES = tuple(_SCHEMA.names)
"""The columns of a label file. Older files end with `values`; what a file has no column for, it does not hold."""
_FIRST_COLUMNS = COLUMN_NAMES.index("points")
_ROWS_A_BATCH = 256


@dataclass(frozen=True, slots=True, eq=False)
class LabelRow:
    """The labels of one scene, on their way into a label set."""

    scene: str
    height: int
    width: int
    map: NDArray[np.uint8] | None = None
    instance: NDArray[np.uint16] | None = None
    values: NDArray[np.int32] | None = None
    points: NDArray[np.int32] | None = None
    boxes: NDArray[np.int32] | None = None
    tags: NDArray[np.int32] | None = None
    detections: Detections | None = None

    @property
    def is_empty(self) -> bool:
        """Is nothing at all known of the scene?"""
        parts = (self.map, self.instance, self.values, self.points, self.boxes, self.tags, self.detections)
        return all(part is None for part in parts)

    @classmethod
    def of(cls, scene: str, known: SceneLabels) -> LabelRow:
        """All that is known of a scene, for a set of the kind `pseudo`."""
        return cls(
            scene, *known.size, map=known.semantic, instance=known.instance, points=known.points, boxes=known.boxes,
            tags=known.tags, detections=known.detections,
        )  # fmt: skip


class StoredRow(NamedTuple):
    """The labels of one scene as a label file holds them: small enough to travel between processes."""

    scene: str
    height: int
    width: int
    map: bytes | None = None
    instance: bytes | None = None
    values: bytes | None = None
    points: bytes | None = None
    boxes: bytes | None = None
    tags: bytes | None = None
    detections: bytes | None = None


@dataclass(frozen=True)
class LabelSet:
    """Labels that were paid for (or made by a model), with random access by scene. A small, picklable reference."""

    path: str
    kind: str
    digest: str
    count: int
    classes: ClassTable

    def __len__(self) -> int:
        return self.count

    def __contains__(self, scene: object) -> bool:
        return scene in _open(self.path).rows

    def scenes(self) -> list[str]:
        """Scene ids in the order they were written."""
        return list(_open(self.path).rows)

    def size(self, scene: str) -> tuple[int, int]:
        """(height, width)."""
        height, width = self._cell(scene, "height"), self._cell(scene, "width")
        require_size(height, width, f"the labels of scene {scene!r}")
        return height, width

    def map(self, scene: str) -> NDArray[np.uint8]:
        """(H, W) labels, 255 wherever nothing is known."""
        if self.kind == "points":
            labels = np.full(self.size(scene), VOID, np.uint8)
            x, y, label = self.values(scene).T
            labels[y, x] = label
            return labels
        if self.kind == "pseudo":
            return self.labels(scene).map()
        data = self._cell(scene, "map")
        if data is None:
            raise BadWorld(f"labels of kind {self.kind!r} have no map; read their values() instead")
        return decode_map(data)

    def labels(self, scene: str) -> SceneLabels:
        """All that this set knows of a scene, whatever its kind."""
        semantic = self._cell(scene, "map")
        return SceneLabels(
            size=self.size(scene),
            semantic=None if semantic is None else decode_map(semantic),
            instance=self.instance(scene),
            points=self._sparse(scene, "points"),
            boxes=self._sparse(scene, "boxes"),
            tags=self._sparse(scene, "tags"),
            detections=self.detections(scene),
        )

    def instance(self, scene: str) -> NDArray[np.uint16] | None:
        """(H, W) instance ids, 0 is none; None where the labels carry none."""
        data = self._cell(scene, "instance")
        return None if data is None else decode_map(data).astype(np.uint16, copy=False)

    def detections(self, scene: str) -> Detections | None:
        """What a model found in a scene; None where the labels carry no such thing."""
        data = self._cell(scene, "detections")
        return None if data is None else unpacked_detections(data, self.size(scene))

    def values(self, scene: str) -> NDArray[np.int32]:
        """(n, k) rows as named in `COLUMNS`."""
        if self.kind not in COLUMNS:
            raise BadWorld(f"labels of kind {self.kind!r} have no values; read their map() instead")
        return np.frombuffer(self._cell(scene, "values"), "<i4").reshape(-1, len(COLUMNS[self.kind])).astype(np.int32)

    def _sparse(self, scene: str, name: str) -> NDArray[np.int32] | None:
        if name == self.kind:
            return self.values(scene)
        data = self._cell(scene, name)
        return None if data is None else np.frombuffer(data, "<i4").reshape(-1, len(COLUMNS[name])).astype(np.int32)

    def _cell(self, scene: str, column: str) -> Any:
        opened = _open(self.path)
        if scene not in opened.rows:
            raise BadWorld(f"scene {scene!r} has no {self.kind} labels in this set of {self.count}")
        number, row = opened.rows[scene]
        batch = opened.batches[number]
        if column not in batch.schema.names:
            return None
        value = batch[column][row]
        return value.as_buffer() if pa.types.is_large_binary(value.type) else value.as_py()


class _Opened:
    """A memory-mapped label file and where each scene's row lies."""

    def __init__(self, path: str) -> None:
        try:
            self.batches = read_arrow(path)
            for batch in self.batches:
                require_types(batch, _SCHEMA)
        except FAULTS as error:
            raise BadWorld(f"{path}: a label set must be a whole Arrow file; it cannot be read ({error})") from error
        self.rows = {
            scene: (b, r) for b, batch in enumerate(self.batches) for r, scene in enumerate(batch["scene"].to_pylist())
        }


@lru_cache(maxsize=64)
def _open(path: str) -> _Opened:
    return _Opened(path)


def write_labels(
    folder: str | Path, *, kind: str, classes: ClassTable, rows: Iterable[LabelRow | StoredRow]
) -> LabelSet:
    """Write one atomic, content-addressed label file; the same rows give the same path. Memory stays at one batch."""
    if kind not in KINDS:
        raise ValueError(f"kind must be one of {', '.join(KINDS)}; got {kind!r}")
    target = Path(folder).absolute()
    with room_at(target):
        target.mkdir(parents=True, exist_ok=True)
    state, count = _Digest(kind, classes), 0
    with open_draft(target / f"{kind}.arrow") as draft:
        with pa.OSFile(str(draft), "wb") as sink, pa.ipc.new_file(sink, _SCHEMA) as writer:
            for chunk in chunked(rows, _ROWS_A_BATCH):
                encoded = [row if isinstance(row, StoredRow) else _encode(row, kind, classes) for row in chunk]
                state.take(encoded)
                count += len(encoded)
                columns = zip(zip(*encoded, strict=True), _SCHEMA, strict=True)
                writer.write_batch(pa.record_batch([pa.array(c, f.type) for c, f in columns], schema=_SCHEMA))
        content = state.hexdigest()
        path = target / f"{kind}-{content}.arrow"
        publish(draft, path)
    return LabelSet(path=str(path), kind=kind, digest=content, count=count, classes=classes)


def labels_digest(labels: LabelSet) -> str:
    """The digest of what a label file holds, in the classes of `labels`: the one in its name, unless it was damaged."""
    state, opened = _Digest(labels.kind, labels.classes), _open(labels.path)
    for batch in opened.batches:
        columns = {name: batch[name] for name in batch.schema.names if name in COLUMN_NAMES}
        for row in range(batch.num_rows):  # one by one: a map that many rows share is never there as often
            state.take([StoredRow(**{name: column[row].as_py() for name, column in columns.items()})])
    return state.hexdigest()


class _Digest:
    """Digest of the rows, not of the file: Arrow's own bytes may differ between versions."""

    def __init__(self, kind: str, classes: ClassTable) -> None:
        self._state = hashlib.blake2b(f"{kind}:{classes.digest}".encode(), digest_size=16)
        self._seen: set[str] = set()

    def take(self, encoded: list[StoredRow]) -> None:
        parts: list[bytes] = []
        for row in encoded:
            if row.scene in self._seen:
                raise ValueError(f"a label set has one row a scene; {row.scene!r} came twice")
            self._seen.add(row.scene)
            parts += (part if isinstance(part, bytes) else str(part).encode() for part in row[:_FIRST_COLUMNS])
            for name in COLUMN_NAMES[_FIRST_COLUMNS:]:  # by name, where there: older files' digests stay what they are
                if (data := getattr(row, name)) is not None:
                    parts += name.encode(), data
        self._state.update(b"".join(piece for part in parts for piece in (len(part).to_bytes(8, "little"), part)))

    def hexdigest(self) -> str:
        return self._state.hexdigest()


def stored_row(scene: str, known: SceneLabels, classes: ClassTable) -> StoredRow:
    """What a rule made of a scene, checked and packed."""
    return _encode(LabelRow.of(scene, known), "pseudo", classes)


def _encode(row: LabelRow, kind: str, classes: ClassTable) -> StoredRow:
    size = (row.height, row.width)
    if row.map is not None:
        if row.map.shape != size or row.map.dtype != np.uint8:
            raise ValueError(f"scene {row.scene!r}: the map must be {size} uint8; got {row.map.shape} {row.map.dtype}")
        if np.bincount(row.map.ravel(), minlength=256)[len(classes) : VOID].any():
            raise ValueError(f"scene {row.scene!r}: labels must be 0..{len(classes) - 1} or {VOID}")
    if kind in COLUMNS:
        _require_rows(row.scene, kind, row.values)
    elif row.map is None and (kind != "pseudo" or row.is_empty):
        raise ValueError(f"scene {row.scene!r}: {kind} labels need a map")
    for name in COLUMNS:
        if getattr(row, name) is not None:
            _require_rows(row.scene, name, getattr(row, name))
    if row.instance is not None and (row.instance.shape != size or row.instance.dtype != np.uint16):
        raise ValueError(
            f"scene {row.scene!r}: instances must be {size} uint16; got {row.instance.shape} {row.instance.dtype}"
        )
    return StoredRow(
        row.scene,
        row.height,
        row.width,
        None if row.map is None else encode_map(row.map),
        None if row.instance is None else encode_map(row.instance),
        _packed(row.values),
        _packed(row.points),
        _packed(row.boxes),
        _packed(row.tags),
        None if row.detections is None else packed_detections(row.detections, size, len(classes)),
    )


def _require_rows(scene: str, name: str, values: NDArray[np.int32] | None) -> None:
    if values is None or values.ndim != 2 or values.shape[1] != len(COLUMNS[name]):
        raise ValueError(f"scene {scene!r}: {name} need values with columns {', '.join(COLUMNS[name])}")


def _packed(values: NDArray[np.int32] | None) -> bytes | None:
    return None if values is None else np.ascontiguousarray(values, "<i4").tobytes()
