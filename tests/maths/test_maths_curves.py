"""Precision-recall curves: what equal scores do, and the three areas."""

from __future__ import annotations

import numpy as np
import pytest

from segfrontier.maths import curve_area, precision_recall

HITS, FALSE = np.array([1, 0, 1, 0]), np.array([0, 1, 0, 1])


def curve(scores: list[float], **options) -> tuple[list[float], list[float]]:
    settings = {"positives": 2, "join_ties": False} | options
    precision, recall = precision_recall(np.array(scores), HITS, FALSE, **settings)
    return precision.tolist(), recall.tolist()


def test_answers_come_in_falling_order_of_score() -> None:
    assert curve([0.9, 0.8, 0.7, 0.6]) == ([1, 1 / 2, 2 / 3, 1 / 2], [0.5, 0.5, 1, 1])
    assert curve([0.6, 0.7, 0.8, 0.9]) == ([0, 1 / 2, 1 / 3, 1 / 2], [0, 0.5, 0.5, 1])


def test_equal_scores_come_as_given_or_in_the_order_told() -> None:
    assert curve([0.5] * 4) == ([1, 1 / 2, 2 / 3, 1 / 2], [0.5, 0.5, 1, 1])
    assert curve([0.5] * 4, order=np.array([3, 2, 1, 0])) == ([0, 1 / 2, 1 / 3, 1 / 2], [0, 0.5, 0.5, 1])
    # Scores go before the order, and what shares both stays as given.
    assert curve([0.5, 0.5, 0.5, 0.9], order=np.array([1, 1, 0, 7])) == ([0, 1 / 2, 2 / 3, 1 / 2], [0, 0.5, 1, 1])


def test_joined_ties_are_one_point_whatever_the_order() -> None:
    for order in (None, np.array([3, 2, 1, 0])):
        assert curve([0.5] * 4, join_ties=True, order=order) == ([1 / 2], [1])
        assert curve([0.9, 0.5, 0.5, 0.1], join_ties=True, order=order) == ([1, 2 / 3, 1 / 2], [0.5, 1, 1])
        assert curve([0.9, 0.9, 0.1, 0.1], join_ties=True, order=order) == ([1 / 2, 1 / 2], [0.5, 1])


def test_an_answer_may_be_several_hits_and_false_ones() -> None:
    precision, recall = precision_recall(
        np.array([0.9, 0.8]), np.array([2, 0]), np.array([1, 1]), positives=4, join_ties=False
    )
    assert precision.tolist() == [2 / 3, 1 / 2] and recall.tolist() == [0.5, 0.5]


def test_no_answer_is_an_empty_curve_of_area_0() -> None:
    none = np.zeros(0)
    for join_ties in (False, True):
        precision, recall = precision_recall(none, none, none, positives=1, join_ties=join_ties)
        assert len(precision) == len(recall) == 0
    for area in ("steps", "envelope", "trapezoids"):
        assert curve_area(none, none, area=area) == 0


def test_three_areas_written_out() -> None:
    precision, recall = np.array([0.5, 1.0, 0.25]), np.array([0.25, 0.5, 1.0])
    assert curve_area(precision, recall, area="steps") == 0.25 * 0.5 + 0.25 * 1.0 + 0.5 * 0.25
    assert curve_area(precision, recall, area="envelope") == 0.25 * 1.0 + 0.25 * 1.0 + 0.5 * 0.25
    assert curve_area(precision, recall, area="trapezoids") == 0.25 * 0.5 + 0.25 * 0.75 + 0.5 * 0.625
    with pytest.raises(ValueError, match="found 'auc'"):
        curve_area(precision, recall, area="auc")
