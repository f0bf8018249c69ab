"""Real processes on one folder: one computes, the killed are replaced at once, nothing half-written is ever seen."""

from __future__ import annotations

import multiprocessing
import os
import signal
import time
from collections.abc import Callable, Iterator
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Any

import pytest

from segfrontier.basics.marks import mark
from segfrontier.store import Store
from segfrontier.store.shelf import Shelf

ABOUT = {"kind": "train"}
SIZE = 200_000
CONTEXT = multiprocessing.get_context("forkserver")
CONTEXT.set_forkserver_preload(["segfrontier.store", "pytest"])


def log(root: Path, line: str) -> None:
    """One atomic append: how often something happened, whoever did it."""
    with Path(root, "log").open("a") as file:
        file.write(line + "\n")


def lines(root: Path) -> list[str]:
    path = Path(root, "log")
    return path.read_text().splitlines() if path.exists() else []


def wait_for(condition: Callable[[], object], seconds: float = 20.0) -> None:
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "waited too long"
        time.sleep(0.005)


def content(key: str) -> bytes:
    return (key.encode() * SIZE)[:SIZE]


def compute(root: Path, key: str, pause: float = 0.1) -> Callable[[Path], None]:
    def work(folder: Path) -> None:
        log(root, f"computed {key}")
        (folder / "a").write_bytes(content(key))
        time.sleep(pause)
        (folder / "b").write_bytes(content(key))

    return work


def ask(root: Path, keys: list[str], start: float) -> None:
    """Wants all keys as soon as everyone is there; complains unless each is whole."""
    store = Store(root / "store")
    time.sleep(max(0.0, start - time.time()))
    for key in keys:
        entry = store.once(key, compute(root, key), about=ABOUT)
        good = all(entry.local(name).read_bytes() == content(key) for name in "ab")
        log(root, f"got {key} {'whole' if good else 'broken'}")


def hang(root: Path, key: str, child: bool = False) -> None:
    """An owner that writes half its files and never ends; with a forked child, as a DataLoader has."""

    def work(folder: Path) -> None:
        (folder / "a").write_bytes(b"half")
        Store(root / "store").scratch(key).joinpath("step").touch()
        pid = os.fork() if child else None
        if pid == 0:
            time.sleep(60)
            os._exit(0)
        log(root, f"child {pid}" if child else "hanging")
        time.sleep(60)

    Store(root / "store").once(key, work, about=ABOUT)


def die_before_publishing(root: Path, key: str) -> None:
    Shelf.publish = lambda *_: os.kill(os.getpid(), signal.SIGKILL)  # type: ignore[method-assign,assignment,return-value]
    Store(root / "store").once(key, compute(root, key, 0), about=ABOUT)


def fail_first(root: Path, key: str) -> None:
    def work(folder: Path) -> None:
        log(root, "tried")
        if len(lines(root)) == 1:
            time.sleep(0.3)
            raise RuntimeError("the first attempt fails")
        compute(root, key, 0)(folder)

    try:
        Store(root / "store").once(key, work, about=ABOUT)
        log(root, "got")
    except RuntimeError:
        log(root, "error")


@pytest.fixture
def start() -> Iterator[Callable[..., BaseProcess]]:
    processes: list[BaseProcess] = []

    def run(target: Callable[..., None], *args: Any) -> BaseProcess:
        process = CONTEXT.Process(target=target, args=args)
        process.start()
        processes.append(process)
        return process

    yield run
    for process in processes:
        process.kill()
        process.join()


def end(*processes: BaseProcess) -> None:
    for process in processes:
        process.join(30)
        assert process.exitcode == 0


def no_leftovers(root: Path) -> bool:
    return not list((root / "store" / "staging").iterdir()) and not list((root / "store").glob("quarantine/*"))


def test_ten_processes_compute_one_stage_once(tmp_path: Path, start: Callable[..., BaseProcess]) -> None:
    begin = time.time() + 0.5
    end(*[start(ask, tmp_path, ["k1"], begin) for _ in range(10)])
    assert sorted(lines(tmp_path)) == ["computed k1"] + ["got k1 whole"] * 10
    assert no_leftovers(tmp_path)


def test_processes_that_want_many_stages_share_the_work(tmp_path: Path, start: Callable[..., BaseProcess]) -> None:
    keys = [f"k{i}" for i in range(6)]
    begin = time.time() + 0.3
    end(*[start(ask, tmp_path, keys[i:] + keys[:i], begin) for i in range(4)])
    assert sorted(line for line in lines(tmp_path) if line.startswith("computed")) == [
        f"computed {key}" for key in keys
    ]
    assert sum(line.endswith("whole") for line in lines(tmp_path)) == 24
    assert no_leftovers(tmp_path)


@pytest.mark.parametrize("child", [False, True], ids=["alone", "with a forked child"])
def test_a_killed_owner_is_replaced_at_once(tmp_path: Path, start: Callable[..., BaseProcess], child: bool) -> None:
    owner = start(hang, tmp_path, "k1", child)
    wait_for(lambda: lines(tmp_path))
    store = Store(tmp_path / "store")
    assert store.get("k1") is None  # half-written is not there
    waiter = start(ask, tmp_path, ["k1"], 0.0)
    time.sleep(0.2)
    os.kill(owner.pid, signal.SIGKILL)
    killed = time.monotonic()
    try:
        entry = store.once("k1", compute(tmp_path, "k1", 0), about=ABOUT)
        assert time.monotonic() - killed < 1.5
        assert {p.name for p in entry.path.iterdir()} == {"a", "b", "entry.json"}
        assert entry.local("a").read_bytes() == content("k1")
        end(waiter)
        assert lines(tmp_path)[1:].count("computed k1") == 1
        assert no_leftovers(tmp_path)
    finally:
        for line in lines(tmp_path):
            if line.startswith("child"):
                os.kill(int(line.split()[1]), signal.SIGKILL)


def test_an_owner_killed_between_staging_and_publication(tmp_path: Path, start: Callable[..., BaseProcess]) -> None:
    owner = start(die_before_publishing, tmp_path, "k1")
    owner.join(20)
    assert owner.exitcode == -signal.SIGKILL
    store = Store(tmp_path / "store")
    assert (tmp_path / "store/staging/k1/entry.json").exists()  # complete, but not published
    assert store.get("k1") is None and store.ls() == []
    assert store.once("k1", compute(tmp_path, "k1", 0), about=ABOUT).local("b").read_bytes() == content("k1")
    assert no_leftovers(tmp_path)


def test_gc_spares_running_owners_and_clears_after_killed_ones(
    tmp_path: Path, start: Callable[..., BaseProcess]
) -> None:
    store = Store(tmp_path / "store")
    owner = start(hang, tmp_path, "k1")
    wait_for(lambda: lines(tmp_path))
    swept = store.gc(keep=[])
    assert (swept.leftovers, [row.state for row in swept.busy]) == (0, ["unfinished"])
    os.kill(owner.pid, signal.SIGKILL)
    owner.join()
    assert store.gc(dry_run=True).leftovers == 1
    assert (tmp_path / "store/staging/k1/a").exists()
    swept = store.gc(keep=[])
    assert (swept.leftovers, [row.state for row in swept.removed]) == (1, ["unfinished"])
    assert list((tmp_path / "store/staging").iterdir()) == list((tmp_path / "store/scratch").iterdir()) == []


def read_slowly(root: Path, key: str) -> None:
    entry = Store(root / "store").get(key)
    assert entry is not None
    log(root, "reading")
    wait_for(lambda: "read on" in lines(root))
    assert entry.local("a").read_bytes() == content(key)


def test_gc_spares_what_another_process_reads(tmp_path: Path, start: Callable[..., BaseProcess]) -> None:
    store = Store(tmp_path / "store")
    for key in ("k1", "k2"):
        store.once(key, compute(tmp_path, key, 0), about=ABOUT).release()
    reader = start(read_slowly, tmp_path, "k1")
    wait_for(lambda: "reading" in lines(tmp_path))
    swept = store.gc(keep=[])
    assert ([row.key for row in swept.removed], [row.key for row in swept.busy]) == (["k2"], ["k1"])
    log(tmp_path, "read on")
    end(reader)
    assert [row.key for row in store.gc(keep=[]).removed] == ["k1"]


def test_waiters_try_in_turn_when_the_owner_fails(tmp_path: Path, start: Callable[..., BaseProcess]) -> None:
    end(*[start(fail_first, tmp_path, "k1") for _ in range(3)])
    assert sorted(lines(tmp_path)) == ["computed k1", "error", "got", "got", "tried", "tried"]


def collect(root: Path, until: float) -> None:
    """A garbage collector that never rests."""
    store = Store(root / "store")
    while time.time() < until:
        store.gc(keep=[])


@pytest.mark.slow
def test_readers_writers_and_collectors_at_once_never_see_half_an_entry(
    tmp_path: Path, start: Callable[..., BaseProcess]
) -> None:
    begin = time.time() + 1
    mark(tmp_path / "store", "store")
    collectors = [start(collect, tmp_path, begin + 6) for _ in range(2)]
    end(*[start(ask, tmp_path, [f"k{i % 3}" for i in range(40)], begin) for _ in range(4)], *collectors)
    got = [line for line in lines(tmp_path) if line.startswith("got")]
    assert len(got) == 160 and all(line.endswith("whole") for line in got)
    assert not list((tmp_path / "store").glob("quarantine/*"))
