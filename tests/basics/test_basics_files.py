"""Drafts: whole or nothing, swept when their writer is dead, left alone while it lives."""

from __future__ import annotations

import errno
import signal
import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest

from segfrontier.basics.atomic import staged_file, staged_folder, sweep, write_json
from segfrontier.basics.disk import is_full
from segfrontier.basics.locks import FileLock
from segfrontier.basics.marks import MARK, kind_of, mark, require
from segfrontier.errors import BadInput, DiskFull


def names(folder: Path) -> list[str]:
    return sorted(p.name for p in folder.iterdir())


def test_a_file_appears_whole_and_its_draft_goes(tmp_path: Path) -> None:
    target = tmp_path / "a.json"
    target.write_text("old")
    with staged_file(target) as draft:
        draft.write_text("new")
        assert target.read_text() == "old" and draft.parent == tmp_path
    assert target.read_text() == "new" and names(tmp_path) == ["a.json"]
    with pytest.raises(RuntimeError), staged_file(target) as draft:
        draft.write_text("half")
        raise RuntimeError
    assert target.read_text() == "new" and names(tmp_path) == ["a.json"]


def test_a_folder_appears_whole_and_never_over_another(tmp_path: Path) -> None:
    target = tmp_path / "w"
    with staged_folder(target) as draft:
        (draft / "x").mkdir()
        (draft / "x" / "y").write_text("1")
        assert not target.exists()
    assert (target / "x" / "y").read_text() == "1" and names(tmp_path) == ["w"]
    with pytest.raises(OSError), staged_folder(target) as draft:
        (draft / "z").write_text("2")
    assert names(target) == ["x"] and names(tmp_path) == ["w"]
    with pytest.raises(KeyboardInterrupt), staged_folder(tmp_path / "v"):
        raise KeyboardInterrupt
    assert names(tmp_path) == ["w"]


WRITER = """
import sys, time
from pathlib import Path
from segfrontier.basics.atomic import staged_file, staged_folder
with staged_file(Path(sys.argv[1]) / "f") as file, staged_folder(Path(sys.argv[1]) / "d") as folder:
    (folder / "part").write_text("x")
    print("ready", flush=True)
    time.sleep(60)
"""


def test_only_drafts_of_dead_writers_are_swept(tmp_path: Path) -> None:
    (tmp_path / ".mine.part").mkdir()  # empty, as a draft in the instant before its lock
    (tmp_path / "mine.part").write_text("not a draft: it is not hidden")
    with subprocess.Popen([sys.executable, "-c", WRITER, str(tmp_path)], stdout=subprocess.PIPE) as writer:
        assert writer.stdout is not None
        writer.stdout.readline()
        assert sweep(tmp_path) == 1  # the empty one
        assert len(list(tmp_path.glob(".*.part"))) == 2
        writer.send_signal(signal.SIGKILL)
        writer.wait()
        assert sweep(tmp_path) == 2
    assert names(tmp_path) == ["mine.part"]
    assert sweep(tmp_path / "nowhere") == 0


def test_a_full_disk_is_named_and_leaves_nothing(tmp_path: Path) -> None:
    with pytest.raises(DiskFull, match="must have room|must be room") as caught, staged_file(tmp_path / "a"):
        try:
            raise OSError(errno.ENOSPC, "No space left on device")
        except OSError as error:
            raise RuntimeError("a library's own words") from error
    assert caught.value.__cause__ is None and caught.value.__suppress_context__
    assert names(tmp_path) == []
    assert is_full(caught.value) and not is_full(OSError(errno.EACCES, "no"))


def test_marks(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="no such folder"):
        require(tmp_path / "none", "store", so="Run a study.")
    with pytest.raises(BadInput, match="has no .*Run a study"):
        require(tmp_path, "store", so="Run a study.")
    mark(tmp_path / "s", "store")
    require(tmp_path / "s", "store", so="")
    with pytest.raises(BadInput, match="says it is a store"):
        require(tmp_path / "s", "cache", so="")
    (tmp_path / MARK).mkdir()
    assert kind_of(tmp_path) is None
    write_json(tmp_path / "t" / MARK, ["odd"])
    assert kind_of(tmp_path / "t") is None


@pytest.mark.parametrize(
    ("error", "full"),
    [
        (OSError(errno.ENOSPC, "x"), True),
        (OSError(errno.EDQUOT, "x"), True),
        (OSError("Error writing bytes. Detail: [errno 28] No space left on device"), True),
        (RuntimeError("ray::work: OSError: [Errno 28] No space left on device: '/x'"), True),
        (sqlite3.OperationalError("database or disk is full"), True),
        (ExceptionGroup("two", [ValueError("x"), OSError(errno.ENOSPC, "x")]), True),
        (DiskFull("x"), True),
        (OSError(errno.EFBIG, "File too large"), False),  # a limit of the user's: no room would help
        (OSError(errno.EACCES, "x"), False),
        (MemoryError("x"), False),
        (None, False),
    ],
)
def test_a_full_disk_by_any_name(error: Exception | None, full: bool) -> None:
    assert is_full(error) == full
    if error is not None:
        outer = RuntimeError("what a library makes of it")
        outer.__context__ = error
        assert is_full(outer) == full
        error.__cause__ = outer  # a circle ends
        assert is_full(outer) == full


def test_no_draft_stays_where_there_are_no_locks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def flock(*_: object) -> None:
        raise OSError(errno.ENOLCK, "No locks available")

    monkeypatch.setattr("segfrontier.basics.locks.fcntl.flock", flock)
    with pytest.raises(OSError, match="does not lock files"), staged_file(tmp_path / "a"):
        pass
    assert names(tmp_path) == []


def test_a_lock_never_writes_through_a_link(tmp_path: Path) -> None:
    (tmp_path / "mine").write_text("mine")
    (tmp_path / "lock").symlink_to("mine")
    with pytest.raises(OSError):
        FileLock(tmp_path / "lock").take()
    assert (tmp_path / "mine").read_text() == "mine"


def test_a_mark_is_looked_for_in_names_that_no_folder_can_have(tmp_path: Path) -> None:
    for name in ("x" * 300, "a\0b"):
        with pytest.raises(BadInput, match="no such folder"):
            require(tmp_path / name, "store", so="")
