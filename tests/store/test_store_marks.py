"""Nothing is removed in a folder that does not say that it is a store, and never behind a link out of it."""

from __future__ import annotations

import io
import os
import pty
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest
from terminal import segfrontier

from segfrontier.basics.marks import MARK, kind_of, mark
from segfrontier.commands import console
from segfrontier.errors import BadInput
from segfrontier.store import Store

ABOUT = {"kind": "train"}


def write(folder: Path) -> None:
    (folder / "x").write_bytes(b"x" * 1000)


@pytest.fixture
def store(tmp_path: Path) -> Store:
    store = Store(tmp_path / "runs" / "store")
    store.once("k1", write, about=ABOUT).release()
    return store


def unmark(store: Store) -> Path:
    Path(store.root, MARK).unlink()
    return Path(store.root)


def test_whatever_writes_first_marks_the_store(tmp_path: Path) -> None:
    Store(tmp_path / "a").once("k1", write, about=ABOUT)
    Store(tmp_path / "b").scratch("k1")
    Store(tmp_path / "c").pin("k1")
    assert [kind_of(tmp_path / name) for name in "abc"] == ["store"] * 3
    Store(tmp_path / "d").get("k1")
    Store(tmp_path / "d").ls()
    assert not (tmp_path / "d").exists()


def test_a_store_of_an_earlier_version_is_marked_by_the_next_run(store: Store) -> None:
    root = unmark(store)
    with pytest.raises(BadInput, match=r"must be a store.*has no .segfrontier.json.*marked by the next run"):
        store.gc(keep=[])
    assert (root / "entries" / "k1" / "x").exists()
    Store(root).once("k1", lambda _: pytest.fail("computed again"), about=ABOUT).release()
    assert [row.key for row in Store(root).gc(keep=[]).removed] == ["k1"]


def test_a_home_stays_a_home(tmp_path: Path) -> None:
    mark(tmp_path, "home")
    Store(tmp_path).once("k1", write, about=ABOUT).release()
    with pytest.raises(BadInput, match="says it is a home"):
        Store(tmp_path).gc(keep=[])
    assert kind_of(tmp_path) == "home" and Store(tmp_path).get("k1")


@pytest.mark.parametrize("name", ["entries", "staging", "scratch", "quarantine", "pins"])
def test_nothing_is_removed_behind_a_link(store: Store, tmp_path: Path, name: str) -> None:
    place, elsewhere = Path(store.root, name), tmp_path / "elsewhere"
    place.rename(elsewhere) if place.exists() else elsewhere.mkdir()
    (elsewhere / "k7").mkdir()
    (elsewhere / "k7" / "thesis.txt").write_text("years")
    place.symlink_to(elsewhere)
    with pytest.raises(BadInput, match=f"{name} is a link to {elsewhere}"):
        store.gc(older_than=0, under=0, keep=[])
    assert (elsewhere / "k7" / "thesis.txt").read_text() == "years"


def test_what_was_used_after_it_was_shown_stays(store: Store) -> None:
    os.utime(Path(store.root, "entries/k1/entry.json"), (0, 0))
    shown = store.gc(keep=[], dry_run=True).removed
    entry = store.get("k1")
    assert entry is not None
    entry.release()
    assert [row.key for row in store.gc(rows=shown).busy] == ["k1"] and store.get("k1") is not None


def someones(folder: Path) -> Path:
    """A folder of a user with names that a store has too."""
    for name in ("entries/2024", "scratch/thesis", "staging/site"):
        (folder / name).mkdir(parents=True)
        (folder / name / "file").write_text("mine")
    return folder


def test_gc_of_someones_folder_is_refused(tmp_path: Path) -> None:
    folder = someones(tmp_path / "documents")
    before = sorted(str(p) for p in folder.rglob("*"))
    for more in ((), ("--yes",), ("--dry-run",)):
        done = segfrontier("store", "gc", "documents", "--older-than", "0s", *more, folder=tmp_path)
        assert done.returncode == 3 and "must be a store of SegFrontier; it has no" in done.stderr, done.stderr
        assert "Traceback" not in done.stderr
    assert sorted(str(p) for p in folder.rglob("*")) == before


@pytest.mark.parametrize("verb", ["ls", "gc"])
@pytest.mark.parametrize("path", ["nowhere", "file", "file/below", "", ".", "~nobody-of-this-name/x", "x" * 300])
def test_a_mistyped_path_is_refused(tmp_path: Path, verb: str, path: str) -> None:
    (tmp_path / "file").write_text("mine")
    done = segfrontier("store", verb, path, folder=tmp_path)
    assert done.returncode == 3 and "must be a store of SegFrontier" in done.stderr, done.stderr
    assert "Traceback" not in done.stderr and [p.name for p in tmp_path.iterdir()] == ["file"]


def gc(store: Store, *words: str) -> SimpleNamespace:
    return segfrontier("store", "gc", store.root, "--older-than", "0s", *words, folder=Path(store.root).parent)


def test_where_nobody_can_be_asked_it_needs_to_be_said(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdin", io.StringIO("y\n"))  # a pipe is nobody
    done = gc(store)
    assert done.returncode == 2 and "--yes" in done.stderr and "1 stages" in done.stderr, done.stderr
    assert store.ls()
    looked = gc(store, "--dry-run")
    assert looked.returncode == 0 and "would remove k1" in looked.stdout and store.ls()
    done = gc(store, "--yes")
    assert done.returncode == 0 and "removed 1 stages" in done.stdout and not store.ls()
    assert gc(store).returncode == 0, "where nothing goes, nothing needs to be said"


@pytest.mark.parametrize(("answer", "code", "left"), [("n", 1, 1), ("", 1, 1), ("yesterday", 1, 1), ("Yes", 0, 0)])
def test_a_terminal_is_asked(store: Store, monkeypatch: pytest.MonkeyPatch, answer: str, code: int, left: int) -> None:
    monkeypatch.setattr(console, "someone_is_there", lambda: True)
    monkeypatch.setattr(sys, "stdin", io.StringIO(f"{answer}\n"))
    done = gc(store)
    assert "would remove k1" in done.stderr and f"will be removed from {store.root}. Go on? [y/N]" in done.stderr
    assert done.returncode == code and len(store.ls()) == left


@pytest.mark.slow
@pytest.mark.parametrize(("keys", "code", "left"), [("y\n", 0, 0), ("\x03", 130, 1)])
def test_a_real_terminal_is_asked(store: Store, keys: str, code: int, left: int) -> None:
    program = "from segfrontier.cli import program; program()"
    command = [sys.executable, "-c", program, "store", "gc", store.root, "--older-than", "0s"]
    ours, theirs = pty.openpty()
    process = subprocess.Popen(
        command, stdin=theirs, stdout=subprocess.PIPE, stderr=theirs, start_new_session=True, preexec_fn=own_terminal
    )
    os.close(theirs)
    seen = b""
    while b"[y/N]" not in seen:
        seen += os.read(ours, 4096)
    os.write(ours, keys.encode())
    process.communicate(timeout=60)
    os.close(ours)
    assert process.returncode == code and len(store.ls()) == left


def own_terminal() -> None:
    """Make the given terminal this process's own, so that Ctrl-C in it becomes a signal."""
    import fcntl
    import termios

    fcntl.ioctl(0, termios.TIOCSCTTY, 0)


def test_what_a_manifest_says_is_no_markup(tmp_path: Path) -> None:
    store = Store(tmp_path / "store")
    store.once("k1", write, about={"kind": "[/x] [red]"})
    done = segfrontier("store", "ls", "store", folder=tmp_path)
    assert done.returncode == 0 and "[/x] [red]" in done.stdout, done.stderr
