"""The cache mends itself: whatever lies in a mirror's or a built-in world's place, the next reader makes it again."""

import os
import shutil
from pathlib import Path

import numpy as np
import pytest
from toyworld import toy_scene, write_toy

from segfrontier.basics.marks import kind_of
from segfrontier.errors import BadInput, BadWorld
from segfrontier.scenes import builtin, mirror
from segfrontier.scenes.builtin import open_world

STREET = "street:train=2,val=1,synthetic=1,size=64x128"


@pytest.fixture
def cache(tmp_path, monkeypatch):
    monkeypatch.setenv("SEGFRONTIER_CACHE", str(tmp_path / "cache"))
    mirror.open_shard.cache_clear()
    yield tmp_path / "cache"
    mirror.open_shard.cache_clear()


def spoil(path: Path, damage: str) -> None:
    data = path.read_bytes()
    if damage == "cut":
        path.write_bytes(data[: len(data) // 2])
    elif damage == "zeros":
        path.write_bytes(bytes(len(data)))
    elif damage == "empty":
        path.write_bytes(b"")
    elif damage == "middle":  # pages that never reached the disk; the footer did
        path.write_bytes(data[:1024] + bytes(len(data) - 3072) + data[-2048:])
    elif damage == "unreadable":
        path.write_bytes(b"ARROW1\0\0" + os.urandom(100) + b"ARROW1")
    else:
        path.unlink()
        if damage == "folder":
            (path / "with").mkdir(parents=True)
        elif damage == "link":
            path.symlink_to(path.parent / "nowhere")
        elif damage == "loop":
            path.symlink_to(path)
        elif damage == "pipe":
            os.mkfifo(path)


DAMAGES = ("cut", "zeros", "empty", "middle", "unreadable", "folder", "link", "loop", "pipe", "gone")


@pytest.mark.parametrize("damage", DAMAGES)
def test_a_damaged_mirror_is_made_again(tmp_path, cache, damage):
    world = write_toy(tmp_path / "w", target_train=12, shard_bytes=10**9)
    before = [(world.pool().image(s), world.truth().semantic(s)) for s in world.pool().scenes()]
    assert kind_of(cache) == "cache"
    files = [*(cache / "mirror").glob("*.arrow"), *(cache / "truth").glob("*.arrow")]
    assert len(files) == 2
    for file in files:
        spoil(file, damage)
    mirror.open_shard.cache_clear()
    pool, truth = world.pool(), world.truth()
    for scene, (image, labels) in zip(pool.scenes(), before, strict=True):
        np.testing.assert_array_equal(pool.image(scene), image)
        np.testing.assert_array_equal(truth.semantic(scene), labels)
    assert all(file.is_file() and not file.is_symlink() for file in files)
    assert sorted(p.name for p in cache.rglob("*") if p.is_file()) == sorted(
        [".segfrontier.json", *(f.name for f in files)]
    )


def test_nothing_is_removed_where_nothing_is(tmp_path, cache, monkeypatch):
    """Whoever mirrors the same shard at the same time may have put it there since."""
    world = write_toy(tmp_path / "toy")
    monkeypatch.setattr(mirror, "discard", lambda path: pytest.fail(f"{path} may be another's by now"))
    assert world.pool().image(world.pool().scenes()[0]).shape == (24, 32, 3)


def test_a_mirror_of_another_shard_is_not_taken_for_this_one(tmp_path, cache):
    one, two = write_toy(tmp_path / "one", target_train=3), write_toy(tmp_path / "two", target_train=4)
    one.pool().image("target/train/000")
    (file,) = (cache / "mirror").glob("*.arrow")
    two.pool().image("target/train/003")
    (other,) = set((cache / "mirror").glob("*.arrow")) - {file}
    shutil.copy(other, file)
    mirror.open_shard.cache_clear()
    assert one.pool().image("target/train/002").shape == (24, 32, 3)


def test_truth_is_mirrored_where_only_the_owner_reads_and_found_where_it_was(tmp_path, cache):
    world = write_toy(tmp_path / "w", target_train=3)
    world.truth().semantic("target/train/000")
    (file,) = (cache / "truth").glob("*.arrow")
    assert file.parent.stat().st_mode & 0o777 == 0o700 and not list((cache / "mirror").iterdir())
    former = cache / "mirror" / file.name
    file.rename(former)
    mirror.open_shard.cache_clear()
    assert (world.truth().semantic("target/train/000") == toy_scene(0).semantic).all()
    assert file.exists() and not former.exists()


@pytest.mark.parametrize("place", ["file", "file/below"])
def test_a_cache_that_cannot_be_is_told(tmp_path, monkeypatch, place):
    world = write_toy(tmp_path / "w", target_train=2)
    (tmp_path / "file").write_text("mine")
    monkeypatch.setenv("SEGFRONTIER_CACHE", str(tmp_path / place))
    mirror.open_shard.cache_clear()
    with pytest.raises(BadInput, match="the cache must be a folder"):
        world.pool().image("target/train/000")
    assert (tmp_path / "file").read_text() == "mine"


@pytest.mark.parametrize(
    "damage", [*DAMAGES[:3], *DAMAGES[4:], "manifest cut", "manifest pipe", "half deleted", "a file"]
)
def test_a_damaged_built_in_world_is_rendered_again(cache, damage):
    digest = open_world(STREET).digest
    (folder,) = (cache / "worlds").iterdir()
    if damage == "a file":
        shutil.rmtree(folder)
        folder.write_text("x")
    elif damage == "half deleted":
        shutil.rmtree(folder / "truth")
    elif damage.startswith("manifest"):
        spoil(folder / "world.json", damage.split()[1])
    else:
        spoil(next((folder / "images").iterdir()), damage)
    world = open_world(STREET)
    assert world.digest == digest
    for split in ("train", "val"):
        for scene in world.pool(split=split).scenes():
            assert world.pool(split=split).image(scene).shape == (64, 128, 3)
    assert [p.name for p in (cache / "worlds").iterdir()] == [folder.name]


def test_a_built_in_shard_that_is_damaged_inside_goes_and_is_rendered_next_time(cache):
    world = open_world(STREET)
    (shard,) = (cache / "worlds").glob("*/images/target-val-00000.parquet")
    data = shard.read_bytes()
    shard.write_bytes(data[:100] + bytes([data[100] ^ 1]) + data[101:])
    scene = world.pool(split="val").scenes()[0]
    with pytest.raises(BadWorld, match="Start again: it is made anew"):
        world.pool(split="val").image(scene)
    assert open_world(STREET).pool(split="val").image(scene).shape == (64, 128, 3)


def test_a_whole_built_in_world_is_not_rendered_again(cache, monkeypatch):
    open_world(STREET)
    monkeypatch.setattr(builtin, "write_street", lambda *_, **__: pytest.fail("rendered again"))
    open_world(STREET)


def test_a_damaged_world_of_ones_own_is_never_removed(tmp_path, cache):
    world = write_toy(tmp_path / "w", target_train=2)
    shard = next((tmp_path / "w" / "images").iterdir())
    data = shard.read_bytes()
    shard.write_bytes(data[:100] + bytes([data[100] ^ 1]) + data[101:])
    with pytest.raises(BadWorld, match="its digest differs"):
        world.pool().image("target/train/000")
    assert shard.exists()
