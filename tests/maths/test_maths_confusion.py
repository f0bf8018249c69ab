"""The confusion matrix and what is read from it: the published vectors, loops, void, merging, absent classes."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from segfrontier.maths import (
    Confusion,
    accuracy_per_class,
    confusion_counts,
    frequency_weighted_iou,
    iou_per_class,
    mean_accuracy,
    mean_iou,
    pixel_accuracy,
    restrict,
    semantic_scores,
)

PROPERTY = settings(deadline=None, derandomize=True, database=None, max_examples=60)
VALUES = st.sampled_from([0, 1, 2, 3, 255])
MAPS = st.tuples(*[arrays(np.uint8, (4, 5), elements=VALUES)] * 2)

TRUTH = np.array([0, 0, 1, 1, 2, 255, 2], np.uint8)
PREDICTION = np.array([0, 1, 1, 1, 0, 2, 2], np.uint8)


def slow_confusion(truth: np.ndarray, prediction: np.ndarray, k: int, void: int = 255) -> tuple[list, list]:
    counts, missed = [[0] * k for _ in range(k)], [0] * k
    for t, p in zip(truth.ravel().tolist(), prediction.ravel().tolist(), strict=True):
        if t != void:
            if p == void:
                missed[t] += 1
            else:
                counts[t][p] += 1
    return counts, missed


def slow_iou(truth: np.ndarray, prediction: np.ndarray, label: int) -> float:
    both = either = 0
    for t, p in zip(truth.ravel().tolist(), prediction.ravel().tolist(), strict=True):
        if t == 255:
            continue
        both += t == label and p == label
        either += t == label or p == label
    return both / either if either else math.nan


def test_facts_1e_hist_and_iou() -> None:
    counts = confusion_counts(TRUTH, PREDICTION, num_classes=3)
    assert counts.counts_CC.tolist() == [[1, 1, 0], [0, 2, 0], [1, 0, 1]]
    np.testing.assert_allclose(iou_per_class(counts), [1 / 3, 2 / 3, 1 / 2])
    assert mean_iou(counts, absent="present") == pytest.approx(0.5)


def test_facts_1e_and_4e_an_absent_class_under_each_policy() -> None:
    counts = confusion_counts(TRUTH, PREDICTION, num_classes=4)
    assert math.isnan(iou_per_class(counts)[3])
    assert mean_iou(counts, absent="present") == pytest.approx(0.5)
    assert mean_iou(counts, absent="zero") == pytest.approx(0.375)
    assert mean_iou(counts, absent="in_truth") == pytest.approx(0.5)


def test_facts_3e_intersection_union_and_accuracy_with_void_minus_one() -> None:
    truth = np.array([[0, 0, 1, -1], [1, 2, 0, 2]])
    prediction = np.array([[0, 1, 1, 2], [1, 1, 0, 2]])
    counts = confusion_counts(truth, prediction, num_classes=3, void=-1)
    hits = counts.counts_CC.diagonal()
    assert hits.tolist() == [2, 2, 1]
    assert (counts.truth_C + counts.prediction_C - hits).tolist() == [3, 4, 2]
    assert pixel_accuracy(counts) == pytest.approx(5 / 7)


@PROPERTY
@given(maps=MAPS)
def test_counts_and_iou_against_loops(maps: tuple[np.ndarray, np.ndarray]) -> None:
    counts = confusion_counts(*maps, num_classes=4)
    expected, missed = slow_confusion(*maps, 4)
    assert counts.counts_CC.tolist() == expected and counts.missed_C.tolist() == missed
    np.testing.assert_allclose(iou_per_class(counts), [slow_iou(*maps, label) for label in range(4)])


@PROPERTY
@given(maps=MAPS, seed=st.integers(0, 99))
def test_pixels_may_be_permuted_and_void_never_counts(maps: tuple[np.ndarray, np.ndarray], seed: int) -> None:
    truth, prediction = maps
    rng = np.random.default_rng(seed)
    order = rng.permutation(truth.size)
    counts = confusion_counts(truth, prediction, num_classes=4)
    assert confusion_counts(truth.ravel()[order], prediction.ravel()[order], num_classes=4) == counts
    anything = np.where(truth == 255, rng.integers(0, 256, truth.shape), prediction).astype(np.uint8)
    assert confusion_counts(truth, anything, num_classes=4) == counts


@PROPERTY
@given(maps=MAPS, cut=st.integers(0, 20))
def test_halves_add_up_to_the_whole(maps: tuple[np.ndarray, np.ndarray], cut: int) -> None:
    truth, prediction = (m.ravel() for m in maps)
    halves = [confusion_counts(truth[part], prediction[part], num_classes=4) for part in (slice(cut), slice(cut, None))]
    whole = confusion_counts(truth, prediction, num_classes=4)
    assert sum(halves) == whole
    assert halves[1] + halves[0] == whole == Confusion.zero(num_classes=4) + whole


@PROPERTY
@given(maps=MAPS, dtype=st.sampled_from([np.int8, np.int32, np.int64, np.uint16]), void=st.sampled_from([100, 9]))
def test_other_types_and_void_values_count_alike(maps: tuple[np.ndarray, np.ndarray], dtype: type, void: int) -> None:
    moved = [np.where(m == 255, void, m).astype(dtype) for m in maps]
    assert confusion_counts(*moved, num_classes=4, void=void) == confusion_counts(*maps, num_classes=4)


def test_views_of_arrays_and_empty_maps() -> None:
    big = np.arange(64, dtype=np.uint8).reshape(8, 8) % 3
    strided = confusion_counts(big[::2, ::2].T, big[1::2, 1::2].T, num_classes=3)
    assert strided == confusion_counts(big[::2, ::2].copy(), big[1::2, 1::2].copy(), num_classes=3)
    assert confusion_counts(big[:0], big[:0], num_classes=3) == Confusion.zero(num_classes=3)


def test_a_void_prediction_is_a_miss() -> None:
    counts = confusion_counts(np.array([0, 0, 1], np.uint8), np.array([0, 255, 1], np.uint8), num_classes=2)
    assert counts.missed_C.tolist() == [1, 0]
    np.testing.assert_allclose(iou_per_class(counts), [0.5, 1.0])
    np.testing.assert_allclose(accuracy_per_class(counts), [0.5, 1.0])
    assert pixel_accuracy(counts) == pytest.approx(2 / 3)


def test_policies_differ_on_a_class_that_is_predicted_but_not_there() -> None:
    counts = confusion_counts(np.array([0, 0, 1, 1], np.uint8), np.array([0, 2, 1, 1], np.uint8), num_classes=4)
    assert mean_iou(counts, absent="present") == pytest.approx((0.5 + 1 + 0) / 3)
    assert mean_iou(counts, absent="in_truth") == pytest.approx((0.5 + 1) / 2)
    assert mean_iou(counts, absent="zero") == pytest.approx((0.5 + 1) / 4)
    assert semantic_scores(counts, absent="zero")["miou_zero"] == mean_iou(counts, absent="zero")
    assert mean_iou(counts, absent="in_truth", classes=(1, 3)) == 1.0
    assert mean_iou(counts, absent="zero", classes=(1, 3)) == 0.5


def test_accuracies_and_frequency_weights_written_out() -> None:
    counts = Confusion(counts_CC=np.array([[6, 2, 0], [1, 3, 0], [0, 0, 0]]), missed_C=np.array([2, 0, 0]))
    np.testing.assert_allclose(accuracy_per_class(counts), [0.6, 0.75, np.nan])
    assert mean_accuracy(counts) == pytest.approx(0.675)
    assert pixel_accuracy(counts) == pytest.approx(9 / 14)
    assert frequency_weighted_iou(counts) == pytest.approx(10 / 14 * 6 / 11 + 4 / 14 * 3 / 6)


@PROPERTY
@given(maps=MAPS)
def test_restricting_equals_voiding_the_other_classes(maps: tuple[np.ndarray, np.ndarray]) -> None:
    truth, prediction = maps
    index = np.full(256, 255, np.uint8)
    index[[2, 0, 3]] = [0, 1, 2]
    expected = confusion_counts(index[truth], index[prediction], num_classes=3)
    assert restrict(confusion_counts(truth, prediction, num_classes=4), classes=(2, 0, 3)) == expected


def test_facts_1b_synthia_means_over_16_and_13_classes() -> None:
    rng = np.random.default_rng(0)
    counts = Confusion(counts_CC=rng.integers(0, 50, (19, 19)), missed_C=np.zeros(19, int))
    sixteen = [c for c in range(19) if c not in (9, 14, 16)]
    over_16 = restrict(counts, classes=sixteen)
    over_13 = [i for i, c in enumerate(sixteen) if c not in (3, 4, 5)]
    assert mean_iou(over_16, absent="present") == pytest.approx(iou_per_class(over_16).mean())
    assert mean_iou(over_16, absent="present", classes=over_13) == pytest.approx(iou_per_class(over_16)[over_13].mean())


def test_nothing_counted_is_unknown_not_zero() -> None:
    scores = semantic_scores(Confusion.zero(num_classes=3), absent="present")
    assert all(math.isnan(value) for value in scores.values())
    assert math.isnan(mean_iou(Confusion.zero(num_classes=3), absent="in_truth"))


def test_values_that_are_no_class_are_refused() -> None:
    good = np.array([0, 1], np.uint8)
    with pytest.raises(ValueError, match=r"truth values must be below 2 or void; found \[7\]; map the labels"):
        confusion_counts(np.array([0, 7], np.uint8), good, num_classes=2)
    with pytest.raises(ValueError, match=r"prediction values must be below 2 or void; found \[2, 254\]"):
        confusion_counts(good, np.array([254, 2], np.uint8), num_classes=2)
    with pytest.raises(ValueError, match="found -3; map the labels"):
        confusion_counts(np.array([0, -3]), good, num_classes=2)
    with pytest.raises(ValueError, match="must be integers; found float64"):
        confusion_counts(good, np.array([0.0, 1.0]), num_classes=2)  # type: ignore[arg-type]
    with pytest.raises(ValueError, match=r"one shape; found \(2,\) and \(1,\)"):
        confusion_counts(good, good[:1], num_classes=2)
    with pytest.raises(ValueError, match="1 to 255 classes; found 300"):
        confusion_counts(good, good, num_classes=300)
    with pytest.raises(ValueError, match="'present', 'zero' or 'in_truth'; found 'nan'"):
        mean_iou(Confusion.zero(num_classes=2), absent="nan")  # type: ignore[arg-type]


def test_counts_stay_exact_beyond_float32() -> None:
    big = Confusion(counts_CC=np.array([[2**40, 1], [0, 0]]), missed_C=np.zeros(2, int))
    assert (big + big).counts_CC.tolist() == [[2**41, 2], [0, 0]]


def test_more_pixels_of_one_pair_than_float32_counts():
    pixels = np.zeros(2**24 + 3, np.uint8)
    assert confusion_counts(pixels, pixels, num_classes=2).counts_CC.tolist() == [[2**24 + 3, 0], [0, 0]]
    strided = np.array([[0, 9, 1, 9], [9, 9, 9, 9], [1, 9, 1, 9]], np.uint8)[::2, ::2]
    assert confusion_counts(strided, strided, num_classes=2).counts_CC.tolist() == [[1, 0], [0, 3]]
    nothing = np.zeros((0, 3), np.uint8)
    assert confusion_counts(nothing, nothing, num_classes=2).counts_CC.sum() == 0
