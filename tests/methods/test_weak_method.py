"""The whole method on a small world: what it buys, trains and notes in each variant, and what it refuses."""

import json
from dataclasses import replace

import numpy as np
import pytest
from toylab import Recorder, toy_lab
from toyworld import TOY, toy_scene, write_toy
from weakhere import KNOBS

from segfrontier.errors import BadInput
from segfrontier.lab import Bench, Judged, Part, Recipe, SceneLabels, judge
from segfrontier.maths import mean_iou
from segfrontier.scenes.classes import CITYSCAPES, ClassTable
from segfrontier.scenes.world import World
from segfrontier.scenes.writer import WorldWriter
from segfrontier_methods.weak_panoptic import WeakPanoptic
from segfrontier_methods.weak_panoptic.data import bought
from segfrontier_methods.weak_panoptic.detector import BoxesOfMasks, boxes_in
from segfrontier_methods.weak_panoptic.networks import classifier_of, panoptic_of, segmenter_of
from segfrontier_methods.weak_panoptic.pictures import _UNCOLOURED, FromBoxes, outlined

BENCH = Bench(device="cpu", threads=1, log_steps=1)
RECIPE = Recipe(
    encoder="test_resnet", head="deeplab_v2", pretrained="never", steps=1, batch=2, scale=(1.0, 1.0), flip=False,
    norm="frozen",
)  # fmt: skip
MASK, BOXES = 5400, 14
MADE = ["label", "train", "draw", "label", "label", "train"]
SEMANTIC = [*MADE, "label", "train", "draw"]
"""Masks, classifier, its heat, seeds, first labels, segmenter; one round; pictures."""
JUDGED = ["score", "label", "measure"]


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    return write_toy(tmp_path_factory.mktemp("weak") / "toy", source_train=2, target_train=6, target_val=2)


@pytest.fixture(scope="module")
def home(tmp_path_factory):
    """Shared by tests that may find each other's stages."""
    return tmp_path_factory.mktemp("home")


def lab_of(home, world, **settings):
    return toy_lab(home, world, **({"bench": BENCH, "hours": 0.05} | settings))


def run(home, world, knobs, *, recipe=RECIPE, **settings):
    heard = Recorder()
    with lab_of(home, world, cell=str(knobs), watcher=heard, **settings) as lab:
        made = WeakPanoptic(**(KNOBS | knobs)).run(lab, recipe)
        return made, lab.spent, heard


@pytest.mark.parametrize(
    ("knobs", "stages"),
    [
        ({"instances": "none"}, [*SEMANTIC, *JUDGED]),
        (
            {"instances": "none", "rounds": 0, "pictures": 0, "judged_scenes": 0},
            ["label", "train", "label", "label", "train", "score"],
        ),
        ({"instances": "piecewise"}, [*SEMANTIC, "train", "join", *JUDGED]),
        ({}, [*SEMANTIC, "train", "join", "label", "train", *JUDGED]),
    ],
    ids=str,
)
def test_each_variant_trains_what_it_should(world, home, knobs, stages):
    made, spent, heard = run(home, world, knobs)
    assert list(heard.stages.values()) == stages
    assert 0.05 * 3600 * 0.4 < spent <= 0.05 * 3600
    assert isinstance(made, Judged) == (knobs.get("instances") != "none")
    assert ("mask_iou" in heard.notes) == ("measure" in stages)


def test_full_supervision_has_no_boxes_tags_or_rounds(world, home):
    made, spent, heard = run(home, world, {"split": 1.0}, hours=4.0)
    assert spent == 2 * MASK
    assert list(heard.stages.values()) == ["train", "train", "join", "label", "train", *JUDGED]
    assert isinstance(made, Judged)


def test_things_and_stuff_are_noted_apart(world, home):
    made, _, heard = run(home, world, {"instances": "none"})
    with lab_of(home, world) as lab:
        confusion = lab.score(made).sums.confusion
    things, stuff = (mean_iou(confusion, absent="in_truth", classes=group) for group in ((2,), (0, 1)))
    assert heard.notes["miou_things"] == things and heard.notes["miou_stuff"] == stuff
    assert heard.notes["things_ahead"] == things - stuff


def test_a_study_scores_panoptics_beside_the_map(world, home):
    """Also of what finds nothing: a threshold of nearly one."""
    made, _, _ = run(home, world, {"instances": "piecewise", "above": 0.999})
    with lab_of(home, world) as lab:
        model, scores = judge(lab, made)
        assert scores.values["miou_present"] == lab.score(model).miou
    assert {"pq", "pq_things", "ap_vol_din", "ap_vol_din_oracle_stuff", "ap_10_din"} <= scores.values.keys()
    assert scores.values["pq_things"] == 0


# ---------------------------------------------------------------------------------------------------- what is bought


def test_boxes_are_bought_first_and_tags_of_the_same_images(world, tmp_path):
    with lab_of(tmp_path, world) as lab:
        order = lab.shuffled()
        data = bought(lab, WeakPanoptic(**(KNOBS | {"box_share": 0.47})))
    assert data.boxes.scenes() == order and data.masks is None  # 84 s pay for six images of two cars
    tagged = data.tags.scenes()
    assert tagged == order[: len(tagged)] and 0 < len(tagged) < 6, "the rest pays for tags of fewer"
    assert data.tagged().names() == tuple(tagged) and data.boxed().names() == tuple(order)


def test_masks_are_of_the_first_images_and_boxes_of_those_after_them(world, tmp_path):
    with lab_of(tmp_path, world, hours=3.1) as lab:
        order = lab.shuffled()
        data = bought(lab, WeakPanoptic(**(KNOBS | {"split": 0.97})))
    assert data.masks.scenes() == order[:2] and data.boxes.scenes() == order[2:]
    weak, fine = data.masked(data.boxes)
    assert weak.names() == tuple(order[2:]) and fine.names() == tuple(order[:2])


def test_where_all_images_have_masks_nothing_else_is_bought(world, tmp_path):
    with lab_of(tmp_path, world, hours=10) as lab:
        data = bought(lab, WeakPanoptic(**(KNOBS | {"split": 0.95})))
        assert lab.spent == 6 * MASK
    assert data.boxes is None and data.tags is None and len(data.masked()) == 1


@pytest.mark.parametrize("share", [0.5, 0.9])
def test_a_budget_that_pays_for_none_is_refused(world, tmp_path, share):
    """Of 18 s: half is too little for two boxes, and with 16 for them nothing is left for tags."""
    told = pytest.raises(BadInput, match=f"boxes and tags of at least one image must be paid for.*box_share {share}")
    with lab_of(tmp_path, world, hours=0.005) as lab, told:
        bought(lab, WeakPanoptic(**(KNOBS | {"box_share": share})))


def classes_of(**changes):
    kinds = [replace(one, thing=changes.get(one.name, one.thing)) for one in TOY.classes]
    return ClassTable(name="toy", classes=tuple(kinds), void_ids=TOY.void_ids)


def world_of(folder, classes, *, keep=lambda scene: scene):
    with WorldWriter(folder, name="toy", classes=classes, shard_bytes=10_000) as out:
        for number in range(6):
            out.add(keep(toy_scene(number, split="train" if number < 4 else "val")))
    return World.open(folder)


def test_a_world_without_things_is_refused(tmp_path):
    world = world_of(
        tmp_path / "toy",
        classes_of(car=False),
        keep=lambda scene: replace(scene, instance=np.zeros_like(scene.instance)),
    )
    with lab_of(tmp_path, world) as lab, pytest.raises(BadInput, match="none that can be counted"):
        WeakPanoptic().run(lab, RECIPE)


def test_a_background_is_what_no_box_holds_and_needs_no_tag(tmp_path):
    """As in VOC: all else is a thing. The scenes' walls belong to no instance, so each is a group's box."""
    world = world_of(tmp_path / "toy", classes_of(wall=True))
    with lab_of(tmp_path, world, watcher=(heard := Recorder())) as lab:
        WeakPanoptic(**(KNOBS | {"background": "ground", "instances": "none", "pictures": 0})).run(lab, RECIPE)
        assert lab.spent == 4 * BOXES, "all of the budget is for boxes, and no tag is bought"
    assert [kind for kind in heard.stages.values() if kind == "train"] == ["train", "train"], "no classifier"
    assert heard.notes["labels_2/coverage"] > heard.notes["labels_1/coverage"] * 0.5


def test_a_background_beside_stuff_is_refused(world, tmp_path):
    with lab_of(tmp_path, world) as lab, pytest.raises(BadInput, match="the only one; found 'ground' beside wall"):
        WeakPanoptic(background="ground").run(lab, RECIPE)


def without_cars(scene):
    semantic = np.where(scene.semantic == 2, 0, scene.semantic).astype(np.uint8)
    return replace(scene, semantic=semantic, instance=np.zeros_like(scene.instance))


@pytest.mark.parametrize("instances", ["none", "end_to_end"])
def test_images_without_any_object_train_stuff_alone(tmp_path, instances):
    """No boxes at all: their images cost nothing but tags, the detector learns what no thing looks like."""
    world = world_of(tmp_path / "toy", TOY, keep=without_cars)
    made, spent, heard = run(tmp_path / "home", world, {"instances": instances, "rounds": 0})
    assert spent > 0 and heard.notes["labels_1/coverage"] == 0 and heard.notes["labels_2/coverage"] > 0
    assert isinstance(made, Judged) == (instances != "none")


# ---------------------------------------------------------------------------------------------------- how it learns


def test_rates_are_the_papers_halved_each_round_or_the_recipes():
    knobs = WeakPanoptic()
    for number, lr in enumerate((1e-4, 5e-5, 2.5e-5)):
        network = segmenter_of(knobs, RECIPE, 3, number=number)
        assert network.optimiser.lr == pytest.approx(lr) and network.schedule.shape == "constant"
        assert (network.optimiser.momentum, network.optimiser.weight_decay) == (0.9, 5e-4)
    assert classifier_of(knobs, RECIPE, 3).optimiser.lr == 1e-4
    blueprint = segmenter_of(knobs, RECIPE, 3, number=0).blueprint
    assert panoptic_of(knobs, RECIPE, blueprint).optimiser.lr == pytest.approx(1e-5)
    plain = WeakPanoptic(lr=None, tag_lr=None)
    second = segmenter_of(plain, replace(RECIPE, optimiser="adamw", lr=0.004), 3, number=1)
    assert second.optimiser.lr == pytest.approx(0.002) and second.schedule.shape == "poly"
    assert classifier_of(plain, RECIPE, 3).optimiser.lr == RECIPE.lr


def test_a_further_round_goes_on_from_the_last_one(world, home):
    _, _, heard = run(home, world, {"instances": "none"})
    trained = [key for key, kind in heard.stages.items() if kind == "train"]
    cards = [json.loads((home / f"store/entries/{key}/model.json").read_text()) for key in trained]
    assert [list(card["trained"].get("start", {})) for card in cards] == [[], [], ["segmenter"]]


def test_the_objects_of_a_mask_are_boxes_for_the_detector():
    scene = toy_scene(1)
    known = boxes_in(scene.semantic, scene.instance, things=(2,))
    assert known.boxes.tolist() == [[7, 10, 14, 16, 2, 0], [19, 10, 26, 16, 2, 0]]
    loose = np.where(scene.instance == 1, 0, scene.instance)  # a car that nobody took apart
    assert boxes_in(scene.semantic, loose, things=(2,)).boxes.tolist() == [
        [19, 10, 26, 16, 2, 0],
        [7, 10, 14, 16, 2, 1],
    ]
    walled = np.where(scene.semantic == 1, 7, scene.instance)  # an instance of what is no thing
    assert len(boxes_in(scene.semantic, walled, things=(2,)).boxes) == 2
    assert boxes_in(scene.semantic, scene.instance, things=(1,)).boxes[:, 5].tolist() == [1], "a group"


def test_objects_need_a_mask_with_instances():
    rule = BoxesOfMasks(things=(2,))
    for known in (None, SceneLabels(size=(24, 32)), SceneLabels(size=(24, 32), semantic=np.zeros((24, 32), np.uint8))):
        with pytest.raises(BadInput, match="masks with instances"):
            rule.label(None, np.zeros((24, 32, 3), np.uint8), known)


# ---------------------------------------------------------------------------------------------------- pictures


def test_boxes_are_outlined_in_their_classes_colours_and_groups_in_white():
    picture, palette = np.zeros((8, 10, 3), np.uint8), np.full((256, 3), 90, np.uint8)
    drawn = outlined(picture, np.array([[1, 1, 5, 4, 2, 0], [6, 2, 10, 8, 2, 1]], np.int32), palette)
    assert not picture.any() and (drawn[1, 1:5] == 90).all() and (drawn[3, 1:5] == 90).all()
    assert not drawn[2, 2].any() and not drawn[4, 1:5].any()
    assert (drawn[2, 6:10] == 255).all() and (drawn[7, 9] == 255).all()


def test_void_looks_like_no_class_of_a_street():
    apart = np.abs(CITYSCAPES.palette[: len(CITYSCAPES)].astype(int) - _UNCOLOURED).max(axis=1)
    assert apart.min() > 50, "nor are boxes lost on it"


def test_a_row_of_pictures_shows_boxes_each_source_and_each_round(world, tmp_path):
    with lab_of(tmp_path, world) as lab:
        data = bought(lab, WeakPanoptic(**KNOBS))
        masks = lab.label(None, Part(images=lab.pool, labels=data.boxes), WeakPanoptic(**KNOBS).sources())
        part = Part(images=lab.pool, labels={"boxes": data.boxes, "round 0": masks})
        panels = FromBoxes(rule=WeakPanoptic(**KNOBS).sources()).panels({}, part, data.boxes.scenes()[0])
    names = [name for name, _ in panels]
    assert names[1:5] == ["2 boxes", "masks: grabcut", "masks: proposals", "masks: both"]
    assert names[5].startswith("round 0 (") and {picture.shape for _, picture in panels} == {(24, 32, 3)}


def test_instances_are_shown_beside_the_true_ones(world, home):
    from PIL import Image

    made, _, _ = run(home, world, {"instances": "piecewise"})
    with lab_of(home, world) as lab:
        model, scores = judge(lab, made)
        with (
            Image.open(f"{scores.folder}/pictures.png") as wide,
            Image.open(f"{lab.score(model).folder}/pictures.png") as narrow,
        ):
            assert wide.width > 1.4 * narrow.width, "two panels more than four"
