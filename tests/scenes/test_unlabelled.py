"""Images without labels: scenes of the pool that methods see, that nothing can be bought of and nobody judges."""

import dataclasses

import numpy as np
import pytest
import yaml
from mixedhere import described, files
from toylab import Plain, Recorder, toy_lab
from toystudy import PRICES, toy_study
from toyworld import TOY, toy_scene

from segfrontier.errors import BadInput, BadWorld
from segfrontier.home.records import records
from segfrontier.lab import WHOLE_IMAGE, Argmax, Boxes, Coarse, Fine, Part, Plan, Points, Stream, Tags
from segfrontier.scenes.folders import FolderSpec
from segfrontier.scenes.importing import import_folders
from segfrontier.scenes.inspection import inspect_world
from segfrontier.scenes.preview import contact_sheet
from segfrontier.scenes.world import KINDS
from segfrontier.scenes.writer import WorldWriter, check_scene
from segfrontier.study.run import StudyWatcher, run_study

FINE, COARSE, BARE = ({f"train/{kind}{i}" for i in range(n)} for kind, n in (("f", 3), ("c", 2), ("b", 5)))


@pytest.fixture
def data(tmp_path):
    root = tmp_path / "data"
    for name in FINE | {"val/v0", "val/v1"}:
        files(root, name, "gt")
    for name in BARE:
        files(root, name, None)
    return root


@pytest.fixture
def world(data, tmp_path):
    """Three finely labelled scenes, five bare ones."""
    return import_folders(described(data, unlabelled=True), tmp_path / "world")


@pytest.fixture
def mixed(data, tmp_path):
    """The same, and two scenes that were labelled coarsely."""
    for name in COARSE:
        files(data, name, "rough")
    return import_folders(described(data, unlabelled=True, coarse="rough/train/{id}.png"), tmp_path / "mixed")


def test_without_a_word_they_are_left_out_and_named(data, tmp_path):
    world = import_folders(described(data), tmp_path / "world")
    assert set(world.pool().scenes()) == FINE and len(world.manifest.notes.images_without_labels) == 5
    assert not world.manifest.notes.remarks


def test_they_stand_beside_the_others_and_are_counted(world):
    assert world.splits() == {("target", "train"): 8, ("target", "val"): 2}
    assert set(world.pool().scenes()) == FINE | BARE and world.manifest.notes.images_without_labels == ()
    (line,) = world.manifest.notes.remarks
    assert line.startswith("5 of 10 scenes have no labels") and line.endswith("img/train/b0.png")
    with pytest.raises(BadWorld, match="'train/b1' of mixed target/train has no labels"):
        world.truth().semantic("train/b1")
    assert contact_sheet(world, rows_a_split=8).shape[2] == 3
    report = inspect_world(world)
    counts = report.splits[0]
    assert (counts.scenes, counts.with_fine, counts.with_coarse) == (8, 3, 0) and report.undecodable == ()
    assert counts.scene_shares == (1.0, 1.0, 1.0) and counts.void_share == pytest.approx(2 / 32)


def test_what_can_be_bought_is_a_fact_of_the_scene(mixed, data, tmp_path):
    truth = mixed.truth()
    answered = {kind: {scene for scene in truth.scenes() if truth.has(scene, kind)} for kind in KINDS}
    assert answered == {"coarse": FINE | COARSE} | dict.fromkeys(("fine", "point", "box", "tag"), FINE)
    plain = import_folders(described(data, instances="none", unlabelled=True), tmp_path / "plain").truth()
    assert plain.has("train/f0", "tag") and not plain.has("train/f0", "box") and not plain.has("train/b0", "coarse")
    with pytest.raises(ValueError, match="an act is one of fine, coarse, point, box, tag; got 'boxes'"):
        truth.has("train/f0", "boxes")
    with pytest.raises(BadWorld, match="no scene 'train/x' here"):
        truth.has("train/x", "coarse")


def test_asking_for_one_is_refused_and_costs_nothing(world, tmp_path):
    asked = [
        Fine(["train/f0", "train/b0"]), Coarse(["train/b0"]), Points(["train/b0"], [np.array([[3, 3]])]),
        Boxes(["train/b0"]), Tags(["train/b0"], WHOLE_IMAGE),
    ]  # fmt: skip
    with toy_lab(tmp_path / "home", world) as lab:
        for request in asked:
            for at_most in (None, 10**6):
                with pytest.raises(BadInput, match=rf"{request.kind} labels .* 'train/b0' has none.*lab.sold"):
                    lab.buy(request, at_most=at_most)
        assert lab.spent == 0
        assert not list((tmp_path / "home" / "labels").rglob("*.arrow"))


def test_a_large_budget_buys_what_there_is(mixed, tmp_path):
    with toy_lab(tmp_path / "home", mixed, hours=1000.0) as lab:
        assert set(lab.shuffled()) == FINE | COARSE | BARE
        fine = lab.buy_masks("fine", spend=lab.budget)
        assert fine.scenes() == [scene for scene in lab.shuffled() if scene in FINE] and lab.spent == 3 * 5400
        assert set(lab.buy_masks("coarse", spend=lab.budget).scenes()) == FINE | COARSE
    with toy_lab(tmp_path / "all", mixed, hours="all") as lab:
        assert lab.budget == 3 * 5400


@pytest.mark.parametrize(("name", "count"), [("world", 8), ("mixed", 10)])
def test_a_model_labels_all_and_is_judged_where_truth_is(request, tmp_path, name, count):
    heard = Recorder()
    with toy_lab(tmp_path / "home", request.getfixturevalue(name), watcher=heard) as lab:
        part = Part(images=lab.pool, labels=lab.buy_masks("fine", spend=10**6))
        model = lab.train(Plain(), {"labelled": Stream(parts=(part,), batch=2)}, Plan(steps=1))
        whole, bare, fine = (
            lab.label(model, Part(images=lab.pool, scenes=scenes), Argmax())
            for scenes in (None, tuple(sorted(BARE)), tuple(sorted(FINE)))
        )
    assert (whole.count, bare.count, fine.count) == (count, 5, 3)
    assert heard.notes["labels_1/scenes_judged"] == 3 and heard.notes["labels_1/coverage"] == 1.0
    assert heard.notes["labels_1/pixel_accuracy"] == heard.notes["labels_3/pixel_accuracy"]
    assert {note: value for note, value in heard.notes.items() if note[:9] == "labels_2/"} == {
        "labels_2/scenes_judged": 0
    }
    assert "labels_3/scenes_judged" not in heard.notes and "labels_3/coverage" in heard.notes


@pytest.mark.slow
def test_a_study_buys_the_labels_that_there_are_and_no_more(tmp_path):
    with WorldWriter(tmp_path / "toy", name="toy", classes=TOY) as out:
        for number in range(8):
            scene = toy_scene(number)
            out.add(scene if number % 3 == 1 else dataclasses.replace(scene, semantic=None, instance=None))
        for number in (8, 9):
            out.add(toy_scene(number, split="val"))
    (tmp_path / "toy.yaml").write_text(PRICES)
    study = toy_study(tmp_path, methods=["fine"], budgets=[200 / 3600, 1.0], seeds=[0])
    finished = run_study(study, home=tmp_path / "runs", watcher=StudyWatcher(), tracking="none")
    small, large = sorted(records(finished.study), key=lambda record: record.seconds)
    assert set(finished.outcomes.values()) == {"done"}
    assert (small.seconds, large.seconds) == (200, 300), "two masks, and all three that can be bought"


def test_a_pool_may_have_no_labels_at_all(data, tmp_path):
    for name in FINE:
        (data / f"gt/{name}.png").unlink()
    world = import_folders(described(data, semantic=None, unlabelled=True), tmp_path / "world")
    world.require_target()
    with toy_lab(tmp_path / "home", world, hours="all") as lab:
        assert lab.budget == 0 and lab.sold("coarse") == [] and len(lab.pool) == 8
        with pytest.raises(BadInput, match="none of the images asked for has any"):
            lab.buy_masks("coarse", spend=100)


def test_held_out_scenes_have_labels(data, tmp_path):
    described(data, unlabelled=True)
    plain = yaml.safe_load((data / "mixed.yaml").read_text())
    del plain["splits"]["val"]
    (data / "mixed.yaml").write_text(yaml.safe_dump(plain | {"val": "50 %"}))
    world = import_folders(FolderSpec.load(data / "mixed.yaml"), tmp_path / "world")
    held = set(world.pool(split="val").scenes())
    assert held and held < FINE and set(world.pool().scenes()) == FINE - held | BARE


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"semantic": None}, "or `unlabelled: true` where its images have no labels"),
        ({"unlabelled": True, "split": "val"}, r"`unlabelled: true` stands in target/val. .* add `split: train`"),
        ({"unlabelled": True, "domain": "source"}, "`unlabelled: true` stands in source/train"),
        ({"unlabelled": True, "semantic": "nowhere/{id}.png"}, "images and label files must share what `{id}`"),
    ],
)
def test_what_cannot_be_kept_is_refused(data, tmp_path, changes, message):
    with pytest.raises(BadWorld, match=message):
        import_folders(described(data, **changes), tmp_path / "world")


def test_a_scene_without_truth_stands_in_the_pool_alone():
    bare = dataclasses.replace(toy_scene(1), semantic=None, instance=None)
    check_scene(bare, TOY)
    for other in ({"split": "val"}, {"domain": "source"}, {"split": "test"}):
        with pytest.raises(BadWorld, match=r"without labels it can stand in target/train alone"):
            check_scene(dataclasses.replace(bare, **other), TOY)
    with pytest.raises(BadWorld, match="a scene without fine labels has no instances"):
        check_scene(dataclasses.replace(toy_scene(1), semantic=None), TOY)
