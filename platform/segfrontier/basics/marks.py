"""Marked folders: a store, a home or a cache says what it is, so that no command deletes in any other folder."""

from __future__ import annotations

import json
import tempfile
from contextlib import suppress
from pathlib import Path
from typing import Literal

from segfrontier.basics.atomic import staged_folder, write_bytes
from segfrontier.basics.disk import disk_full, is_full
from segfrontier.basics.reading import parse_json, read_bounded
from segfrontier.errors import BadInput

DECIDES_NOTHING = True  # no stage's result depends on how this is done, so no key does

Kind = Literal["store", "home", "cache", "ledger"]
MARK = ".segfrontier.json"
VERSION = 1


def mark(folder: Path, kind: Kind) -> None:
    """Make a folder and say what it is; one that says so already stays untouched.

    A new folder appears with its mark in it: whoever looks meanwhile, or comes to mark it too, never finds it bare.
    """
    if kind_of(folder) == kind:
        return
    try:
        with staged_folder(folder) as draft:
            (draft / MARK).write_bytes(content(kind))
    except OSError:
        if kind_of(folder) != kind:  # else another one was quicker
            write_bytes(folder / MARK, content(kind))  # it holds something already


def content(kind: Kind) -> bytes:
    """What the mark of a folder holds."""
    return json.dumps({"format": f"segfrontier-{kind}", "version": VERSION}, indent=1).encode()


def claim(folder: Path, kind: Kind) -> None:
    """Mark a folder that will be written to; BadInput where it cannot be."""
    try:
        mark(folder, kind)
        with tempfile.TemporaryFile(dir=folder):
            pass
    except OSError as error:
        if is_full(error):
            raise disk_full(folder) from None
        raise BadInput(
            f"the {kind} must be a folder that can be written to; {folder} is not ({error.strerror or error}). Give "
            f"another."
        ) from None


def kind_of(folder: Path) -> str | None:
    """What a folder says it is; None where it says nothing that can be read."""
    try:
        return kind_in(read_bounded(folder / MARK))
    except OSError:
        return None


def kind_in(mark: bytes) -> str | None:
    """What a mark says; None where that cannot be read."""
    try:
        plain = parse_json(mark, where=MARK, what="a mark")
    except BadInput:
        return None
    found = plain.get("format") if isinstance(plain, dict) else None
    return found.removeprefix("segfrontier-") if isinstance(found, str) else None


def require(folder: Path, kind: Kind, *, so: str) -> None:
    """Refuse a folder that is not a marked one of this kind; `so` says what makes or marks one."""
    if not _is_folder(folder):
        raise BadInput(f"there must be a {kind} at {folder}; there is no such folder. Correct the path.")
    if (found := kind_of(folder)) != kind:
        says = f"its {MARK} says it is a {found}" if found else f"it has no {MARK} that says so"
        raise BadInput(f"{folder} must be a {kind} of SegFrontier; {says}. {so}")


def _is_folder(path: Path) -> bool:
    with suppress(OSError):  # no name that a folder can have
        return path.is_dir()
    return False
