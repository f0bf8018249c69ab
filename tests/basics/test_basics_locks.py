"""The moments between opening a lock file and locking it, made to happen."""

from __future__ import annotations

import errno
import os
from collections.abc import Callable
from pathlib import Path

import pytest

from segfrontier.basics import locks
from segfrontier.basics.locks import FileLock, hold_alone, hold_shared


@pytest.fixture
def before_locking(monkeypatch: pytest.MonkeyPatch) -> Callable[[Callable[[], None]], None]:
    """Run something once, after the next file is opened and before it is locked."""

    def arrange(act: Callable[[], None]) -> None:
        acts, real = [act], locks.fcntl.flock

        def flock(fd: int, operation: int) -> None:
            if acts:
                acts.pop()()
            real(fd, operation)

        monkeypatch.setattr(locks.fcntl, "flock", flock)

    return arrange


def test_one_owner_at_a_time(tmp_path: Path) -> None:
    one, other = FileLock(tmp_path / "k.lock"), FileLock(tmp_path / "k.lock")
    assert one.take() and not other.take()
    assert f"process {os.getpid()} on " in other.owner
    other.release()  # of what it does not own
    assert not other.take()
    one.release()
    one.release()
    assert list(tmp_path.iterdir()) == []
    assert other.take()
    other.release()
    assert other.owner == "another process"


@pytest.mark.parametrize("replaced", [False, True])
def test_a_lock_file_that_went_meanwhile_is_not_the_lock(
    tmp_path: Path, before_locking: Callable[[Callable[[], None]], None], replaced: bool
) -> None:
    """The owner released between open and lock, and perhaps a third one has come: the old file admits nobody."""
    owner, third, late = (FileLock(tmp_path / "k.lock") for _ in range(3))
    assert owner.take()

    def hand_over() -> None:
        owner.release()
        assert not replaced or third.take()

    before_locking(hand_over)
    assert not late.take()
    third.release()
    assert late.take()


def test_a_reader_never_holds_a_file_that_was_replaced(
    tmp_path: Path, before_locking: Callable[[Callable[[], None]], None]
) -> None:
    mark = tmp_path / "entry.json"
    mark.touch()

    def replace() -> None:
        mark.rename(tmp_path / "old")
        mark.touch()

    before_locking(replace)
    hold = hold_shared(mark)
    assert hold is not None and hold_alone(mark) is None
    hold.release()
    assert hold_alone(mark) is not None


def test_a_reader_finds_nothing_when_the_file_goes(
    tmp_path: Path, before_locking: Callable[[Callable[[], None]], None]
) -> None:
    mark = tmp_path / "entry.json"
    mark.touch()
    before_locking(mark.unlink)
    assert hold_shared(mark) is None and hold_alone(mark) is None


def test_descriptors_are_closed(tmp_path: Path) -> None:
    def count() -> int:
        return len(list(Path("/dev/fd").iterdir()))

    mark = tmp_path / "entry.json"
    mark.touch()
    before = count()
    owner, other = FileLock(tmp_path / "k.lock"), FileLock(tmp_path / "k.lock")
    hold = hold_shared(mark)
    assert owner.take() and not other.take() and hold_alone(mark) is None and hold is not None
    assert count() == before + 2
    owner.release()
    del hold
    assert count() == before


@pytest.mark.parametrize("number", [errno.ENOLCK, errno.EOPNOTSUPP, errno.ENOSYS])
def test_a_disk_without_locks_is_named_as_such(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: int) -> None:
    def refuse(fd: int, how: int) -> None:
        raise OSError(number, os.strerror(number))

    before = len(list(Path("/dev/fd").iterdir()))
    monkeypatch.setattr("segfrontier.basics.locks.fcntl.flock", refuse)
    with pytest.raises(OSError, match="the disk does not lock files"):
        FileLock(tmp_path / "k.lock").take()
    assert len(list(Path("/dev/fd").iterdir())) == before
