"""Each step of cleaning against a slow reference that asks every pixel, and the chain of the published code."""

import numpy as np
import pytest

from segfrontier.errors import BadInput
from segfrontier.maths import (
    Cleaning,
    Evidence,
    boxed_in_tiles,
    cleaned_labels,
    filled_boxes,
    first_labels,
    inside_boxes,
    instances_by_boxes,
    merged_with_first,
    sure_labels,
    tag_checked,
    tags_of_tiles,
)
from segfrontier.maths.label_cleaning import PAPER, PUBLISHED

THINGS, STUFF, CLASSES, SIZE = (3, 4), (0, 1, 2), 5, (11, 14)
TILES = np.array([[0, 0, 8, 7], [6, 0, 14, 7], [0, 5, 8, 11], [6, 5, 14, 11]])


def boxes(*rows):
    return np.array(rows, np.int32).reshape(-1, 6)


def drawn(seed):
    """A map with void, boxes that overlap, stick out, repeat and are groups, first masks, tags, scores."""
    rng = np.random.default_rng(seed)
    labels = rng.choice([*range(CLASSES), 255], SIZE).astype(np.uint8)
    low = np.column_stack([rng.integers(-3, 12, 7), rng.integers(-3, 9, 7)])
    rows = np.column_stack([low, low + rng.integers(0, 8, (7, 2)), rng.choice(THINGS, 7), rng.random(7) < 0.3])
    turned = np.array([*rows[2, :5], 1 - rows[2, 5]])
    rows = np.vstack([rows, rows[:2], turned]).astype(np.int32)
    first = rng.choice([0, 3, 4, 255], SIZE).astype(np.uint8)
    scores = rng.choice(np.array([0.5, 0.98, 0.99, 1.0], np.float32), SIZE)
    return labels, rows, first, rng.random((4, CLASSES)) < 0.6, scores


def pixels():
    return [(y, x) for y in range(SIZE[0]) for x in range(SIZE[1])]


def holds(box, y, x):
    return box[0] <= x <= box[2] - 1 and box[1] <= y <= box[3] - 1


SEEDS = pytest.mark.parametrize("seed", range(6))


@SEEDS
def test_a_score_below_the_threshold_is_void_and_one_at_it_is_kept(seed):
    labels, *_, scores = drawn(seed)
    made = sure_labels(labels, scores, least=0.99)
    assert all(made[p] == (255 if scores[p] < 0.985 else labels[p]) for p in pixels())
    assert (scores == np.float32(0.99)).any()


@SEEDS
def test_a_pixel_must_pass_every_tile_that_covers_it(seed):
    labels, _, _, present, _ = drawn(seed)
    made = tag_checked(labels, TILES, present)
    for y, x in pixels():
        covering = [t for t in range(4) if holds(TILES[t], y, x)]
        known = labels[y, x] != 255 and all(present[t, labels[y, x]] for t in covering)
        assert made[y, x] == (labels[y, x] if known else 255)


def test_things_are_checked_as_stuff_is_and_what_no_tile_covers_stays():
    labels = np.array([[3, 0, 3, 0]], np.uint8)
    made = tag_checked(labels, np.array([[0, 0, 2, 1]]), np.array([[True, False, False, False, False]]))
    assert made.tolist() == [[255, 0, 3, 0]]


def test_tags_by_tile_come_from_rows_and_from_boxes_that_meet_the_tile():
    present = tags_of_tiles(np.array([[0, 1], [3, 2], [0, 1]]), tiles=4, num_classes=CLASSES)
    assert np.argwhere(present).tolist() == [[0, 1], [3, 2]]
    boxed = boxed_in_tiles(
        boxes((0, 0, 6, 5, 3, 0), (8, 6, 9, 7, 4, 1), (2, 2, 2, 9, 4, 0)), TILES, num_classes=CLASSES
    )
    assert np.argwhere(boxed).tolist() == [[0, 3], [1, 4], [3, 4]]


def test_tags_of_no_rows_say_that_nothing_is_there():
    none = tags_of_tiles(np.zeros((0, 2), np.int32), tiles=4, num_classes=CLASSES)
    assert (tag_checked(drawn(0)[0], TILES, none) == 255).all()


@pytest.mark.parametrize(
    ("row", "words"), [([0, 5], "class .* 0 to 4; found 5"), ([4, 0], "tile .* 0 to 3; found 4"), ([0, -1], "found -1")]
)
def test_a_tag_of_another_table_or_tiling_is_refused(row, words):
    with pytest.raises(BadInput, match=words):
        tags_of_tiles(np.array([[0, 0], row]), tiles=4, num_classes=CLASSES)


def test_a_box_of_another_table_is_refused():
    with pytest.raises(BadInput, match="class of a box must be 0 to 4; found 5"):
        boxed_in_tiles(boxes((0, 0, 2, 2, 5, 0)), TILES, num_classes=CLASSES)


def test_tags_of_another_number_of_tiles_are_refused():
    with pytest.raises(ValueError, match="found 3 for 4 tiles"):
        tag_checked(drawn(0)[0], TILES, np.ones((3, CLASSES), np.bool_))


def test_the_first_masks_win_with_things_and_leave_only_predicted_stuff_elsewhere():
    first, predicted = np.meshgrid(np.array([3, 4, 0, 255], np.uint8), np.array([3, 4, 0, 2, 255], np.uint8))
    made = merged_with_first(predicted, first, things=THINGS)
    table = {  # the published table: (predicted, first)
        **{(p, f): f for p in (3, 4, 0, 2, 255) for f in (3, 4)},
        **{(p, f): 255 for p in (3, 4, 255) for f in (0, 255)},
        **{(p, f): p for p in (0, 2) for f in (0, 255)},
    }
    assert all(m == table[p, f] for m, p, f in zip(made.flat, predicted.flat, first.flat, strict=True))


@SEEDS
@pytest.mark.parametrize("outside", [255, 0])
def test_a_thing_outside_all_boxes_of_its_class_is_void_or_background(seed, outside):
    labels, rows, *_ = drawn(seed)
    made = inside_boxes(labels, rows, things=THINGS, outside=outside)
    for y, x in pixels():
        own = [box for box in rows if box[4] == labels[y, x] and holds(box, y, x)]
        stays = labels[y, x] not in THINGS or own
        assert made[y, x] == (labels[y, x] if stays else outside)


def test_the_corners_of_a_box_belong_to_it_and_groups_count():
    labels = np.full((4, 5), 3, np.uint8)
    made = inside_boxes(labels, boxes((1, 1, 3, 3, 3, 1)), things=THINGS, outside=255)
    assert np.argwhere(made == 3).tolist() == [[1, 1], [1, 2], [2, 1], [2, 2]]
    assert (inside_boxes(labels, boxes(), things=THINGS, outside=255) == 255).all()


@SEEDS
@pytest.mark.parametrize(("least", "groups"), [(0.2, False), (0.5, False), (0.5, True)])
def test_boxes_of_low_coverage_are_filled_over_void_and_stuff(seed, least, groups):
    labels, rows, *_ = drawn(seed)
    made = filled_boxes(labels, rows, things=THINGS, least=least, groups=groups)
    low = {}
    for number, box in enumerate(rows):
        inside = [labels[p] for p in pixels() if holds(box, *p)]
        if inside and (groups or not box[5]) and sum(v == box[4] for v in inside) < least * len(inside):
            low[number] = len(inside)
    order = sorted(low, key=lambda n: (-low[n], n))
    for y, x in pixels():
        over = [n for n in order if holds(rows[n], y, x)]
        fills = over and labels[y, x] not in THINGS
        assert made[y, x] == (rows[over[-1]][4] if fills else labels[y, x])
    assert order or least < 0.5


def test_half_a_box_is_enough_and_a_small_box_is_filled_over_a_large_one():
    labels = np.array([[3, 3, 255, 0]], np.uint8)
    assert (filled_boxes(labels, boxes((0, 0, 4, 1, 3, 0)), things=THINGS, least=0.5, groups=False) == labels).all()
    rows = boxes((2, 0, 4, 1, 4, 0), (0, 0, 4, 1, 3, 0))
    assert filled_boxes(labels, rows, things=THINGS, least=0.51, groups=False).tolist() == [[3, 3, 4, 4]]


@SEEDS
@pytest.mark.parametrize("stuff", [(), STUFF])
def test_instances_are_claimed_by_boxes_in_order(seed, stuff):
    labels, rows, *_ = drawn(seed)
    made = instances_by_boxes(labels, rows, stuff=stuff)
    there = [label for label in stuff if (labels == label).any()]
    inside = rows.copy()
    inside[:, :4] = [[min(max(v, 0), SIZE[1 - n % 2]) for n, v in enumerate(box[:4])] for box in rows]
    single = list(dict.fromkeys(tuple(box[:5].tolist()) for box in inside if not box[5]))
    assert len(single) < sum(1 - rows[:, 5])  # some came twice
    for y, x in pixels():
        own = [n for n, box in enumerate(single) if box[4] == labels[y, x] and holds(box, y, x)]
        expected = 1 + len(there) + own[0] if len(own) == 1 else 0
        if labels[y, x] in there:
            expected = 1 + there.index(labels[y, x])
        assert made[y, x] == expected


def test_boxes_outside_the_image_or_without_area_claim_and_fill_nothing():
    labels = np.array([[3, 0, 3, 0]], np.uint8)
    rows = boxes((-4, 0, 0, 1, 3, 0), (2, 0, 2, 1, 3, 0), (9, 0, 12, 1, 3, 0), (3, 0, 1, 1, 3, 0))
    assert not instances_by_boxes(labels, rows, stuff=()).any()
    assert (filled_boxes(labels, rows, things=THINGS, least=1.0, groups=True) == labels).all()
    assert inside_boxes(labels, rows, things=THINGS, outside=255).tolist() == [[255, 0, 255, 0]]


def test_of_boxes_that_stick_out_the_part_inside_is_ranked_and_filled():
    rows = boxes((0, 0, 3, 1, 3, 0), (-9, 0, 2, 1, 4, 0))
    made = filled_boxes(np.zeros((1, 4), np.uint8), rows, things=THINGS, least=0.5, groups=False)
    assert made.tolist() == [[4, 4, 3, 0]]


def test_a_pixel_that_two_boxes_claim_is_no_instance_of_a_third():
    labels = np.full((1, 6), 3, np.uint8)
    rows = boxes((0, 0, 4, 1, 3, 0), (2, 0, 6, 1, 3, 0), (3, 0, 4, 1, 3, 0), (0, 0, 4, 1, 3, 0))
    made = instances_by_boxes(labels, rows, stuff=STUFF)
    assert made.tolist() == [[1, 1, 0, 0, 2, 2]] and made.dtype == np.uint16


def evidence(seed):
    labels, rows, first, present, scores = drawn(seed)
    return labels, scores, Evidence(
        things=THINGS, boxes_B6=rows, tiles_T4=TILES, present_TK=present, first_HW=first
    )  # fmt: skip


@SEEDS
@pytest.mark.parametrize("number", [1, 5, 6])
def test_the_published_chain_merges_for_five_rounds(seed, number):
    labels, scores, known = evidence(seed)
    made = sure_labels(labels, scores, least=0.99)
    made = tag_checked(made, TILES, known.present_TK)
    if number <= 5:
        made = merged_with_first(made, known.first_HW, things=THINGS)
    made = inside_boxes(made, known.boxes_B6, things=THINGS, outside=255)
    made = filled_boxes(made, known.boxes_B6, things=THINGS, least=0.5, groups=False)
    before = labels.copy()
    assert (cleaned_labels(labels, scores, known, PUBLISHED, number=number) == made).all()
    assert (labels == before).all()


def test_the_papers_chain_is_the_box_prior_and_the_order_is_as_given():
    labels, scores, known = evidence(1)
    prior = inside_boxes(labels, known.boxes_B6, things=THINGS, outside=255)
    assert (cleaned_labels(labels, scores, known, PAPER, number=1) == prior).all()
    turned = Cleaning(steps=("fill", "prior"), outside=0, least_coverage=0.3, fill_groups=True)
    filled = filled_boxes(labels, known.boxes_B6, things=THINGS, least=0.3, groups=True)
    expected = inside_boxes(filled, known.boxes_B6, things=THINGS, outside=0)
    assert (cleaned_labels(labels, scores, known, turned, number=1) == expected).all()


def test_the_first_labels_unite_seeds_and_masks_whatever_the_chain_is():
    seeds, _, known = evidence(2)
    merged = merged_with_first(seeds, known.first_HW, things=THINGS)
    prior = inside_boxes(merged, known.boxes_B6, things=THINGS, outside=255)
    assert (first_labels(seeds, known, PAPER) == prior).all()
    checked = merged_with_first(tag_checked(seeds, TILES, known.present_TK), known.first_HW, things=THINGS)
    checked = inside_boxes(checked, known.boxes_B6, things=THINGS, outside=255)
    checked = filled_boxes(checked, known.boxes_B6, things=THINGS, least=0.5, groups=False)
    assert (first_labels(seeds, known, Cleaning(merge_rounds=0)) == checked).all()


def test_what_is_not_known_of_an_image_drops_nothing():
    labels, scores, _ = evidence(3)
    made = cleaned_labels(labels, scores, Evidence(things=THINGS), PUBLISHED, number=1)
    assert (made == sure_labels(labels, scores, least=0.99)).all()


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"steps": ("prior", "crf")}, "a step of cleaning must be .*found 'crf'"),
        ({"steps": ("prior", "prior")}, "may stand once; found prior, prior"),
        ({"least_score": 1.5}, "least score must lie in"),
        ({"least_coverage": float("nan")}, "least coverage must lie in"),
        ({"merge_rounds": -1}, "at least 0; found -1"),
        ({"outside": 256}, "label outside boxes"),
    ],
)
def test_bad_settings_are_refused(settings, words):
    with pytest.raises(ValueError, match=words):
        Cleaning(**settings)


def test_bad_input_is_refused():
    labels, scores, known = evidence(0)
    with pytest.raises(ValueError, match="number of a round must be at least 1"):
        cleaned_labels(labels, scores, known, PUBLISHED, number=0)
    with pytest.raises(ValueError, match=r"columns x0, y0, x1, y1, label, group; found 5"):
        inside_boxes(labels, known.boxes_B6[:, :5], things=THINGS, outside=255)
    with pytest.raises(ValueError, match="one shape"):
        merged_with_first(labels, known.first_HW[1:], things=THINGS)
