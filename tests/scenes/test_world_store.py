"""Worlds on disk: what goes in comes out, from any place in the folder, and damage is told."""

import json
import pickle
import shutil
from dataclasses import replace

import numpy as np
import pyarrow.parquet as pq
import pytest
from toyworld import TOY, toy_scene, write_toy

from segfrontier.errors import BadWorld
from segfrontier.scenes.classes import CAMVID, CITYSCAPES, CITYSCAPES_TO_CAMVID, ClassTable, SceneClass
from segfrontier.scenes.codec import decode_image, resize_labels
from segfrontier.scenes.manifest import MANIFEST
from segfrontier.scenes.world import World
from segfrontier.scenes.writer import WorldWriter


def test_scenes_come_back_as_they_went_in(toy_world):
    assert toy_world.splits() == {("source", "train"): 5, ("target", "train"): 6, ("target", "val"): 3}
    assert len(toy_world.manifest.shards) > 3, "the toy world should span several shards"
    pool, truth = toy_world.pool(), toy_world.truth()
    assert pool.scenes() == truth.scenes() == [f"target/train/{i:03d}" for i in range(5, 11)]
    for scene in reversed(pool.scenes()):
        wanted = toy_scene(int(scene[-3:]))
        assert pool.size(scene) == truth.size(scene) == (24, 32)
        np.testing.assert_array_equal(pool.image(scene), decode_image(wanted.image))
        np.testing.assert_array_equal(truth.semantic(scene), wanted.semantic)
        np.testing.assert_array_equal(truth.instance(scene), wanted.instance)
        assert truth.coarse(scene) is None


def test_uri_and_folder_read_the_same(toy_world):
    other = World.open(f"file://{toy_world.uri}")
    scene = other.pool().scenes()[-1]
    np.testing.assert_array_equal(other.pool().image(scene), toy_world.pool().image(scene))
    assert other.digest == toy_world.digest


def test_the_digest_is_of_content_not_of_sharding(tmp_path):
    small = write_toy(tmp_path / "small", shard_bytes=3_000)
    large = write_toy(tmp_path / "large", shard_bytes=10**9)
    assert len(small.manifest.shards) > len(large.manifest.shards) == 3
    assert small.digest == large.digest
    assert write_toy(tmp_path / "other", target_train=6, target_val=2).digest != small.digest


def test_parquet_shards_hold_no_truth_beside_images(toy_world):
    for file in toy_world.pool().files:
        columns = pq.read_schema(file).names
        assert columns == ["scene", "domain", "split", "height", "width", "image", "digest"]


def test_a_pool_travels_and_truth_does_not(toy_world):
    pool = pickle.loads(pickle.dumps(toy_world.pool()))
    np.testing.assert_array_equal(pool.image(pool.scenes()[0]), toy_world.pool().image(pool.scenes()[0]))
    for secret in (toy_world, toy_world.truth()):
        with pytest.raises(TypeError, match="stays where it is"):
            pickle.dumps(secret)


def test_mapping_to_other_classes_follows_names(tmp_path):
    rng = np.random.default_rng(0)
    semantic = rng.integers(0, 19, (24, 32)).astype(np.uint8)
    semantic[0, 0] = 255
    things = np.isin(semantic, CITYSCAPES.things)
    scene = replace(
        toy_scene(0),
        semantic=semantic,
        instance=np.where(things, np.cumsum(things).reshape(things.shape), 0).astype(np.uint16),
    )
    with WorldWriter(tmp_path / "w", name="w", classes=CITYSCAPES) as out:
        out.add(scene)
    world = World.open(tmp_path / "w").mapped_to(CAMVID, CITYSCAPES_TO_CAMVID)
    mapped = world.truth().semantic(scene.id)
    for label, name in enumerate(CITYSCAPES.names):
        assert set(mapped[semantic == label].tolist()) == {CAMVID.index(CITYSCAPES_TO_CAMVID[name])}
    assert mapped[0, 0] == 255
    assert world.classes is CAMVID and world.digest != World.open(tmp_path / "w").digest
    ids = world.truth().instance(scene.id)
    assert ((ids > 0) == np.isin(mapped, CAMVID.things)).all()


def test_truth_is_resized_by_nearest_neighbour():
    labels = toy_scene(0).semantic
    for size in ((12, 16), (48, 64), (23, 31)):
        resized = resize_labels(labels, *size)
        assert resized.shape == size and set(np.unique(resized)) <= set(np.unique(labels))
    np.testing.assert_array_equal(resize_labels(labels, 48, 64)[::2, ::2], labels)
    ids = toy_scene(0).instance
    assert resize_labels(ids, 48, 64).dtype == np.uint16


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"semantic": np.zeros((5, 5), np.uint8)}, r"semantic map must be \(24, 32\) uint8"),
        ({"semantic": np.full((24, 32), 3, np.uint8)}, r"labels must be 0\.\.2 or 255; found \[3\]"),
        ({"domain": "game"}, "domain must be one of"),
        ({"split": ""}, "needs an id and a split"),
        ({"instance": np.ones((24, 32), np.uint16)}, "inside one class; instances .1"),
        ({"semantic": np.zeros((24, 32), np.uint8)}, "only countable classes have instances"),
    ],
)
def test_a_scene_that_breaks_the_rules_is_refused(tmp_path, change, message):
    with WorldWriter(tmp_path / "w", name="w", classes=TOY) as out:
        with pytest.raises(BadWorld, match=message):
            out.add(replace(toy_scene(0), **change))
        out.add(toy_scene(0))
        with pytest.raises(BadWorld, match="came twice"):
            out.add(toy_scene(0))


def test_a_failed_import_leaves_no_world(tmp_path):
    with pytest.raises(RuntimeError, match="power cut"), WorldWriter(tmp_path / "w", name="w", classes=TOY) as out:
        out.add(toy_scene(0))
        raise RuntimeError("power cut")
    with pytest.raises(BadWorld, match="there is none"):
        World.open(tmp_path / "w")
    assert not list((tmp_path / "w").rglob("*.parquet"))


def test_an_empty_world_and_an_occupied_folder_are_refused(tmp_path, toy_world):
    with pytest.raises(BadWorld, match="at least one scene"), WorldWriter(tmp_path / "w", name="w", classes=TOY):
        pass
    with (
        pytest.raises(BadWorld, match="already holds a world"),
        WorldWriter(toy_world.uri, name="w", classes=TOY) as out,
    ):
        out.add(toy_scene(0))
    assert World.open(toy_world.uri).digest == toy_world.digest


def test_a_world_of_another_version_is_refused(toy_world, tmp_path):
    folder = tmp_path / "later"
    shutil.copytree(toy_world.uri, folder)
    plain = json.loads((folder / MANIFEST).read_text())
    (folder / MANIFEST).write_text(json.dumps(plain | {"version": 99}))
    with pytest.raises(BadWorld, match="version 1; found segfrontier-world version 99"):
        World.open(folder)
    (folder / MANIFEST).write_text("{half a manif")
    with pytest.raises(BadWorld, match="must be JSON; it is not"):
        World.open(folder)
    del plain["shards"]
    (folder / MANIFEST).write_text(json.dumps(plain))
    with pytest.raises(BadWorld, match="shards: must be given"):
        World.open(folder)


@pytest.mark.parametrize("damage", ["cut", "gone", "flipped"])
def test_a_damaged_shard_is_named(tmp_path, damage):
    # Sizes that no other test uses: a mirror is found by content, so equal shards would never be read again.
    world = write_toy(tmp_path / "w", target_train={"cut": 11, "gone": 12, "flipped": 13}[damage], shard_bytes=10**9)
    shard = tmp_path / "w" / "truth" / "target-train-00000.parquet"
    data = shard.read_bytes()
    if damage == "cut":
        shard.write_bytes(data[: len(data) // 2])
    elif damage == "gone":
        shard.unlink()
    else:
        shard.write_bytes(data[:200] + bytes([data[200] ^ 1]) + data[201:])
    with pytest.raises(BadWorld, match=r"target-train-00000.parquet: a shard must be the file"):
        world.truth().semantic("target/train/000")
    assert world.pool().image("target/train/000").shape == (24, 32, 3), "the images are whole and still read"


def test_unknown_names_are_told_what_there_is(toy_world):
    with pytest.raises(BadWorld, match=r"no scenes in target/test; it has: source/train \(5\)"):
        toy_world.pool(split="test")
    with pytest.raises(BadWorld, match="no scene 'x' here; there are 6"):
        toy_world.pool().image("x")
    with pytest.raises(BadWorld, match="has no class 'bus'; it has: ground, wall, car"):
        TOY.index("bus")
    with pytest.raises(BadWorld, match="classes that 'toy' does not have: bus"):
        toy_world.mapped_to(CAMVID, {"bus": "car"})


def test_class_tables_refuse_ambiguity():
    road = SceneClass(name="road", colour=(1, 2, 3), raw_ids=(7,))
    with pytest.raises(BadWorld, match="each name may stand once; twice: road"):
        ClassTable("t", (road, replace(road, raw_ids=(8,))))
    with pytest.raises(BadWorld, match="each raw id may stand once; twice: 7"):
        ClassTable("t", (road, replace(road, name="way")))
    with pytest.raises(BadWorld, match=r"raw ids \[7\] are both a class and void"):
        ClassTable("t", (road,), void_ids=(7,))
    with pytest.raises(BadWorld, match="Map it first"):
        CITYSCAPES.require_same_labels(CAMVID, what="the synthetic world")
    assert ClassTable.from_json(json.loads(json.dumps(CITYSCAPES.to_json()))) == CITYSCAPES
    assert set(CITYSCAPES_TO_CAMVID) == set(CITYSCAPES.names) and set(CITYSCAPES_TO_CAMVID.values()) == set(
        CAMVID.names
    )


def test_reading_a_scene_does_not_parse_the_shard(tmp_path, monkeypatch):
    world = write_toy(tmp_path / "w", target_train=40, shard_bytes=10**9)
    pool = world.pool()
    pool.image(pool.scenes()[0])  # the mirror is made here

    def parse(*_, **__):
        raise AssertionError("a shard was parsed for one sample")

    monkeypatch.setattr(pq, "read_table", parse)
    for scene in pool.scenes():
        assert pool.image(scene).shape == (24, 32, 3)
