"""Object stores, through pyarrow: commit marks, hosts with caches of their own, leases."""

from __future__ import annotations

import datetime
import logging
import multiprocessing
import os
import signal
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from pyarrow import fs

from segfrontier.errors import StageError
from segfrontier.store import Pace, Store
from segfrontier.store import lease as lease_module
from segfrontier.store import remote as remote_module
from segfrontier.store import shelf as shelf_module
from segfrontier.store.lease import Lease

ABOUT = {"kind": "train", "inputs": {"a": "k0"}}
PACE = Pace(settle=0.02, beat=0.05, patience=0.4)


class Bucket:
    """An object store in a folder, seen by hosts with caches of their own."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        (folder / "bucket").mkdir()

    def host(self, name: str, *, pace: Pace = PACE) -> Store:
        files = fs.SubTreeFileSystem(str(self.folder / "bucket"), fs.LocalFileSystem())
        return Store("team/stages", filesystem=files, cache=self.folder / name, pace=pace)

    def at(self, *parts: str) -> Path:
        return self.folder.joinpath("bucket", "team", "stages", *parts)

    def publication(self, key: str) -> Path:
        (folder,) = (path for path in self.at("entries", key).iterdir() if path.is_dir())
        return folder


@pytest.fixture
def bucket(tmp_path: Path) -> Bucket:
    return Bucket(tmp_path)


def write(folder: Path) -> None:
    (folder / "weights.bin").write_bytes(b"w" * 3000)
    (folder / "maps").mkdir()
    (folder / "maps" / "0.arrow").write_bytes(b"arrow")


def never(folder: Path) -> None:
    raise AssertionError("computed again")


def age(path: Path, seconds: float) -> None:
    os.utime(path, (time.time() - seconds,) * 2)


def test_one_host_computes_and_the_other_fetches(bucket: Bucket) -> None:
    one, other = bucket.host("one"), bucket.host("other")
    assert one.get("k1") is None
    entry = one.once("k1", write, about=ABOUT)
    found = other.once("k1", never, about=ABOUT)
    assert found.path == bucket.folder / "other/entries/k1" != entry.path
    assert found.manifest == entry.manifest
    assert found.local("maps/0.arrow").read_bytes() == b"arrow"
    assert other.cache == bucket.folder / "other"
    assert not list(bucket.at("leases").iterdir())
    assert not list(bucket.folder.rglob("*.part"))


def test_a_mock_filesystem_will_do(tmp_path: Path) -> None:
    files = fs._MockFileSystem(datetime.datetime.now(datetime.UTC))
    one = Store("stages", filesystem=files, cache=tmp_path / "one", pace=PACE)
    one.once("k1", write, about=ABOUT)
    other = Store("stages", filesystem=files, cache=tmp_path / "other", pace=PACE)
    assert other.once("k1", never, about=ABOUT).local("weights.bin").stat().st_size == 3000
    assert [row.key for row in other.ls()] == ["k1"]


def test_the_mark_is_written_last(bucket: Bucket, monkeypatch: pytest.MonkeyPatch) -> None:
    def cut(self: remote_module.Remote, path: str, content: bytes) -> None:
        if path.endswith("entry.json"):
            raise OSError("the network is gone")
        real(self, path, content)

    real = remote_module.Remote.write
    monkeypatch.setattr(remote_module.Remote, "write", cut)
    with pytest.raises(StageError, match=r"must be reachable.*result is kept in .*/one/entries/k1.*network is gone"):
        bucket.host("one").once("k1", write, about=ABOUT)
    monkeypatch.undo()
    assert (bucket.publication("k1") / "weights.bin").exists()
    assert bucket.host("other").get("k1") is None  # all files, but no mark
    assert bucket.host("one").once("k1", never, about=ABOUT)  # nothing was lost, and it goes up now
    assert bucket.host("other").once("k1", never, about=ABOUT)


def test_a_fetched_entry_is_read_from_the_cache(bucket: Bucket, monkeypatch: pytest.MonkeyPatch) -> None:
    bucket.host("one").once("k1", write, about=ABOUT)
    assert bucket.host("other").get("k1") is not None
    monkeypatch.setattr(remote_module.Remote, "fetch", None)
    assert bucket.host("other").get("k1") is not None


REMOTE_DAMAGES: dict[str, tuple[Callable[[Bucket], object], str]] = {
    "bit flip": (
        lambda b: (b.publication("k1") / "weights.bin").write_bytes(b"w" * 2999 + b"v"),
        "weights.bin has digest",
    ),
    "truncated": (lambda b: os.truncate(b.publication("k1") / "weights.bin", 9), "weights.bin has 9 bytes"),
    "missing file": (lambda b: (b.publication("k1") / "maps/0.arrow").unlink(), "maps/0.arrow is missing"),
    "missing folder": (lambda b: b.publication("k1").rename(b.at("gone")), "k1"),
    "unreadable mark": (lambda b: b.at("entries/k1/entry.json").write_bytes(b"{"), "entry.json cannot be read"),
}


@pytest.mark.parametrize("name", REMOTE_DAMAGES)
def test_damage_is_found_by_whoever_fetches(bucket: Bucket, caplog: pytest.LogCaptureFixture, name: str) -> None:
    spoil, says = REMOTE_DAMAGES[name]
    bucket.host("one").once("k1", write, about=ABOUT)
    spoil(bucket)
    for path in bucket.at("entries").rglob("*"):
        path.chmod(0o755)
    with caplog.at_level(logging.WARNING):
        assert bucket.host("other").get("k1") is None
    assert [says in record.getMessage() for record in caplog.records] == [True]
    assert not list((bucket.folder / "other" / "staging").iterdir())
    assert len(list(bucket.at("entries/k1").glob("damaged.*"))) == 1
    assert bucket.host("other").once("k1", write, about=ABOUT).local("weights.bin").read_bytes() == b"w" * 3000
    assert bucket.host("third").once("k1", never, about=ABOUT).local("weights.bin").read_bytes() == b"w" * 3000


def test_a_damaged_cache_is_filled_again(bucket: Bucket) -> None:
    store = bucket.host("one")
    os.truncate(store.once("k1", write, about=ABOUT).local("weights.bin"), 5)
    shelf_module._VERIFIED.clear()
    assert store.once("k1", never, about=ABOUT).local("weights.bin").stat().st_size == 3000


def test_two_publications_of_one_key_do_not_mix(bucket: Bucket) -> None:
    """Both hosts computed (a lease is no lock): the last mark wins, whole, and gc removes the other a day later."""
    stores = [bucket.host("one"), bucket.host("other")]
    for i, store in enumerate(stores):
        shelf = shelf_module.Shelf(store.cache)
        folder = shelf.fresh("k1")
        (folder / "a").write_bytes(bytes([i]) * 10)
        (folder / f"only_{i}").touch()
        shelf.seal("k1", ABOUT, 1.0)
        store._remote.publish(shelf.publish("k1"))
    bucket.host("one").pin("k1", on=False)  # a first act that marks the store
    third = bucket.host("third").get("k1")
    assert third is not None and third.local("a").read_bytes() == b"\1" * 10
    assert set(third.manifest.files) == {"a", "only_1"}
    assert third.local("only_1").exists()
    assert bucket.host("one").gc().leftovers == 0
    for path in bucket.at("entries").rglob("*"):
        age(path, 2 * 86400)
    assert bucket.host("one").gc().leftovers == 1
    fourth = bucket.host("fourth").get("k1")
    assert fourth is not None and fourth.manifest == third.manifest


def test_listing_and_collection(bucket: Bucket) -> None:
    store = bucket.host("one")
    for key, inputs in [("k1", {}), ("k2", {"a": "k1"}), ("k3", {}), ("k4", {})]:
        store.once(key, write, about={"kind": "train", "inputs": inputs})
    store.pin("k4")
    assert {(r.key, r.kind, r.state, r.pinned) for r in store.ls()} == {
        (key, "train", "stored", key == "k4") for key in ("k1", "k2", "k3", "k4")
    }
    assert all(r.size > 3005 and time.time() - r.used < 60 for r in store.ls())
    assert [r.key for r in store.gc(keep=["k2"]).busy] == ["k3"]  # used within the hour
    assert bucket.host("other").get("k3") is not None
    for path in bucket.at().rglob("*"):
        age(path, 7200)
    swept = store.gc(keep=["k2"])
    assert [r.key for r in swept.removed] == ["k3"]
    assert not list(bucket.at("used").iterdir())
    assert not any(path.is_file() for path in bucket.at("entries/k3").rglob("*"))
    assert {r.key for r in store.ls()} == {"k1", "k2", "k4"}
    store.pin("k4", on=False)
    store.pin("k4", on=False)
    assert {r.key for r in store.gc(older_than=3600).removed} == {"k1", "k2", "k4"}
    assert Store(store.cache).gc(keep=[]).removed  # the cache is a store of its own


def test_use_is_noted_once_an_hour(bucket: Bucket) -> None:
    store = bucket.host("one")
    store.once("k1", write, about=ABOUT)
    store.get("k1")
    age(bucket.at("used/k1"), 7200)
    store.get("k1")
    assert time.time() - bucket.at("used/k1").stat().st_mtime > 7000
    bucket.host("other").get("k1")
    assert time.time() - bucket.at("used/k1").stat().st_mtime < 60


def test_other_hosts_wait_for_a_computing_one(bucket: Bucket) -> None:
    calls, owners, begun, go = [], [], threading.Event(), threading.Event()

    def slow(folder: Path) -> None:
        calls.append(1)
        begun.set()
        go.wait(10)
        write(folder)

    def waiting(seconds: float, owner: str) -> None:
        owners.append(owner)
        if seconds > 3 * PACE.patience:  # longer than a lease lives without its heart
            go.set()

    def ask(name: str) -> None:
        assert bucket.host(name).once("k1", slow, about=ABOUT, waiting=waiting).manifest.size == 3005

    threads = [threading.Thread(target=ask, args=(name,)) for name in ("one", "two", "three", "three")]
    threads[0].start()
    assert begun.wait(10)
    for thread in threads[1:]:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(calls) == 1
    assert any(f"process {os.getpid()} on" in owner for owner in owners)
    assert not list(bucket.at("leases").iterdir())


def hang(bucket: Bucket) -> None:
    def work(folder: Path) -> None:
        (folder / "half").touch()
        (bucket.folder / "hanging").touch()
        time.sleep(60)

    bucket.host("one").once("k1", work, about=ABOUT)


def test_a_killed_host_is_replaced_when_its_lease_stands_still(bucket: Bucket) -> None:
    owner = multiprocessing.get_context("forkserver").Process(target=hang, args=(bucket,))
    owner.start()
    while not (bucket.folder / "hanging").exists():
        time.sleep(0.01)
    os.kill(owner.pid, signal.SIGKILL)
    owner.join()
    begin = time.monotonic()
    assert bucket.host("two").once("k1", write, about=ABOUT)
    assert PACE.patience <= time.monotonic() - begin < 2.0
    assert bucket.host("one").once("k1", never, about=ABOUT)
    assert bucket.host("one").gc().leftovers == 0  # the staging of the killed one went with the fetch


def test_a_dead_lease_is_swept(bucket: Bucket) -> None:
    store = bucket.host("one")
    store.once("k1", write, about=ABOUT)
    bucket.at("leases/k2").write_text("process 1 on nowhere")
    assert store.gc(dry_run=True).leftovers == 0
    age(bucket.at("leases/k2"), 2 * 86400)
    assert store.gc(dry_run=True).leftovers == 1
    assert store.gc().leftovers == 1
    assert not bucket.at("leases/k2").exists()


def test_an_error_or_a_second_ask_leaves_no_lease(bucket: Bucket) -> None:
    def fail(folder: Path) -> None:
        assert bucket.at("leases/k1").exists()
        raise RuntimeError("no")

    with pytest.raises(RuntimeError, match="no"):
        bucket.host("one").once("k1", fail, about=ABOUT)
    assert not bucket.at("leases/k1").exists()
    assert bucket.host("two").once("k1", write, about=ABOUT)


class Cells:
    """Objects in a dict, with a hook that runs before each read."""

    def __init__(self) -> None:
        self.cells: dict[str, bytes] = {}
        self.before_read: Callable[[], None] = lambda: None

    def read(self, path: str) -> bytes | None:
        self.before_read()
        return self.cells.get(path)

    def write(self, path: str, content: bytes) -> None:
        self.cells[path] = content

    def delete(self, path: str) -> None:
        self.cells.pop(path, None)


def test_of_two_that_write_at_once_the_last_one_owns() -> None:
    cells = Cells()
    one, other = (Lease(cells, "k", Pace(settle=0, beat=9, patience=9)) for _ in range(2))
    reads = []

    def interleave() -> None:
        reads.append(1)
        if len(reads) == 2:  # one has seen no lease and written its own; the other had seen none either
            other._write(0)

    cells.before_read = interleave
    assert not one.take()
    assert other._mine()
    one.release()  # of what it does not own
    assert cells.cells


def test_a_lease_is_stale_only_when_it_stands_still(monkeypatch: pytest.MonkeyPatch) -> None:
    cells, clock = Cells(), [0.0]
    monkeypatch.setattr(lease_module.time, "monotonic", lambda: clock[0])
    lease = Lease(cells, "k", Pace(settle=0, beat=9, patience=30))
    for beat in range(5):
        cells.cells["k"] = f"someone beat {beat}".encode()
        for _ in range(2):
            assert not lease.take()
            clock[0] += 14
    clock[0] += 31 - 14
    assert lease.owner == "someone beat 4"
    assert lease.take()
    lease.release()
    assert cells.cells == {}


def test_a_lost_lease_is_said_and_not_given_back(caplog: pytest.LogCaptureFixture) -> None:
    cells = Cells()
    lease = Lease(cells, "k", Pace(settle=0, beat=0.01, patience=9))
    assert lease.take()
    cells.cells["k"] = b"another host"
    while not caplog.records:
        time.sleep(0.005)
    lease.release()
    assert "took the lease over" in caplog.text
    assert cells.cells == {"k": b"another host"}


def test_an_unreachable_object_store_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def gone(*_: object, **__: object) -> None:
        raise OSError("When reading: connection refused")

    store = Bucket(tmp_path).host("one")
    monkeypatch.setattr(remote_module.Remote, "has", gone)
    with pytest.raises(
        StageError, match=r"must be reachable.*connection refused.*check the path, the disk and the network"
    ):
        store.once("k1", write, about=ABOUT)


def test_the_default_cache_is_below_the_users(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    files = fs.SubTreeFileSystem(str(tmp_path), fs.LocalFileSystem())
    one, other = Store("a", filesystem=files).cache, Store("b", filesystem=files).cache
    assert one is not None and one.parent == tmp_path / "segfrontier" / "stages" and one != other


def test_credentials_in_a_uri_are_not_shown(tmp_path: Path) -> None:
    store = Store("s3://name:secret@bucket/stages?region=eu-west-1", cache=tmp_path)
    assert store.root == "s3://bucket/stages?region=eu-west-1"
