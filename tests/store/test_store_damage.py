"""Whatever may lie in the place of an entry, of a part of it, or beside it: nothing hangs, breaks a list or stays."""

from __future__ import annotations

import json
import os
import shutil
import signal
import socket
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from segfrontier.errors import StageError
from segfrontier.store import Store
from segfrontier.store import shelf as shelf_module
from segfrontier.store.entry import Damage, EntryManifest, file_digest
from segfrontier.store.keys import dumps, text_digest

ABOUT = {"kind": "train", "inputs": {"real": "k0"}}
SECRET = "what lies outside"


@pytest.fixture(autouse=True)
def no_hang() -> Iterator[None]:
    """A pipe that is waited for must fail the test, not stop the suite."""

    def ring(*_: object) -> None:
        raise AssertionError("it hangs")  # no OSError: those are caught

    before = signal.signal(signal.SIGALRM, ring)
    signal.alarm(20)
    yield
    signal.alarm(0)
    signal.signal(signal.SIGALRM, before)


@pytest.fixture
def store(tmp_path: Path) -> Store:
    """k1, which is about to be damaged, and k2, which must stay as it is; nothing is known to be right."""
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "keep").write_text(SECRET)
    store = Store(tmp_path / "store")
    for key in ("k1", "k2"):
        store.once(key, write, about=ABOUT).release()
    shelf_module._VERIFIED.clear()
    return store


def write(folder: Path) -> None:
    (folder / "weights.bin").write_bytes(b"w" * 500)
    (folder / "maps").mkdir()
    (folder / "maps" / "0.arrow").write_bytes(b"arrow")


def gone(path: Path) -> Path:
    path.unlink() if not path.is_dir() else shutil.rmtree(path)
    return path


def in_place_of(name: str, make: Callable[[Path], object]) -> Callable[[Path], object]:
    """Put something else in the place of the entry (''), or of one of its files."""
    return lambda entry: make(gone(entry / name if name else entry))


def unix_socket(path: Path) -> None:
    here = Path.cwd()
    os.chdir(path.parent)  # the path of a socket may have a hundred characters
    with socket.socket(socket.AF_UNIX) as made:
        made.bind(path.name)
    os.chdir(here)


def outside(path: Path) -> Path:
    while path.name != "store":
        path = path.parent
    return path.parent / "outside"


THINGS: dict[str, Callable[[Path], object]] = {
    "an empty file": lambda p: p.touch(),
    "a text": lambda p: p.write_text("{}"),
    "an empty folder": lambda p: p.mkdir(),
    "a full folder": lambda p: (p / "a" / "b").mkdir(parents=True),
    "a pipe": lambda p: os.mkfifo(p),
    "a socket": unix_socket,
    "a link to nowhere": lambda p: p.symlink_to("nowhere"),
    "a link to itself": lambda p: p.symlink_to(p.name),
    "a link to a folder outside": lambda p: p.symlink_to(outside(p)),
    "a link to a file outside": lambda p: p.symlink_to(outside(p) / "keep"),
    "a link to a device": lambda p: p.symlink_to("/dev/zero"),
}


def forged(**changes: Any) -> Callable[[Path], object]:
    """A manifest whose digest is right and whose values are not."""

    def spoil(entry: Path) -> None:
        tree = json.loads((entry / "entry.json").read_text()) | changes
        bare = {name: value for name, value in tree.items() if name not in ("format", "digest")}
        with suppress(ValueError):
            tree["digest"] = text_digest(dumps(bare))
        (entry / "entry.json").write_text(json.dumps(tree))

    return spoil


def raw(text: str | bytes) -> Callable[[Path], object]:
    return lambda entry: (entry / "entry.json").write_bytes(text if isinstance(text, bytes) else text.encode())


NAN, MARK = float("nan"), {"size": 5, "digest": "0" * 32}
MANIFESTS: dict[str, Callable[[Path], object]] = {
    "a date that is none": forged(created="yesterday"),
    "a date before all": forged(created="0001-01-01T00:00:00"),
    "a date as a number": forged(created=5),
    "seconds as text": forged(seconds="long"),
    "seconds that are no number": forged(seconds=NAN),
    "endless seconds": forged(seconds=1e400),
    "seconds of 4,000 digits": raw('{"format": 1, "digest": "", "seconds": ' + "9" * 4000 + "}"),
    "negative seconds": forged(seconds=-1),
    "seconds as a truth": forged(seconds=True),
    "a kind that is a number": forged(about={"kind": 7}),
    "a kind with a line break": forged(about={"kind": "train\n\x1b[31m"}),
    "no kind": forged(about={}),
    "about as a list": forged(about=["kind"]),
    "inputs as a list": forged(about={"kind": "train", "inputs": ["k0"]}),
    "inputs as numbers": forged(about={"kind": "train", "inputs": {"a": 1}}),
    "files as a list": forged(files=["weights.bin"]),
    "a file above": forged(files={"../../../outside/keep": MARK}),
    "an absolute file": forged(files={"/etc/passwd": MARK}),
    "a file without a name": forged(files={"": MARK}),
    "a file with a NUL": forged(files={"a\0b": MARK}),
    "a file with half a character": forged(files={"\ud800": MARK}),
    "the manifest as a file": forged(files={"entry.json": MARK}),
    "a size as text": forged(files={"weights.bin": {"size": "5", "digest": "0" * 32}}),
    "a negative size": forged(files={"weights.bin": {"size": -5, "digest": "0" * 32}}),
    "a digest as a number": forged(files={"weights.bin": {"size": 5, "digest": 5}}),
    "a file with more to say": forged(files={"weights.bin": {**MARK, "mode": 7}}),
    "more fields": forged(surprise=1),
    "a format that is text": forged(format="two"),
    "a format that is a truth": forged(format=True),
    "deep JSON": raw("[" * 200_000),
    "much JSON": lambda entry: os.truncate(entry / "entry.json", 2**34),
    "half of it": lambda entry: os.truncate(entry / "entry.json", 60),
    "zeros": raw(bytes(400)),
}
DAMAGES = (
    {f"{what} in the entry's place": in_place_of("", make) for what, make in THINGS.items()}
    | {f"{what} for a manifest": in_place_of("entry.json", make) for what, make in THINGS.items()}
    | {f"{what} for a file": in_place_of("weights.bin", make) for what, make in THINGS.items()}
    | {f"{what} for a folder": in_place_of("maps", make) for what, make in THINGS.items()}
    | {f"a manifest with {what}": spoil for what, spoil in MANIFESTS.items()}
)


def whole(store: Store, key: str) -> bool:
    entry = store.get(key, verify=True)
    return entry is not None and entry.local("weights.bin").read_bytes() == b"w" * 500


@pytest.mark.parametrize("name", DAMAGES)
def test_it_is_listed_set_aside_and_computed_again(store: Store, name: str) -> None:
    root = Path(store.root)
    DAMAGES[name](root / "entries" / "k1")
    assert {row.key for row in store.ls() if row.state == "stored"} == {"k1", "k2"}, "a listing shows it and goes on"
    assert store.get("k1") is None
    assert [(row.key, row.state) for row in store.ls()].count(("k1", "damaged")) == 1
    assert not os.path.lexists(root / "entries" / "k1"), "it is moved, not followed"
    store.once("k1", write, about=ABOUT).release()
    assert whole(store, "k1") and whole(store, "k2")
    assert {row.state for row in store.gc(keep=["k1", "k2"]).removed} == {"damaged"}
    assert not list((root / "quarantine").iterdir()) and not list((root / "staging").iterdir())
    assert (outside(root) / "keep").read_text() == SECRET


@pytest.mark.parametrize("name", DAMAGES)
def test_once_heals_it_by_itself_and_gc_removes_it_as_it_is(store: Store, name: str) -> None:
    root = Path(store.root)
    DAMAGES[name](root / "entries" / "k1")
    store.once("k1", write, about=ABOUT).release()
    assert whole(store, "k1")
    DAMAGES[name](root / "entries" / "k1")
    assert {row.key for row in store.gc(keep=["k2"]).removed} == {"k1"}
    assert not os.path.lexists(root / "entries" / "k1") and whole(store, "k2")
    assert (outside(root) / "keep").read_text() == SECRET


@pytest.mark.parametrize("thing", THINGS)
@pytest.mark.parametrize("place", ["staging/k3", "staging/k3.lock", "scratch/k3"])
def test_what_lies_in_the_way_of_a_new_stage_goes(store: Store, thing: str, place: str) -> None:
    root = Path(store.root)
    (root / place).parent.mkdir(exist_ok=True)
    THINGS[thing](root / place)
    if place == "scratch/k3":
        assert store.scratch("k3").is_dir()
    store.once("k3", write, about=ABOUT).release()
    assert whole(store, "k3") and not os.path.lexists(root / place)
    assert (outside(root) / "keep").read_text() == SECRET


@pytest.mark.parametrize("thing", THINGS)
def test_gc_removes_what_lies_in_staging_and_a_dry_run_does_not(store: Store, thing: str) -> None:
    root = Path(store.root)
    for place in ("staging/k3", "staging/k4.lock"):
        THINGS[thing](root / place)
    before = sorted(p.name for p in root.rglob("*"))
    store.gc(dry_run=True)
    if thing not in ("an empty file", "a text"):  # a file may be a lock; looking takes and gives it back
        assert sorted(p.name for p in root.rglob("*")) == before
    store.gc()
    assert not list((root / "staging").iterdir())
    assert (outside(root) / "keep").read_text() == SECRET


@pytest.mark.parametrize("name", [".DS_Store", "...lock", "..lock", ".lock", "a b", "ü", "k.lock", "k1.1.1"])
def test_what_has_no_keys_name_is_nobodys_to_remove(store: Store, name: str) -> None:
    """`...lock` in staging once stood for the folder above it."""
    root = Path(store.root)
    busy = root / "staging" / "live"
    busy.mkdir(parents=True)
    strays = [root / place / name for place in ("entries", "staging", "scratch", "quarantine", "pins")]
    for stray in strays:
        stray.parent.mkdir(exist_ok=True)
        stray.write_text("of somebody else")
    lock = shelf_module.Shelf(root).lock("live")
    assert lock.take()
    assert {row.key for row in store.ls()} == {"k1", "k2"}
    store.gc(keep=[], older_than=0, under=0)
    assert busy.is_dir()
    lock.release()
    for stray in strays:
        assert stray.exists() or (name == "k.lock" and stray.parent.name == "staging"), "a lock of a dead owner goes"


@pytest.mark.parametrize("name", ["weights.bin", "maps", "entry.json"])
def test_no_part_of_an_entry_is_a_link_even_to_the_very_same(store: Store, tmp_path: Path, name: str) -> None:
    """A stage writes none, and a stranger's leads wherever he likes."""
    place = Path(store.root, "entries", "k1", name)
    place.rename(tmp_path / "elsewhere")
    place.symlink_to(tmp_path / "elsewhere")
    assert not whole(store, "k1") and (tmp_path / "elsewhere").exists()


def test_a_link_to_a_whole_entry_is_read_and_only_the_link_is_removed(store: Store, tmp_path: Path) -> None:
    place = Path(store.root, "entries", "k1")
    place.rename(tmp_path / "moved")
    place.symlink_to(tmp_path / "moved")
    assert whole(store, "k1")
    assert [row.key for row in store.gc(keep=["k2"]).removed] == ["k1"]
    assert not place.is_symlink() and (tmp_path / "moved" / "weights.bin").exists()


def test_digests_are_of_regular_files(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(OSError, match="no regular file"):
        file_digest(tmp_path / "pipe")


def test_a_manifest_of_another_version_is_kept_and_stops_nothing_else(store: Store) -> None:
    forged(format=2, created=5)(Path(store.root, "entries", "k1"))
    with pytest.raises(StageError, match="must have format 1; it has 2"):
        store.once("k1", write, about=ABOUT)
    assert {(row.key, row.kind) for row in store.ls()} == {("k1", "?"), ("k2", "train")}


@pytest.mark.parametrize("text", ["null", "[]", "5", '"x"', "{}", '{"format": 1, "digest": 2, "files": {"a": {}}}'])
def test_no_manifest_raises_anything_but_damage(text: str) -> None:
    with pytest.raises(Damage):
        EntryManifest.from_bytes(text.encode(), "k1")
