"""The entries of one local folder: looked up, published, set aside and removed, each in one atomic step.

    entries/KEY/            entry.json and the files; its mtime is the last use
    staging/KEY/            what the owner of staging/KEY.lock is writing; without an owner, a leftover
    scratch/KEY/            what a computation keeps for itself between two attempts (checkpoints)
    quarantine/KEY.TIME/    damaged entries
    pins/KEY                never to be removed

An entry's folder appears, and goes, by one rename, made by the owner of the key's lock. No file is ever changed in
place, and no sync is needed: what a power cut spoils, the digests find.
"""

from __future__ import annotations

import logging
import os
import shutil
import time
from collections.abc import Iterator, Mapping
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from segfrontier.basics.locks import FileLock, hold_alone, hold_shared
from segfrontier.errors import StageError
from segfrontier.lab.store.entry import MARK, Damage, Entry, FileMark, Manifest, file_digest
from segfrontier.lab.store.rows import Row, State

log = logging.getLogger(__name__)

TOUCH_SECONDS = 60.0
"""The last use is noted at most this often, so that reading stays free of writes."""

_VERIFIED: dict[Path, tuple[object, ...]] = {}
"""Entries whose digests were right, by folder: size, mtime and inode of every file at that time."""


class Shelf:
    """A folder of entries."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.entries, self.staging, self.scratch = root / "entries", root / "staging", root / "scratch"
        self.quarantine, self.pins = root / "quarantine", root / "pins"

    def lock(self, key: str) -> FileLock:
        """The lock whose owner alone may change what is stored under `key`."""
        return FileLock(self.staging / f"{key}.lock")

    def look(self, key: str, *, verify: bool = False, owned: bool = False) -> Entry | None:
        """The intact entry, or None. A damaged one is set aside, unless another process owns the key and will do it.

        Names and sizes are checked each time; digests with `verify`, once per process, and when a file looks changed.
        """
        folder = self.entries / key
        hold = hold_shared(folder / MARK)
        if hold is None and not folder.is_dir():
            return None
        try:
            if hold is None:
                raise Damage(f"{MARK} is missing")
            manifest = inspect(folder, key, verify=verify)
        except Damage as damage:
            if hold is not None:
                hold.release()
            if owned:
                self._set_aside(key, damage)
                return None
            lock = self.lock(key)
            try:
                return self.look(key, verify=True, owned=True) if lock.take() else None
            except OSError as error:
                raise StageError(
                    f"a damaged entry must be moved away before it can be computed again; entry {key} ({damage}) "
                    f"cannot: {error}; ask for write permission to {self.root} or use another store"
                ) from error
            finally:
                lock.release()
        _touch(folder / MARK)
        return Entry(manifest, folder, hold)

    def fresh(self, key: str) -> Path:
        """An empty staging folder for the key's owner; what a killed one left there is removed."""
        folder = self.staging / key
        if folder.exists():
            shutil.rmtree(folder)
        folder.mkdir(parents=True)
        return folder

    def seal(self, key: str, about: Mapping[str, Any], seconds: float) -> None:
        """Write the manifest of the files in staging; they become read-only."""
        folder = self.staging / key
        files = {}
        for path in sorted(folder.rglob("*")):
            if path.is_symlink() or not (path.is_file() or path.is_dir()) or path == folder / MARK:
                raise StageError(
                    f"a stage must write plain files, none of them called {MARK}; {about['kind']} wrote "
                    f"{path.relative_to(folder)}; copy what it points to, or rename it"
                )
            if path.is_file():
                path.chmod(path.stat().st_mode & ~0o222)
                files[path.relative_to(folder).as_posix()] = FileMark(path.stat().st_size, file_digest(path))
        created = datetime.now(UTC).isoformat(timespec="seconds")
        manifest = Manifest(key=key, about=about, created=created, seconds=round(seconds, 3), files=files)
        (folder / MARK).write_bytes(manifest.to_bytes())

    def publish(self, key: str) -> Entry:
        """Move the sealed staging folder, whose digests are known to be right, to its place."""
        folder = self.entries / key
        folder.parent.mkdir(parents=True, exist_ok=True)
        (self.staging / key).rename(folder)
        _VERIFIED[folder] = _signature(folder, Manifest.from_bytes((folder / MARK).read_bytes(), key))
        shutil.rmtree(self.scratch / key, ignore_errors=True)
        entry = self.look(key, owned=True)
        if entry is None:
            raise StageError(f"entry {key} must be readable after writing; it was not; check the disk of {self.root}")
        return entry

    def _set_aside(self, key: str, damage: Damage) -> None:
        place = self.quarantine / f"{key}.{time.time_ns()}"
        log.warning("stage store %s: entry %s is damaged: %s; moved to %s", self.root, key, damage, place)
        self.quarantine.mkdir(parents=True, exist_ok=True)
        (self.entries / key).rename(place)

    def pin(self, key: str, on: bool) -> None:
        """Keep an entry from being removed, or no longer."""
        if on:
            self.pins.mkdir(parents=True, exist_ok=True)
            (self.pins / key).touch()
        else:
            (self.pins / key).unlink(missing_ok=True)

    def rows(self) -> Iterator[Row]:
        """Everything stored, without checking it."""
        places: dict[State, Path] = {"stored": self.entries, "unfinished": self.scratch, "damaged": self.quarantine}
        for state, place in places.items():
            for folder in sorted(place.iterdir()) if place.is_dir() else ():
                with suppress(FileNotFoundError):  # removed or published meanwhile
                    yield self._row(folder, state)

    def _row(self, folder: Path, state: State) -> Row:
        key = folder.name.partition(".")[0]
        mark = folder / MARK
        try:
            manifest = Manifest.from_bytes(mark.read_bytes(), key)
        except (Damage, FileNotFoundError, StageError):
            manifest = None
        return Row.of(
            manifest,
            key=key,
            place=folder.relative_to(self.root).as_posix(),
            state=state,
            used=(mark if manifest else folder).stat().st_mtime,
            size=sum(p.stat().st_size for p in folder.rglob("*") if p.is_file()),
            pinned=state == "stored" and (self.pins / key).exists(),
        )

    def remove(self, row: Row) -> bool:
        """Remove what `row` stands for; False where it is in use, being computed, or gone."""
        folder, lock = self.root / row.place, self.lock(row.key)
        try:
            if not lock.take():
                return False
            alone = hold_alone(folder / MARK) if row.state == "stored" else None
            if alone is None and (folder / MARK).exists() and row.state == "stored":
                return False
            trash = self.fresh(row.key) / "trash"
            folder.rename(trash)
            shutil.rmtree(trash.parent)
            return True
        except FileNotFoundError:
            return False
        finally:
            lock.release()

    def sweep(self, *, dry_run: bool) -> int:
        """Remove what killed writers left in staging; how many there were."""
        count = 0
        for key in sorted(
            {p.name.removesuffix(".lock") for p in self.staging.iterdir()} if self.staging.is_dir() else ()
        ):
            lock = self.lock(key)
            try:
                if lock.take():
                    count += (self.staging / key).exists()
                    if not dry_run:
                        shutil.rmtree(self.staging / key, ignore_errors=True)
            finally:
                lock.release()
        return count


def inspect(folder: Path, key: str, *, verify: bool) -> Manifest:
    """Check a folder against its manifest, or raise `Damage`."""
    try:
        manifest = Manifest.from_bytes((folder / MARK).read_bytes(), key)
    except FileNotFoundError as error:
        raise Damage(f"{MARK} is missing") from error
    signature = _signature(folder, manifest)
    if verify or _VERIFIED.get(folder) != signature:
        for name, mark in manifest.files.items():
            if (found := file_digest(folder / name)) != mark.digest:
                raise Damage(f"{name} has digest {found}, not {mark.digest}")
        _VERIFIED[folder] = signature
    return manifest


def _signature(folder: Path, manifest: Manifest) -> tuple[object, ...]:
    found: list[object] = []
    for name, mark in manifest.files.items():
        try:
            stat = (folder / name).stat()
        except FileNotFoundError as error:
            raise Damage(f"{name} is missing") from error
        if stat.st_size != mark.size:
            raise Damage(f"{name} has {stat.st_size} bytes, not {mark.size}")
        found.append((name, stat.st_size, stat.st_mtime_ns, stat.st_ino))
    return tuple(found)


def _touch(mark: Path) -> None:
    with suppress(OSError):  # a reader without write permission may read all the same
        if time.time() - mark.stat().st_mtime > TOUCH_SECONDS:
            os.utime(mark)
