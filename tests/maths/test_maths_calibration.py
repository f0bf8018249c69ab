"""Expected calibration error against a loop over pixels and bins."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from segfrontier.maths import Calibration, calibration_counts, expected_calibration_error, reliability

PROPERTY = settings(deadline=None, derandomize=True, database=None, max_examples=60)


def random_case(seed: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    confidence = rng.choice([rng.random((6, 7)), rng.integers(0, 16, (6, 7)) / 15, np.ones((6, 7))]).astype(np.float32)
    return confidence, rng.integers(0, 3, (6, 7)).astype(np.uint8), rng.choice([0, 1, 2, 255], (6, 7)).astype(np.uint8)


def slow_error(confidence: np.ndarray, prediction: np.ndarray, truth: np.ndarray, num_bins: int) -> float:
    bins: list[list[tuple[float, bool]]] = [[] for _ in range(num_bins)]
    rows = zip(confidence.ravel().tolist(), prediction.ravel().tolist(), truth.ravel().tolist(), strict=True)
    for stated, guess, label in rows:
        if label == 255:
            continue
        home = next(b for b in range(num_bins) if stated * num_bins <= b + 1)
        bins[home].append((stated, guess == label))
    count = sum(map(len, bins))
    gaps = [abs(sum(ok for _, ok in b) - sum(s for s, _ in b)) for b in bins if b]
    return sum(gaps) / count if count else math.nan


@PROPERTY
@given(seed=st.integers(0, 100_000), num_bins=st.sampled_from([1, 10, 15]))
def test_against_loops(seed: int, num_bins: int) -> None:
    case = random_case(seed)
    found = expected_calibration_error(calibration_counts(*case, num_bins=num_bins))
    assert found == pytest.approx(slow_error(*case, num_bins), abs=1e-7)


def test_written_out() -> None:
    confidence = np.array([0.95, 0.85, 0.9, 0.55, 0.2], np.float64)
    prediction, truth = np.zeros(5, np.uint8), np.array([0, 0, 1, 0, 255], np.uint8)
    counts = calibration_counts(confidence, prediction, truth, num_bins=2)
    assert counts.count_B.tolist() == [0, 4] and counts.right_B.tolist() == [0, 3]
    assert expected_calibration_error(counts) == pytest.approx(0.8125 - 0.75, abs=1e-7)
    accuracy, stated = reliability(counts)
    assert math.isnan(accuracy[0]) and accuracy[1] == 0.75 and stated[1] == pytest.approx(0.8125, abs=1e-7)


def test_bins_are_closed_on_the_right() -> None:
    edges = np.arange(5) / 4
    counts = calibration_counts(edges, np.zeros(5, np.uint8), np.zeros(5, np.uint8), num_bins=4)
    assert counts.count_B.tolist() == [2, 1, 1, 1]


@PROPERTY
@given(seed=st.integers(0, 100_000))
def test_void_never_counts_and_parts_merge_in_any_order(seed: int) -> None:
    confidence, prediction, truth = random_case(seed)
    rows = [calibration_counts(confidence[i], prediction[i], truth[i]) for i in range(6)]
    whole = calibration_counts(confidence, prediction, truth)
    assert sum(rows) == sum(reversed(rows)) == whole == Calibration.zero() + whole
    moved = np.where(truth == 255, 0.5, confidence), np.where(truth == 255, 1, prediction)
    assert calibration_counts(*moved, truth) == whole


def test_nothing_counted_and_impossible_confidences() -> None:
    assert math.isnan(expected_calibration_error(Calibration.zero()))
    labels = np.zeros(2, np.uint8)
    for wrong in ([0.5, 1.5], [-0.1, 0.2], [math.nan, 0.5]):
        with pytest.raises(ValueError, match=r"must be in \[0, 1\]; found .*; apply softmax"):
            calibration_counts(np.array(wrong), labels, labels)
