"""Boxes to masks: GrabCut, proposals, their agreement, its quality, and what no annotator should send."""

import cv2
import numpy as np
import pytest

from segfrontier.errors import BadInput
from segfrontier_methods.weak_panoptic.grabcut import OBJECT, OPEN, Box, Crop, GrabCut, Guard


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
        (lambda: Crop(margin=0), "margin"), (lambda: Crop(side=4), "longer side"), (lambda: GrabCut(rounds=0), "one round"),
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
