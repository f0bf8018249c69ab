"""Bought boxes to an instance map: agreement of sources, laying out, quality, and what no annotator should send."""

from functools import partial

import numpy as np
import pytest
from elsewhere import ElsewhereLab
from maskhere import disc, inside, iou
from toylab import toy_lab
from toyworld import write_toy

from segfrontier.errors import BadInput
from segfrontier.lab import Boxes, Fine, LabSettings, LocalLab, Part, SceneLabels, open_lab
from segfrontier_methods.weak_panoptic.box_masks import (
    BoxMasks,
    MaskQuality,
    Tidy,
    agreed,
    instance_of,
    laid_out,
    mask_quality,
    mask_sums,
    quality_of,
    size_of,
    tidy,
)
from segfrontier_methods.weak_panoptic.grabcut import OBJECT, OPEN, OUT, Box
from segfrontier_methods.weak_panoptic.proposals import (
    Proposals,
)

# ------------------------------------------------------------------------------------------------- bought boxes


def rows(*boxes):
    return np.array(boxes, np.int32).reshape(-1, 6)


def test_boxes_are_cut_at_the_images_edges_and_senseless_ones_left_out_in_their_order():
    found = tidy(
        rows(
            (5, 5, 9, 9, 2, 0), (-4, -4, 3, 2, 1, 0), (20, 3, 25, 9, 1, 0), (3, 3, 3, 9, 1, 0), (8, 4, 6, 9, 1, 0),
            (5, 5, 9, 9, 2, 0), (5, 5, 9, 9, 1, 0), (18, 10, 40, 40, 1, 1), (18, 10, 20, 15, 1, 1), (-9, 0, 0, 5, 2, 1),
        ),
        (15, 20),
    )  # fmt: skip
    assert found.boxes == ((5, 5, 9, 9), (0, 0, 3, 2), (5, 5, 9, 9))  # the same box of another class is another object
    assert found.labels == (2, 1, 1)
    assert found.groups == ((18, 10, 20, 15),)


@pytest.mark.parametrize("boxes", [rows(), rows((30, 0, 40, 9, 2, 0)), rows((3, 3, 3, 9, 2, 0))])
def test_without_a_box_that_is_left_all_is_void_or_background(boxes):
    image = np.zeros((10, 12, 3), np.uint8)
    known = SceneLabels(size=(10, 12), boxes=boxes)
    for masks in ("box", "both"):
        made = BoxMasks(masks=masks).label(None, image, known)
        assert (made.semantic == 255).all() and (made.instance == 0).all() and made.instance.dtype == np.uint16
    assert (BoxMasks(background=0).label(None, image, {"boxes": known}).semantic == 0).all()


@pytest.mark.parametrize("known", [None, {}, SceneLabels(size=(4, 4)), {"boxes": SceneLabels(size=(4, 4))}])
def test_a_scene_of_which_no_boxes_were_bought_is_a_fault(known):
    with pytest.raises(BadInput, match="none were bought"):
        BoxMasks().label(None, np.zeros((4, 4, 3), np.uint8), known)


@pytest.mark.parametrize("label", [3, 77, 255, 300, -1])
@pytest.mark.parametrize("group", [0, 1])
def test_a_box_of_a_class_that_the_world_lacks_is_a_fault(label, group):
    known = SceneLabels(size=(10, 12), boxes=rows((1, 1, 5, 5, 2, 0), (3, 3, 9, 9, label, group)))
    rule = BoxMasks(masks="box", num_classes=3)
    with pytest.raises(BadInput, match=f"class of a box must be 0 to 2; found {label}"):
        rule.label(None, np.zeros((10, 12, 3), np.uint8), known)
    if not 0 <= label < 255:  # whatever the world, no map holds it
        with pytest.raises(BadInput, match=f"class of a box must be 0 to 254; found {label}"):
            BoxMasks(masks="box").label(None, np.zeros((10, 12, 3), np.uint8), known)


@pytest.mark.parametrize(
    ("settings", "what"),
    [
        ({"masks": "mcg"}, "grabcut, proposals, both, box"), ({"background": 255}, "below 255"),
        ({"num_classes": 0}, "1 to 255 classes"), ({"num_classes": 256}, "1 to 255 classes"),
        ({"rejected": "background"}, "name it"), ({"rejected": "x"}, "void, background"), ({"clash": "x"}, "smaller"),
    ],
)  # fmt: skip
def test_settings_of_masks_without_sense_are_refused(settings, what):
    with pytest.raises(BadInput, match=what):
        BoxMasks(**settings)


def patches_of(*texts):
    return [
        np.array([[{"#": OBJECT, ".": OUT, "?": OPEN}[c] for c in line] for line in text.split()]) for text in texts
    ]


def test_overlaps_of_one_class_are_void_and_the_rest_is_each_boxs_instance():
    tidied = Tidy((Box(0, 0, 3, 2), Box(2, 0, 5, 1), Box(4, 0, 6, 2)), (1, 1, 2), (Box(6, 1, 7, 2),))
    patches = patches_of("### ##.", "###", "## ?#")
    semantic, instance = laid_out(tidied, patches, size=(2, 8))
    assert semantic.tolist() == [[1, 1, 255, 1, 255, 2, 255, 255], [1, 1, 255, 255, 255, 2, 255, 255]]
    assert instance.tolist() == [[1, 1, 0, 2, 0, 3, 0, 0], [1, 1, 0, 0, 0, 3, 0, 0]]
    semantic, instance = laid_out(tidied, patches, size=(2, 8), smaller=True)
    assert semantic[0].tolist() == [
        1,
        1,
        255,
        1,
        1,
        2,
        255,
        255,
    ]  # of two classes the smaller box has it, of one nobody
    assert instance[0].tolist() == [1, 1, 0, 2, 2, 3, 0, 0]
    semantic, _ = laid_out(tidied, patches, size=(2, 8), background=0)
    assert semantic.tolist() == [[1, 1, 255, 1, 255, 2, 0, 0], [1, 1, 255, 0, 255, 2, 255, 0]]  # a group is not outside
    semantic, _ = laid_out(tidied, patches, size=(2, 8), background=0, rejected=True)
    assert semantic[1].tolist() == [1, 1, 0, 0, 255, 2, 255, 0]  # what all boxes of a pixel reject, and nothing open


def test_the_smaller_box_has_a_pixel_unless_its_own_class_disputes_it():
    """Three boxes on one pixel: two of class 1, the smallest of class 2 on top; then the smallest of class 1."""
    boxes = (Box(0, 0, 3, 1), Box(0, 0, 2, 1), Box(0, 0, 1, 1))
    patches = [np.full(box.size, OBJECT, np.uint8) for box in boxes]
    semantic, instance = laid_out(Tidy(boxes, (1, 1, 2), ()), patches, size=(1, 3), smaller=True)
    assert semantic.tolist() == [[2, 255, 1]] and instance.tolist() == [[3, 0, 1]]
    semantic, _ = laid_out(Tidy(boxes, (1, 2, 1), ()), patches, size=(1, 3), smaller=True)
    assert semantic.tolist() == [[255, 2, 1]]


def test_sources_agree_where_they_say_the_same():
    first, second = patches_of("##.?#?", "#..?.#")
    assert agreed(first, second).tolist() == [[OBJECT, OPEN, OUT, OPEN, OPEN, OPEN]]


def test_both_claims_what_each_source_claims_and_the_box_claims_all_of_it():
    image, mask, box = disc(radius=10, noise=50)
    made = {
        masks: BoxMasks(masks=masks).label(None, image, SceneLabels(size=mask.shape, boxes=rows((*box, 3, 0))))
        for masks in ("grabcut", "proposals", "both", "box")
    }
    claimed = {masks: one.semantic == 3 for masks, one in made.items()}
    assert (claimed["both"] == (claimed["grabcut"] & claimed["proposals"])).all()
    assert claimed["box"].sum() == box.area and claimed["both"].sum() > 0
    assert iou(claimed["grabcut"], mask) > 0.9 and iou(claimed["both"], mask) > 0.8 > iou(claimed["box"], mask)
    for masks, one in made.items():
        assert ((one.instance == 1) == claimed[masks]).all() and set(np.unique(one.semantic)) == {3, 255}


# ------------------------------------------------------------------------------------------------------- quality


def test_sizes_are_cocos_and_a_size_at_a_bound_is_the_larger():
    assert [size_of(area) for area in (1, 1023, 1024, 9215, 9216, 10**6)] == [0, 0, 1, 1, 2, 2]


def test_a_boxs_instance_is_the_one_of_its_class_with_nearly_its_extent():
    semantic, instance = np.full((10, 12), 255, np.uint8), np.zeros((10, 12), np.uint16)
    semantic[1:5, 1:5], instance[1:5, 1:5] = 1, 4
    semantic[1:5, 5:9], instance[1:5, 5:9] = 2, 7
    semantic[6:9, 1:3] = 1  # of no instance
    assert instance_of(Box(1, 1, 5, 5), 1, semantic, instance) == 4
    assert instance_of(Box(1, 1, 9, 5), 1, semantic, instance) == 4  # an IoU of just one half
    assert instance_of(Box(1, 1, 9, 6), 1, semantic, instance) == 0
    assert instance_of(Box(1, 1, 5, 5), 2, semantic, instance) == 0
    assert instance_of(Box(1, 6, 3, 9), 1, semantic, instance) == 0


def test_scores_are_means_over_boxes_and_over_pixels_and_missing_where_nothing_was():
    found, truth = patches_of("##.#", "###.")
    one = mask_sums(found == OBJECT, truth == OBJECT, area=4)  # a pixel of the object lies outside of the box
    assert one == {"boxes": 1, "iou": 2 / 5, "shared": 2, "claimed": 3, "true": 4}
    sums = {name: np.zeros(3, np.float32) for name in (*one, "best")}
    for name, value in one.items():
        sums[name][0] = value
    sums["boxes"][2], sums["iou"][2], sums["shared"][2], sums["claimed"][2], sums["true"][2] = 1, 0, 0, 0, 16
    scores = quality_of(sums)
    assert scores["mask_iou"] == pytest.approx(0.2) and scores["mask_iou_small"] == pytest.approx(0.4)
    assert scores["mask_precision"] == pytest.approx(2 / 3) and scores["mask_recall"] == pytest.approx(0.1)
    assert scores["mask_iou_large"] == 0 and "mask_precision_large" not in scores and "mask_iou_medium" not in scores
    assert scores["boxes_medium"] == 0 and scores["boxes"] == 2


@pytest.mark.parametrize("radius", [5, 20])
def test_no_proposal_is_better_than_the_best_and_the_chosen_one_is_among_them(radius):
    image, mask, box = disc(radius=radius, noise=50)
    proposals, truth = Proposals(), inside(mask, box)
    best = proposals.best_iou(image, box, truth)
    assert (
        1 >= best >= iou(proposals.patch(image, box) == OBJECT, truth) - 0.05
    )  # the best is judged at the crop's size
    assert best > 0.85


# ------------------------------------------------------------------------------------------------------- the pass


@pytest.fixture
def lab(tmp_path):
    with toy_lab(tmp_path / "home", write_toy(tmp_path / "toy", target_train=3, target_val=1)) as lab:
        yield lab


def through_the_pass(lab, masks="both"):
    scenes = lab.pool.scenes()[:2]
    boxes = lab.buy(Boxes(scenes))
    made = lab.label(None, Part(images=lab.pool, labels={"boxes": boxes}), BoxMasks(masks=masks))
    return boxes, made


def test_bought_boxes_become_an_instance_map_in_a_pass_without_a_model(lab):
    boxes, made = through_the_pass(lab)
    assert made.scenes() == boxes.scenes()
    for scene in made.scenes():
        known = boxes.labels(scene)
        semantic, instance = made.map(scene), made.instance(scene)
        assert set(np.unique(semantic)) == {2, 255} and set(np.unique(instance)) == {0, 1, 2}
        for number, (x0, y0, x1, y1, label, _) in enumerate(known.boxes, start=1):
            ys, xs = (instance == number).nonzero()
            assert label == 2 and x0 <= xs.min() and xs.max() < x1 and y0 <= ys.min() and ys.max() < y1
        alone = BoxMasks().label(None, lab.pool.image(scene), known)
        assert (alone.semantic == semantic).all() and (alone.instance == instance).all()


def test_the_quality_of_masks_is_measured_where_the_truth_was_bought(lab):
    scenes = lab.pool.scenes()[:2]
    part = Part(images=lab.pool, labels={"boxes": lab.buy(Boxes(scenes)), "masks": lab.buy(Fine(scenes))})
    scores = {
        masks: mask_quality(lab.measure(None, part, MaskQuality(rule=BoxMasks(masks=masks))))
        for masks in ("grabcut", "box")
    }
    assert scores["box"]["mask_iou"] == pytest.approx(1) and scores["box"]["boxes_small"] == 4
    assert scores["grabcut"]["mask_iou_small"] == pytest.approx(9 / 42)  # cars that fill their boxes: the core is left
    assert scores["grabcut"]["mask_precision"] == 1 and scores["grabcut"]["proposal_best_iou"] > 0.5
    blind = Part(images=lab.pool, labels={"boxes": part.labels["boxes"]})
    with pytest.raises(Exception, match="judged by masks"):
        lab.measure(None, blind, MaskQuality())


@pytest.mark.slow
def test_other_processes_make_the_same_masks(tmp_path, pools):
    world, digests = write_toy(tmp_path / "toy", target_train=3, target_val=1), []
    for name, kind in {"here": LocalLab, "elsewhere": partial(ElsewhereLab, pools=pools)}.items():
        settings = LabSettings(home=tmp_path / name, world=world, prices="street", hours=100.0)
        with open_lab(settings, kind=kind) as lab:
            digests.append(through_the_pass(lab)[1].digest)
    assert digests[0] == digests[1]
