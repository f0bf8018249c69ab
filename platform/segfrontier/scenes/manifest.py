"""The small file that makes a folder of Parquet shards a world: what it holds, in which classes, in which shards."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from decimal import Decimal
from typing import Annotated, Any, Literal

import pyarrow as pa
from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError

from segfrontier.basics.reading import parse_json
from segfrontier.basics.wording import explain
from segfrontier.errors import BadWorld
from segfrontier.scenes.classes import ClassTable
from segfrontier.scenes.names import LONGEST, PLAIN, is_plain, shown

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
EXISTING_SCHEMA = pa.schema(
    [*list(TRUTH_SCHEMA)[:-1], ("boxes", pa.large_binary()), ("tags", pa.large_binary()), TRUTH_SCHEMA.field("digest")]
)
"""That of the truth of a world which holds labels that exist."""


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
    """What the import saw and left out; `world inspect` prints it.

    `remarks` are of files that are in: what whoever uses them should know (labels resized to their image, a rotation
    flag, an alpha channel, a link out of the data set's folder).
    """

    skipped: tuple[str, ...] = ()
    images_without_labels: tuple[str, ...] = ()
    labels_without_images: tuple[str, ...] = ()
    size_mismatches: tuple[str, ...] = ()
    remarks: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class WorldManifest:
    """The manifest's content. `components`: instances are connected components standing in for real ones.

    `existing`: seconds that each box and tag took elsewhere, by kind of act, of a world that holds such labels.
    """

    name: str
    classes: ClassTable
    shards: tuple[Shard, ...]
    digest: str
    components: bool = False
    origin: Mapping[str, Any] = field(default_factory=dict)
    notes: ImportNotes = ImportNotes()
    existing: Mapping[str, Decimal] = field(default_factory=dict)

    def to_bytes(self) -> bytes:
        """The manifest as it lies on disk."""
        plain = {"format": FORMAT, "version": VERSION} | asdict(self)
        plain["classes"] = self.classes.to_json()
        plain["existing"] = {kind: float(seconds) for kind, seconds in self.existing.items()}
        if not self.existing:  # a world without them is what it was before there were any
            del plain["existing"]
        return (json.dumps(plain, indent=1) + "\n").encode()

    @classmethod
    def from_bytes(cls, data: bytes, *, where: str) -> WorldManifest:
        """Read a manifest, from whomever it is; `where` stands in the error."""
        plain = parse_json(data, where=where, what="a world's manifest", error=BadWorld)
        found = (plain.get("format"), plain.get("version")) if isinstance(plain, dict) else (None, None)
        if found != (FORMAT, VERSION):
            raise BadWorld(
                f"{where}: this SegFrontier reads {FORMAT} version {VERSION}; found {_bare(found[0])} version "
                f"{_bare(found[1])}. Import the dataset again, or use the SegFrontier release that wrote it."
            )
        try:
            read = _File.model_validate(plain)
        except ValidationError as error:
            raise BadWorld(f"{explain(error, _File, where=where)}\nImport the dataset again.") from None
        return read.manifest(where)


def _bare(value: object) -> str:
    return value if isinstance(value, str) and is_plain(value) else shown(value)


def _plain(name: str, longest: int = LONGEST) -> str:
    if not is_plain(name, longest):
        raise ValueError(f"a name has {PLAIN}; found {shown(name)}")
    return name


_Name = Annotated[str, AfterValidator(_plain)]
_FileName = Annotated[str, AfterValidator(lambda name: _plain(name, 2 * LONGEST))]
_Digest = Annotated[str, Field(pattern="^[0-9a-f]{32}$")]
_Bytes = Annotated[int, Field(ge=0, le=2**40)]
_RawId = Annotated[int, Field(ge=-(2**31), lt=2**31)]
_Colour = tuple[int, int, int]
Seconds = Annotated[Decimal, Field(ge=0, lt=10**6, allow_inf_nan=False, decimal_places=3)]
"""What a label that exists took elsewhere; 0 where nobody knows or counts it."""
_Lines = tuple[Annotated[str, Field(max_length=10_000)], ...]


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", defer_build=True)  # built when one is read: few do


class _Class(_Strict):
    name: str
    colour: _Colour
    thing: bool
    raw_ids: tuple[_RawId, ...]


class _Table(_Strict):
    name: _Name
    classes: tuple[_Class, ...]
    void_ids: tuple[_RawId, ...]


class _Shard(_Strict):
    name: _FileName
    domain: Literal["source", "target"]
    split: _Name
    rows: Annotated[int, Field(ge=1, le=10**7)]
    image_bytes: _Bytes
    image_digest: _Digest
    truth_bytes: _Bytes
    truth_digest: _Digest


class _Notes(_Strict):
    skipped: _Lines = ()
    images_without_labels: _Lines = ()
    labels_without_images: _Lines = ()
    size_mismatches: _Lines = ()
    remarks: _Lines = ()


class _File(_Strict):
    """The manifest as a file holds it, checked value by value: names are no paths, numbers are in range."""

    format: str
    version: int
    name: _Name
    classes: _Table
    shards: Annotated[tuple[_Shard, ...], Field(min_length=1)]
    digest: _Digest
    components: bool
    origin: dict[str, Any]
    notes: _Notes
    existing: dict[Literal["box", "tag"], Seconds] = Field(default_factory=dict)

    def manifest(self, where: str) -> WorldManifest:
        """What the rest of the code knows."""
        twice = [name for name, count in Counter(shard.name for shard in self.shards).items() if count > 1]
        if twice:
            raise BadWorld(f"{where}: each shard may stand once; twice: {shown(twice[0])}. Import the dataset again.")
        try:
            table = ClassTable.from_json(self.classes.model_dump())
        except BadWorld as error:
            raise BadWorld(f"{where}: {error}") from None
        return WorldManifest(
            name=self.name,
            classes=table,
            shards=tuple(Shard(**s.model_dump()) for s in self.shards),
            digest=self.digest,
            components=self.components,
            origin=self.origin,
            notes=ImportNotes(**self.notes.model_dump()),
            existing={str(kind): seconds for kind, seconds in self.existing.items()},
        )
