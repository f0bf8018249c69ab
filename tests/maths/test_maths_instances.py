"""AP^r: the published vectors under three conventions, and each convention against an independent loop."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from segfrontier.maths import (
    CITYSCAPES_THRESHOLDS,
    VOC_THRESHOLDS,
    InstanceHits,
    ap_vol,
    average_precision,
    instance_hits,
    instance_scores,
    overlap_maps,
    overlap_masks,
)

PROPERTY = settings(deadline=None, derandomize=True, database=None, max_examples=60)
CONVENTIONS = ("din", "voc", "cityscapes")
Image = tuple[np.ndarray, np.ndarray, np.ndarray, list[int], list[float]]


def test_thresholds_of_the_two_definitions() -> None:
    assert pytest.approx(np.arange(0.1, 0.95, 0.1)) == VOC_THRESHOLDS
    assert pytest.approx(np.arange(0.5, 1.0, 0.05)) == CITYSCAPES_THRESHOLDS and len(CITYSCAPES_THRESHOLDS) == 10


def three_squares(right: tuple[bool, ...]) -> Image:
    """Three true squares of 100 pixels; predictions scored .9, .8, .7 meet one of them with IoU 90/110 or miss."""
    instance = np.zeros((20, 60), np.uint16)
    for i in range(3):
        instance[:10, 20 * i : 20 * i + 10] = i + 1
    masks = np.zeros((3, 20, 60), bool)
    for i, hit in enumerate(right):
        top, left = (0, 20 * i + 1) if hit else (10, 20 * i)
        masks[i, top : top + 10, left : left + 10] = True
    return np.where(instance > 0, 0, 1).astype(np.uint8), instance, masks, [0, 0, 0], [0.9, 0.8, 0.7]


def judge(image: Image, convention: str, thresholds: tuple[float, ...] = (0.5, 0.8, 0.85), **options) -> InstanceHits:
    truth, instance, masks, labels, scores = image
    overlaps = overlap_masks(truth, instance, masks, labels, things=(0, 2))
    return instance_hits(overlaps, scores, num_classes=3, convention=convention, thresholds=thresholds, **options)


@pytest.mark.parametrize(("convention", "expected"), [("din", 0.388889), ("cityscapes", 0.277778), ("voc", 0.444444)])
def test_facts_2e_false_hit_hit_with_three_in_the_truth(convention: str, expected: float) -> None:
    ap = average_precision(judge(three_squares((False, True, True)), convention))
    assert ap[0].tolist() == pytest.approx([expected, expected, 0.0], abs=1e-6)


def test_facts_2e_din_oracle_and_hit_false_hit() -> None:
    hits = judge(three_squares((False, True, True)), "din")
    assert average_precision(hits, ranking="oracle")[0, 0] == pytest.approx(0.666667, abs=1e-6)
    hits = judge(three_squares((True, False, True)), "din")
    assert average_precision(hits)[0, 0] == pytest.approx(0.555556, abs=1e-6)


def random_image(seed: int) -> Image:
    """Small squares with void, crowds and stuff; predictions are shifted true squares, often several on one."""
    rng = np.random.default_rng(seed)
    truth, instance = np.full((12, 16), 1, np.uint8), np.zeros((12, 16), np.uint16)
    masks, labels = [], []
    for i in range(rng.integers(0, 6)):
        y, x, h, w = *rng.integers(0, [9, 12]), *rng.integers(2, 5, 2)
        label = int(rng.choice([0, 0, 2, 255]))
        truth[y : y + h, x : x + w] = label
        instance[y : y + h, x : x + w] = 0 if label == 255 or rng.random() < 0.2 else i + 1
        for _ in range(rng.integers(0, 3)):
            mask = np.zeros(truth.shape, bool)
            dy, dx = rng.integers(-1, 2, 2)
            mask[max(y + dy, 0) : y + dy + h, max(x + dx, 0) : x + dx + w] = True
            masks.append(mask)
            labels.append(label if label != 255 and rng.random() < 0.9 else 0)
    scores = rng.permutation(len(masks) * 2)[: len(masks)] / 100  # no ties: those have tests of their own
    return truth, instance, np.array(masks).reshape(-1, 12, 16), labels, scores.tolist()


def true_segments(truth: np.ndarray, instance: np.ndarray, label: int) -> tuple[list[np.ndarray], list[np.ndarray]]:
    """The masks to find and the crowds of a thing class, or the one mask of the stuff class 1."""
    of_class = truth == label
    if label == 1:
        return ([of_class] if of_class.any() else []), []
    found = [of_class & (instance == i) for i in np.unique(instance[of_class]) if i > 0]
    crowd = of_class & (instance == 0)
    return found, ([crowd] if crowd.any() else [])


def iou(a: np.ndarray, b: np.ndarray) -> float:
    return (a & b).sum() / (a | b).sum()


def slow_rows(image: Image, label: int, convention: str, threshold: float, small: int) -> tuple[list, int]:
    """((score, is hit) of every judged prediction, number of true segments), as each evaluator's text describes it."""
    truth, instance, masks, labels, scores = image
    found, crowds = true_segments(truth, instance, label)
    ignore = truth == 255
    for other in (0, 2):
        for crowd in true_segments(truth, instance, other)[1]:
            ignore = ignore | (crowd if convention != "cityscapes" else False)
    mine = sorted([(s, m) for m, c, s in zip(masks, labels, scores, strict=True) if c == label], key=lambda sm: -sm[0])
    rows: list[tuple[float, bool]] = []
    if convention == "din":
        for score, mask in mine:
            best = max([iou(mask & ~ignore, t) for t in found], default=0.0)
            rows.append((score, best > threshold))
        return rows, len(found)
    if convention == "voc":
        taken: set[int] = set()
        for score, mask in mine:
            left = mask & ~ignore
            if not left.any():
                continue
            ious = [iou(left, t) for t in found]
            best = int(np.argmax(ious)) if ious else -1
            hit = best >= 0 and ious[best] > threshold and best not in taken
            taken |= {best} if hit else set()
            rows.append((score, hit))
        return rows, len(found)
    counted = [t for t in found if t.sum() >= small]
    uncounted = [t for t in found if t.sum() < small] + crowds
    for t in counted:
        over = [score for score, mask in mine if iou(mask, t) > threshold]
        rows += [(score, i == 0) for i, score in enumerate(over)]
    for score, mask in mine:
        if any(iou(mask, t) > threshold for t in found + crowds):
            continue
        ignored = (mask & ignore).sum() + sum((mask & t).sum() for t in uncounted)
        if ignored / mask.sum() <= threshold:
            rows.append((score, False))
    return rows, len(counted)


def slow_average(rows: list[tuple[float, bool]], positives: int, convention: str) -> float:
    if not positives:
        return math.nan
    rows = sorted(rows, key=lambda row: -row[0])
    points = []
    for i, (score, _) in enumerate(rows):
        if convention == "cityscapes" and i + 1 < len(rows) and rows[i + 1][0] == score:
            continue
        hits = sum(hit for _, hit in rows[: i + 1])
        points.append((hits / positives, hits / (i + 1)))
    if convention == "din":
        return sum(points[i][1] for i, (_, hit) in enumerate(rows) if hit) / positives
    area, last = 0.0, 0.0
    for i, (recall, precision) in enumerate(points):
        height = max(p for _, p in points[i:]) if convention == "voc" else (precision + points[max(i - 1, 0)][1]) / 2
        area, last = area + (recall - last) * height, recall
    return area


@PROPERTY
@given(seed=st.integers(0, 100_000), convention=st.sampled_from(CONVENTIONS))
def test_each_convention_against_loops(seed: int, convention: str) -> None:
    images = [random_image(seed + i) for i in range(4)]
    thresholds = (0.1, 0.3, 0.5, 0.7)
    total = InstanceHits.total(judge(image, convention, thresholds, min_pixels=7) for image in images)
    # Scores of different images may tie; the loops judge in data-set order, as the stable sort does.
    found = average_precision(total)
    for label in range(3):
        for i, threshold in enumerate(thresholds):
            parts = [slow_rows(image, label, convention, threshold, 7) for image in images]
            rows = [row for part, _ in parts for row in part]
            expected = slow_average(rows, sum(n for _, n in parts), convention)
            assert found[label, i] == pytest.approx(expected, abs=1e-12, nan_ok=True), (label, threshold)


def test_the_random_images_reach_hits_duplicates_and_ignored_predictions() -> None:
    total = {c: InstanceHits.total(judge(random_image(s), c, min_pixels=7) for s in range(40)) for c in CONVENTIONS}
    for hits in total.values():
        assert hits.hits_PI.sum() > 20 and hits.false_PI.sum() > 20
    assert (total["cityscapes"].hits_PI + total["cityscapes"].false_PI == 0).any()
    assert (total["voc"].hits_PI + total["voc"].false_PI == 0).any()
    assert len({float(ap_vol(average_precision(hits))) for hits in total.values()}) == 3


def merged_in(order: list[int], convention: str) -> InstanceHits:
    return InstanceHits.total(judge(tied_image(i), convention, order=i, min_pixels=1) for i in order)


def tied_image(seed: int) -> Image:
    truth, instance, masks, labels, scores = random_image(seed)
    return truth, instance, masks, labels, [1.0] * len(scores)


@pytest.mark.parametrize("convention", CONVENTIONS)
def test_equal_scores_do_not_depend_on_how_the_data_set_was_cut(convention: str) -> None:
    whole = average_precision(merged_in(list(range(12)), convention))
    for order in ([*range(6, 12), *range(6)], list(range(0, 12, 2)) + list(range(1, 12, 2)), list(range(12))[::-1]):
        np.testing.assert_array_equal(average_precision(merged_in(order, convention)), whole)


@PROPERTY
@given(seed=st.integers(0, 100_000), cut=st.integers(0, 5), convention=st.sampled_from(CONVENTIONS))
def test_halves_add_up_to_the_whole(seed: int, cut: int, convention: str) -> None:
    parts = [judge(random_image(seed + i), convention, order=i) for i in range(5)]
    zero = InstanceHits.zero(num_classes=3, convention=convention, thresholds=(0.5, 0.8, 0.85))
    first, second = sum(parts[:cut], zero), sum(parts[cut:], zero)
    assert first + second == InstanceHits.total(parts)
    np.testing.assert_array_equal(average_precision(second + first), average_precision(first + second))


def test_one_true_segment_hit_twice_tells_the_conventions_apart() -> None:
    instance = np.zeros((10, 20), np.uint16)
    instance[:, :10] = 1
    masks = np.zeros((2, 10, 20), bool)
    masks[0, :5, :10], masks[1, 5:, :10] = True, True  # two halves, IoU 0.5 each
    image = (np.where(instance > 0, 0, 1).astype(np.uint8), instance, masks, [0, 0], [0.9, 0.8])
    assert judge(image, "din", (0.4, 0.5)).hits_PI.tolist() == [[1, 0], [1, 0]]  # strictly more than 0.5
    assert judge(image, "voc", (0.4,)).hits_PI.tolist() == [[1], [0]]
    assert average_precision(judge(image, "din", (0.4,)))[0, 0] == 2.0  # not one-to-one: paper 002's AP may pass 1
    assert average_precision(judge(image, "voc", (0.4,)))[0, 0] == 1.0
    cityscapes = judge(image, "cityscapes", (0.4,))
    assert cityscapes.hits_PI.tolist() == [[1], [0]] and cityscapes.false_PI.tolist() == [[0], [1]]


def test_a_prediction_in_void_is_false_forgotten_or_forgotten() -> None:
    truth, instance, masks, labels, scores = three_squares((False, True, True))
    truth[10:] = 255
    image = (truth, instance, masks, labels, scores)
    assert judge(image, "din").false_PI[0].tolist() == [1, 1, 1]
    for convention in ("voc", "cityscapes"):
        hits = judge(image, convention)
        assert (hits.hits_PI[0] + hits.false_PI[0]).tolist() == [0, 0, 0]
        assert average_precision(hits)[0, 0] == pytest.approx(2 / 3)


def test_voc_may_call_what_lies_in_void_or_crowds_false() -> None:
    """By name, in the state and in the scores; a prediction with a pixel outside is judged alike under both."""
    truth, instance, masks, labels, scores = three_squares((False, True, True))
    truth[10:] = 255
    truth[0, 19], masks[2, 0, 19] = 0, False  # a crowd of one pixel
    masks = np.concatenate([masks, np.zeros_like(masks[:2])])
    masks[3, 0, 19], masks[4, 9:11, 3] = True, True
    image = (truth, instance, masks, [*labels, 0, 0], [*scores, 0.95, 0.6])
    plain, strict = judge(image, "voc"), judge(image, "voc", in_void="false")
    assert plain.false_PI[:, 0].tolist() == [0, 0, 0, 0, 1] and plain.hits_PI[:, 0].tolist() == [0, 1, 1, 0, 0]
    assert strict.false_PI[:, 0].tolist() == [1, 0, 0, 1, 1] and strict.hits_PI[:, 0].tolist() == [0, 1, 1, 0, 0]
    assert average_precision(plain)[0, 0] == pytest.approx(2 / 3)
    assert average_precision(strict)[0, 0] == pytest.approx(2 / 4 * 2 / 3)  # false, false, hit, hit, false; 3 to find
    assert instance_scores(strict, classes=(0,))["ap_50_voc_void_false"] == pytest.approx(1 / 3)
    assert "ap_vol_voc_void_false_oracle" in instance_scores(strict, ranking="oracle")
    assert judge(image, "voc", in_void="forgotten") == plain and instance_scores(plain).keys() >= {"ap_vol_voc"}
    with pytest.raises(ValueError, match="must share in_void; found 'forgotten' and 'false'"):
        plain + strict
    zero = InstanceHits.zero(num_classes=3, convention="voc", thresholds=(0.5, 0.8, 0.85), in_void="false")
    assert zero + strict == strict == InstanceHits.from_plain(strict.to_plain())


def test_cityscapes_leaves_out_small_truth() -> None:
    hits = judge(three_squares((True, True, True)), "cityscapes", min_pixels=101)
    assert hits.positives_C.tolist() == [0, 1, 0] and hits.hits_PI.sum() == 0
    assert judge(three_squares((True, True, True)), "cityscapes").positives_C.tolist() == [3, 1, 0]


def test_absent_classes_are_unknown_and_unfound_ones_score_nothing() -> None:
    hits = judge(three_squares((True, True, False)), "voc", (0.5,))
    ap = average_precision(hits)
    assert ap[1, 0] == 0.0 and math.isnan(ap[2, 0])
    assert ap_vol(ap) == pytest.approx((2 / 3 + 0) / 2) and ap_vol(ap, classes=(0, 2)) == pytest.approx(2 / 3)
    assert math.isnan(ap_vol(ap, classes=(2,)))


def test_names_carry_convention_and_ranking() -> None:
    hits = judge(three_squares((False, True, True)), "din", CITYSCAPES_THRESHOLDS)
    scores = instance_scores(hits, classes=(0,))
    assert scores["ap_50_din"] == pytest.approx(0.388889, abs=1e-6) and scores["ap_85_din"] == 0.0
    assert scores["ap_vol_din"] == pytest.approx(0.388889 * 7 / 10, abs=1e-6)
    assert "ap_vol_din_oracle" in instance_scores(hits, ranking="oracle") and len(scores) == 11


def test_label_maps_need_no_masks() -> None:
    truth, instance, masks, _, _ = three_squares((True, True, True))
    prediction, predicted = np.ones_like(truth), np.zeros_like(instance)
    for i, mask in enumerate(masks):
        prediction[mask], predicted[mask] = 0, i + 4
    overlaps = overlap_maps(truth, instance, prediction, predicted, things=(0, 2))
    of_instance = {0: 1.0, 4: 0.9, 5: 0.8, 6: 0.7}  # 0 is the stuff segment
    scores = [of_instance[i] for i in overlaps.instances_P.tolist()]
    hits = instance_hits(overlaps, scores, num_classes=3, convention="din", thresholds=(0.5,))
    assert average_precision(hits)[:2, 0].tolist() == [1.0, 1.0]


def test_empty_masks_are_dropped() -> None:
    truth, instance, masks, labels, scores = three_squares((True, True, True))
    masks[1] = False
    for convention in CONVENTIONS:
        assert judge((truth, instance, masks, labels, scores), convention).scores_P.tolist() == [0.9, 0.7]


@pytest.mark.parametrize("convention", CONVENTIONS)
def test_nothing_predicted_and_nothing_there(convention: str) -> None:
    truth, instance, masks, _, _ = three_squares((True, True, True))
    assert average_precision(judge((truth, instance, masks[:0], [], []), convention))[0].tolist() == [0.0] * 3
    void = np.full_like(truth, 255)
    hits = judge((void, instance, masks, [0, 0, 0], [0.9, 0.8, 0.7]), convention)
    assert bool(np.isnan(average_precision(hits)).all())


def test_strange_input_is_refused() -> None:
    truth, instance, masks, labels, _ = three_squares((True, True, True))
    with pytest.raises(ValueError, match="3 predicted segments needs one finite score"):
        judge((truth, instance, masks, labels, [0.9, 0.8]), "din")
    with pytest.raises(ValueError, match="one finite score"):
        judge((truth, instance, masks, labels, [0.9, 0.8, math.nan]), "din")
    with pytest.raises(ValueError, match="'din', 'voc' or 'cityscapes'; found 'coco'"):
        judge(three_squares((True, True, True)), "coco")
    with pytest.raises(ValueError, match="must share min_pixels; found 100 and 5"):
        judge(three_squares((True, True, True)), "cityscapes") + judge(
            three_squares((True, True, True)), "cityscapes", min_pixels=5
        )
    with pytest.raises(ValueError, match="must share convention"):
        judge(three_squares((True, True, True)), "din") + judge(three_squares((True, True, True)), "voc")
