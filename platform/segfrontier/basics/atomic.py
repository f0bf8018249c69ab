"""Files and folders that appear whole or not at all, and whose drafts never outlive their writer.

A draft lies beside its target as `.NAME.ID.part` and is locked by its writer. The kernel drops the lock with the
process, however that dies, so `sweep` can tell a dead writer's draft from one that is being written, on any machine.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import tempfile
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from glob import escape
from pathlib import Path
from typing import Any

from segfrontier.basics.disk import room_at
from segfrontier.basics.locks import FileLock, hold_alone, hold_new

DECIDES_NOTHING = True  # no stage's result depends on how this is done, so no key does

_DRAFT = ".part"
_OLD_DRAFT = re.compile(r"\..+\.(?P<pid>\d+)-[0-9a-f]{8}", re.DOTALL)
_MINUTE, _DAY = 60.0, 86400.0
_LOCK, _CONTENT = "lock", "content"


@contextmanager
def staged_file(target: Path, *, sync: bool = True) -> Iterator[Path]:
    """A draft to be written inside the block; afterwards it is the target. On any error it is gone.

    Write to the file that is there (any `open(..., "wb")` does); `sync`: it is on the disk before it has its name.
    """
    with open_draft(target) as draft:
        yield draft
        publish(draft, target, sync=sync)


@contextmanager
def open_draft(target: Path) -> Iterator[Path]:
    """A draft beside the target that may be published under any name; gone at the end of the block if it was not."""
    with room_at(target.parent):
        while True:  # a sweep may have caught the draft in the instant before it was locked
            draft = _draft(target)
            try:
                held = hold_new(draft)
            except BaseException:  # a file system without locks
                draft.unlink(missing_ok=True)
                raise
            if held is not None:
                break
        try:
            yield draft
        finally:
            draft.unlink(missing_ok=True)
            held.release()


def publish(draft: Path, target: Path, *, sync: bool = True) -> None:
    """Give a whole draft its name, over whatever file has it."""
    if sync:
        _sync(draft)
    draft.replace(target)
    if sync:
        _sync(target.parent)


@contextmanager
def staged_folder(target: Path, *, key: str = "") -> Iterator[Path]:
    """A draft folder to be filled inside the block; afterwards it is the target. On any error it is gone.

    The target must not exist then, or be an empty folder: `FileExistsError` or `OSError`, and it stays as it is. With
    a `key`, the draft that a killed writer of the same target and key left is taken over with what it holds; those of
    the target's other dead writers go.
    """
    with room_at(target.parent), draft_folder(target, key=key) as content:
        if key:
            sweep(target.parent, of=f"{target.name[:80]}.")
        yield content
        for path in content.rglob("*"):
            if path.is_file() and not path.is_symlink():
                _sync(path)
        content.rename(target)
        _sync(target.parent)


@contextmanager
def draft_folder(target: Path, *, key: str = "") -> Iterator[Path]:
    """A draft folder beside `target` for as long as the block lasts; what is to stay is moved out of it there."""
    with room_at(target.parent):
        target.parent.mkdir(parents=True, exist_ok=True)
        while True:
            draft = _draft(target, key)
            draft.mkdir(exist_ok=bool(key))
            lock = FileLock(draft / _LOCK)
            with suppress(FileNotFoundError):  # swept in the instant before it was locked
                if lock.take():
                    break
                if key:
                    raise BlockingIOError(f"{lock.owner} is writing the same there")
        try:
            content = draft / _CONTENT
            content.mkdir(exist_ok=bool(key))
            yield content
        finally:
            shutil.rmtree(draft, ignore_errors=True)
            lock.release()


@contextmanager
def scratch_folder(parent: Path | None = None) -> Iterator[Path]:
    """A folder for what nobody looks for afterwards, in `parent` or where the machine keeps such; of dead processes,
    too, nothing stays there.
    """
    place = (parent or Path(tempfile.gettempdir())) / "segfrontier-scratch"
    sweep(place.parent, of=place.name)
    with draft_folder(place) as folder:
        yield folder


def write_bytes(target: Path, data: bytes | memoryview, *, sync: bool = True) -> None:
    """Write a file whole or not at all; its folder is made where there is none."""
    with room_at(target.parent):
        target.parent.mkdir(parents=True, exist_ok=True)
    with staged_file(target, sync=sync) as draft:
        draft.write_bytes(data)


def write_text(target: Path, text: str, *, sync: bool = True) -> None:
    """Write a text file whole or not at all."""
    write_bytes(target, text.encode("utf-8"), sync=sync)


def write_json(target: Path, content: Any, *, sync: bool = True) -> None:
    """Write a JSON file whole or not at all. A file that is written again all the time needs no `sync`."""
    write_text(target, json.dumps(content, indent=1, allow_nan=True), sync=sync)


def sweep(folder: Path, *, of: str = "") -> int:
    """Remove the drafts of dead writers from a folder, or those `of` one name; how many there were.

    Nothing else is touched.
    """
    count = 0
    for draft in sorted(p for p in folder.glob(f".{escape(of)}*") if not p.is_symlink()) if folder.is_dir() else ():
        with suppress(OSError):  # another's folder, or published or swept by another one meanwhile
            if old := _OLD_DRAFT.fullmatch(draft.name):
                count += _swept_old(draft, int(old["pid"]))
            elif draft.name.endswith(_DRAFT):
                count += _swept_folder(draft) if draft.is_dir() else _swept_file(draft)
    return count


def _swept_old(draft: Path, pid: int) -> bool:
    """Remove a draft that has no lock but its writer's process id in its name, as earlier versions wrote them.

    Its process must be gone from this machine, and the draft must rest: the process may be another machine's. Where
    the number is in use again, the draft must have rested for a day.
    """
    rest = abs(time.time() - max(path.lstat().st_mtime for path in (draft, *draft.rglob("*"))))
    if rest < (_DAY if _runs(pid) else _MINUTE):
        return False
    shutil.rmtree(draft) if draft.is_dir() else draft.unlink(missing_ok=True)
    return True


def _runs(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except (ProcessLookupError, OverflowError):
        return False
    except PermissionError:
        pass
    return True


def _swept_file(draft: Path) -> bool:
    held = hold_alone(draft)
    if held is None:
        return False
    draft.unlink(missing_ok=True)
    held.release()
    return True


def _swept_folder(draft: Path) -> bool:
    lock = FileLock(draft / _LOCK)
    if not lock.take():
        return False
    shutil.rmtree(draft, ignore_errors=True)
    lock.release()
    return True


def _draft(target: Path, key: str = "") -> Path:
    return target.with_name(f".{target.name[:80]}.{key or uuid.uuid4().hex[:12]}.part")


def _sync(path: Path) -> None:
    fd = os.open(path, os.O_RDONLY)
    try:
        with suppress(OSError) if path.is_dir() else room_at(path):  # not every file system syncs folders
            os.fsync(fd)
    finally:
        os.close(fd)
