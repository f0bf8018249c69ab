"""Yardsticks on a paper's own terms: images chosen by a model (Fig. 3 of paper 000), several scales; equal training."""

from dataclasses import replace
from itertools import pairwise

import pytest
from coarsehere import BENCH, RECIPE
from pointhere import larger_toy
from toylab import Recorder, toy_lab

from segfrontier.errors import BadInput
from segfrontier.lab import Recipe, make_method

TOTAL = Recipe(encoder="test_resnet", pretrained="never", total_steps=7, batch=4, scale=(1.0, 1.0))
FINE, COARSE = 1.5, 420 / 3600
"""Hours of a mask."""


def ran(home, world, method, hours, recipe=TOTAL, **knobs):
    """(what was bought by kind, kinds of stages, steps of each training, steps in all)."""
    watcher, bought, steps = Recorder(), {}, []
    with toy_lab(home, world, hours=hours, bench=BENCH, watcher=watcher, cell=f"{method}{hours}{knobs}") as lab:
        buy, train = lab.buy_masks, lab.train

        def buying(kind, **more):
            labels = buy(kind, **more)
            bought.setdefault(kind, []).append(labels.scenes())
            return labels

        def training(objective, streams, plan, **more):
            steps.append(plan.steps)
            return train(objective, streams, plan, **more)

        lab.buy_masks, lab.train = buying, training
        make_method(method, {"sampling": "model", "first": 2} | knobs).run(lab, recipe)
        return bought, watcher.kinds, steps, sum(steps)


@pytest.mark.parametrize(
    ("method", "hours", "knobs", "masks", "steps"),
    [
        ("fine", 4 * FINE, {}, {"fine": 4}, [4, 3]),
        ("coarse", 4 * COARSE, {}, {"coarse": 4}, [4, 3]),
        ("fine+coarse", 2 * FINE + 4 * COARSE, {"split": 0.87}, {"fine": 2, "coarse": 4}, [3, 2, 2]),
        ("naive_student", 4 * FINE, {}, {"fine": 4}, [3, 2, 2]),
        ("coarse_to_fine", 4 * COARSE, {"iterations": 1, "note_iterations": False}, {"coarse": 4}, [3, 2, 2]),
    ],
)
def test_a_model_that_chooses_has_its_share_of_the_steps(tmp_path, method, hours, knobs, masks, steps):
    bought, kinds, each, total = ran(tmp_path / "home", larger_toy(tmp_path / "toy"), method, hours + 0.01, **knobs)
    assert {kind: len(sets[-1]) for kind, sets in bought.items()} == masks
    assert kinds[:2] == ["train", "measure"] and each == steps and total == 7
    first = bought["coarse" if "coarse" in masks else "fine"]
    assert len(first[0]) == 2 and set(first[0]) < set(first[-1]), "what the model learned from is paid once, and used"


@pytest.mark.parametrize("method", ["fine", "coarse", "fine+coarse", "naive_student", "coarse_to_fine"])
@pytest.mark.parametrize("masks", [2, 6])
def test_where_there_is_nothing_to_choose_no_model_is_trained_to_choose(tmp_path, method, masks):
    """Two masks are the first, random set (or less than it); six are all there are. All steps learn from them."""
    hours, knobs = masks * (FINE if method in ("fine", "naive_student") else COARSE), {}
    if method == "coarse_to_fine":
        knobs["iterations"] = 1
    if method == "fine+coarse":
        hours = masks * (FINE + COARSE)
        knobs = {"split": FINE / (FINE + COARSE), "first": 3}
    world = larger_toy(tmp_path / "toy")
    _, kinds, _, total = ran(tmp_path / "home", world, method, hours + 1e-4, **knobs)
    assert "measure" not in kinds and total == 7


def test_sets_of_fine_masks_that_a_model_chose_are_nested(tmp_path):
    world = larger_toy(tmp_path / "toy")
    fine = [ran(tmp_path / "home", world, "fine", n * FINE, RECIPE)[0]["fine"][-1] for n in (1, 2, 3, 4, 5)]
    after_coarse = [
        ran(tmp_path / "home", world, "fine+coarse", n * FINE / 0.8, RECIPE, split=0.8)[0]["fine"][-1]
        for n in (1, 2, 3)
    ]
    for sets in (fine, after_coarse):
        assert all(set(fewer) < set(more) for fewer, more in pairwise(sets))


def test_images_without_fine_masks_are_no_part_of_the_first_set(tmp_path):
    """As in Cityscapes' train_extra: a first set of two is two masks, wherever in the order they stand."""

    def half_coarse(scene):
        if scene.split != "train" or scene.domain != "target" or scene.id < "target/train/008":
            return scene
        return replace(scene, semantic=None, instance=None, coarse=scene.semantic)

    world = larger_toy(tmp_path / "toy", train=7, change=half_coarse)
    bought, kinds, _, _ = ran(tmp_path / "home", world, "fine", 2 * FINE, first=1)
    assert [len(scenes) for scenes in bought["fine"]] == [1, 2] and "measure" in kinds
    assert set(bought["fine"][-1]) <= {f"target/train/{n:03d}" for n in (5, 6, 7)}
    _, kinds, _, _ = ran(tmp_path / "home", world, "fine", 4 * FINE, first=1)
    assert "measure" not in kinds, "three masks are all there are"


def test_by_default_images_are_random_ones(tmp_path):
    world, random = larger_toy(tmp_path / "toy"), {}
    for sampling in ("uniform", None):
        with toy_lab(tmp_path / "home", world, hours=4 * FINE, bench=BENCH, cell=str(sampling)) as lab:
            make_method("fine", {"sampling": sampling} if sampling else {}).run(lab, RECIPE)
            random[sampling] = lab.buy_masks("fine", spend=0, scenes=lab.shuffled()[:4]).scenes()
            assert lab.spent == 4 * 5400, "the first four of the seed's order are paid for already"
    assert random["uniform"] == random[None]


@pytest.mark.parametrize("method", ["fine", "coarse", "fine+coarse", "synthetic", "oracle", "naive_student"])
def test_every_yardstick_can_be_evaluated_as_the_paper_does(tmp_path, method):
    world = larger_toy(tmp_path / "toy")
    hours = "all" if method == "oracle" else 3 * FINE
    for multi_scale, scales in ((False, [1.0]), (True, [0.5, 1.0, 2.0])):
        cell = f"{method}{multi_scale}"
        with toy_lab(tmp_path / "home", world, hours=hours, bench=BENCH, cell=cell) as lab:
            model = make_method(method, {"multi_scale": multi_scale}).run(lab, RECIPE)
            assert [view.scale for view in model.looking.views] == scales


@pytest.mark.parametrize("knobs", [{"first": 0}, {"present_above": 1.0}, {"present_above": -0.1}])
@pytest.mark.parametrize("method", ["fine", "coarse", "fine+coarse", "naive_student"])
def test_a_bad_knob_of_sampling_is_refused(method, knobs):
    with pytest.raises(BadInput, match="a `first` set of at least 1 image"):
        make_method(method, knobs)
