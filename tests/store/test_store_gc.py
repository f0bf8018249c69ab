"""What garbage collection removes, what it must not, and how a listing reads."""

from __future__ import annotations

import os
import time
from collections.abc import Mapping
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from segfrontier.errors import BadInput
from segfrontier.store import Entry, Store, StoreRow, choose, human_age, human_size, parse_age, parse_size
from segfrontier.store.gc import reachable

DAY = 86400.0


def row(key: str, *, used: float = 0.0, size: int = 10, inputs: tuple[str, ...] = (), **more: object) -> StoreRow:
    fields: dict[str, object] = {
        "kind": "train", "state": "stored", "created": 0.0, "seconds": 1.0, "pinned": False, "place": f"entries/{key}"
    }  # fmt: skip
    return StoreRow(key=key, used=used, size=size, inputs=inputs, **{**fields, **more})  # type: ignore[arg-type]


def put(
    store: Store, key: str, *, size: int = 1000, inputs: Mapping[str, str] | None = None, age: float = 0.0
) -> Entry:
    about = {"kind": "train", "inputs": dict(inputs or {})}
    entry = store.once(key, lambda folder: (folder / "x").write_bytes(bytes(size)) and None, about=about)
    os.utime(entry.path / "entry.json", (time.time() - age,) * 2)
    return entry


@pytest.fixture
def store(tmp_path: Path) -> Store:
    """A chain k1 <- k2 <- k3 and a stranger, each older than the next, none in use."""
    store = Store(tmp_path / "store")
    for i, (key, inputs) in enumerate([("k1", {}), ("k2", {"a": "k1"}), ("k3", {"b": "k2"}), ("other", {})]):
        put(store, key, inputs=inputs, age=(4 - i) * DAY).release()
    return store


def keys(rows: tuple[StoreRow, ...] | list[StoreRow]) -> list[str]:
    return [row.key for row in rows]


def stored(store: Store) -> set[str]:
    return set(keys(store.ls()))


def test_without_a_policy_nothing_goes(store: Store) -> None:
    swept = store.gc()
    assert (swept.removed, swept.freed, swept.leftovers) == ((), 0, 0)
    assert len(store.ls()) == 4


def test_by_age_of_the_last_use(store: Store) -> None:
    assert keys(store.gc(older_than=2.5 * DAY).removed) == ["k1", "k2"]
    assert stored(store) == {"k3", "other"}


def test_reading_is_use(store: Store) -> None:
    entry = store.get("k1")
    assert entry is not None
    entry.release()
    assert keys(store.gc(older_than=2.5 * DAY).removed) == ["k2"]


def test_by_size_the_longest_unused_go_first(store: Store) -> None:
    limit = sum(row.size for row in store.ls()[:2])
    swept = store.gc(under=limit)
    assert keys(swept.removed) == ["k1", "k2"]
    assert swept.left == limit
    assert swept.left == sum(row.size for row in store.ls())


def test_what_the_roots_were_computed_from_is_kept(store: Store) -> None:
    assert keys(store.gc(keep=["k2"]).removed) == ["k3", "other"]
    assert stored(store) == {"k1", "k2"}


def test_pins_are_roots_until_taken_off(store: Store) -> None:
    store.pin("k3")
    assert [row.pinned for row in store.ls()] == [False, True, False, False]
    assert keys(store.gc(older_than=0, under=0).removed) == ["other"]
    store.pin("k3", on=False)
    assert keys(store.gc(older_than=0).removed) == ["k1", "k2", "k3"]


def test_a_dry_run_touches_nothing(store: Store) -> None:
    before = sorted(str(path) for path in Path(store.root).rglob("*"))
    swept = store.gc(keep=[], dry_run=True)
    assert len(swept.removed) == 4 and swept.left == 0
    assert sorted(str(path) for path in Path(store.root).rglob("*")) == before


def test_an_entry_in_use_stays_until_it_is_released_or_collected(store: Store) -> None:
    one, other = store.get("k1"), store.get("k1")
    assert one is not None and other is not None
    assert keys(store.gc(keep=[]).busy) == ["k1"]
    one.release()
    one.release()
    assert keys(store.gc(keep=[]).busy) == ["k1"]
    del other
    assert keys(store.gc(keep=[]).removed) == ["k1"]
    assert store.get("k1") is None


def test_a_removed_stage_is_computed_again(store: Store) -> None:
    store.gc(keep=[])
    assert put(store, "k1").local("x").stat().st_size == 1000


def test_damaged_entries_are_listed_and_go_with_age(store: Store) -> None:
    Path(store.root, "entries/k3/entry.json").unlink()
    assert store.get("k3") is None
    assert [(row.key, row.kind) for row in store.ls() if row.state == "damaged"] == [("k3", "?")]
    assert [row.state for row in store.gc(keep=["k1", "k2", "k3", "other"]).removed] == ["damaged"]
    assert not list(Path(store.root, "quarantine").iterdir())


def test_what_is_not_an_entry_is_listed_too(store: Store) -> None:
    """Someone's folder among the entries: it has no kind, and goes when asked for."""
    Path(store.root, "entries/notes").mkdir()
    assert [row.kind for row in store.ls() if row.key == "notes"] == ["?"]
    assert "notes" in keys(store.gc(keep=[]).removed)


def test_an_empty_store_has_nothing_and_is_not_created(tmp_path: Path) -> None:
    store = Store(tmp_path / "store")
    assert store.ls() == []
    with pytest.raises(BadInput, match="must be a store"):
        store.gc(keep=[])
    assert not (tmp_path / "store").exists()


def test_a_listing_reads_well(store: Store) -> None:
    entry = store.ls()[0]
    assert entry.cells(now=entry.created + 7300) == {
        "key": "other",
        "kind": "train",
        "state": "stored",
        "size": human_size(entry.size),
        "age": "2 h",
        "last used": human_age(entry.created + 7300 - entry.used),
        "took": "0 s",
        "pinned": "",
    }
    assert human_age(entry.created + 7300 - entry.used) == "1 d"


def test_listing_order_is_by_last_use(store: Store) -> None:
    assert keys(store.ls()) == ["other", "k3", "k2", "k1"]


def test_reachable_follows_inputs_and_survives_loops() -> None:
    rows = [row("a", inputs=("b", "digest")), row("b", inputs=("a",)), row("c")]
    assert reachable(rows, ["a"]) == {"a", "b", "digest"}


numbers = st.floats(0, 100) | st.none()


@settings(deadline=None, derandomize=True)
@given(
    st.lists(st.tuples(st.floats(0, 100), st.integers(0, 50), st.booleans()), max_size=12),
    numbers,
    st.integers(0, 400) | st.none(),
    st.sets(st.integers(0, 11)) | st.none(),
)
def test_choices_keep_their_word(
    made: list[tuple[float, int, bool]], older_than: float | None, under: int | None, roots: set[int] | None
) -> None:
    rows = [
        row(f"k{i}", used=used, size=size, pinned=pinned, inputs=(f"k{i - 3}",))
        for i, (used, size, pinned) in enumerate(made)
    ]
    keep = None if roots is None else [f"k{i}" for i in roots]
    chosen = choose(rows, now=100.0, older_than=older_than, under=under, keep=keep)
    gone = {row.key for row in chosen}
    left = [row for row in rows if row.key not in gone]
    saved = reachable(rows, [row.key for row in rows if row.pinned] + (keep or []))
    assert len(gone) == len(chosen) and not gone & saved
    if under is not None:
        assert sum(row.size for row in left) <= under or all(row.key in saved for row in left)
    if older_than is not None:
        assert all(row.key in saved or 100.0 - row.used <= older_than for row in left)
    if under is None and older_than is not None:
        assert all(100.0 - row.used > older_than for row in chosen)
    if older_than is None and under is None:
        assert gone == (set() if keep is None else {row.key for row in rows} - saved)


@pytest.mark.parametrize(
    ("size", "text"),
    [(0, "0 B"), (999, "999 B"), (1500, "1.5 KB"), (2_000_000, "2.0 MB"), (3.21e9, "3.2 GB"), (5e15, "5000.0 TB")],
)
def test_human_size(size: float, text: str) -> None:
    assert human_size(size) == text


@pytest.mark.parametrize(
    ("seconds", "text"), [(-5, "0 s"), (0.2, "0 s"), (59, "59 s"), (90, "2 min"), (7300, "2 h"), (90 * DAY, "90 d")]
)
def test_human_age(seconds: float, text: str) -> None:
    assert human_age(seconds) == text


@pytest.mark.parametrize(
    ("text", "size"),
    [("200GB", 200e9), ("1.5 gib", 1.5 * 2**30), ("1000B", 1000), (" 2 kB ", 2000), ("3MiB", 3 * 2**20)],
)
def test_parse_size(text: str, size: float) -> None:
    assert parse_size(text) == size


@pytest.mark.parametrize(
    ("text", "age"), [("30d", 30 * DAY), ("1.5 h", 5400), ("90s", 90), ("2 w", 14 * DAY), ("5min", 300)]
)
def test_parse_age(text: str, age: float) -> None:
    assert parse_age(text) == age


@pytest.mark.parametrize("text", ["", "12", "d", "-3d", "3 months", "1e3s", "nan d", "3GB"])
def test_an_age_that_is_none_is_an_error(text: str) -> None:
    with pytest.raises(BadInput, match="an age must be a number and one of s, min, h, d, w; found"):
        parse_age(text)


def test_a_size_that_is_none_is_an_error() -> None:
    with pytest.raises(BadInput, match=r"a size must be .*; found '3d'; write e.g. 200GB"):
        parse_size("3d")
