"""The entries of one local folder: looked up, published, set aside and removed, each in one atomic step.

    entries/KEY/            entry.json and the files; its mtime is the last use
    staging/KEY/            what the owner of staging/KEY.lock is writing; without an owner, a leftover
    scratch/KEY/            what a computation keeps for itself between two attempts (checkpoints)
    quarantine/KEY.TIME/    what lay in an entry's place and was none
    pins/KEY                never to be removed

An entry's folder appears, and goes, by one rename, made by the owner of the key's lock. No file is ever changed in
place, and no sync is needed: what a power cut spoils, the digests find. Whatever lies in a key's place and is not what
belongs there (a file, a link to nowhere, a pipe) is moved to quarantine as it is, and never followed.
"""

from __future__ import annotations

import logging
import os
import shutil
import stat
import time
from collections.abc import Iterator, Mapping
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Literal

from segfrontier.basics.disk import is_full
from segfrontier.basics.locks import FileLock, Hold, hold_alone, hold_shared
from segfrontier.errors import BadInput, StageError
from segfrontier.store.entry import MARK, Damage, Entry, EntryManifest, FileMark, file_digest, look_at, read_manifest
from segfrontier.store.keys import is_key
from segfrontier.store.rows import State, StoreRow

log = logging.getLogger(__name__)

TOUCH_SECONDS = 60.0
"""The last use is noted at most this often, so that reading stays free of writes."""
FOLDERS = ("entries", "staging", "scratch", "quarantine", "pins")

_VERIFIED: dict[Path, tuple[object, ...]] = {}
"""Entries whose digests were right, by folder: size, mtime and inode of every file at that time."""


class Shelf:
    """A folder of entries."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.entries, self.staging, self.scratch, self.quarantine, self.pins = (root / name for name in FOLDERS)

    def exists(self) -> bool:
        """Whether anything that a store holds lies here."""
        with suppress(OSError):  # no name that a folder can have
            return any((self.root / name).is_dir() for name in FOLDERS)
        return False

    def lock(self, key: str) -> FileLock:
        """The lock whose owner alone may change what is stored under `key`."""
        path = self.staging / f"{key}.lock"
        if _is_astray(path):  # nobody can have locked it
            self._set_aside(path, "is no file, as locks are")
        return FileLock(path)

    def look(self, key: str, *, verify: bool = False, owned: bool = False) -> Entry | None:
        """The intact entry, or None. A damaged one is set aside, unless another process owns the key and will do it.

        Names and sizes are checked each time; digests with `verify`, once per process, and when a file looks changed.
        """
        folder, hold = self.entries / key, None
        if not os.path.lexists(folder):
            return None
        try:
            look_at(folder, MARK)
            hold = hold_shared(folder / MARK)
            if hold is None:
                return self.look(key, verify=verify, owned=owned)  # removed or replaced in this instant
            manifest = inspect(folder, key, verify=verify)
        except Damage as damage:
            if hold is not None:
                hold.release()
            if owned:
                self._set_aside(folder, f"is damaged: {damage}")
                return None
            return self._look_again(key, damage)
        _touch(folder / MARK)
        return Entry(manifest, folder, hold)

    def _look_again(self, key: str, damage: Damage) -> Entry | None:
        """Look as the key's owner, so that a damaged entry goes; None where another process is the owner."""
        lock = self.lock(key)
        try:
            return self.look(key, verify=True, owned=True) if lock.take() else None
        except OSError as error:
            if is_full(error):
                raise
            raise StageError(
                f"a damaged entry must be moved away before it can be computed again; entry {key} ({damage}) "
                f"cannot: {error}; ask for write permission to {self.root} or use another store"
            ) from error
        finally:
            lock.release()

    def fresh(self, key: str) -> Path:
        """An empty staging folder for the key's owner; what a killed one left there is removed."""
        folder = self.staging / key
        clear(folder)
        folder.mkdir(parents=True)
        return folder

    def scratch_of(self, key: str) -> Path:
        """The folder that outlives a killed owner."""
        folder = self.scratch / key
        if os.path.lexists(folder) and not folder.is_dir():
            self._set_aside(folder, "is no folder, as those of unfinished stages are")
        folder.mkdir(parents=True, exist_ok=True)
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
        manifest = EntryManifest(key=key, about=about, created=created, seconds=round(seconds, 3), files=files)
        (folder / MARK).write_bytes(manifest.to_bytes())

    def publish(self, key: str) -> Entry:
        """Move the sealed staging folder, whose digests are known to be right, to its place."""
        folder = self.entries / key
        folder.parent.mkdir(parents=True, exist_ok=True)
        (self.staging / key).rename(folder)
        _VERIFIED[folder] = _signature(folder, read_manifest(folder, key))
        with suppress(OSError):
            clear(self.scratch / key)
        entry = self.look(key, owned=True)
        if entry is None:
            raise StageError(f"entry {key} must be readable after writing; it was not; check the disk of {self.root}")
        return entry

    def _set_aside(self, path: Path, why: str) -> None:
        place = self.quarantine / f"{path.name.partition('.')[0]}.{time.time_ns()}"
        name = path.relative_to(self.root)
        self.quarantine.mkdir(parents=True, exist_ok=True)
        with suppress(FileNotFoundError):  # another process has seen to it
            path.rename(place)
            log.warning("stage store %s: %s %s; moved to %s", self.root, name, why, place)

    def pin(self, key: str, on: bool) -> None:
        """Keep an entry from being removed, or no longer."""
        if on:
            self.pins.mkdir(parents=True, exist_ok=True)
            (self.pins / key).touch()
        else:
            (self.pins / key).unlink(missing_ok=True)

    def rows(self) -> Iterator[StoreRow]:
        """Everything stored, without checking it; what has no key for its name is not the store's."""
        places: dict[State, Path] = {"stored": self.entries, "unfinished": self.scratch, "damaged": self.quarantine}
        for state, place in places.items():
            for folder in sorted(place.iterdir()) if place.is_dir() else ():
                key, _, since = folder.name.partition(".")
                if is_key(key) and (since.isdecimal() if state == "damaged" else folder.name == key):
                    with suppress(FileNotFoundError):  # removed or published meanwhile
                        yield self._row(folder, key, state)

    def _row(self, folder: Path, key: str, state: State) -> StoreRow:
        try:
            manifest = read_manifest(folder, key)
        except (Damage, OSError, StageError):
            manifest = None
        return StoreRow.of(
            manifest,
            key=key,
            place=folder.relative_to(self.root).as_posix(),
            state=state,
            used=_used(folder, state),
            size=sum(found.st_size for found in _all_in(folder) if not stat.S_ISDIR(found.st_mode)),
            pinned=state == "stored" and (self.pins / key).exists(),
        )

    def require_own(self) -> None:
        """Refuse to remove anything where a part of the store is a link to another place."""
        for name in FOLDERS:
            if (self.root / name).is_symlink():
                raise BadInput(
                    f"only what lies in the store itself is removed; {self.root / name} is a link to "
                    f"{(self.root / name).readlink()}. Put the folder in its place, or the whole store elsewhere."
                )

    def remove(self, row: StoreRow) -> bool:
        """Remove what `row` stands for; False where it is in use, being computed, gone, or used since it was listed."""
        folder, lock = self.root / row.place, self.lock(row.key)
        try:
            if not lock.take() or _used(folder, row.state) != row.used:
                return False
            alone = _owned(folder / MARK) if row.state == "stored" else None
            if alone is False:
                return False
            trash = self.staging / row.key
            clear(trash)
            folder.rename(trash)
            clear(trash)
            return True
        except FileNotFoundError:
            return False
        finally:
            lock.release()

    def sweep(self, *, dry_run: bool) -> int:
        """Remove what killed writers left in staging; how many there were."""
        names = {p.name.removesuffix(".lock") for p in self.staging.iterdir()} if self.staging.is_dir() else ()
        count = 0
        for key in sorted(filter(is_key, names)):
            if dry_run and _is_astray(self.staging / f"{key}.lock"):
                count += 1
                continue
            lock = self.lock(key)
            try:
                if lock.take():
                    count += os.path.lexists(self.staging / key)
                    if not dry_run:
                        with suppress(OSError):
                            clear(self.staging / key)
            finally:
                lock.release()
        return count


def inspect(folder: Path, key: str, *, verify: bool) -> EntryManifest:
    """Check a folder against its manifest, or raise `Damage`."""
    manifest = read_manifest(folder, key)
    signature = _signature(folder, manifest)
    if verify or _VERIFIED.get(folder) != signature:
        for name, mark in manifest.files.items():
            if (found := file_digest(folder / name)) != mark.digest:
                raise Damage(f"{name} has digest {found}, not {mark.digest}")
        _VERIFIED[folder] = signature
    return manifest


def clear(path: Path) -> None:
    """Remove whatever lies there, a link itself and not what it points to."""
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)


def _signature(folder: Path, manifest: EntryManifest) -> tuple[object, ...]:
    found: list[object] = []
    for name, mark in manifest.files.items():
        about = look_at(folder, name)
        if about.st_size != mark.size:
            raise Damage(f"{name} has {about.st_size} bytes, not {mark.size}")
        found.append((name, about.st_size, about.st_mtime_ns, about.st_ino))
    return tuple(found)


def _owned(mark: Path) -> Hold | Literal[False] | None:
    """The right to remove an entry: False where a reader holds it; None where nobody can."""
    if not _is_file(mark):
        return None
    return hold_alone(mark) or False


def _is_astray(path: Path) -> bool:
    """Whether something lies in a lock's place that is no file, were it a link to one: locks are written to."""
    return os.path.lexists(path) and (path.is_symlink() or not _is_file(path))


def _is_file(path: Path) -> bool:
    with suppress(OSError):
        return stat.S_ISREG(path.stat().st_mode)
    return False


def _used(folder: Path, state: State) -> float:
    """When a result was last used; an unfinished one was when anything in it was last written."""
    if state == "unfinished":
        return max(found.st_mtime for found in _all_in(folder))
    return (folder / MARK if _is_file(folder / MARK) else folder).lstat().st_mtime


def _all_in(path: Path) -> Iterator[os.stat_result]:
    """What lies there and below; links stand for themselves."""
    yield path.lstat()
    for folder, below, names in os.walk(path):
        for name in (*below, *names):
            with suppress(FileNotFoundError):  # removed meanwhile
                yield Path(folder, name).lstat()


def _touch(mark: Path) -> None:
    with suppress(OSError):  # a reader without write permission may read all the same
        if abs(time.time() - mark.stat().st_mtime) > TOUCH_SECONDS:
            os.utime(mark)
