"""Hostile and damaged object stores: nothing is written elsewhere, one bad mark stops nothing, nothing foreign goes."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from test_store_remote import Bucket, age, never, write

from segfrontier.basics.marks import MARK, kind_in
from segfrontier.errors import BadInput
from segfrontier.store import Store
from segfrontier.store import entry as entry_module

ABOUT = {"kind": "train"}
DAYS = 3 * 86400


@pytest.fixture
def bucket(tmp_path: Path) -> Bucket:
    made = Bucket(tmp_path)
    for key in ("k1", "k2"):
        made.host("one").once(key, write, about=ABOUT)
    return made


def long_ago(bucket: Bucket) -> None:
    for path in bucket.at().rglob("*"):
        age(path, DAYS)


def edit(bucket: Bucket, **changes: object) -> None:
    path = bucket.at("entries/k1/entry.json")
    path.write_text(json.dumps(json.loads(path.read_text()) | changes))


MARKS: dict[str, Callable[[Bucket], object]] = {
    "of another version": lambda b: edit(b, format=2),
    "with a date that is none": lambda b: edit(b, created="never"),
    "with a file elsewhere": lambda b: edit(b, files={"../../../../evil": {"size": 1, "digest": "0" * 32}}),
    "nested deep": lambda b: b.at("entries/k1/entry.json").write_text("[" * 100_000),
    "without an end": lambda b: os.truncate(b.at("entries/k1/entry.json"), entry_module.MANIFEST_BYTES + 10),
    "without content": lambda b: os.truncate(b.at("entries/k1/entry.json"), 0),
}


@pytest.mark.parametrize("name", MARKS)
def test_one_bad_mark_stops_neither_a_listing_nor_a_collection(bucket: Bucket, name: str) -> None:
    MARKS[name](bucket)
    long_ago(bucket)
    store = bucket.host("two")
    assert [row.key for row in store.ls()] == ["k2"]
    assert [row.key for row in store.gc(keep=[]).removed] == ["k2"]
    assert bucket.publication("k1").is_dir(), "what a mark names that cannot be read is not known to be a leftover"


@pytest.mark.parametrize("name", sorted(set(MARKS) - {"of another version"}))
def test_a_bad_mark_is_set_aside_and_the_stage_computed_again(bucket: Bucket, name: str) -> None:
    MARKS[name](bucket)
    store = bucket.host("two")
    assert store.once("k1", write, about=ABOUT).local("weights.bin").stat().st_size == 3000
    assert bucket.host("three").once("k1", never, about=ABOUT)
    assert not list(bucket.folder.rglob("evil"))


def test_only_what_the_mark_names_is_fetched(bucket: Bucket) -> None:
    (bucket.publication("k1") / "more.bin").write_bytes(bytes(10_000))
    entry = bucket.host("two").get("k1")
    assert entry is not None and not (entry.path / "more.bin").exists()


def test_a_file_of_another_size_is_not_even_fetched(bucket: Bucket) -> None:
    place = bucket.publication("k1") / "weights.bin"
    place.chmod(0o644)
    os.truncate(place, 2**36)
    began = time.monotonic()
    assert bucket.host("two").get("k1") is None
    assert time.monotonic() - began < 5


def test_objects_of_others_are_neither_listed_nor_removed(bucket: Bucket) -> None:
    strays = ["entries/README", "entries/k1/notes.txt", "entries/a b/c", "entries/k3/thesis/text", "entries/..x/y"]
    for stray in strays:
        bucket.at(stray).parent.mkdir(parents=True, exist_ok=True)
        bucket.at(stray).write_text("mine")
    long_ago(bucket)
    store = bucket.host("two")
    assert {row.key for row in store.ls()} == {"k1", "k2"}
    assert len(store.gc(keep=[]).removed) == 2
    assert all(bucket.at(stray).read_text() == "mine" for stray in strays)


def test_a_place_without_a_mark_is_refused_and_a_run_marks_it(bucket: Bucket) -> None:
    assert kind_in(bucket.at(MARK).read_bytes()) == "store"
    bucket.at(MARK).unlink()
    long_ago(bucket)
    with pytest.raises(BadInput, match=r"team/stages must be a store.*marked by the next run"):
        bucket.host("two").gc(keep=[])
    bucket.host("two").require()
    bucket.host("two").once("k1", never, about=ABOUT)
    assert len(bucket.host("two").gc(keep=["k1"]).removed) == 1


def test_a_mistyped_prefix_is_refused(bucket: Bucket) -> None:
    from pyarrow import fs

    files = fs.SubTreeFileSystem(str(bucket.folder / "bucket"), fs.LocalFileSystem())
    store = Store("team/stagse", filesystem=files, cache=bucket.folder / "cache")
    for call in (store.require, store.gc):
        with pytest.raises(BadInput, match="must be a store of SegFrontier; it has no .*nothing that a run stores"):
            call()
    assert not (bucket.folder / "bucket/team/stagse").exists() and not (bucket.folder / "cache").exists()


def test_an_address_that_is_none_is_the_users(tmp_path: Path) -> None:
    for address in ("ftps://x/y", "://"):
        with pytest.raises(BadInput, match="must be a folder or a URI"):
            Store(address, cache=tmp_path)
