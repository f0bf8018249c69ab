"""Refusals of the disk or the network, said so that the user knows what to do."""

from __future__ import annotations

import errno
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from segfrontier.basics.disk import room_at
from segfrontier.errors import StageError

_CLOSED = frozenset({errno.EACCES, errno.EPERM, errno.EROFS})
_LOCKLESS = frozenset({errno.ENOLCK, errno.ENOSYS, errno.EOPNOTSUPP})


@contextmanager
def explained(store: str, doing: str, *, disk: str | Path) -> Iterator[None]:
    """Turn an OSError inside the block into a StageError, or into `DiskFull` where `disk` is that."""
    with room_at(disk):
        try:
            yield
        except OSError as error:
            raise StageError(f"{_must(error)}; found while {doing} in {store}: {error}; {_remedy(error)}") from error


def _must(error: OSError) -> str:
    if error.errno in _CLOSED:
        return "the stage store must be writable (only stages that are stored already can be had from a read-only one)"
    if error.errno in _LOCKLESS:
        return "the stage store's file system must support file locks (flock)"
    return "the stage store must be reachable"


def _remedy(error: OSError) -> str:
    if error.errno in _CLOSED:
        return "ask for write permission or use a store of your own"
    if error.errno in _LOCKLESS:
        return "mount it with locks or use another folder"
    return "check the path, the disk and the network, then start again"
