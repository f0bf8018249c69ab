"""Worlds and descriptions from anywhere: names that are paths or markup, impossible numbers, files that are none."""

import io
import json
import os
import shutil
import time
from dataclasses import replace

import cv2
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import yaml
from PIL import Image
from pydantic import ValidationError
from test_world_import import make_dataset
from toyworld import TOY, toy_scene, write_toy

from segfrontier.errors import BadWorld
from segfrontier.scenes import codec, mirror
from segfrontier.scenes.classes import CAMVID, CITYSCAPES, ClassTable, SceneClass
from segfrontier.scenes.files import digest
from segfrontier.scenes.folders import FolderSpec, pair
from segfrontier.scenes.importing import import_folders
from segfrontier.scenes.inspection import inspect_world
from segfrontier.scenes.manifest import MANIFEST, WorldManifest
from segfrontier.scenes.names import is_class_name, is_plain
from segfrontier.scenes.published import PUBLISHED
from segfrontier.scenes.world import World
from segfrontier.scenes.writer import WorldWriter

BAD_NAMES = ("../../x", "a/b", "", ".", "..", ".x", "-x", "a\0b", "a\nb", "[/x]", "[bold]", "x" * 201, "x ", "\u202ex")


@pytest.fixture(scope="module")
def plain(tmp_path_factory):
    world = write_toy(tmp_path_factory.mktemp("plain") / "w", target_train=2)
    return world.manifest.to_bytes()


def changed(data, *path_and_value):
    *path, last, value = path_and_value
    tree = json.loads(data)
    place = tree
    for step in path:
        place = place[step]
    place[last] = value
    return json.dumps(tree).encode()


def test_what_exists_has_names_that_are_allowed():
    assert all(is_plain(name) for name in (*PUBLISHED, "my-city", "street", "train_extra", "Ciudad de México"))
    for table in (CITYSCAPES, CAMVID, TOY):
        assert all(map(is_class_name, table.names))
    for name in ("traffic light", "object--vehicle--car", "car/truck", "building, edifice", "wall (brick)", "Straße"):
        assert is_class_name(name)


@pytest.mark.parametrize("name", BAD_NAMES)
def test_names_of_worlds_splits_and_shards_are_no_paths_and_no_markup(tmp_path, plain, name):
    for place in (("name",), ("classes", "name"), ("shards", 0, "name"), ("shards", 0, "split")):
        with pytest.raises(BadWorld, match="a name has letters|must be"):
            WorldManifest.from_bytes(changed(plain, *place, name), where="here")
    with pytest.raises(BadWorld, match="name has letters"):
        WorldWriter(tmp_path / "w", name=name, classes=TOY)
    with WorldWriter(tmp_path / "w", name="w", classes=TOY) as out:
        with pytest.raises(BadWorld, match="a split"):
            out.add(replace(toy_scene(0), split=name))
        out.add(toy_scene(0))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (("shards", 0, "rows", -1), "rows"),
        (("shards", 0, "rows", 0), "rows"),
        (("shards", 0, "rows", 10**30), "rows"),
        (("shards", 0, "rows", "many"), "rows"),
        (("shards", 0, "image_bytes", -1), "image_bytes"),
        (("shards", 0, "image_digest", "../x"), "image_digest"),
        (("shards", 0, "domain", "elsewhere"), "domain"),
        (("shards", []), "shards"),
        (("shards", "none"), "shards"),
        (("shards", 0, "more", 1), "more"),
        (("digest", 7), "digest"),
        (("notes", "skipped", 7), "skipped"),
        (("origin", []), "origin"),
        (("classes", []), "classes"),
        (("classes", "classes", []), "needs 1 to 255 classes"),
        (("classes", "classes", 0, "colour", [0, 0, 256]), "from 0 to 255"),
        (("classes", "classes", 0, "colour", [0, -1, 0]), "from 0 to 255"),
        (("classes", "classes", 0, "colour", [0, 0]), "colour"),
        (("classes", "classes", 0, "colour", "red"), "colour"),
        (("classes", "classes", 0, "name", "[/x]"), "a class name has printable"),
        (("classes", "classes", 0, "name", "a\tb"), "a class name has printable"),
        (("classes", "classes", 0, "name", ""), "a class name has printable"),
        (("classes", "classes", 0, "name", "car"), "each name may stand once"),
        (("classes", "classes", 0, "raw_ids", [10**40]), "raw_ids"),
        (("format", "[/x]\n"), r"found '\[/x\]\\n'"),
        (("version", 10**6), "found segfrontier-world version 1000000"),
        (("version", [1]), "version"),
    ],
)
def test_a_manifest_with_impossible_values_is_refused(plain, change, message):
    with pytest.raises(BadWorld, match=message) as told:
        WorldManifest.from_bytes(changed(plain, *change), where="here")
    assert (
        str(told.value).startswith("here: ")
        and len(str(told.value)) < 1000
        and str(told.value).replace("\n", " ").isprintable()
    )


@pytest.mark.parametrize("data", [b"", b"[]", b"7", b"null", b"\xff\xfe", b"{", b"[" * 100_000, b'{"format": NaN}'])
def test_what_is_no_manifest_is_refused(data):
    with pytest.raises(BadWorld, match="here: "):
        WorldManifest.from_bytes(data, where="here")


def test_too_many_classes_and_a_shard_twice(plain):
    classes = [{"name": f"c{i}", "colour": [0, 0, 0], "thing": False, "raw_ids": []} for i in range(256)]
    with pytest.raises(BadWorld, match="needs 1 to 255 classes; .* has 256"):
        WorldManifest.from_bytes(changed(plain, "classes", "classes", classes), where="here")
    twice = json.loads(plain)["shards"] * 2
    with pytest.raises(BadWorld, match="each shard may stand once"):
        WorldManifest.from_bytes(changed(plain, "shards", twice), where="here")


def test_many_raw_ids_are_checked_in_no_time():
    began = time.monotonic()
    with pytest.raises(BadWorld, match="each raw id may stand once; twice: 7"):
        ClassTable("t", (SceneClass(name="a", colour=(0, 0, 0), raw_ids=(*range(100_000), 7)),), void_ids=())
    assert time.monotonic() - began < 1


@pytest.mark.parametrize("place", ["pipe", "folder", "huge", "link loop", "none", "nul"])
def test_something_else_in_a_manifests_place_is_told_at_once(tmp_path, place):
    folder = tmp_path / "w"
    folder.mkdir()
    manifest = folder / MANIFEST
    if place == "pipe":
        os.mkfifo(manifest)
    elif place == "folder":
        manifest.mkdir()
    elif place == "huge":
        with manifest.open("wb") as file:
            file.truncate(10**12)
    elif place == "link loop":
        manifest.symlink_to(manifest)
    with pytest.raises(BadWorld, match="holds a"):
        World.open("a\0b" if place == "nul" else folder)
    with pytest.raises(BadWorld, match="holds a"):
        World.open("/etc/passwd")


def rewritten(world, split, **columns):
    """The world with other values in the first row of a split's truth, under digests that are right."""
    manifest = json.loads((world / MANIFEST).read_text())
    shard = next(s for s in manifest["shards"] if s["split"] == split)
    path = world / "truth" / shard["name"]
    rows = pq.read_table(path).to_pylist()
    schema = pq.read_schema(path)
    rows[0] |= columns
    rows[0]["digest"] = digest(b"\0".join(rows[0][c] or b"" for c in ("semantic", "instance", "coarse")))
    pq.write_table(pa.Table.from_pylist(rows, schema=schema), path, compression="none", use_dictionary=False)
    shard["truth_bytes"], shard["truth_digest"] = path.stat().st_size, digest(path.read_bytes())
    (world / MANIFEST).write_text(json.dumps(manifest))
    mirror.open_shard.cache_clear()
    return World.open(world)


def png(values):
    ok, data = cv2.imencode(".png", values)
    assert ok
    return data.tobytes()


@pytest.mark.parametrize(
    ("column", "values", "message"),
    [
        ("semantic", np.full((24, 32), 3, np.uint8), r"labels must be 0\.\.2 or 255; found \[3\]"),
        ("semantic", np.full((24, 32), 254, np.uint8), r"found \[254\]"),
        ("semantic", np.zeros((24, 32), np.uint16), "found .24, 32. uint16"),
        ("semantic", np.zeros((24, 30), np.uint8), "found .24, 30. uint8"),
        ("semantic", np.zeros((24, 32, 3), np.uint8), "does not decode"),
        ("semantic", None, "does not decode"),
        ("instance", np.zeros((2, 2), np.uint16), "the instance map must be"),
    ],
)
def test_maps_that_break_the_rules_are_named_by_inspection_and_refused_by_reading(tmp_path, column, values, message):
    write_toy(tmp_path / "w", target_train=3, target_val=2)
    world = rewritten(tmp_path / "w", "train", **{column: b"no image" if values is None else png(values)})
    read = world.truth().semantic if column == "semantic" else world.truth().instance
    with pytest.raises(BadWorld, match=message):
        read("target/train/000")
    report = inspect_world(world)
    assert len(report.undecodable) == 1 and report.undecodable[0].startswith("target/train:target/train/000: ")
    assert [s.scenes for s in report.splits] == [2, 2]


@pytest.mark.parametrize("shard", ["pipe", "folder", "text", "no column", "fewer rows"])
def test_a_shard_that_is_something_else_is_named(tmp_path, shard):
    world = write_toy(tmp_path / "w", target_train=3)
    path = next((tmp_path / "w" / "images").iterdir())
    size = path.stat().st_size
    if shard == "text":
        path.write_bytes(b"x" * size)
    elif shard in ("no column", "fewer rows"):
        table = pq.read_table(path)
        pq.write_table(table.drop_columns(["scene"]) if shard == "no column" else table.slice(1), path)
        plain = json.loads((tmp_path / "w" / MANIFEST).read_text())
        plain["shards"][0] |= {"image_bytes": path.stat().st_size, "image_digest": digest(path.read_bytes())}
        (tmp_path / "w" / MANIFEST).write_text(json.dumps(plain))
        world = World.open(tmp_path / "w")
    else:
        path.unlink()
        path.mkdir() if shard == "folder" else os.mkfifo(path)
    with pytest.raises(BadWorld, match=r"parquet: a shard must be the file"):
        world.pool().image("target/train/000")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"name": "../x"}, "name: a name has"),
        ({"splits": {"a/b": {"images": "{id}", "semantic": "{id}"}}}, r"splits\.a/b.* a name has"),
        ({"splits": {"a\0": {"images": "{id}", "semantic": "{id}"}}}, "a name has"),
        ({"splits": {"a": {"images": "/abs/{id}", "semantic": "{id}"}}}, "leads down from `root`"),
        ({"splits": {"a": {"images": "../{id}", "semantic": "{id}"}}}, "leads down from `root`"),
        ({"splits": {"a": {"images": "x/../../{id}", "semantic": "{id}"}}}, "leads down from `root`"),
        ({"splits": {"a": {"images": "**{id}", "semantic": "{id}"}}}, "not twice in a row"),
        ({"splits": {"a": {"images": "**/{id}", "semantic": "{id}"}}}, "not twice in a row"),
        ({"splits": {"a": {"images": "a\0{id}", "semantic": "{id}"}}}, "printable"),
        ({"splits": {"a": {"images": "x", "semantic": "{id}"}}}, r"contain \{id\}"),
        ({"splits": {"a": {"images": "{id}", "semantic": "{id}", "split": ".."}}}, "a name has"),
        ({"classes": [{"name": "[/x]", "colour": [1, 2, 3]}]}, "a class name has"),
        ({"classes": [{"name": "a", "colour": [1, 2]}]}, "colour"),
        ({"classes": [{"name": "a", "colour": "red"}]}, "colour"),
        ({"void": [10**30]}, "void"),
    ],
)
def test_a_description_says_what_is_wrong_with_it(tmp_path, change, message):
    path = make_dataset(tmp_path / "data")
    path.write_text(yaml.safe_dump(yaml.safe_load(path.read_text()) | change))
    with pytest.raises(BadWorld, match=message) as told:
        FolderSpec.load(path)
    assert str(told.value).replace("\n", " ").isprintable()


def test_templates_may_repeat_a_name_and_hold_brackets(tmp_path):
    root = tmp_path / "data"
    for folder, name in (("s0", "s0_x"), ("s1", "s1_x"), ("s1", "s2_x")):
        for kind in ("[img]", "gt"):
            (root / kind / folder).mkdir(parents=True, exist_ok=True)
            (root / kind / folder / f"{name}.png").write_bytes(b"")
    spec = FolderSpec.model_validate({
        "name": "m", "root": root, "encoding": "ids", "classes": [{"name": "a", "colour": [1, 2, 3]}],
        "splits": {"a": {"images": "[img]/{id}/{id}_x.*", "semantic": "gt/{id}/{id}_x.png"}},
    })  # fmt: skip
    assert [files.id for files in pair(spec).scenes] == ["a/s0", "a/s1"]
    with pytest.raises(ValidationError):
        FolderSpec.model_validate(spec.model_dump() | {"name": "/"})


def test_a_file_whose_name_cannot_be_printed_is_left_out_and_named(tmp_path):
    path = make_dataset(tmp_path / "data")
    for kind in ("images", "labels", "ids"):
        folder = tmp_path / "data" / kind / "train"
        (folder / "s1.png").rename(folder / os.fsdecode(b"s\xff.png"))
    world = import_folders(FolderSpec.load(path), tmp_path / "world", max_bad=0.5)
    assert world.splits()[("target", "train")] == 3
    assert world.manifest.notes.skipped[0].isprintable() and "must be printable" in world.manifest.notes.skipped[0]


def test_a_coloured_instance_file_is_named(tmp_path):
    path = make_dataset(tmp_path / "data")
    shutil.copy(tmp_path / "data" / "images" / "train" / "s1.png", tmp_path / "data" / "ids" / "train" / "s1.png")
    world = import_folders(FolderSpec.load(path), tmp_path / "world", max_bad=0.5)
    assert "ids/train/s1.png: an instance file has one channel" in world.manifest.notes.skipped[0]


@pytest.mark.parametrize("form", ["PNG", "JPEG", "WEBP"])
def test_a_stored_image_is_held_against_the_limit_by_its_header(form, monkeypatch):
    """Whoever wrote the world: a header that says more pixels than are allowed is not decoded."""
    data = io.BytesIO()
    Image.new("RGB", (9, 8)).save(data, form)
    monkeypatch.setattr(codec, "MAX_PIXELS", 72)
    assert codec.decode_image(data.getvalue()).shape == (8, 9, 3)
    monkeypatch.setattr(codec, "MAX_PIXELS", 71)
    monkeypatch.setattr(codec.cv2, "imdecode", lambda *_: pytest.fail("it was decoded"))
    with pytest.raises(codec.Undecodable, match="do not decode as an image"):
        codec.decode_image(data.getvalue())


def test_a_stored_map_is_held_against_the_limit_by_its_header(monkeypatch):
    data = codec.encode_map(np.zeros((8, 9), np.uint8))
    monkeypatch.setattr(codec, "MAX_PIXELS", 71)
    with pytest.raises(BadWorld, match="does not decode"):
        codec.decode_map(data)
