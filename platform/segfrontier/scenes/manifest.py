"""The small file that makes a folder of Parquet shards a world: what it holds, in which classes, in which shards."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

import pyarrow as pa

from segfrontier.errors import BadWorld
from segfrontier.scenes.classes import ClassTable

FORMAT = "segfrontier-world"
VERSION = 1
MANIFEST = "world.json"

# Images and truth lie in files of their own, so that a training process (or machine) can be given the one without the
# other. Both hold the same scenes in the same order.
IMAGE_SCHEMA = pa.schema(
    [
        ("scene", pa.string()),
        ("domain", pa.string()),
        ("split", pa.string()),
        ("height", pa.int32()),
        ("width", pa.int32()),
        ("image", pa.large_binary()),
        ("digest", pa.string()),
    ]
)
TRUTH_SCHEMA = pa.schema(
    [
        ("scene", pa.string()),
        ("domain", pa.string()),
        ("split", pa.string()),
        ("height", pa.int32()),
        ("width", pa.int32()),
        ("semantic", pa.large_binary()),
        ("instance", pa.large_binary()),
        ("coarse", pa.large_binary()),
        ("digest", pa.string()),
    ]
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Shard:
    """One pair of Parquet files: `images/<name>` and `truth/<name>`."""

    name: str
    domain: str
    split: str
    rows: int
    image_bytes: int
    image_digest: str
    truth_bytes: int
    truth_digest: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ImportNotes:
    """What the import saw and left out; `world inspect` prints it."""

    skipped: tuple[str, ...] = ()
    images_without_labels: tuple[str, ...] = ()
    labels_without_images: tuple[str, ...] = ()
    size_mismatches: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Manifest:
    """The manifest's content. `components`: instances are connected components standing in for real ones."""

    name: str
    classes: ClassTable
    shards: tuple[Shard, ...]
    digest: str
    components: bool = False
    origin: Mapping[str, Any] = field(default_factory=dict)
    notes: ImportNotes = ImportNotes()

    def to_bytes(self) -> bytes:
        """The manifest as it lies on disk."""
        plain = {"format": FORMAT, "version": VERSION} | asdict(self)
        plain["classes"] = self.classes.to_json()
        return (json.dumps(plain, indent=1) + "\n").encode()

    @classmethod
    def from_bytes(cls, data: bytes, *, where: str) -> Manifest:
        """Read a manifest; `where` stands in the error."""
        try:
            plain = json.loads(data)
            found = plain.pop("format"), plain.pop("version")
        except (ValueError, KeyError, AttributeError, TypeError) as error:
            raise BadWorld(
                f"{where}: must be a SegFrontier world manifest; it does not read as one ({error!r})"
            ) from error
        if found != (FORMAT, VERSION):
            raise BadWorld(
                f"{where}: this SegFrontier reads {FORMAT} version {VERSION}; found {found[0]} version {found[1]}. "
                f"Import the dataset again, or use the SegFrontier release that wrote it."
            )
        try:
            return cls(
                name=plain["name"],
                classes=ClassTable.from_json(plain["classes"]),
                shards=tuple(Shard(**s) for s in plain["shards"]),
                digest=plain["digest"],
                components=plain["components"],
                origin=plain["origin"],
                notes=ImportNotes(**{k: tuple(v) for k, v in plain["notes"].items()}),
            )
        except (KeyError, TypeError) as error:
            raise BadWorld(
                f"{where}: the manifest lacks or misnames a field ({error}); import the dataset again"
            ) from error
