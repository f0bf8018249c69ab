"""Boundary IoU against its definition: for each class, pixels within d of a pixel that is not of the class."""

from __future__ import annotations

import math

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from segfrontier.maths import (
    BoundaryCounts,
    boundary_counts,
    boundary_iou_per_class,
    boundary_scores,
    mean_boundary_iou,
)
from segfrontier.maths.boundary import bands

PROPERTY = settings(deadline=None, derandomize=True, database=None, max_examples=40)
VALUES = st.sampled_from([0, 0, 0, 1, 1, 2, 255])
MAPS = st.tuples(*[arrays(np.uint8, (7, 9), elements=VALUES)] * 2)


def slow_band(mask: np.ndarray, reach: int) -> np.ndarray:
    height, width = mask.shape
    band = np.zeros_like(mask)
    for y in range(height):
        for x in range(width):
            for v in range(y - reach, y + reach + 1):
                for u in range(x - reach, x + reach + 1):
                    inside = 0 <= v < height and 0 <= u < width
                    if mask[y, x] and not (inside and mask[v, u]):
                        band[y, x] = True
    return band


def slow_counts(truth: np.ndarray, prediction: np.ndarray, k: int, reach: int) -> list[tuple[int, int, int]]:
    prediction = np.where(truth == 255, 255, prediction)
    out = []
    for label in range(k):
        t, p = slow_band(truth == label, reach), slow_band(prediction == label, reach)
        out.append((int((t & p).sum()), int(t.sum()), int(p.sum())))
    return out


@PROPERTY
@given(maps=MAPS, reach=st.integers(1, 3))
def test_counts_against_the_definition(maps: tuple[np.ndarray, np.ndarray], reach: int) -> None:
    counts = boundary_counts(*maps, num_classes=3, dilation_ratio=reach / math.hypot(7, 9))
    found = list(zip(counts.both_C.tolist(), counts.truth_C.tolist(), counts.prediction_C.tolist(), strict=True))
    assert found == slow_counts(*maps, 3, reach)


def published_band(mask: np.ndarray, ratio: float) -> np.ndarray:
    """The published recipe: pad with zeros, erode d times by 3x3, subtract."""
    height, width = mask.shape
    steps = max(1, round(ratio * np.sqrt(height**2 + width**2)))
    padded = cv2.copyMakeBorder(mask.astype(np.uint8), 1, 1, 1, 1, cv2.BORDER_CONSTANT, value=0)
    eroded = cv2.erode(padded, np.ones((3, 3), np.uint8), iterations=steps)[1:-1, 1:-1]
    return (mask.astype(np.uint8) - eroded).astype(bool)


@pytest.mark.parametrize("size", [(64, 128), (101, 77), (3, 200)])
def test_bands_of_real_sizes_against_the_published_recipe(size: tuple[int, int]) -> None:
    rng = np.random.default_rng(5)
    coarse = rng.integers(0, 4, (size[0] // 3 + 1, size[1] // 16 + 1)).astype(np.uint8)
    truth, prediction = (cv2.resize(np.roll(coarse, i, 1), size[::-1], interpolation=cv2.INTER_NEAREST) for i in (0, 1))
    counts = boundary_counts(truth, prediction, num_classes=4)
    for label in range(4):
        t, p = published_band(truth == label, 0.02), published_band(prediction == label, 0.02)
        expected = ((t & p).sum(), t.sum(), p.sum())
        assert (counts.both_C[label], counts.truth_C[label], counts.prediction_C[label]) == expected


def test_a_square_shifted_by_one_pixel_written_out() -> None:
    truth, prediction = np.zeros((2, 20, 20), np.uint8)
    truth[5:11, 5:11], prediction[5:11, 6:12] = 1, 1
    counts = boundary_counts(truth, prediction, num_classes=2)
    # 0.02 of the diagonal is 0.57, which rounds to 1: bands are the outlines of 6x6 squares, 20 pixels each.
    assert (counts.truth_C[1], counts.prediction_C[1]) == (20, 20)
    # Shared: the two long sides meet in 5 pixels each; the left and right sides miss one another.
    assert counts.both_C[1] == 10
    assert boundary_iou_per_class(counts)[1] == pytest.approx(10 / 30)


def test_a_band_is_stricter_than_the_area() -> None:
    truth, prediction = np.zeros((2, 100, 100), np.uint8)
    truth[20:80, 20:80], prediction[20:80, 23:83] = 1, 1
    area = (57 * 60) / (63 * 60)
    assert boundary_iou_per_class(boundary_counts(truth, prediction, num_classes=2))[1] < area - 0.3


@PROPERTY
@given(maps=MAPS, seed=st.integers(0, 99))
def test_void_never_counts_and_a_right_answer_scores_one(maps: tuple[np.ndarray, np.ndarray], seed: int) -> None:
    truth, prediction = maps
    anything = np.random.default_rng(seed).integers(0, 3, truth.shape)
    counts = boundary_counts(truth, prediction, num_classes=3)
    assert boundary_counts(truth, np.where(truth == 255, anything, prediction), num_classes=3) == counts
    right = boundary_iou_per_class(boundary_counts(truth, np.where(truth == 255, anything, truth), num_classes=3))
    assert set(right[~np.isnan(right)]) <= {1.0}


def test_sums_merge_and_policies_apply() -> None:
    rng = np.random.default_rng(0)
    pairs = [rng.integers(0, 3, (2, 12, 15)).astype(np.uint8) for _ in range(4)]
    parts = [boundary_counts(t, p, num_classes=4) for t, p in pairs]
    total = sum(parts)
    assert parts[3] + parts[1] + (parts[0] + parts[2]) == total == BoundaryCounts.zero(num_classes=4) + total
    known = boundary_iou_per_class(total)[:3]
    assert mean_boundary_iou(total, absent="present") == pytest.approx(known.mean())
    assert mean_boundary_iou(total, absent="zero") == pytest.approx(known.sum() / 4)
    assert boundary_scores(total, absent="in_truth") == {"boundary_miou_in_truth": pytest.approx(known.mean())}


def test_the_borders_of_the_image_are_borders_of_every_class() -> None:
    assert (bands(np.full((5, 6), 7, np.uint8), reach=1) == 7).sum() == 18
    assert (bands(np.zeros((5, 6), np.uint8), reach=2) == 255).sum() == 2


def test_strange_maps_are_refused() -> None:
    good = np.zeros((4, 4), np.uint8)
    with pytest.raises(ValueError, match=r"prediction values must be below 2 or void; found \[5\]"):
        boundary_counts(good, good + 5, num_classes=2)
    with pytest.raises(ValueError, match="one shape"):
        boundary_counts(good, good[:2], num_classes=2)
