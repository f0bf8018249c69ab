"""Marked folders: made by many at once, found by whoever looks, and over what was there before."""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from segfrontier.basics.marks import MARK, kind_of, mark
from segfrontier.market.ledger import Ledger


def at_once(count: int, act: Callable[[], object]) -> list[object]:
    """What `count` threads get that begin in the same instant; an error of one is raised."""
    start = threading.Barrier(count)

    def begin(_: int) -> object:
        start.wait()
        return act()

    with ThreadPoolExecutor(count) as pool:
        return list(pool.map(begin, range(count)))


@pytest.mark.parametrize("exists", [False, True], ids=["new", "empty"])
def test_a_folder_is_marked_by_many_at_once(tmp_path, exists):
    for n in range(10):
        folder = tmp_path / str(n) / "home"
        if exists:
            folder.mkdir(parents=True)
        at_once(8, lambda folder=folder: mark(folder, "home"))
        assert kind_of(folder) == "home"
        assert [path.name for path in folder.iterdir()] == [MARK]
        assert [path.name for path in folder.parent.iterdir()] == ["home"], "no draft is left beside it"


def test_a_ledger_is_opened_by_many_at_once(tmp_path):
    for n in range(10):
        at_once(8, lambda n=n: Ledger(tmp_path / str(n), create=True))


def test_whoever_looks_finds_no_ledger_or_a_marked_one(tmp_path):
    for n in range(10):
        path, done = tmp_path / str(n), threading.Event()

        def look(path: Path = path, done: threading.Event = done) -> None:
            while not done.is_set():
                Ledger.find(path)  # raises at a folder that does not say what it is

        with ThreadPoolExecutor(1) as pool:
            looking = pool.submit(look)
            try:
                at_once(4, lambda path=path: Ledger(path, create=True))
            finally:
                done.set()
            looking.result()


def test_what_a_folder_holds_already_stays(tmp_path):
    (tmp_path / "notes.txt").write_text("mine")
    mark(tmp_path, "home")
    assert kind_of(tmp_path) == "home"
    assert (tmp_path / "notes.txt").read_text() == "mine"
    linked = tmp_path / "linked"
    (tmp_path / "real").mkdir()
    linked.symlink_to(tmp_path / "real")
    mark(linked, "store")
    assert linked.is_symlink()
    assert kind_of(tmp_path / "real") == "store"
