"""A full disk, named as such by whoever writes: one sentence, and the same everywhere."""

from __future__ import annotations

import errno
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from segfrontier.errors import DiskFull

FULL = frozenset({errno.ENOSPC, errno.EDQUOT})


def is_full(error: BaseException | None) -> bool:
    """Whether a full disk (or a used-up quota) is behind an error, whatever raised it on top."""
    seen: set[int] = set()
    while error is not None and id(error) not in seen:
        if isinstance(error, DiskFull) or (isinstance(error, OSError) and error.errno in FULL):
            return True
        if isinstance(error, OSError) and "No space left on device" in str(error):
            return True  # pyarrow raises OSErrors without an errno
        if isinstance(error, sqlite3.OperationalError) and "database or disk is full" in str(error):
            return True
        seen.add(id(error))
        error = error.__cause__ or error.__context__
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
