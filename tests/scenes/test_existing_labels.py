"""Boxes and image tags that were made elsewhere: what of the files comes into a world, and what is wrong with them."""

import dataclasses
import json

import numpy as np
import pyarrow.parquet as pq
import pytest
from mixedhere import coco, described, files, pool_with_boxes_and_tags
from toyworld import TOY, toy_scene, write_toy

from segfrontier.errors import BadWorld
from segfrontier.scenes.codec import encode_map
from segfrontier.scenes.exporting import export_world
from segfrontier.scenes.files import digest
from segfrontier.scenes.folders import FolderSpec
from segfrontier.scenes.importing import import_folders
from segfrontier.scenes.importing.existing import whole_boxes
from segfrontier.scenes.inspection import inspect_world
from segfrontier.scenes.manifest import TRUTH_SCHEMA
from segfrontier.scenes.world import World
from segfrontier.scenes.writer import WorldWriter, check_scene, pack

BOXES = {"boxes": {"file": "boxes.json", "seconds": 0}}
TAGS = {"tags": {"file": "tags.csv", "seconds": 1}}


@pytest.fixture
def root(tmp_path):
    for name in ("train/b0", "train/b1", "train/b2"):
        files(tmp_path / "data", name, None)
    files(tmp_path / "data", "val/v0", "gt")
    return tmp_path / "data"


def imported(root, existing, **changes):
    spec = described(root, unlabelled=True, existing=existing, **({"semantic": None} | changes))
    return import_folders(spec, root.parent / "world", max_bad=0.5)


def boxes_of(root, boxes, *, images=("b0.png", "b1.png", "b2.png"), existing=BOXES, **more):
    coco(root, images, boxes, **more)
    return imported(root, existing)


def tags_of(root, *lines, existing=TAGS):
    (root / "tags.csv").write_text("\n".join(("image,tag", *lines)) + "\n")
    return imported(root, existing)


# ---------------------------------------------------------------------------------------------------- what comes in


def test_they_are_labels_of_scenes_that_have_no_masks(tmp_path):
    world = import_folders(pool_with_boxes_and_tags(tmp_path / "data"), tmp_path / "world")
    truth = world.truth()
    assert {kind for kind in ("fine", "coarse", "point", "box", "tag") if truth.has("train/b1", kind)} == {"box", "tag"}
    np.testing.assert_array_equal(truth.existing("train/b1", "box"), [[6, 10, 13, 16, 2, 0], [18, 10, 26, 16, 2, 0]])
    np.testing.assert_array_equal(truth.existing("train/b1", "tag"), [[0, 0], [0, 1], [0, 2]])
    assert {kind: float(seconds) for kind, seconds in truth.stated.items()} == {"box": 0, "tag": 0.5}
    assert world.truth(split="val").existing("val/v0", "box") is None
    assert world.manifest.notes.remarks == (), "all scenes have labels"
    report = inspect_world(world)
    train, val = report.splits
    assert (train.with_boxes, train.existing_boxes, train.with_tags, train.existing_tags) == (4, 8, 4, 12)
    assert (val.with_boxes, val.existing_boxes) == (0, 0) and report.existing == {"box": 0, "tag": 0.5}


def test_what_they_say_and_what_they_took_is_in_the_worlds_digest(tmp_path):
    digests = {
        import_folders(pool_with_boxes_and_tags(tmp_path / f"d{n}", **given), tmp_path / f"w{n}").digest
        for n, given in enumerate(({}, {"boxes": 0.001}, {"tags": 0}, {}))
    }
    assert len(digests) == 3
    spec = pool_with_boxes_and_tags(tmp_path / "moved")
    coco(tmp_path / "moved", ["b0.png"], [(0, 1, 1, 4, 4)])
    assert import_folders(spec, tmp_path / "other").digest not in digests


def test_a_world_without_them_is_what_it_was(tmp_path):
    """Its digest is made as it was before there were any: users see it, and the keys of their cells hang on it."""
    world = write_toy(tmp_path / "toy", target_train=2, target_val=1)
    content = ""
    for number, split in enumerate(("train", "train", "val")):
        scene = toy_scene(number, split=split)
        maps = (encode_map(scene.semantic), encode_map(scene.instance), b"")
        content += f"{scene.id}:{digest(scene.image)}{digest(bytes(1).join(maps))};"
    assert world.manifest.digest == digest(f"{content}{TOY.digest}".encode())
    assert "existing" not in json.loads((tmp_path / "toy/world.json").read_text())
    assert pq.read_schema(next((tmp_path / "toy/truth").iterdir())).names == TRUTH_SCHEMA.names


def test_they_stand_beside_fine_masks(tmp_path):
    truth = import_folders(pool_with_boxes_and_tags(tmp_path / "d", fine=("b0",)), tmp_path / "world").truth()
    assert truth.is_fine("train/b0") and len(truth.existing("train/b0", "box")) == 2
    assert not truth.is_fine("train/b1")


def test_an_image_that_a_file_does_not_list_has_none_and_one_without_boxes_has_no_objects(root):
    truth = boxes_of(root, [(0, 1, 2, 3, 4)], images=("b0.png", "b1.png")).truth()
    assert truth.existing("train/b1", "box").shape == (0, 6) and truth.has("train/b1", "box")
    assert truth.existing("train/b2", "box") is None and not truth.has("train/b2", "box")


def test_an_image_without_a_tag_was_looked_at(root):
    truth = tags_of(root, "b0.png,wall", "b1.png,").truth()
    assert truth.existing("train/b1", "tag").shape == (0, 2) and truth.has("train/b1", "tag")
    assert not truth.has("train/b2", "tag")


def test_names_in_the_file_may_mean_other_classes_or_none(root):
    existing = {"boxes": {"file": "boxes.json", "seconds": 2, "names": {"van": "car", "dog": None}}}
    boxes = [(0, 1, 1, 5, 5, {"category": "van"}), (0, 3, 3, 5, 5, {"category": "dog"}), (1, 3, 3, 5, 5)]
    truth = boxes_of(root, boxes, categories=("van", "dog", "car"), existing=existing).truth()
    assert truth.existing("train/b0", "box").tolist() == [[1, 1, 6, 6, 2, 0]]
    assert truth.existing("train/b1", "box").tolist() == [[3, 3, 8, 8, 2, 0]]


def test_outlines_are_not_read_and_that_is_said(root):
    world = boxes_of(root, [(0, 1, 1, 5, 5, {"segmentation": [[1, 1, 6, 1, 6, 6]]}), (1, 1, 1, 5, 5)])
    assert any("the outlines of 1 objects are not read" in line for line in world.manifest.notes.remarks)


def test_an_export_keeps_them(tmp_path):
    world = import_folders(pool_with_boxes_and_tags(tmp_path / "data", fine=("b2",)), tmp_path / "world")
    export_world(world, tmp_path / "out")
    again = import_folders(FolderSpec.load(tmp_path / "out/world.yaml"), tmp_path / "again", max_bad=0)
    assert again.digest == world.digest and again.manifest.notes.labels_without_images == ()
    done = export_world(world, tmp_path / "coco", form="coco-panoptic")
    assert "boxes and tags that exist already have no place in this form; `--to folders` keeps them" in done.remarks


def test_an_import_that_was_killed_goes_on_only_with_the_same_labels(tmp_path, monkeypatch):
    from segfrontier.scenes.importing import described as importer

    keys = []
    monkeypatch.setattr(
        importer, "import_source", lambda source, *_, **__: keys.append((source.state, source.existing))
    )
    spec = pool_with_boxes_and_tags(tmp_path)
    import_folders(spec, tmp_path / "w")
    (tmp_path / "tags.csv").write_text("image,tag\nb0.png,wall\n")
    import_folders(spec, tmp_path / "w")
    assert keys[0][1] == keys[1][1] and len({"", keys[0][0], keys[1][0]}) == 3


# ---------------------------------------------------------------------------------------------------- boxes


@pytest.mark.parametrize(
    ("box", "whole"),
    [
        ((1.2, 2.0, 3.0, 4.0), (1, 2, 5, 6)),
        ((3.000001, 2, 3, 4), (3, 2, 6, 6)),  # the 10th of a thousandth is no pixel
        ((-4, -4, 6, 5), (0, 0, 2, 1)),
        ((30, 20, 10, 10), (30, 20, 32, 24)),
    ],
)
def test_boxes_are_the_least_whole_pixels_that_hold_them(box, whole):
    rows, _ = whole_boxes([(*box, 2, 1)], (24, 32))
    assert rows.tolist() == [[*whole, 2, 1]] and rows.dtype == np.int32


@pytest.mark.parametrize("box", [(1, 1, 0, 5), (1, 1, 5, -1), (32, 1, 5, 5), (-9, 1, 9, 5), (1, 24, 3, 3)])
def test_a_box_without_area_in_the_image_is_left_out_and_said(root, box):
    world = boxes_of(root, [(0, *box), (0, 30, 1, 5, 5)])
    assert world.truth().existing("train/b0", "box").tolist() == [[30, 1, 32, 6, 2, 0]]
    told = [line.partition("b0.png: ")[2] for line in world.manifest.notes.remarks if "b0.png" in line]
    assert sorted(told) == ["1 boxes have no area in the image, and are left out",
                            "1 boxes reach out of the image, and are cut off at its edges"]  # fmt: skip


def test_crowds_are_groups(root):
    truth = boxes_of(root, [(0, 1, 1, 5, 5, {"iscrowd": 1}), (0, 9, 9, 2, 2, {"iscrowd": 0})]).truth()
    assert truth.existing("train/b0", "box")[:, 5].tolist() == [1, 0]


def test_the_same_box_twice_is_one_and_said(root):
    world = boxes_of(root, [(0, 1, 1, 5, 5), (0, 1, 1, 5, 5), (0, 1, 1, 5, 6)])
    assert len(world.truth().existing("train/b0", "box")) == 2
    assert any("1 boxes stand there a second time, and count once" in line for line in world.manifest.notes.remarks)


def test_images_that_are_not_there_are_counted_and_named(root):
    notes = boxes_of(root, [(0, 1, 1, 5, 5)], images=("b0.png", "gone/c7.png")).manifest.notes
    assert [line.rpartition("/data/")[2] for line in notes.labels_without_images] == [
        "boxes.json: names gone/c7.png, which is not there"
    ]


def test_images_that_are_scored_on_keep_none(root):
    world = boxes_of(root, [(0, 1, 1, 5, 5), (1, 1, 1, 5, 5)], images=("b0.png", "v0.png"))
    assert world.truth(split="val").existing("val/v0", "box") is None
    assert any("1 of its images are no scenes of target/train" in line for line in world.manifest.notes.remarks)


def test_boxes_of_an_image_of_another_size_leave_it_out(root):
    world = boxes_of(root, [(0, 1, 1, 5, 5)], images=("b0.png",), height=48, width=64)
    assert "train/b0" not in world.pool().scenes()
    (line,) = world.manifest.notes.size_mismatches
    assert "its boxes must be of an image of 32x24; their file says 64x48" in line


def no_class(root):
    boxes_of(root, [(0, 1, 1, 5, 5, {"category": "bus"})], categories=("bus", "car"))


def stuff(root):
    boxes_of(root, [(0, 1, 1, 5, 5, {"category": "wall"})], categories=("wall",))


def twice(root):
    boxes_of(root, [], images=("b0.png", "b0.png"))


def two_names(root):
    boxes_of(root, [], images=("b0.png", "train/b0.png"))


def none_there(root):
    boxes_of(root, [], images=("x.png", "y.png"))


def broken(root):
    (root / "boxes.json").write_text('{"images": [')
    imported(root, BOXES)


def another_json(root):
    (root / "boxes.json").write_text('{"images": [], "categories": []}')
    imported(root, BOXES)


def no_number(root):
    boxes_of(root, [(0, 1, "2", 3, 4)])


def three_numbers(root):
    boxes_of(root, [(0, 1, 3, 4)])


def odd_crowd(root):
    boxes_of(root, [(0, 1, 1, 3, 4, {"iscrowd": 2})])


def no_image(root):
    boxes_of(root, [(9, 1, 1, 3, 4)])


def no_file(root):
    imported(root, BOXES)


@pytest.mark.parametrize(
    ("wrong", "told"),
    [
        (no_class, r"each category must be a class of the world; unknown: 'bus' \(1 boxes\).*`names: \{bus: null\}`"),
        (
            stuff,
            r"boxes must be of classes that can be counted; 'wall' is none \(1 boxes\). Mark the class `thing: true`",
        ),
        (twice, r"each image must stand there once; 1 do not, e.g. 'b0.png'"),
        (two_names, r"'train/b0.png' is not: .*b0.png is named twice"),
        (none_there, r"must name images of this data set; none of its 2 is there, e.g. 'x.png'"),
        (broken, r"boxes.json"),
        (another_json, r"must list `images` .* as COCO's instance files do; it does not \(KeyError: 'annotations'\)"),
        (no_number, r"annotations.0.bbox must be \[x, y, width, height\] in pixels; found \[1, '2', 3, 4\]"),
        (three_numbers, r"annotations.0.bbox must be .* found \[1, 3, 4\]"),
        (odd_crowd, r"iscrowd is 0 or 1, not 2"),
        (no_image, r"as COCO's instance files do; it does not \(KeyError: 9\)"),
        (no_file, r"boxes.json"),
    ],
)
def test_a_wrong_file_of_boxes_is_refused(root, wrong, told):
    with pytest.raises(BadWorld, match=told):
        wrong(root)
    assert not (root.parent / "world").exists()


def test_two_images_of_one_name_need_their_paths(root):
    for name in ("train/a/b0", "train/c/b0"):
        files(root, name, None)
    changes = {"images": "img/train/{part}/{id}.png"}
    coco(root, ("b0.png",), [(0, 1, 1, 5, 5)])
    with pytest.raises(
        BadWorld, match=r"each name must be that of one image; 'b0.png' is not: .*/a/b0.png and .*/c/b0"
    ):
        imported(root, BOXES, **changes)
    coco(root, ("c/b0.png",), [(0, 1, 1, 5, 5)])
    truth = imported(root, BOXES, **changes).truth()
    assert truth.has("train/b0/c", "box") and not truth.has("train/b0/a", "box")


# ---------------------------------------------------------------------------------------------------- tags


def test_a_row_twice_is_one_tag_and_said(root):
    world = tags_of(root, "b0.png,wall", "b0.png, wall", "train/b1.png,car")
    assert world.truth().existing("train/b0", "tag").tolist() == [[0, 1]]
    assert any("1 tags stand there a second time, and count once" in line for line in world.manifest.notes.remarks)


@pytest.mark.parametrize(
    ("lines", "told"),
    [
        (["b0.png,wal"], r"each tag must be a class of the world; unknown: 'wal' \(1 tags\) \(did you mean 'wall'"),
        (["b0.png,wall,car"], r"row 2 must be an image and a tag; found 'b0.png,wall,car'"),
        (["b0.png,wall", ",car"], r"row 3 must be an image and a tag"),
        (["c9.png,wall"], r"none of its 1 is there, e.g. 'c9.png'"),
        (['"b0.png,wall'], r"must be a table with commas"),
    ],
)
def test_a_wrong_table_of_tags_is_refused(root, lines, told):
    with pytest.raises(BadWorld, match=told):
        tags_of(root, *lines)


@pytest.mark.parametrize("text", ["", "file,tag\nb0.png,wall\n", "image;tag\n"])
def test_a_table_begins_with_its_columns(root, text):
    (root / "tags.csv").write_text(text)
    with pytest.raises(BadWorld, match="must begin with the line `image,tag`; found"):
        imported(root, TAGS)


# ---------------------------------------------------------------------------------------------------- what is stated


@pytest.mark.parametrize(
    ("existing", "told"),
    [
        ({"boxs": {}}, "existing.boxs: did you mean 'boxes'"),
        ({"boxes": {"file": "x.json"}}, "existing.boxes.seconds: must be given"),
        ({"boxes": {"file": "x.json", "seconds": -1}}, "existing.boxes.seconds"),
        ({"boxes": {"file": "x.json", "seconds": 0.0001}}, "existing.boxes.seconds"),
        ({"tags": {"file": "../x.csv", "seconds": 0}}, "a path leads down from `root`"),
        ({"boxes": {"file": "x.json", "seconds": 0, "names": {"bus": "cra"}}}, "'cra' is none .did you mean 'car'"),
    ],
)
def test_a_wrong_description_is_refused(tmp_path, existing, told):
    (tmp_path / "img").mkdir()
    with pytest.raises(BadWorld, match=told):
        described(tmp_path, existing=existing)


@pytest.mark.parametrize(
    ("labels", "told"),
    [
        ({"boxes": [[1, 1, 5, 5, 0, 0]]}, "be of countable classes of the world; found the labels .0."),
        ({"boxes": [[1, 1, 1, 5, 2, 0]]}, "lie in the image of 32 x 24; found .1, 1, 1, 5."),
        ({"boxes": [[1, 1, 33, 5, 2, 0]]}, "lie in the image"),
        ({"boxes": [[1, 1, 3, 5, 2, 2]]}, "be of an object"),
        ({"tags": [[1, 0]]}, "be of the whole image"),
        ({"tags": [[0, 3]]}, "be of classes of the world"),
        ({"tags": [[0, 1], [0, 1]]}, "each once"),
        ({"tags": [[0]]}, "have the columns crop, label"),
    ],
)
def test_no_world_holds_what_breaks_the_rules(labels, told):
    scene = dataclasses.replace(toy_scene(1), **{name: np.array(rows, np.int32) for name, rows in labels.items()})
    with pytest.raises(BadWorld, match=told):
        pack(scene, TOY)
    check_scene(scene, TOY)


def test_a_world_that_states_no_seconds_takes_none(tmp_path):
    scene = dataclasses.replace(toy_scene(1), tags=np.array([[0, 1]], np.int32))
    told = pytest.raises(BadWorld, match="labels that exist need a world that says what each took")
    with told, WorldWriter(tmp_path / "w", name="w", classes=TOY) as out:
        out.add(scene)


def test_in_another_class_table_classes_that_it_lacks_are_gone(tmp_path):
    spec = pool_with_boxes_and_tags(tmp_path / "data")
    world = import_folders(spec, tmp_path / "world")
    fewer = dataclasses.replace(TOY, classes=TOY.classes[1:2])
    truth = World.open(world.uri).mapped_to(fewer, {"wall": "wall"}).truth()
    assert truth.existing("train/b0", "box").shape == (0, 6)
    assert truth.existing("train/b0", "tag").tolist() == [[0, 0]]
