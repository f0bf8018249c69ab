"""Scenes that a data set labels coarsely only, as Cityscapes' train_extra: sold coarsely, and never asked for more."""

import dataclasses

import cv2
import numpy as np
import pytest
import yaml
from toylab import Plain, Recorder, toy_lab
from toyworld import TOY, toy_scene

from segfrontier.errors import BadInput, BadWorld
from segfrontier.lab import Argmax, Coarse, Fine, Part, Plan, Points, Stream
from segfrontier.scenes.folders import FolderSpec
from segfrontier.scenes.importing import import_folders
from segfrontier.scenes.inspection import inspect_world
from segfrontier.scenes.preview import contact_sheet
from segfrontier.scenes.world import World
from segfrontier.scenes.writer import WorldWriter, check_scene

RAW = np.full(256, 0, np.uint8)
RAW[[0, 1, 2]] = 7, 11, 26
COARSE = {f"extra/s{i}" for i in range(5)}


def scene_of(name):
    return toy_scene(sum(map(ord, name)), coarse=True)


def files(root, name, *, fine):
    """A scene's files; of train and val with fine labels, of extra with coarse ones."""
    scene = scene_of(name)
    parts = {"img": None, "gt" if fine else "rough": scene.semantic if fine else scene.coarse}
    for part, labels in parts.items():
        path = root / part / f"{name}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        if labels is None:
            path.write_bytes(scene.image)
        else:
            cv2.imwrite(str(path), RAW[labels])


@pytest.fixture
def world(tmp_path):
    root = tmp_path / "data"
    for split, count, fine in (("train", 3, True), ("val", 2, True), ("extra", 5, False)):
        for i in range(count):
            files(root, f"{split}/s{i}", fine=fine)
    splits = {s: {"images": f"img/{s}/{{id}}.png", "semantic": f"gt/{s}/{{id}}.png"} for s in ("train", "val")}
    splits["extra"] = {"images": "img/extra/{id}.png", "coarse": "rough/extra/{id}.png", "split": "train"}
    classes = [
        {"name": c.name, "colour": list(c.colour), "ids": list(c.raw_ids), "thing": c.thing} for c in TOY.classes
    ]
    spec = {"name": "mixed", "encoding": "ids", "splits": splits, "classes": classes, "void": [0]}
    (root / "mixed.yaml").write_text(yaml.safe_dump(spec))
    return import_folders(FolderSpec.load(root / "mixed.yaml"), tmp_path / "world")


def test_they_stand_in_the_split_they_are_added_to(world):
    assert world.splits() == {("target", "train"): 8, ("target", "val"): 2}
    truth = world.truth()
    assert {scene for scene in truth.scenes() if not truth.is_fine(scene)} == COARSE
    assert (truth.coarse("extra/s1") == scene_of("extra/s1").coarse).all() and truth.instance("extra/s1") is None
    with pytest.raises(BadWorld, match=r"'extra/s1' of mixed target/train has coarse labels only"):
        truth.semantic("extra/s1")
    assert truth.is_fine("train/s0") and truth.coarse("train/s0") is None


def test_they_are_counted_and_shown(world):
    counts = inspect_world(world).splits[0]
    assert (counts.scenes, counts.with_fine, counts.with_coarse) == (8, 3, 5)
    assert contact_sheet(world, rows_a_split=8).shape[2] == 3


def test_coarse_masks_are_sold_of_all_and_fine_ones_of_the_others(world, tmp_path):
    with toy_lab(tmp_path / "home", world) as lab:
        fine = lab.buy_masks("fine", spend=10**6)
        assert set(fine.scenes()) == {"train/s0", "train/s1", "train/s2"}
        assert fine.scenes() == [scene for scene in lab.shuffled() if scene not in COARSE]
        coarse = lab.buy_masks("coarse", spend=10**6)
        assert coarse.scenes() == lab.shuffled()
        assert (coarse.map("extra/s4") == scene_of("extra/s4").coarse).all()
        for request in (Fine(["extra/s0"]), Points(["extra/s0"], [np.array([[3, 3]])])):
            with pytest.raises(BadInput, match=r"asked of scenes with fine labels .*'extra/s0' has coarse"):
                lab.buy(request)
        assert lab.buy(Coarse(["extra/s0"])).count == 1


def test_all_labels_are_the_fine_ones_that_there_are(world, tmp_path):
    with toy_lab(tmp_path / "home", world, hours="all") as lab:
        assert lab.budget == 3 * 5400
        assert lab.sold("fine") == ["train/s0", "train/s1", "train/s2"] and lab.sold("coarse") == lab.pool.scenes()
        assert lab.buy(Fine(lab.sold("fine"))).count == 3 and lab.budget == 0


def test_what_a_model_makes_of_them_is_counted_and_not_judged(world, tmp_path):
    heard = Recorder()
    with toy_lab(tmp_path / "home", world, watcher=heard) as lab:
        part = Part(images=lab.pool, labels=lab.buy_masks("coarse", spend=10**6))
        model = lab.train(Plain(), {"labelled": Stream(parts=(part,), batch=2)}, Plan(steps=1))
        made = lab.label(model, Part(images=lab.pool), Argmax())
        assert made.count == 8
        assert heard.notes["labels_1/coverage"] == 1.0 and "labels_1/pixel_accuracy" in heard.notes
        coarse = tuple(scene for scene in lab.pool.scenes() if scene not in lab.sold("fine"))
        lab.label(model, Part(images=lab.pool, scenes=coarse), Argmax())
        assert heard.notes["labels_2/coverage"] == 1.0 and "labels_2/pixel_accuracy" not in heard.notes


def test_a_scene_without_fine_labels_has_no_instances():
    coarse = dataclasses.replace(toy_scene(1, coarse=True), semantic=None)
    with pytest.raises(BadWorld, match="without fine labels has no instances"):
        check_scene(coarse, TOY)
    check_scene(dataclasses.replace(coarse, instance=None), TOY)


def test_a_split_without_any_labels_is_refused(tmp_path):
    plain = {"name": "x", "encoding": "ids", "splits": {"a": {"images": "{id}.png"}},
             "classes": [{"name": "a", "colour": [0, 0, 0], "ids": [0]}]}  # fmt: skip
    (tmp_path / "x.yaml").write_text(yaml.safe_dump(plain))
    with pytest.raises(BadWorld, match="a split needs the template `semantic`, or `coarse`"):
        FolderSpec.load(tmp_path / "x.yaml")


def test_a_study_is_refused_at_once_where_a_scene_to_score_on_has_coarse_labels_only(tmp_path):
    scene = toy_scene(1, split="val", coarse=True)
    bare = dataclasses.replace(toy_scene(2, split="val", coarse=True), semantic=None, instance=None)
    for name, more in (("fine", ()), ("mixed", (bare,))):
        with WorldWriter(tmp_path / name, name=name, classes=TOY) as out:
            for each in (toy_scene(3), scene, *more):
                out.add(each)
    World.open(tmp_path / "fine").require_target()
    told = r"fine labels of every scene in target/val, to score on; 1 of 2 have coarse ones only.*`split: train`"
    with pytest.raises(BadWorld, match=told):
        World.open(tmp_path / "mixed").require_target()
    next((tmp_path / "fine/truth").glob("*val*")).unlink()
    World.open(tmp_path / "fine").require_target()  # whoever reads the shard will name it
