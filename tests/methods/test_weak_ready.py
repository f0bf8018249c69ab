"""What cannot work is refused before a label is bought and anything is computed; a plan says so, too."""

from dataclasses import replace

import pytest
from toylab import Recorder, toy_lab
from toystudy import RECIPE as STUDY_RECIPE
from toystudy import toy_study
from toyworld import TOY, toy_scene, write_toy
from weakhere import KNOBS

from segfrontier.errors import BadInput
from segfrontier.lab import Bench, Recipe
from segfrontier.plan.planning import plan_study
from segfrontier.scenes.world import World
from segfrontier.scenes.writer import WorldWriter
from segfrontier_methods.weak_panoptic import WeakPanoptic

BENCH = Bench(device="cpu", threads=1, log_steps=1)
RECIPE = Recipe(
    encoder="test_resnet", head="deeplab_v2", pretrained="never", steps=1, batch=2, scale=(1.0, 1.0), flip=False,
    norm="frozen",
)  # fmt: skip
LEAST = {"instances": "none", "rounds": 0, "pictures": 0, "judged_scenes": 0}


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    return write_toy(tmp_path_factory.mktemp("ready") / "toy", target_train=4, target_val=1)


def world_of_sizes(folder, *sizes, classes=TOY):
    with WorldWriter(folder, name="toy", classes=classes) as out:
        for number, (height, width) in enumerate(sizes * 2):
            out.add(toy_scene(number, height=height, width=width))
        out.add(toy_scene(9, split="val"))
    return World.open(folder)


def refused(home, world, told, knobs, recipe=RECIPE):
    heard = Recorder()
    with toy_lab(home, world, bench=BENCH, hours=0.05, watcher=heard) as lab:
        with pytest.raises(BadInput, match=told):
            WeakPanoptic(**(KNOBS | knobs)).run(lab, recipe)
        assert lab.spent == 0 and heard.begun == [] and heard.stages == {}


@pytest.mark.parametrize("stride", [7, 64])
def test_a_stride_that_the_encoder_does_not_reach(world, tmp_path, stride):
    refused(tmp_path, world, f"reaches tag_stride {stride}; found test_resnet.*null", {"tag_stride": stride})


def test_an_encoder_that_cannot_dilate_to_the_papers_stride(world, tmp_path):
    refused(tmp_path, world, "reaches tag_stride 8; found test_vit.*null", {}, replace(RECIPE, encoder="test_vit"))


def test_a_stride_means_nothing_where_no_tag_is_bought(world, tmp_path):
    with toy_lab(tmp_path, world, bench=BENCH, hours=2.0) as lab:
        WeakPanoptic(**(KNOBS | LEAST | {"split": 1.0, "tag_stride": 7})).run(lab, RECIPE)


def test_images_too_large_for_the_exact_crf(tmp_path):
    world = world_of_sizes(tmp_path / "toy", (24, 32), (120, 180))
    told = "every image and crop, up to 120x180 here; found that .*20000 pixels; found 21600"
    for instances in ("piecewise", "end_to_end"):
        knobs = {"filtering": "exact", "split": 1.0, "instances": instances}
        refused(tmp_path / "home", world, told, knobs)


def test_a_crop_too_large_for_the_exact_crf_that_learns_from_crops(world, tmp_path):
    recipe = replace(RECIPE, crop=(120, 180))
    refused(tmp_path, world, "up to 120x180 here", {"filtering": "exact", "instances": "end_to_end"}, recipe)


def test_images_of_two_sizes_do_not_make_a_batch_of_whole_images(tmp_path):
    world = world_of_sizes(tmp_path / "toy", (24, 32), (32, 24))
    told = r"one size where recipe.batch is above 1; found batch 2 and 2 sizes \(24x32, 32x24\)\. Set recipe.batch 1"
    refused(tmp_path / "home", world, told, LEAST)


def test_images_of_two_sizes_are_learned_one_a_step(tmp_path):
    world = world_of_sizes(tmp_path / "toy", (24, 32), (32, 24))
    with toy_lab(tmp_path / "home", world, bench=BENCH, hours=0.05, watcher=(heard := Recorder())) as lab:
        WeakPanoptic(**(KNOBS | LEAST)).run(lab, replace(RECIPE, batch=1, steps=4, crop=(24, 24)))
    assert [kind for kind in heard.stages.values() if kind == "train"] == ["train", "train"]


def test_a_plan_says_it_of_the_cells_that_a_run_would_refuse(tmp_path):
    method = {"name": "weak_panoptic", "knobs": KNOBS | LEAST | {"tag_stride": 7}}
    study = toy_study(tmp_path, methods=[method], seeds=[0], budgets=[0.05], recipe=STUDY_RECIPE)
    plan = plan_study(study, home=tmp_path / "home", probe=False)
    assert ["reaches tag_stride 7" in reason for reason in plan.refused] == [True]
    assert all(cell.seconds == 0 for cell in plan.cells)
