"""An entry: a folder of files, and the manifest `entry.json` that says what they must be."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, NoReturn

from segfrontier.basics.locks import Hold
from segfrontier.errors import StageError
from segfrontier.lab.store.keys import dumps, text_digest

FORMAT = 1
MARK = "entry.json"


class Damage(Exception):
    """What is stored is not what was written; the text names the file and what is wrong with it."""


@dataclass(frozen=True, slots=True)
class FileMark:
    """What one file must be."""

    size: int
    digest: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Manifest:
    """What `entry.json` says; nothing in it depends on the machine that wrote it."""

    key: str
    about: Mapping[str, Any]
    created: str
    seconds: float
    files: Mapping[str, FileMark]

    @property
    def kind(self) -> str:
        """The stage's kind, e.g. `train`."""
        return str(self.about["kind"])

    @property
    def inputs(self) -> tuple[str, ...]:
        """Keys and digests of what the stage was computed from."""
        return tuple(self.about.get("inputs", {}).values())

    @property
    def size(self) -> int:
        """Bytes of all files."""
        return sum(f.size for f in self.files.values())

    @property
    def digest(self) -> str:
        """Identity of this very result: it covers every field and, through their digests, every file."""
        return text_digest(dumps(asdict(self)))

    def to_bytes(self) -> bytes:
        """The content of `entry.json`."""
        return json.dumps({"format": FORMAT, "digest": self.digest, **asdict(self)}, indent=1).encode()

    @classmethod
    def from_bytes(cls, raw: bytes, key: str) -> Manifest:
        """Read `entry.json` of `key`, or raise `Damage`."""
        try:
            tree = json.loads(raw)
            version, digest = tree.pop("format"), tree.pop("digest")
            if version != FORMAT:
                raise StageError(
                    f"entry {key} must have format {FORMAT}; it has {version!r}, of another version of SegFrontier; "
                    f"use that version or another store"
                )
            manifest = cls(**{**tree, "files": {name: FileMark(**mark) for name, mark in tree["files"].items()}})
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            raise Damage(f"{MARK} cannot be read ({type(error).__name__}: {error})") from error
        if manifest.digest != digest or manifest.key != key:
            raise Damage(f"{MARK} does not have the content that was written for this key")
        return manifest


@dataclass(frozen=True, eq=False)
class Entry:
    """A stored result. While this object lives, its files stay where they are: garbage collection passes it by."""

    manifest: Manifest
    path: Path
    hold: Hold

    @property
    def key(self) -> str:
        """The key it is stored under."""
        return self.manifest.key

    def local(self, name: str) -> Path:
        """The path of one of its files."""
        if name not in self.manifest.files:
            have = ", ".join(sorted(self.manifest.files)) or "no files"
            raise StageError(f"entry {self.key} ({self.manifest.kind}) has no file {name!r}; it has: {have}")
        return self.path / name

    def release(self) -> None:
        """Say that the files are not needed any more; else this happens when the object is collected."""
        self.hold.release()

    def __reduce__(self) -> NoReturn:
        raise TypeError("an Entry holds a lock of its process; send its key, and let the other side ask store.get(key)")


def file_digest(path: Path) -> str:
    """32 hex digits of BLAKE2b of a file's bytes."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, lambda: hashlib.blake2b(digest_size=16)).hexdigest()
