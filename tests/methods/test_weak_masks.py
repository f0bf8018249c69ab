"""Boxes to masks: GrabCut, proposals, their agreement, its quality, and what no annotator should send."""

import itertools
from importlib.util import find_spec

import cv2
import numpy as np
import pytest
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
from segfrontier_methods.weak_panoptic.grabcut import OBJECT, OPEN, OUT, Box, Crop, GrabCut, Guard
from segfrontier_methods.weak_panoptic.proposals import (
    Proposals,
    boundary_map,
    box_iou,
    grouped,
    merges,
    plain_cuts,
    require_hierarchy,
    without_gaps,
)


def disc(size=(60, 80), centre=(30, 40), radius=12, noise=12):
    """A red disc before green, with its mask and tight box."""
    y, x = np.mgrid[: size[0], : size[1]]
    mask = (y - centre[0]) ** 2 + (x - centre[1]) ** 2 <= radius**2
    colours = np.where(mask[..., None], (200, 60, 50), (40, 150, 60))
    image = np.clip(colours + np.random.default_rng(0).normal(0, noise, colours.shape), 0, 255).astype(np.uint8)
    return image, mask, box_of(mask)


def box_of(mask):
    y, x = mask.nonzero()
    return Box(int(x.min()), int(y.min()), int(x.max()) + 1, int(y.max()) + 1)


def inside(mask, box):
    return mask[box.y0 : box.y1, box.x0 : box.x1]


def iou(first, second):
    return (first & second).sum() / (first | second).sum()


def only_core(patch, guard=None):
    rows, columns = (guard or Guard()).core_of(patch.shape)
    expected = np.full(patch.shape, OPEN)
    expected[rows, columns] = OBJECT
    return (patch == expected).all()


# ------------------------------------------------------------------------------------------------------ the crop


def test_a_crop_has_half_the_box_as_margin_and_ends_where_the_image_does():
    crop = Crop()
    assert crop.around(Box(20, 30, 30, 36), (100, 100)) == (15, 27, 35, 39)
    assert crop.around(Box(2, 0, 12, 10), (100, 14)) == (0, 0, 14, 15)
    assert crop.around(Box(5, 5, 6, 6), (9, 9)) == (4, 4, 7, 7)  # of one pixel: one pixel more, not none
    assert crop.around(Box(0, 0, 5, 4), (4, 5)) == (0, 0, 5, 4)


@pytest.mark.parametrize(
    ("part", "scaled"), [((0, 0, 20, 10), (64, 128)), ((3, 3, 303, 903), (128, 43)), ((0, 0, 400, 1), (1, 128))]
)
def test_every_crop_is_looked_at_with_one_longer_side(part, scaled):
    assert Crop().scaled(Box(*part)) == scaled


def test_a_box_comes_back_from_its_scaled_crop_as_it_went():
    crop, size = Crop(), (90, 120)
    for box in (Box(30, 20, 42, 50), Box(0, 0, 7, 5), Box(10, 10, 110, 80), Box(119, 89, 120, 90)):
        part = crop.around(box, size)
        mask, inner = np.zeros(crop.scaled(part), bool), crop.inside(box, part)
        mask[inner.y0 : inner.y1, inner.x0 : inner.x1] = True
        assert crop.back(mask, box, part).mean() > 0.97 and crop.back(mask, box, part).shape == box.size


# ------------------------------------------------------------------------------------------------------ the guard


def share(of):
    mask = np.zeros((10, 10), bool)
    mask.ravel()[:of] = True
    return mask


@pytest.mark.parametrize(
    ("of", "believed"), [(19, False), (20, True), (95, True), (96, False), (0, False), (100, False)]
)
def test_a_share_at_a_threshold_is_believed_and_one_beyond_is_not(of, believed):
    patch = Guard().guarded(share(of), (10, 10))
    if believed:
        assert (patch == share(of)).all()
    else:
        assert only_core(patch) and (patch == OBJECT).sum() == 16  # rows and columns 3 to 6


def test_a_core_has_a_pixel_of_any_box():
    for size in ((1, 1), (1, 9), (2, 3), (4, 2)):
        core = np.zeros(size)
        core[Guard().core_of(size)] = 1
        assert core.any()
        assert only_core(Guard().guarded(None, size))


@pytest.mark.parametrize(
    ("make", "what"),
    [
        (lambda: Crop(margin=0), "margin"), (lambda: Crop(side=4), "longer side"),
        (lambda: GrabCut(rounds=0), "one round"),
        (lambda: Guard(least=0.9, most=0.5), "least <= most"), (lambda: Guard(core=(0.7, 0.3)), "core"),
    ],
)  # fmt: skip
def test_settings_without_sense_are_refused(make, what):
    with pytest.raises(BadInput, match=what):
        make()


# ------------------------------------------------------------------------------------------------------ GrabCut


@pytest.mark.parametrize("radius", [4, 12, 25])
def test_grabcut_finds_a_disc_in_its_box_better_than_the_box_does(radius):
    image, mask, box = disc(radius=radius)
    patch = GrabCut().patch(image, box)
    truth = inside(mask, box)
    assert patch.shape == truth.shape and set(np.unique(patch)) <= {0, 1}
    assert iou(patch == OBJECT, truth) > 0.9 > truth.mean()


def test_grabcut_is_the_same_whatever_was_drawn_before_and_on_more_threads():
    image, _, box = disc(radius=9, noise=60)
    first, threads = GrabCut().patch(image, box), cv2.getNumThreads()
    cv2.setRNGSeed(1234)
    try:
        cv2.setNumThreads(2)
        again = GrabCut().patch(image, box)
    finally:
        cv2.setNumThreads(threads)
    assert (first == again).all()


def test_an_object_that_nothing_tells_from_its_surroundings_keeps_its_core_alone():
    flat = np.full((40, 40, 3), 90, np.uint8)
    assert only_core(GrabCut(guard=Guard(least=0.3)).patch(flat, Box(10, 10, 30, 30)))


@pytest.mark.parametrize("size", [(1, 1), (2, 3), (20, 30)])
def test_a_box_that_is_the_whole_image_keeps_its_core_alone(size):
    image = np.random.default_rng(0).integers(0, 255, (*size, 3), dtype=np.uint8)
    assert only_core(GrabCut().patch(image, Box(0, 0, size[1], size[0])))


@pytest.mark.parametrize("box", [(0, 0, 1, 1), (3, 2, 4, 8), (0, 0, 9, 8), (1, 1, 9, 9), (8, 8, 9, 9)])
def test_an_image_smaller_than_a_margin_is_looked_at_as_far_as_it_goes(box):
    image, _, _ = disc(size=(9, 9), centre=(4, 4), radius=2)
    patch = GrabCut().patch(image, Box(*box))
    assert patch.shape == Box(*box).size and (patch == OBJECT).any()


# ------------------------------------------------------------------------------------------------------ proposals


def by_hand(regions, most):
    """Slowly: every set of up to `most` regions that a walk over shared sides holds together."""
    count, touching = regions.max() + 1, set()
    for y, x in np.ndindex(regions.shape):
        for v, u in ((y + 1, x), (y, x + 1)):
            if v < regions.shape[0] and u < regions.shape[1]:
                touching |= {(regions[y, x], regions[v, u]), (regions[v, u], regions[y, x])}
    found = set()
    for size in range(1, most + 1):
        for group in itertools.combinations(range(count), size):
            reached = {group[0]}
            for _ in group:
                reached |= {b for a, b in touching if a in reached and b in group}
            if len(reached) == size:
                found.add(group)
    return found


@pytest.mark.parametrize("most", [1, 2, 3, 4])
def test_groups_are_all_connected_sets_of_regions_each_once_with_its_box(most):
    regions = without_gaps(np.random.default_rng(3).integers(0, 7, (4, 5)))
    segments = grouped(regions, together=most)
    groups = [tuple(row.nonzero()[0]) for row in segments.members_GR]
    assert len(groups) == len(set(groups)) and set(groups) == by_hand(regions, most)
    for group in range(len(groups)):
        mask = np.isin(regions, groups[group])
        assert (segments.mask(group) == mask).all() and tuple(segments.boxes_G4[group]) == box_of(mask)
    where = np.random.default_rng(4).random(regions.shape) < 0.5
    assert segments.pixels(where).tolist() == [(np.isin(regions, group) & where).sum() for group in groups]


def test_the_iou_of_boxes_is_that_of_the_masks_they_fill():
    boxes = np.array([(2, 3, 8, 9), (0, 0, 2, 3), (4, 1, 12, 5), (5, 5, 6, 6)])
    filled = np.zeros((4, 10, 12), bool)
    for mask, (x0, y0, x1, y1) in zip(filled, boxes, strict=True):
        mask[y0:y1, x0:x1] = True
    assert box_iou(boxes, Box(*map(int, boxes[0]))).tolist() == [iou(mask, filled[0]) for mask in filled]


def test_the_weakest_boundary_goes_first_and_specks_before_objects():
    """Four columns of 4, 4, 4 and 1 pixels' width; the boundaries between them: 2, 4, 3."""
    regions = np.repeat(np.array([0, 1, 2, 3]), (4, 4, 4, 1))[None].repeat(4, axis=0)
    edges = np.zeros(regions.shape, np.float32)
    edges[:, 3:5], edges[:, 7:9], edges[:, 11:13] = 2, 4, 3
    assert merges(regions, edges) == [(2, 3), (0, 1), (0, 2)]  # 3 * sqrt 4, then 2 * sqrt 16
    assert merges(np.zeros((3, 3), np.int64), np.zeros((3, 3), np.float32)) == []


def test_cuts_have_at_most_the_regions_asked_for_and_lie_in_one_another():
    image, _, _ = disc(noise=40)
    edges = boundary_map(image, scales=(1.0, 2.0))
    cuts = list(plain_cuts(edges, (2, 5, 20)))
    assert [cut.max() + 1 for cut in cuts] == [2, 5, 20]
    for coarse, fine in itertools.pairwise(cuts):
        assert len(np.unique(fine * 100 + coarse)) == fine.max() + 1, "each fine region lies in one coarse one"


def test_a_flat_image_is_one_region_and_its_box_is_not_believed():
    flat = np.full((40, 50, 3), 90, np.uint8)
    assert [segments.members_GR.shape for segments in Proposals().segments(flat)] == [(1, 1)] * 4
    assert only_core(Proposals().patch(flat, Box(10, 10, 30, 30)))


HIERARCHIES = ["plain", pytest.param("higra", marks=pytest.mark.skipif(not find_spec("higra"), reason="no higra"))]


@pytest.mark.parametrize("hierarchy", HIERARCHIES)
@pytest.mark.parametrize("radius", [4, 12, 25])
def test_the_proposal_of_a_boxs_extent_is_the_disc(radius, hierarchy):
    image, mask, box = disc(radius=radius)
    patch, truth = Proposals(hierarchy=hierarchy).patch(image, box), inside(mask, box)
    assert iou(patch == OBJECT, truth) > 0.85 > truth.mean()


def test_the_extent_decides_and_not_how_much_of_the_box_is_filled():
    """A cross fills 5/9 of its box."""
    cross = np.zeros((90, 90), bool)
    cross[30:60, 15:75] = cross[15:75, 35:55] = True
    image = np.where(cross[..., None], (200, 60, 50), (40, 150, 60)).astype(np.uint8)
    box = box_of(cross)
    chosen = Proposals().chosen(image, box)
    assert iou(chosen, cross) > 0.9


@pytest.mark.parametrize("hierarchy", HIERARCHIES)
@pytest.mark.parametrize("size", [(1, 1), (1, 7), (9, 9)])
def test_proposals_of_tiny_images_are_of_their_size(size, hierarchy):
    image = np.random.default_rng(0).integers(0, 255, (*size, 3), dtype=np.uint8)
    patch = Proposals(hierarchy=hierarchy).patch(image, Box(0, 0, size[1], size[0]))
    assert patch.shape == size and (patch == OBJECT).any()


@pytest.mark.parametrize(
    ("make", "what"),
    [
        (lambda: Proposals(counts=(1, 4)), "2 to 62"), (lambda: Proposals(counts=(63,)), "2 to 62"),
        (lambda: Proposals(together=5), "1 to 4"), (lambda: Proposals(scales=()), "scales"),
        (lambda: Proposals(hierarchy="mcg"), "plain or higra"),
    ],
)  # fmt: skip
def test_settings_of_proposals_without_sense_are_refused(make, what):
    with pytest.raises(BadInput, match=what):
        make()


def test_a_hierarchy_that_is_not_installed_is_refused_with_the_way_to_have_it(monkeypatch):
    monkeypatch.setattr("segfrontier_methods.weak_panoptic.proposals.find_spec", lambda name: None)
    with pytest.raises(BadInput, match=r"segfrontier\[proposals\]"):
        require_hierarchy("higra")
    require_hierarchy("plain")


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


@pytest.mark.parametrize(
    ("settings", "what"),
    [
        ({"masks": "mcg"}, "grabcut, proposals, both, box"), ({"background": 255}, "below 255"),
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


@pytest.mark.ray
@pytest.mark.slow
def test_both_labs_make_the_same_masks(tmp_path, ray_here):
    from segfrontier.lab._ray import RayLab

    world, digests = write_toy(tmp_path / "toy", target_train=3, target_val=1), []
    for kind in (LocalLab, RayLab):
        settings = LabSettings(home=tmp_path / kind.__name__, world=world, prices="street", hours=100.0)
        with open_lab(settings, kind=kind) as lab:
            digests.append(through_the_pass(lab)[1].digest)
    assert digests[0] == digests[1]
