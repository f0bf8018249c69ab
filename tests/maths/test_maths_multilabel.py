"""Multi-label average precision against loops over thresholds."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from segfrontier.maths import TagScores, average_precision_per_class, curve_area, mean_average_precision, tag_scores

PROPERTY = settings(deadline=None, derandomize=True, database=None, max_examples=60)


def slow_average(scores: list[float], tags: list[int], area: str) -> float:
    """Every distinct score is a threshold: answers at or above it are taken."""
    known = [(s, t) for s, t in zip(scores, tags, strict=True) if t in (0, 1)]
    positives = sum(t for _, t in known)
    if not positives:
        return math.nan
    points = []
    for threshold in sorted({s for s, _ in known}, reverse=True):
        taken = [t for s, t in known if s >= threshold]
        points.append((sum(taken) / positives, sum(taken) / len(taken)))
    total, last = 0.0, 0.0
    for i, (recall, precision) in enumerate(points):
        height = precision if area == "steps" else max(p for _, p in points[i:])
        total, last = total + (recall - last) * height, recall
    return total


def random_state(seed: int, n: int = 12) -> TagScores:
    rng = np.random.default_rng(seed)
    tags = rng.choice([0, 0, 1, 255], (n, 4))
    tags[:, 3] = rng.choice([0, 255], n)
    return tag_scores(rng.integers(0, 8, (n, 4)) / 8, tags)


@PROPERTY
@given(seed=st.integers(0, 100_000), area=st.sampled_from(["steps", "envelope"]))
def test_against_loops_with_ties_and_unknown_tags(seed: int, area: str) -> None:
    state = random_state(seed)
    expected = [
        slow_average(s.tolist(), t.tolist(), area) for s, t in zip(state.scores_NK.T, state.tags_NK.T, strict=True)
    ]
    found = average_precision_per_class(state, area=area)
    assert found.tolist() == pytest.approx(expected, nan_ok=True) and math.isnan(found[3])
    known = [v for v in expected if not math.isnan(v)]
    assert mean_average_precision(state, area=area) == pytest.approx(np.mean(known) if known else math.nan, nan_ok=True)


def test_written_out() -> None:
    state = tag_scores(np.array([[0.9], [0.8], [0.7], [0.6]]), np.array([[0], [1], [1], [0]]))
    assert mean_average_precision(state, area="steps") == pytest.approx((1 / 2 + 2 / 3) / 2)
    assert mean_average_precision(state, area="envelope") == pytest.approx(2 / 3)


@PROPERTY
@given(seed=st.integers(0, 100_000), cut=st.integers(0, 12))
def test_halves_and_orders(seed: int, cut: int) -> None:
    whole = random_state(seed)
    first, second = (tag_scores(whole.scores_NK[s], whole.tags_NK[s]) for s in (slice(cut), slice(cut, None)))
    assert first + second == whole == TagScores.zero(num_classes=4) + whole
    for area in ("steps", "envelope"):
        np.testing.assert_array_equal(
            average_precision_per_class(second + first, area=area), average_precision_per_class(whole, area=area)
        )


def test_strange_input_is_refused() -> None:
    with pytest.raises(ValueError, match="images x classes"):
        tag_scores(np.zeros(3), np.zeros(3))
    with pytest.raises(ValueError, match="'steps', 'envelope' or 'trapezoids'; found 'auc'"):
        curve_area(np.ones(1), np.ones(1), area="auc")  # type: ignore[arg-type]
