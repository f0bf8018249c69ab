"""weak_panoptic on boxes and image tags that exist already, of images without any mask."""

import numpy as np
import pytest
from mixedhere import described, pool_with_boxes_and_tags
from toylab import Recorder, toy_lab
from weakhere import KNOBS

from segfrontier.errors import BadInput
from segfrontier.lab import PAPER_002, WHOLE_IMAGE, Bench, Recipe
from segfrontier.scenes.importing import import_folders
from segfrontier_methods.weak_panoptic import WeakPanoptic
from segfrontier_methods.weak_panoptic.data import bought

BENCH = Bench(device="cpu", threads=1)
RECIPE = Recipe(
    encoder="test_resnet", head="deeplab_v2", pretrained="never", steps=1, batch=2, scale=(1.0, 1.0), flip=False,
    norm="frozen",
)  # fmt: skip
SMALL = KNOBS | {"instances": "none", "rounds": 0, "pictures": 0, "judged_scenes": 0}


def lab_of(tmp_path, world, **settings):
    return toy_lab(tmp_path / "home", world, **({"bench": BENCH, "hours": 0.05} | settings))


def test_it_trains_on_them_and_is_scored_where_truth_is(tmp_path):
    world = import_folders(pool_with_boxes_and_tags(tmp_path / "data"), tmp_path / "world")
    heard = Recorder()
    with lab_of(tmp_path, world, watcher=heard) as lab:
        model = WeakPanoptic(**SMALL).run(lab, RECIPE)
        assert lab.spent == 4, "eight boxes at nothing, eight tags of stuff at half a second"
        assert np.isfinite(lab.score(model).miou)
    assert list(heard.stages.values())[:5] == ["label", "train", "label", "label", "train"]


def test_all_that_exist_come_with_no_budget_at_all(tmp_path):
    world = import_folders(pool_with_boxes_and_tags(tmp_path / "data", tags=0), tmp_path / "world")
    with lab_of(tmp_path, world, hours=0) as lab:
        data = bought(lab, WeakPanoptic(**SMALL))
        assert lab.spent == 0 and set(data.boxes.scenes()) == set(data.tags.scenes()) == set(lab.pool.scenes())
        assert data.tiling == WHOLE_IMAGE and data.tags.values("train/b0").tolist() == [[0, 0], [0, 1]]


@pytest.mark.parametrize(("fine", "tiling"), [(("b0", "b1", "b2", "b3"), PAPER_002), (("b0",), WHOLE_IMAGE)])
def test_crops_are_tagged_where_all_images_can_be(tmp_path, fine, tiling):
    spec = pool_with_boxes_and_tags(tmp_path / "data", fine=fine)
    with lab_of(tmp_path, import_folders(spec, tmp_path / "world")) as lab:
        data = bought(lab, WeakPanoptic(**SMALL))
    assert data.tiling == tiling and data.boxes.scenes() and set(data.tags.scenes()) <= set(data.boxes.scenes())


def test_boxes_alone_leave_nothing_to_say_of_stuff(tmp_path):
    pool_with_boxes_and_tags(tmp_path / "data")
    existing = {"boxes": {"file": "boxes.json", "seconds": 0}}
    spec = described(tmp_path / "data", unlabelled=True, semantic=None, existing=existing)
    told = pytest.raises(BadInput, match=r"needs tags of stuff beside boxes; none of the 4 images .*`existing: tags`")
    with lab_of(tmp_path, import_folders(spec, tmp_path / "world")) as lab, told:
        bought(lab, WeakPanoptic(**SMALL))
