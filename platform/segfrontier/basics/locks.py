"""Locks of a local (or shared) folder: flock, which the kernel drops with its process, however that process dies."""

from __future__ import annotations

import errno
import fcntl
import os
import socket
import stat
import time
import weakref
from contextlib import suppress
from pathlib import Path

DECIDES_NOTHING = True  # no stage's result depends on how this is done, so no key does

_HELD: weakref.WeakSet[FileLock] = weakref.WeakSet()


class FileLock:
    """One owner at a time, among all processes and threads. The file says who it is and goes with the release."""

    poll = 0.1
    """Seconds between two tries, at most."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._fd: int | None = None

    def take(self) -> bool:
        """Become the owner if there is none; never waits."""
        assert self._fd is None, f"{self.path} is already taken by this object"
        self.path.parent.mkdir(parents=True, exist_ok=True)
        fd = _locked(self.path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW, fcntl.LOCK_EX | fcntl.LOCK_NB)
        if fd is None:
            return False
        self._fd = fd
        _HELD.add(self)
        with suppress(OSError):  # only words: on a full disk, too, results must be read and removed
            os.ftruncate(fd, 0)
            os.write(fd, f"process {os.getpid()} on {socket.gethostname()} since {time.strftime('%F %T')}".encode())
        return True

    def release(self) -> None:
        """Let the next one in; nothing happens where the lock is not held."""
        if self._fd is not None:
            self.path.unlink(missing_ok=True)  # before closing: after it, the file may be another owner's
            self.drop()

    def drop(self) -> None:
        """Close the file and no more; what a forked child does with its copy."""
        fd, self._fd = self._fd, None
        if fd is not None:
            os.close(fd)

    @property
    def owner(self) -> str:
        """Who holds it, in words."""
        try:
            return self.path.read_text() or "another process"
        except OSError:
            return "another process"


def _drop_inherited() -> None:
    """A forked child (a DataLoader worker) shares its parent's locks; it must not outlive the parent as their owner."""
    for lock in list(_HELD):
        lock.drop()
    for hold in list(_OWNED):
        hold.release()


os.register_at_fork(after_in_child=_drop_inherited)


class Hold:
    """An open, locked file; released when asked, collected, or when the process ends."""

    def __init__(self, fd: int) -> None:
        self.fd = fd
        self.release = weakref.finalize(self, os.close, fd)


_OWNED: weakref.WeakSet[Hold] = weakref.WeakSet()
_FIRST_PAUSE, _LONGEST_PAUSE = 0.001, 0.05


def hold_file(path: Path, *, patience: float) -> Hold | None:
    """Own a file that stays, made where there is none; None where others owned it for all of `patience` seconds."""
    pause, until = _FIRST_PAUSE, time.monotonic() + patience
    while (fd := _locked(path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW, fcntl.LOCK_EX | fcntl.LOCK_NB)) is None:
        if time.monotonic() > until:
            return None
        time.sleep(pause)
        pause = min(2 * pause, _LONGEST_PAUSE)
    hold = Hold(fd)
    _OWNED.add(hold)
    return hold


def hold_new(path: Path) -> Hold | None:
    """Create a file and own it; None where another one took it in the instant between the two."""
    try:
        fd = _locked(path, os.O_RDWR | os.O_CREAT | os.O_EXCL, fcntl.LOCK_EX)
    except FileExistsError:
        return None
    return None if fd is None else Hold(fd)


def hold_shared(path: Path) -> Hold | None:
    """Keep a stored file in place, together with other readers; None where the file is gone."""
    while True:
        try:
            fd = _locked(path, os.O_RDONLY, fcntl.LOCK_SH)
        except FileNotFoundError:
            return None
        if fd is not None:
            return Hold(fd)


def hold_alone(path: Path) -> Hold | None:
    """Lock a stored file against readers; None where there is one, or where the file is gone."""
    try:
        fd = _locked(path, os.O_RDWR, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except FileNotFoundError:
        return None
    return None if fd is None else Hold(fd)


def is_held(path: Path) -> bool:
    """Whether a `FileLock` at `path` has an owner now. Looking holds it for an instant: an owner-to-be tries again."""
    try:
        fd = os.open(path, os.O_RDONLY | os.O_NONBLOCK)
    except OSError:
        return False
    try:
        fcntl.flock(fd, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    except OSError:  # a file system without locks
        return False
    finally:
        os.close(fd)
    return False


def _locked(path: Path, flags: int, lock: int) -> int | None:
    """A descriptor that holds the lock on the file at `path`; None where it is taken or was replaced meanwhile."""
    fd = os.open(path, flags | os.O_NONBLOCK, 0o666)  # a pipe in a file's place must not hang
    try:
        if not stat.S_ISREG(os.fstat(fd).st_mode):
            raise OSError(f"{path} is no regular file")
        fcntl.flock(fd, lock)
        if os.path.samestat(os.fstat(fd), path.stat()):
            return fd
    except (BlockingIOError, FileNotFoundError):
        pass
    except OSError as error:
        os.close(fd)
        _require_locks(path, error)
        raise
    except BaseException:
        os.close(fd)
        raise
    os.close(fd)
    return None


def _require_locks(path: Path, error: OSError) -> None:
    """Say so where a lock failed because the disk has none."""
    if error.errno in (errno.ENOLCK, errno.EOPNOTSUPP, errno.ENOSYS):
        why = "the disk does not lock files (flock); choose a local one, NFS 4, Lustre or CephFS"
        raise OSError(error.errno, why, str(path)) from error


def require_locks_and_links(folder: Path) -> None:
    """Take a lock and make a hard link in a folder, which ledgers and stores need; OSError where its disk has none."""
    file = folder / "a"
    with file.open("w") as stream:
        fcntl.flock(stream, fcntl.LOCK_EX | fcntl.LOCK_NB)
        stream.write("a")
    os.link(file, folder / "b")
