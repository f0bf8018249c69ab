"""Boxes to masks: the crop, the guard, GrabCut and proposals, an object at a time."""

import itertools
from importlib.util import find_spec

import cv2
import numpy as np
import pytest
from maskhere import box_of, disc, inside, iou, only_core

from segfrontier.errors import BadInput
from segfrontier_methods.weak_panoptic.grabcut import OBJECT, Box, Crop, GrabCut, Guard
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


def test_a_boxs_core_is_surely_the_object_whatever_its_colour():
    """A frame of one colour round a core of the background's; what the guard makes of it is left out."""
    image, box = np.full((60, 60, 3), (40, 150, 60), np.uint8), Box(15, 15, 45, 45)
    image += np.random.default_rng(0).integers(0, 20, image.shape, dtype=np.uint8)
    core = image[22:38, 22:38].copy()
    image[15:45, 15:45] = (200, 60, 50)
    image[22:38, 22:38] = core
    found = GrabCut(guard=Guard(least=0.0, most=1.0)).patch(image, box) == OBJECT
    assert found[Guard().core_of(box.size)].mean() > 0.9 and found[0].all()


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
