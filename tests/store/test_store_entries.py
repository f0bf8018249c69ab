"""One process: what is stored comes back, what is damaged does not, and refusals are said clearly."""

from __future__ import annotations

import errno
import json
import logging
import os
import pickle
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from segfrontier.errors import BadInput, DiskFull, StageError
from segfrontier.store import Store
from segfrontier.store import shelf as shelf_module

ABOUT = {"kind": "train", "arguments": {"lr": 0.1, "views": (1, 2)}, "inputs": {"real": "k0"}}


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(tmp_path / "store")


@pytest.fixture
def new_process() -> Callable[[], None]:
    """Forget which digests this process has checked."""
    return shelf_module._VERIFIED.clear


def write(folder: Path) -> None:
    (folder / "weights.bin").write_bytes(bytes(range(256)) * 8)
    (folder / "maps" / "part").mkdir(parents=True)
    (folder / "maps" / "part" / "0.arrow").write_bytes(b"arrow")
    (folder / "empty").touch()


def never(folder: Path) -> None:
    raise AssertionError("computed again")


def flip(path: Path) -> None:
    """One bit, as a disk does it: size and times stay."""
    stat, content = path.stat(), bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.chmod(0o644)
    path.write_bytes(content)
    os.utime(path, ns=(stat.st_atime_ns, stat.st_mtime_ns))


def test_a_stage_is_computed_once_and_comes_back(store: Store) -> None:
    assert store.get("k1") is None
    first = store.once("k1", write, about=ABOUT)
    again = store.once("k1", never, about=ABOUT)
    for entry in (first, again, store.get("k1"), Store(store.root).get("k1", verify=True)):
        assert entry is not None
        assert entry.local("maps/part/0.arrow").read_bytes() == b"arrow"
        assert (entry.path / "weights.bin").stat().st_size == 2048
        assert set(entry.manifest.files) == {"weights.bin", "maps/part/0.arrow", "empty"}
    assert list(Path(store.root, "staging").iterdir()) == []


def test_entry_json_tells_what_and_nothing_of_the_machine(store: Store) -> None:
    entry = store.once("k1", write, about=ABOUT)
    text = (entry.path / "entry.json").read_text()
    tree = json.loads(text)
    assert tree["format"] == 1 and tree["key"] == "k1"
    assert tree["about"] == {"kind": "train", "arguments": {"lr": 0.1, "views": [1, 2]}, "inputs": {"real": "k0"}}
    assert tree["files"]["empty"] == {"size": 0, "digest": "cae66941d9efbd404e4d88758ea67670"}  # BLAKE2b-128 of b""
    assert 0 <= tree["seconds"] < 60 and tree["created"].endswith("+00:00")
    assert os.uname().nodename not in text and str(store.root) not in text


def test_an_entry_names_the_files_it_has(store: Store) -> None:
    with pytest.raises(StageError, match=r"has no file 'model.pt'; it has: empty, maps/part/0.arrow, weights.bin"):
        store.once("k1", write, about=ABOUT).local("model.pt")


def test_files_cannot_be_changed_by_mistake(store: Store) -> None:
    entry = store.once("k1", write, about=ABOUT)
    assert all(entry.local(name).stat().st_mode & 0o222 == 0 for name in entry.manifest.files)


def test_a_store_can_be_sent_to_another_process_but_an_entry_cannot(store: Store) -> None:
    entry = store.once("k1", write, about=ABOUT)
    assert pickle.loads(pickle.dumps(store)).get("k1").path == entry.path
    with pytest.raises(TypeError, match="send its key"):
        pickle.dumps(entry)


@pytest.mark.parametrize("key", ["", "../k", "a/b", "k.lock", "k" * 129])
def test_keys_are_plain_names(store: Store, key: str) -> None:
    for call in (store.get, store.pin, store.scratch, lambda k: store.once(k, never, about=ABOUT)):
        with pytest.raises(ValueError, match="a key must be made of"):
            call(key)


def test_an_error_in_compute_stores_nothing_and_passes_through(store: Store) -> None:
    def fail(folder: Path) -> None:
        write(folder)
        raise FileNotFoundError(errno.ENOENT, "no such image", "x.png")

    with pytest.raises(FileNotFoundError, match=r"x\.png"):
        store.once("k1", fail, about=ABOUT)
    assert store.get("k1") is None
    assert list(Path(store.root, "staging").iterdir()) == []
    assert store.once("k1", write, about=ABOUT).manifest.size == 2053


def test_other_keys_may_be_computed_inside_a_computation(store: Store) -> None:
    def outer(folder: Path) -> None:
        inner = store.once("k0", write, about=ABOUT)
        (folder / "copy").write_bytes(inner.local("weights.bin").read_bytes())

    assert store.once("k1", outer, about=ABOUT).local("copy").stat().st_size == 2048


def test_the_same_key_inside_itself_is_an_error_not_a_deadlock(store: Store) -> None:
    def outer(folder: Path) -> None:
        Store(store.root).once("k0", lambda _: store.once("k1", write, about=ABOUT) and None, about=ABOUT)

    with pytest.raises(StageError, match="must not need its own result; k1"):
        store.once("k1", outer, about=ABOUT)
    assert store.once("k1", write, about=ABOUT) and store.once("k0", write, about=ABOUT)


def test_threads_share_one_computation_too(store: Store) -> None:
    calls, seen, gate = [], [], threading.Event()

    def slow(folder: Path) -> None:
        calls.append(1)
        gate.wait(5)
        write(folder)

    def ask() -> None:
        waiting = lambda seconds, owner: (seen.append(owner), gate.set())  # noqa: E731
        assert store.once("k1", slow, about=ABOUT, waiting=waiting).manifest.size == 2053

    threads = [threading.Thread(target=ask) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(calls) == 1
    assert any(f"process {os.getpid()} on " in owner for owner in seen)


@pytest.mark.parametrize("bad", ["link", "entry.json"])
def test_a_stage_must_write_plain_files(store: Store, tmp_path: Path, bad: str) -> None:
    def compute(folder: Path) -> None:
        if bad == "link":
            (folder / bad).symlink_to(tmp_path)
        else:
            (folder / bad).write_text("{}")

    with pytest.raises(StageError, match=f"train wrote {bad}"):
        store.once("k1", compute, about=ABOUT)


def damage_json(path: Path, old: str, new: str) -> None:
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new, 1))


DAMAGES: dict[str, tuple[Callable[[Path], object], str]] = {
    "bit flip": (lambda p: flip(p / "weights.bin"), "weights.bin has digest"),
    "truncated": (lambda p: os.truncate(p / "weights.bin", 100), "weights.bin has 100 bytes, not 2048"),
    "longer": (lambda p: os.truncate(p / "empty", 1), "empty has 1 bytes, not 0"),
    "missing file": (lambda p: (p / "maps/part/0.arrow").unlink(), "maps/part/0.arrow is missing"),
    "missing entry.json": (lambda p: (p / "entry.json").unlink(), "entry.json is missing"),
    "empty entry.json": (lambda p: os.truncate(p / "entry.json", 0), "entry.json cannot be read"),
    "binary entry.json": (lambda p: (p / "entry.json").write_bytes(b"\xff\xfe\x00"), "entry.json cannot be read"),
    "list in entry.json": (lambda p: (p / "entry.json").write_text("[]"), "entry.json cannot be read"),
    "edited entry.json": (lambda p: damage_json(p / "entry.json", "0.1", "0.2"), "does not have the content"),
    "edited digest": (
        lambda p: damage_json(p / "entry.json", '"digest": "', '"digest": "0'),
        "does not have the content",
    ),
    "no files left": (lambda p: [f.unlink() for f in p.rglob("*") if f.is_file()], "entry.json is missing"),
}


@pytest.mark.parametrize("name", DAMAGES)
def test_damage_is_found_set_aside_and_computed_again(
    store: Store, new_process: Callable[[], None], caplog: pytest.LogCaptureFixture, name: str
) -> None:
    spoil, says = DAMAGES[name]
    path = store.once("k1", write, about=ABOUT).path
    new_process()
    spoil(path)
    with caplog.at_level(logging.WARNING):
        assert store.get("k1") is None
    assert [says in record.getMessage() for record in caplog.records] == [True]
    assert [(row.key, row.state) for row in store.ls()] == [("k1", "damaged")]
    entry = store.once("k1", write, about=ABOUT)
    assert entry.local("weights.bin").read_bytes() == bytes(range(256)) * 8
    assert sorted((row.key, row.state) for row in store.ls()) == [("k1", "damaged"), ("k1", "stored")]


def test_once_itself_finds_damage(store: Store, new_process: Callable[[], None]) -> None:
    flip(store.once("k1", write, about=ABOUT).local("weights.bin"))
    new_process()
    entry = store.once("k1", write, about=ABOUT)
    assert entry.local("weights.bin").read_bytes() == bytes(range(256)) * 8


def test_an_entry_filed_under_another_key_is_damaged(store: Store, caplog: pytest.LogCaptureFixture) -> None:
    store.once("k1", write, about=ABOUT).path.rename(Path(store.root, "entries", "k2"))
    assert store.get("k2") is None
    assert "for this key" in caplog.text


def test_digests_are_checked_once_per_process_and_on_request(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    store.once("k1", write, about=ABOUT)
    shelf_module._VERIFIED.clear()
    asked: list[str] = []
    real = shelf_module.file_digest
    monkeypatch.setattr(shelf_module, "file_digest", lambda path: asked.append(path.name) or real(path))
    for expected in (3, 3, 3):
        store.get("k1")
        Store(store.root).get("k1")
        assert len(asked) == expected
    store.get("k1", verify=True)
    assert len(asked) == 6
    os.utime(Path(store.root, "entries", "k1", "empty"))  # looks changed
    store.get("k1")
    assert len(asked) == 9


def test_a_flip_after_the_check_is_found_on_request(store: Store) -> None:
    flip(store.once("k1", write, about=ABOUT).local("weights.bin"))
    assert store.get("k1") is not None
    assert store.get("k1", verify=True) is None


def test_damage_under_a_reader_does_not_wait_for_it(store: Store, new_process: Callable[[], None]) -> None:
    reader = store.once("k1", write, about=ABOUT)
    reader.local("weights.bin").unlink()
    assert store.once("k1", write, about=ABOUT).local("weights.bin").exists()


def test_another_format_is_refused_not_thrown_away(store: Store) -> None:
    path = store.once("k1", write, about=ABOUT).path
    damage_json(path / "entry.json", '"format": 1', '"format": 2')
    with pytest.raises(StageError, match="must have format 1; it has 2"):
        store.get("k1")
    assert path.exists()
    assert [row.kind for row in store.ls()] == ["?"]


def test_scratch_survives_a_failed_attempt_and_goes_with_the_publication(store: Store) -> None:
    def fail(folder: Path) -> None:
        (store.scratch("k1") / "step_3.pt").write_bytes(b"123")
        raise KeyboardInterrupt

    def resume(folder: Path) -> None:
        assert (store.scratch("k1") / "step_3.pt").read_bytes() == b"123"

    with pytest.raises(KeyboardInterrupt):
        store.once("k1", fail, about=ABOUT)
    assert [(row.key, row.state, row.size) for row in store.ls()] == [("k1", "unfinished", 3)]
    store.once("k1", resume, about=ABOUT)
    assert [(row.key, row.state) for row in store.ls()] == [("k1", "stored")]


@pytest.fixture
def unprivileged(tmp_path: Path) -> Iterator[Callable[[Path], None]]:
    """Make a folder read-only, and this process a user for whom that matters."""
    user = os.geteuid()
    above = [p for p in [tmp_path, *tmp_path.parents] if p.stat().st_uid == user and p.stat().st_mode & 0o001 == 0]
    modes = {p: p.stat().st_mode for p in above}

    def close(folder: Path) -> None:
        for path in above:
            path.chmod(modes[path] | 0o055)
        folder.chmod(0o555)
        for path in folder.rglob("*"):
            path.chmod(0o555 if path.is_dir() else 0o444)
        if user == 0:
            os.seteuid(65534)

    yield close
    os.seteuid(user)
    for path, mode in modes.items():
        path.chmod(mode)
    for path in [tmp_path, *tmp_path.rglob("*")]:
        path.chmod(0o755)


def test_a_read_only_store_can_be_read(store: Store, unprivileged: Callable[[Path], None]) -> None:
    store.once("k1", write, about=ABOUT)
    os.utime(Path(store.root, "entries", "k1", "entry.json"), (0, 0))  # long unused: would be touched
    unprivileged(Path(store.root))
    reader = Store(store.root)
    assert reader.once("k1", never, about=ABOUT).local("empty").exists()
    assert len(reader.ls()) == 1
    with pytest.raises(StageError, match=r"must be writable .*; found .* denied.*; ask for write permission"):
        reader.once("k2", write, about=ABOUT)
    with pytest.raises(StageError, match="must be writable"):
        reader.pin("k1")


def test_damage_in_a_read_only_store_is_named(store: Store, unprivileged: Callable[[Path], None]) -> None:
    (store.once("k1", write, about=ABOUT).path / "empty").unlink()
    unprivileged(Path(store.root))
    with pytest.raises(StageError, match=r"entry k1 \(empty is missing\) cannot: .*denied.*ask for write permission"):
        store.get("k1")


def full(*_: object, **__: object) -> None:
    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


def test_a_full_disk_is_said_whoever_fills_it(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(DiskFull, match=r"must be room.*store gc") as caught:
        store.once("k1", full, about=ABOUT)
    assert caught.value.__cause__ is None and caught.value.__suppress_context__
    monkeypatch.setattr(Path, "write_bytes", full)
    with pytest.raises(DiskFull, match=r"must be room.*store gc"):
        store.once("k1", lambda folder: None, about=ABOUT)
    monkeypatch.undo()
    assert store.ls() == [] and list(Path(store.root, "staging").iterdir()) == []
    assert store.once("k1", write, about=ABOUT)


def test_a_file_system_without_locks_is_said(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    def flock(*_: object) -> None:
        raise OSError(errno.ENOLCK, os.strerror(errno.ENOLCK))

    monkeypatch.setattr("segfrontier.basics.locks.fcntl.flock", flock)
    with pytest.raises(StageError, match=r"must support file locks.*mount it with locks"):
        store.once("k1", write, about=ABOUT)


def test_a_store_in_the_place_of_a_file_is_said(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(StageError, match=r"must be reachable.*check the path"):
        Store(tmp_path / "file").once("k1", write, about=ABOUT)


def test_a_store_is_a_folder_and_no_uri() -> None:
    with pytest.raises(BadInput, match=r"a store must be a folder; found s3://\.\.\. ") as told:
        Store("s3://key:secret@bucket/store")
    assert "secret" not in str(told.value)
