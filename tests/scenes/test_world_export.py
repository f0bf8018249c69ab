"""Exports are read again, bit by bit: as folders by their own YAML, as COCO by the adapter of COCO."""

import json
from dataclasses import replace

import cv2
import numpy as np
import pytest
from officialhere import listing, photo
from PIL import Image
from toyworld import TOY, toy_scene, write_toy

from segfrontier.errors import BadInput, BadWorld
from segfrontier.scenes.classes import CITYSCAPES
from segfrontier.scenes.codec import encode_image
from segfrontier.scenes.exporting import engine, export_world, open_label_set
from segfrontier.scenes.exporting.panoptic import segments
from segfrontier.scenes.exporting.places import flat_names, grouped
from segfrontier.scenes.folders import FolderSpec
from segfrontier.scenes.importing import import_dataset, import_folders
from segfrontier.scenes.known import SceneLabels
from segfrontier.scenes.labels import LabelRow, write_labels
from segfrontier.scenes.raw import components
from segfrontier.scenes.world import World
from segfrontier.scenes.writer import WorldWriter


def jpg(scene):
    return replace(scene, image=photo(3, size=(24, 32), form="JPEG"))


def write_odd(folder):
    """Both domains, jpg beside png, names with blanks and umlauts, ids of several depths, numbers with gaps, none."""
    gaps = toy_scene(5)
    scenes = [
        replace(toy_scene(1), id="train/Straße 7/bild eins"),
        replace(jpg(toy_scene(2)), id="train/Straße 7/a.b"),
        replace(gaps, id="train/tief/er/{id}*", instance=(gaps.instance * 300).astype(np.uint16)),
        replace(toy_scene(3, coarse=True), id="flach"),
        replace(toy_scene(4, coarse=True), id="nur grob", semantic=None, instance=None),
        replace(toy_scene(6), id="train/ohne", instance=None),
        replace(toy_scene(10), id="train/kahl", semantic=None, instance=None),
        replace(jpg(toy_scene(7, split="val")), id="train/unten", split="val"),
        replace(toy_scene(8), id="neu & alt/8", split="mehr Bilder"),
        replace(toy_scene(9), id="synth/9", domain="source", split="train"),
    ]
    with WorldWriter(folder, name="ödes Land", classes=TOY) as out:
        for scene in scenes:
            out.add(scene)
    return World.open(folder)


def again(world, tmp_path):
    export_world(world, tmp_path / "out folder")
    return import_folders(FolderSpec.load(tmp_path / "out folder/world.yaml"), tmp_path / "again", max_bad=0)


def require_same(world, other):
    assert other.splits() == world.splits()
    for domain, split in world.splits():
        pools = [w.pool(domain=domain, split=split) for w in (world, other)]
        truths = [w.truth(domain=domain, split=split) for w in (world, other)]
        assert sorted(pools[0].scenes()) == sorted(pools[1].scenes())
        for scene in pools[0].scenes():
            assert pools[0].encoded(scene) == pools[1].encoded(scene)
            assert truths[0].is_fine(scene) == truths[1].is_fine(scene)
            for kind in ("semantic", "instance", "coarse"):
                maps = [getattr(t, kind)(scene) if kind != "semantic" or t.is_fine(scene) else None for t in truths]
                np.testing.assert_equal(maps[0], maps[1])


def test_folders_import_again_as_the_same_world(tmp_path):
    world = write_odd(tmp_path / "world")
    other = again(world, tmp_path)
    require_same(world, other)
    assert other.digest == world.digest, "ids, image bytes, maps and classes are the same"
    plain = [[(c.name, c.colour, c.thing) for c in w.classes.classes] for w in (world, other)]
    assert plain[0] == plain[1] and other.name == "ödes Land" and not other.manifest.components
    assert not any(len(lines) for lines in (other.manifest.notes.skipped, other.manifest.notes.labels_without_images))


def test_components_are_found_again(tmp_path):
    with WorldWriter(tmp_path / "world", name="toy", classes=TOY, components=True) as out:
        for number in range(2):
            scene = toy_scene(number)
            out.add(replace(scene, instance=components(scene.semantic, TOY)))
    other = again(World.open(tmp_path / "world"), tmp_path)
    assert other.manifest.components and other.digest == World.open(tmp_path / "world").digest
    assert not (tmp_path / "out folder/instances").exists()


def test_instances_that_are_no_components_are_not_lost(tmp_path):
    with WorldWriter(tmp_path / "world", name="toy", classes=TOY, components=True) as out:
        scene = toy_scene(0)
        out.add(replace(scene, instance=np.minimum(scene.instance, 1)))
    with pytest.raises(BadInput, match="connected components"):
        export_world(World.open(tmp_path / "world"), tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_a_label_file_shows_its_classes_in_their_colours(tmp_path):
    world = write_toy(tmp_path / "world", target_train=1, target_val=1)
    export_world(world, tmp_path / "out")
    (path,) = (tmp_path / "out/labels/train").glob("*.png")
    image = Image.open(path)
    truth = world.truth().semantic("target/train/000")
    np.testing.assert_array_equal(np.asarray(image), truth)
    np.testing.assert_array_equal(np.asarray(image.convert("RGB")), TOY.palette[truth])
    np.testing.assert_array_equal(cv2.imread(str(path))[..., ::-1], TOY.palette[truth])


def write_pairs(folder, *, png=True):
    """Scenes as COCO names them, with a crowd: pixels of a thing without a number."""
    scenes = []
    for number, split in enumerate(("train", "train", "val")):
        scene = toy_scene(number, split=split)
        crowd = np.where(scene.instance == 1, 0, scene.instance) if number == 1 else scene.instance
        ids = (crowd > 0).astype(np.uint16) if number == 1 else crowd
        scenes.append(replace(scene, id=f"{split}/{number:012d}", instance=ids))
    if not png:
        scenes = [jpg(scene) for scene in scenes]
    scenes[0] = jpg(scenes[0])
    with WorldWriter(folder, name="coco", classes=TOY) as out:
        for scene in scenes:
            out.add(scene)
    return World.open(folder)


def test_coco_panoptic_is_read_again_by_its_adapter(tmp_path):
    world = write_pairs(tmp_path / "world")
    done = export_world(world, tmp_path / "out", form="coco-panoptic")
    other = import_dataset("coco", tmp_path / "out", tmp_path / "again", max_bad=0)
    require_same(world, other)
    assert done.remarks == () and other.digest == world.digest and not other.manifest.notes.remarks
    rows = json.loads((tmp_path / "out/annotations/panoptic_train2017.json").read_text())
    for annotation in rows["annotations"]:
        png = cv2.imread(str(tmp_path / "out/annotations/panoptic_train2017" / annotation["file_name"]))[..., ::-1]
        numbers = png.astype(int) @ (1, 256, 65536)
        for row in annotation["segments_info"]:
            y, x = np.nonzero(numbers == row["id"])
            assert row["area"] == len(y)
            assert row["bbox"] == [x.min(), y.min(), np.ptp(x) + 1, np.ptp(y) + 1]
    crowds = [[r["iscrowd"] for r in a["segments_info"]].count(1) for a in rows["annotations"]]
    assert crowds == [0, 1]


def test_segments_are_those_that_a_slow_count_finds():
    rng = np.random.default_rng(0)
    semantic = rng.choice([0, 1, 2, 255], (20, 30)).astype(np.uint8)
    instance = np.where(semantic == 2, rng.integers(0, 900, (20, 30)), 0).astype(np.uint16)
    numbers, rows = segments(semantic, instance, TOY)
    assert (numbers == 0).sum() == (semantic == 255).sum() and numbers.max() == len(rows)
    for row in rows:
        inside = numbers == row["id"]
        assert set(semantic[inside]) == {row["category_id"] - 1}
        assert len(set(instance[inside])) == 1 and row["area"] == inside.sum()
        whole = (semantic == row["category_id"] - 1) & (instance == instance[inside][0])
        np.testing.assert_array_equal(whole, inside)
        assert row["iscrowd"] == (row["category_id"] == 3 and instance[inside][0] == 0)
    full, one = segments(np.full((2, 2), 255, np.uint8), None, TOY)
    assert not full.any() and one == []


def test_coco_says_what_is_not_in_it(tmp_path):
    world = write_odd(tmp_path / "world")
    done = export_world(world, tmp_path / "out", form="coco-panoptic")
    assert done.left_out == 2 and done.scenes == 8, "coarse labels alone, and none"
    assert any("1 scenes have no instances" in line for line in done.remarks)
    assert {p.name for p in (tmp_path / "out").iterdir()} == {"source", "target"}


def pseudo(world, folder):
    """Labels of two of the training scenes, one with instances, which a rule put on stuff, too."""
    scenes = world.truth().scenes()[:2]
    maps = [np.roll(world.truth().semantic(s), 3, axis=1) for s in scenes]
    rows = [
        LabelRow.of(scenes[0], SceneLabels(size=maps[0].shape, semantic=maps[0], points=np.array([[5, 6, 2]], "i4"))),
        LabelRow.of(scenes[1], SceneLabels(size=maps[1].shape, semantic=maps[1], instance=np.full((24, 32), 7, "u2"))),
    ]
    maps[0] = maps[0].copy()
    maps[0][6, 5] = 2
    return write_labels(folder, kind="pseudo", classes=TOY, rows=rows), dict(zip(scenes, maps, strict=True))


def test_a_label_set_leaves_with_its_images_and_without_the_truth(tmp_path):
    world = write_toy(tmp_path / "world")
    labels, maps = pseudo(world, tmp_path / "stage")
    found = open_label_set(tmp_path / "stage", world.classes)
    assert (found.digest, found.count, found.kind) == (labels.digest, 2, "pseudo")
    done = export_world(world, tmp_path / "out", labels=found)
    assert (done.scenes, done.left_out) == (2, 12)
    other = import_folders(FolderSpec.load(tmp_path / "out/world.yaml"), tmp_path / "again")
    assert other.splits() == {("target", "train"): 2}
    for scene, labelled in maps.items():
        np.testing.assert_array_equal(other.truth().semantic(scene), labelled)
    last = list(maps)[1]
    np.testing.assert_array_equal(other.truth().instance(last), np.where(maps[last] == 2, 7, 0))


def test_coarse_labels_and_points_leave_as_they_are(tmp_path):
    world = write_toy(tmp_path / "world", coarse=True, target_train=2, target_val=1)
    scene = world.truth().scenes()[0]
    coarse = write_labels(
        tmp_path / "c", kind="coarse", classes=TOY, rows=[LabelRow(scene, 24, 32, map=world.truth().coarse(scene))]
    )
    export_world(world, tmp_path / "coarse", labels=coarse)
    other = import_folders(FolderSpec.load(tmp_path / "coarse/world.yaml"), tmp_path / "again")
    np.testing.assert_array_equal(other.truth().coarse(scene), world.truth().coarse(scene))
    assert not other.truth().is_fine(scene)
    points = write_labels(
        tmp_path / "p", kind="points", classes=TOY, rows=[LabelRow(scene, 24, 32, values=np.array([[3, 4, 1]], "i4"))]
    )
    export_world(world, tmp_path / "points", labels=points)
    image = np.asarray(Image.open(next((tmp_path / "points/labels").rglob("*.png"))))
    assert image[4, 3] == 1 and (image != 255).sum() == 1


def test_wrong_label_sets_are_refused(tmp_path):
    world = write_toy(tmp_path / "world")
    labels, _ = pseudo(world, tmp_path / "stage")
    with pytest.raises(BadInput, match="not what its name says"):
        open_label_set(labels.path, CITYSCAPES)
    with pytest.raises(BadInput, match="must hold one label set.*found 0"):
        open_label_set(tmp_path / "world", TOY)
    with pytest.raises(BadInput, match="KIND-DIGEST"):
        open_label_set(tmp_path / "nowhere.arrow", TOY)
    few = write_toy(tmp_path / "few", target_train=1, target_val=1)
    with pytest.raises(BadInput, match="2 of its 2 are not, e.g. 'target/train/005'"):
        export_world(few, tmp_path / "out", labels=labels)
    tags = write_labels(tmp_path / "t", kind="tags", classes=TOY, rows=[])
    with pytest.raises(BadInput, match="tags do not"):
        export_world(world, tmp_path / "out", labels=tags)


def test_nothing_that_is_there_is_touched(tmp_path):
    world = write_toy(tmp_path / "world")
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine/file").write_text("mine")
    before = listing(tmp_path)
    for place, says in (
        ("mine", "'file'"), ("mine/file", "a file is there"), ("world/new", "apart from the world"),
        ("s3://bucket/x", "of this machine"), ("mine/file/new", "cannot"), ("a\0b", "cannot"),
    ):  # fmt: skip
        with pytest.raises(BadInput, match=says):
            export_world(world, place if "://" in place else f"{tmp_path}/{place}")
    assert listing(tmp_path) == before


def test_what_breaks_leaves_nothing_and_a_dead_draft_goes(tmp_path, monkeypatch):
    world = write_toy(tmp_path / "world")
    (tmp_path / ".out.0123456789ab.part/content").mkdir(parents=True)
    (tmp_path / ".out.0123456789ab.part/lock").touch()
    (tmp_path / "out").mkdir()  # empty: taken
    calls = []

    def step(done, total):
        calls.append((done, total))
        if done == 3 and len(calls) == 3:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        export_world(world, tmp_path / "out", progress=step)
    assert sorted(p.name for p in tmp_path.iterdir()) == ["out", "world"] and not any((tmp_path / "out").iterdir())
    assert export_world(world, tmp_path / "out", progress=step).scenes == 14 and calls[-1] == (14, 14)
    assert set(engine.FORMS) == {"folders", "coco-panoptic"}


@pytest.mark.parametrize("scene", ["../x", "a//b", "/etc/x", "a/..", "x" * 256, "u\u0308"])
def test_ids_that_are_no_paths_are_refused(tmp_path, scene):
    with WorldWriter(tmp_path / "world", name="toy", classes=TOY) as out:
        out.add(replace(toy_scene(0), id=scene))
    for form in engine.FORMS:
        with pytest.raises(BadInput, match="usable as the path"):
            export_world(World.open(tmp_path / "world"), tmp_path / "out", form=form)


def test_names_of_groups_and_files_are_unique():
    scenes = {("target", "a"): ["1", "d/1"], ("target", "a-2"): ["x"], ("source", "a"): ["y"]}
    groups = grouped(scenes)
    assert len({g.name for g in groups}) == 4 and {s for g in groups for s in g.scenes} == {"1", "d/1", "x", "y"}
    assert flat_names(["t/a/1", "t/b/1"]) == ["a_1", "b_1"]
    assert flat_names(["a_1", "a/1"]) == ["000000000001", "000000000002"]
    assert flat_names(["train/7"]) == ["7"]


def test_a_world_of_coarse_labels_has_no_panoptic_form(tmp_path):
    with WorldWriter(tmp_path / "world", name="toy", classes=TOY) as out:
        out.add(replace(toy_scene(0, coarse=True), semantic=None, instance=None))
    with pytest.raises(BadWorld, match="scenes with fine labels"):
        export_world(World.open(tmp_path / "world"), tmp_path / "out", form="coco-panoptic")
    assert encode_image(np.zeros((2, 2, 3), np.uint8)).startswith(b"\x89PNG")
