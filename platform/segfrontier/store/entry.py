"""An entry: a folder of files, and the manifest `entry.json` that says what they must be."""

from __future__ import annotations

import errno
import hashlib
import json
import os
import stat
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from datetime import datetime
from pathlib import Path, PurePosixPath
from typing import Any, NoReturn

from segfrontier.basics.locks import Hold
from segfrontier.basics.reading import open_plain, parse_json, read_bounded
from segfrontier.errors import StageError
from segfrontier.store.keys import dumps, text_digest

FORMAT = 1
MARK = "entry.json"


MANIFEST_BYTES = 2**24
_NAME, _LARGE, _LONG = 1000, 2**60, 2.0**40
_NO_FILE = (None, errno.ENOTDIR, errno.EISDIR, errno.ELOOP, errno.ENXIO, errno.ENAMETOOLONG)
"""What opening something else than a file says; None where it is our own word."""


class Damage(Exception):
    """What is stored is not what was written; the text names the file and what is wrong with it."""


def _require(holds: object, what: str) -> None:
    if not holds:
        raise ValueError(f"{what} is not what a stage writes")


@dataclass(frozen=True, slots=True)
class FileMark:
    """What one file must be."""

    size: int
    digest: str


@dataclass(frozen=True, slots=True, kw_only=True)
class EntryManifest:
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
    def from_bytes(cls, raw: bytes, key: str) -> EntryManifest:
        """Read `entry.json` of `key`, or raise `Damage`. Nothing in it is believed before it is checked."""
        try:
            tree = parse_json(raw, where=MARK, what="a manifest")
            version, digest = tree.pop("format"), tree.pop("digest")
            if type(version) is int and version > 0 and version != FORMAT:
                raise StageError(
                    f"entry {key} must have format {FORMAT}; it has {version!r}, of another version of SegFrontier; "
                    f"use that version or another store"
                )
            _require(type(version) is int and version == FORMAT, "format")
            manifest = cls(**{**tree, "files": {name: FileMark(**mark) for name, mark in tree["files"].items()}})
            manifest._check()
            right = manifest.digest == digest and manifest.key == key
        except (ValueError, KeyError, TypeError, AttributeError, OverflowError, RecursionError) as error:
            raise Damage(f"{MARK} cannot be read ({type(error).__name__}: {str(error)[:200]})") from None
        if not right:
            raise Damage(f"{MARK} does not have the content that was written for this key")
        return manifest

    def _check(self) -> None:
        """Raise where a value is not of its type, or a file lies elsewhere than in the entry."""
        kind, inputs = self.about["kind"], self.about.get("inputs", {})
        _require(isinstance(kind, str) and kind.isprintable() and len(kind) <= _NAME, "about.kind")
        _require(isinstance(inputs, dict) and all(isinstance(key, str) for key in inputs.values()), "about.inputs")
        _require(type(self.seconds) in (int, float) and 0 <= self.seconds < _LONG, "seconds")
        datetime.fromisoformat(self.created).timestamp()
        for name, mark in self.files.items():
            plain = not PurePosixPath(name).is_absolute() and not {"", ".", ".."} & set(name.split("/"))
            _require(plain and name.isprintable() and len(name.encode()) <= _NAME and name != MARK, "files")
            _require(type(mark.size) is int and 0 <= mark.size < _LARGE, "files.size")
            _require(isinstance(mark.digest, str) and len(mark.digest) == 32, "files.digest")


@dataclass(frozen=True, eq=False)
class Entry:
    """A stored result. While this object lives, its files stay where they are: garbage collection passes it by."""

    manifest: EntryManifest
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


def read_manifest(folder: Path, key: str) -> EntryManifest:
    """The manifest of an entry's folder, whatever may lie in its place, or raise `Damage`."""
    try:
        return EntryManifest.from_bytes(read_bounded(folder / MARK, MANIFEST_BYTES), key)
    except OSError as error:
        raise _damage(MARK, error) from None


def look_at(folder: Path, name: str) -> os.stat_result:
    """What lies in the place of one of an entry's files; raises `Damage` where it is no regular file."""
    try:
        parts = PurePosixPath(name)
        if links := [part for part in (parts, *parts.parents[:-1]) if (folder / part).is_symlink()]:
            raise Damage(f"{links[-1]} is a link, which no stage writes")
        found = (folder / name).stat()
    except OSError as error:
        raise _damage(name, error) from None
    if not stat.S_ISREG(found.st_mode):
        raise Damage(f"{name} is no regular file")
    return found


def _damage(name: str, error: OSError) -> Exception:
    """The damage that an error is a sign of; the error itself where the disk or the user's rights are at fault."""
    if isinstance(error, FileNotFoundError):
        return Damage(f"{name} is missing")
    if error.errno in _NO_FILE:
        return Damage(f"{name} cannot be read ({error.strerror or error})")
    return error


def file_digest(path: Path) -> str:
    """32 hex digits of BLAKE2b of a regular file's bytes."""
    with open_plain(path) as file:
        return hashlib.file_digest(file, lambda: hashlib.blake2b(digest_size=16)).hexdigest()
