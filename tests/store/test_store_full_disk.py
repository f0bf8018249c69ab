"""A full disk: every writer says so in one sentence and leaves nothing; when there is room again, all goes on."""

from __future__ import annotations

import errno
import json
import os
import pickle
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from toylab import fine_part

from segfrontier.errors import DiskFull, StageError
from segfrontier.home.context import write_context
from segfrontier.home.layout import Home
from segfrontier.lab.training import checkpoints
from segfrontier.lab.training.history import History
from segfrontier.lab.worker import Worker
from segfrontier.store import Store
from segfrontier.store import shelf as shelf_module

FULL = OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
TESTS = Path(__file__).parents[1]


def refuse(*_: object, **__: object) -> None:
    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


def one_sentence(error: DiskFull) -> bool:
    """No chain of tracebacks, and whole after a journey between processes."""
    again = pickle.loads(pickle.dumps(error))
    return (
        error.__cause__ is None and error.__suppress_context__ and type(again) is DiskFull and str(again) == str(error)
    )


def context(folder: Path, size: int) -> None:
    write_context(Home(folder).study("tiny"), "done", {"commit": "x" * size})


def logged(folder: Path) -> None:
    history = History(folder / "log.jsonl", Worker(device=torch.device("cpu")), 1)
    history.take({"ce": 1.0}, {"lr": 0.1}, 4)
    history.end_of_step(1, 10, None, last=False)


WRITERS = {
    "a checkpoint": lambda folder: checkpoints.save(folder, 3, {"step": 3}),
    "weights": lambda folder: checkpoints.write_tensors(folder / "weights.pt", {"a": torch.ones(3)}),
    "a snapshot": lambda folder: checkpoints.write_tensors(folder / "weights.pt", {"a": torch.ones(3)}, sync=True),
    "the log": logged,
    "the context of a study": lambda folder: context(folder, 1),
}


@pytest.mark.parametrize("name", WRITERS)
def test_a_writer_says_so_and_leaves_nothing(tmp_path, monkeypatch, name):
    folder = tmp_path / "f"
    monkeypatch.setattr(Path, "write_bytes", refuse)
    with pytest.raises(DiskFull, match=r"must be room on the disk of .*store gc") as caught:
        WRITERS[name](folder)
    assert one_sentence(caught.value) and [path for path in folder.rglob("*") if path.is_file()] == []
    monkeypatch.undo()
    WRITERS[name](folder)
    assert len(list(folder.iterdir())) == 1


def test_labels_say_so(toy_world, tmp_path, monkeypatch):
    def sink(*_: object) -> None:  # in Arrow's own words, with and without a number
        raise OSError("Error writing bytes to file. Detail: [errno 28] No space left on device")

    fine_part(toy_world, tmp_path / "others")  # the world's mirror is in place
    monkeypatch.setattr("segfrontier.scenes.labels.pa.OSFile", sink)
    with pytest.raises(DiskFull) as caught:
        fine_part(toy_world, tmp_path / "labels")
    assert one_sentence(caught.value) and list((tmp_path / "labels").iterdir()) == []


def test_whatever_a_stage_makes_of_it_is_a_full_disk(tmp_path):
    def chained(folder: Path) -> None:
        try:
            raise FULL
        except OSError:
            raise RuntimeError("PytorchStreamWriter failed writing file data/0: file write failed") from None

    store = Store(tmp_path / "store")
    with pytest.raises(DiskFull) as caught:
        store.once("k1", chained, about={"kind": "train"})
    assert one_sentence(caught.value)
    with pytest.raises(RuntimeError, match="something else"):
        store.once("k1", raising(RuntimeError("something else")), about={"kind": "train"})
    with pytest.raises(DiskFull):
        store.once(
            "k1", raising(RuntimeError("worker: OSError: [Errno 28] No space left on device")), about={"kind": "x"}
        )
    assert list(Path(store.root, "staging").iterdir()) == []


def raising(error: Exception):
    def compute(folder: Path) -> None:
        raise error

    return compute


def test_a_damaged_entry_that_cannot_be_moved_is_a_full_disk_too(tmp_path, monkeypatch):
    store = Store(tmp_path / "store")
    (store.once("k1", lambda folder: (folder / "x").touch(), about={"kind": "train"}).path / "x").unlink()
    monkeypatch.setattr(Path, "rename", refuse)
    with pytest.raises(DiskFull):
        store.get("k1")


def test_a_full_disk_hinders_neither_reading_nor_removing(tmp_path, monkeypatch):
    store = Store(tmp_path / "store")
    store.once("k1", lambda folder: (folder / "x").touch(), about={"kind": "train"}).release()
    for name in ("write", "ftruncate"):
        monkeypatch.setattr(f"segfrontier.basics.locks.os.{name}", refuse)
    monkeypatch.setattr(Path, "write_bytes", refuse)
    monkeypatch.setattr(Path, "mkdir", lambda *_, **__: None)  # the folders that are there will do
    shelf_module._VERIFIED.clear()
    entry = Store(store.root).once("k1", raising(AssertionError()), about={"kind": "train"})
    entry.release()
    assert [row.key for row in Store(store.root).gc(keep=[]).removed] == ["k1"]


REAL = """
import json, os, sys, time
from pathlib import Path
sys.path.insert(0, {tests!r})
import torch
from segfrontier.errors import DiskFull
from segfrontier.lab.training import checkpoints
from segfrontier.store import Store
from segfrontier.market import Ledger, export_acts
from test_store_full_disk import context, logged
from toylab import fine_part
from toyworld import write_toy
disk, world = Path({disk!r}), write_toy(Path({disk!r}).parent / "toy")
store, about = Store(disk / "store"), {{"kind": "train"}}
for i in range(3):
    store.once(f"old{{i}}", lambda out: (out / "x").write_bytes(bytes(100_000)) and None, about=about).release()
large = torch.arange(30_000)
ballast = open(disk / "ballast", "wb", buffering=0)
try:
    while True:
        ballast.write(bytes(4096))
except OSError:
    pass
def stage(out):
    (out / "x").write_bytes(bytes(200_000))
writers = {{
    "checkpoint": lambda: checkpoints.save(disk / "c", 1, {{"a": large}}),
    "weights": lambda: checkpoints.write_tensors(disk / "w" / "weights.pt", large),
    "log": lambda: logged(disk / "l"),
    "context": lambda: context(disk, 10_000),
    "labels": lambda: fine_part(world, disk / "labels"),
    "acts": lambda: export_acts(Ledger(disk.parent / "ledger", create=True), disk / "acts.parquet"),
    "stage": lambda: store.once("k1", stage, about=about),
}}
told = {{}}
for name, write in writers.items():
    try:
        write()
        told[name] = "written"
    except DiskFull as error:
        told[name] = "full" if error.__suppress_context__ and error.__cause__ is None else "chained"
    except BaseException as error:
        told[name] = repr(error)
drafts = [str(p) for p in disk.rglob("*") if p.name.endswith(".part") or "staging/" in str(p)]
freed = store.gc(keep=[]).removed
again = {{}}
os.truncate(disk / "ballast", 0)
for name, write in writers.items():
    write()
    again[name] = True
print(json.dumps({{"told": told, "drafts": drafts, "freed": len(freed), "again": len(again)}}))
"""


@pytest.mark.slow
def test_a_disk_that_is_really_full(tmp_path):
    """One of two MiB, in a mount namespace of its own."""
    disk = tmp_path / "disk"
    disk.mkdir()
    (tmp_path / "script.py").write_text(REAL.format(tests=str(TESTS), disk=str(disk)))
    mount = f"mount -t tmpfs -o size=2m tmpfs {disk} && exec {sys.executable} {tmp_path / 'script.py'}"
    able = subprocess.run(["unshare", "-m", "sh", "-c", f"mount -t tmpfs tmpfs {disk}"], capture_output=True)
    if able.returncode != 0:
        pytest.skip("mounting is not permitted here")
    path = os.pathsep.join([str(TESTS / "lab"), str(TESTS), *filter(None, sys.path)])
    done = subprocess.run(
        ["unshare", "-m", "sh", "-c", mount], capture_output=True, text=True, env=os.environ | {"PYTHONPATH": path}
    )
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout.splitlines()[-1])
    assert set(found["told"].values()) == {"full"}, found["told"]
    assert found["drafts"] == [] and found["freed"] == 3, "gc makes room on a full disk"
    assert "Exception ignored" not in done.stderr and "Traceback" not in done.stderr, done.stderr


def test_errors_of_the_store_keep_their_words_between_processes(tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(StageError) as caught:
        Store(tmp_path / "file").once("k1", raising(AssertionError()), about={"kind": "train"})
    again = pickle.loads(pickle.dumps(caught.value))
    assert type(again) is StageError and str(again) == str(caught.value)
