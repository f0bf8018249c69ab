"""A full disk, named as such by whoever writes: one sentence, and the same everywhere."""

from __future__ import annotations

import errno
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from segfrontier.errors import DiskFull

DECIDES_NOTHING = True  # no stage's result depends on how this is done, so no key does

FULL = frozenset({errno.ENOSPC, errno.EDQUOT})


_WORDS = ("No space left on device", "Disk quota exceeded", "database or disk is full")
"""How those say it that raise errors without an errno: pyarrow, SQLite, torch, Ray for its workers."""


def is_full(error: BaseException | None) -> bool:
    """Whether a full disk (or a used-up quota) is behind an error, whatever raised it on top."""
    todo, seen = [error], set[int]()
    while todo:
        error = todo.pop()
        if error is None or id(error) in seen:
            continue
        if isinstance(error, DiskFull) or (isinstance(error, OSError) and error.errno in FULL):
            return True
        if isinstance(error, Exception) and any(words in str(error) for words in _WORDS):
            return True
        seen.add(id(error))
        todo += [error.__cause__, error.__context__, *(error.exceptions if isinstance(error, ExceptionGroup) else ())]
    return False


@contextmanager
def room_at(place: str | Path) -> Iterator[None]:
    """Turn a full disk inside the block into `DiskFull`, without the chain of what it made fail on the way."""
    try:
        yield
    except DiskFull:
        raise
    except Exception as error:
        if is_full(error):
            raise disk_full(place) from None
        raise


def disk_full(place: str | Path) -> DiskFull:
    """The one sentence about it."""
    return DiskFull(
        f"there must be room on the disk of {place}; it is full, and nothing half-written was left there. Make room "
        f"(`segfrontier store gc` removes old stages), then start again: what is stored already is found."
    )
