"""Entries in an object store (s3://, gs://, ...), through pyarrow's filesystems.

    entries/KEY/entry.json    the commit mark, written last: the manifest, whose digest names the folder beside it
    entries/KEY/DIGEST/       one publication: a whole copy of the local entry
    entries/KEY/damaged.TIME  the mark of a damaged entry, for `gc` to remove a day later with the files
    leases/KEY                who computes
    used/KEY, pins/KEY        when it was last used; that it may not be removed

Nothing is changed in place or renamed as a folder, so two publications of one key never mix: the last mark wins whole.
"""

from __future__ import annotations

import logging
import re
import time
import uuid
from collections import defaultdict
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

from pyarrow import fs

from segfrontier.errors import StageError
from segfrontier.store.entry import MANIFEST_BYTES, MARK, Damage, Entry, Manifest
from segfrontier.store.keys import is_key
from segfrontier.store.lease import Lease, Pace
from segfrontier.store.rows import Row
from segfrontier.store.shelf import inspect

log = logging.getLogger(__name__)

USE_SECONDS = 3600.0
"""The last use is noted at most this often; what was used within it is taken to be in use."""
LEFTOVER_SECONDS = 86400.0
"""A publication that no mark names, or a lease, is a killed writer's when it is older than this."""

_FOLDERS = ("entries", "leases", "used", "pins")
_OURS = re.compile(r"[0-9a-f]{32}|damaged\.\d+|entry\.json\.[0-9a-f]{32}\.part")
"""The names below a key that may be a leftover."""


@dataclass
class Remote:
    """The entries below `root` of a filesystem. All paths of the methods are relative to it."""

    files: fs.FileSystem
    root: str
    pace: Pace
    _noted: dict[str, float] = field(default_factory=dict)

    def has(self, key: str) -> bool:
        """Whether an entry is committed under `key`."""
        return bool(self.files.get_file_info(self._at(_mark(key))).is_file)

    def exists(self) -> bool:
        """Whether anything that a store holds lies here."""
        return any(info.type != fs.FileType.NotFound for info in self.files.get_file_info([*map(self._at, _FOLDERS)]))

    def fetch(self, key: str, staging: Path) -> bool:
        """Copy the entry into an empty folder and check every digest; False where there is none, or a damaged one.

        Just the files that the mark names come, and none that has not the size it names.
        """
        mark = self.read(_mark(key))
        if mark is None:
            return False
        try:
            self._copy(Manifest.from_bytes(mark, key), staging)
            (staging / MARK).write_bytes(mark)
            inspect(staging, key, verify=True)
        except Damage as damage:
            if self.read(_mark(key)) == mark:  # else another host has already seen to it
                place = f"entries/{key}/damaged.{time.time_ns()}"
                log.warning("stage store %s: entry %s is damaged: %s; mark moved to %s", self.root, key, damage, place)
                self.files.move(self._at(_mark(key)), self._at(place))
            return False
        return True

    def _copy(self, manifest: Manifest, staging: Path) -> None:
        places = {name: self._at(f"entries/{manifest.key}/{manifest.digest}/{name}") for name in manifest.files}
        found = self.files.get_file_info(list(places.values())) if places else []
        for (name, mark), info in zip(manifest.files.items(), found, strict=True):
            if not info.is_file:
                raise Damage(f"{name} is missing")
            if info.size != mark.size:
                raise Damage(f"{name} has {info.size} bytes, not {mark.size}")

        def copy(name: str) -> None:
            local = staging / name
            local.parent.mkdir(parents=True, exist_ok=True)
            fs.copy_files(
                places[name], str(local), source_filesystem=self.files, destination_filesystem=fs.LocalFileSystem()
            )

        with ThreadPoolExecutor(16) as pool:
            list(pool.map(copy, places))

    def publish(self, entry: Entry) -> None:
        """Upload a local entry: its files first, its mark last."""
        target = self._at(f"entries/{entry.key}/{entry.manifest.digest}")
        self.files.create_dir(target, recursive=True)
        fs.copy_files(
            str(entry.path), target, source_filesystem=fs.LocalFileSystem(), destination_filesystem=self.files
        )
        self.write(_mark(entry.key), entry.manifest.to_bytes())

    def note_use(self, key: str) -> None:
        """Keep the time of the last use, where writing is allowed."""
        now = time.monotonic()
        if now - self._noted.get(key, -USE_SECONDS) >= USE_SECONDS:
            self._noted[key] = now
            with suppress(OSError):
                self.write(f"used/{key}", b"")

    def lease(self, key: str) -> Lease:
        """The lease whose owner computes `key`."""
        return Lease(self, f"leases/{key}", self.pace)

    def pin(self, key: str, on: bool) -> None:
        """Keep an entry from being removed, or no longer."""
        if on:
            self.write(f"pins/{key}", b"")
        else:
            self.delete(f"pins/{key}")

    def rows(self) -> Iterator[Row]:
        """Everything stored, without checking it; one request an entry."""
        used = {info.base_name: info.mtime.timestamp() for info in self._list("used")}
        pins = {info.base_name for info in self._list("pins")}
        listing = self._publications()
        for key, manifest in self._manifests(listing).items():
            yield Row.of(
                manifest,
                key=key,
                place=f"entries/{key}/{manifest.digest}",
                state="stored",
                used=max(used.get(key, 0.0), listing[key][MARK][0].mtime.timestamp()),
                size=sum(info.size for info in listing[key][manifest.digest]),
                pinned=key in pins,
            )

    def remove(self, row: Row) -> bool:
        """Remove what `row` stands for, its mark first; False where it was used within the hour, or has changed."""
        if time.time() - row.used < USE_SECONDS or (manifest := self._manifest(row.key)) is None:
            return False
        if manifest.digest not in row.place:
            return False
        self.delete(_mark(row.key))
        self.delete(f"used/{row.key}")
        self.files.delete_dir(self._at(row.place))
        return True

    def sweep(self, *, dry_run: bool) -> int:
        """Remove, a day after, publications that no mark names and leases of the dead; how many there were."""
        limit = time.time() - LEFTOVER_SECONDS
        listing = self._publications()
        named = self._manifests(listing)
        old = [f"leases/{info.base_name}" for info in self._list("leases") if info.mtime.timestamp() < limit]
        for key, parts in listing.items():
            if MARK in parts and key not in named:
                continue  # of another version, or damaged: what it names is not known
            for name, infos in parts.items():
                ours = _OURS.fullmatch(name) and (key not in named or name != named[key].digest)
                if ours and max(info.mtime.timestamp() for info in infos) < limit:
                    old.append(f"entries/{key}/{name}")
        for path in () if dry_run else old:
            if self.files.get_file_info(self._at(path)).is_file:
                self.delete(path)
            else:
                self.files.delete_dir(self._at(path))
        return len(old)

    def read(self, path: str) -> bytes | None:
        """The bytes of a small object, or None where there is no such object."""
        try:
            with self.files.open_input_stream(self._at(path)) as stream:
                return bytes(stream.read(MANIFEST_BYTES + 1))  # one that is cut off is no JSON any more
        except FileNotFoundError:
            return None

    def write(self, path: str, content: bytes) -> None:
        """Put an object in one step, also on filesystems where writing is not atomic but renaming is."""
        whole = self._at(path)
        part = f"{whole}.{uuid.uuid4().hex}.part"
        self.files.create_dir(whole.rpartition("/")[0], recursive=True)
        with self.files.open_output_stream(part) as stream:
            stream.write(content)
        self.files.move(part, whole)

    def delete(self, path: str) -> None:
        """Remove an object, if it is there."""
        with suppress(FileNotFoundError):
            self.files.delete_file(self._at(path))

    def _publications(self) -> dict[str, dict[str, list[fs.FileInfo]]]:
        """All objects below `entries`: key -> name of the publication, or of the mark -> its objects."""
        listing: dict[str, dict[str, list[fs.FileInfo]]] = defaultdict(lambda: defaultdict(list))
        for info in self._list("entries"):
            key, _, rest = info.path.removeprefix(self._at("entries/")).partition("/")
            if rest and is_key(key):
                listing[key][rest.partition("/")[0]].append(info)
        return listing

    def _manifests(self, listing: dict[str, dict[str, list[fs.FileInfo]]]) -> dict[str, Manifest]:
        """The readable marks of a listing."""
        marked = [key for key, parts in listing.items() if MARK in parts]
        with ThreadPoolExecutor(16) as pool:
            return {key: found for key, found in zip(marked, pool.map(self._manifest, marked), strict=True) if found}

    def _manifest(self, key: str) -> Manifest | None:
        """What the mark of a key says; None where it says nothing that this version can read."""
        with suppress(Damage, StageError):
            return Manifest.from_bytes(self.read(_mark(key)) or b"", key)
        return None

    def _at(self, path: str) -> str:
        return f"{self.root}/{path}" if self.root else path

    def _list(self, folder: str) -> list[fs.FileInfo]:
        selector = fs.FileSelector(self._at(folder), allow_not_found=True, recursive=True)
        return [info for info in self.files.get_file_info(selector) if info.is_file]


def _mark(key: str) -> str:
    return f"entries/{key}/{MARK}"
