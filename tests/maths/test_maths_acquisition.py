"""Grids, patch means, drawn points and the highest patches, against slow restatements; FACTS.md 1e's patch scores."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from segfrontier.maths import (
    TopOfPool,
    draw_points,
    grid_boxes,
    normalised_entropy,
    patch_means,
    patch_of,
    top_in_each,
)


def test_facts_1e_top_ten_patches() -> None:
    probs = (4 * torch.sin(0.13 * torch.arange(19 * 16 * 32.0))).view(1, 19, 16, 32).softmax(1)
    means = patch_means(normalised_entropy(probs)[0].numpy(), rows=8, columns=16)
    flat = means.ravel().astype(np.float32)
    ten = [111, 22, 119, 14, 62, 71, 70, 63, 13, 120]
    assert np.argsort(-flat, kind="stable")[:10].tolist() == ten
    assert np.flatnonzero(top_in_each(flat[None], 10)).tolist() == sorted(ten)
    assert 4 * flat[111] == pytest.approx(2.703760, abs=1e-5)


@pytest.mark.parametrize(("height", "width", "rows", "columns"), [(16, 32, 8, 16), (13, 29, 4, 5), (7, 3, 7, 1)])
def test_patches_tile_the_image_and_means_are_theirs(height: int, width: int, rows: int, columns: int) -> None:
    values = np.random.default_rng(0).random((height, width))
    boxes = grid_boxes(height, width, rows=rows, columns=columns)
    covered = np.zeros((height, width), int)
    means = patch_means(values, rows=rows, columns=columns).ravel()
    for number, (x0, y0, x1, y1) in enumerate(boxes):
        covered[y0:y1, x0:x1] += 1
        assert means[number] == pytest.approx(values[y0:y1, x0:x1].mean())
        corners = np.array([[x0, y0], [x1 - 1, y1 - 1]])
        assert patch_of(corners, height, width, rows=rows, columns=columns).tolist() == [number, number]
    assert (covered == 1).all() and len(boxes) == rows * columns
    sides = boxes[:, 2:] - boxes[:, :2]
    assert (np.ptp(sides, axis=0) <= 1).all(), "patches differ by a pixel at most"


@pytest.mark.parametrize("parts", [{"rows": 9, "columns": 1}, {"rows": 1, "columns": 0}])
def test_a_grid_finer_than_the_image_is_refused(parts: dict[str, int]) -> None:
    with pytest.raises(ValueError, match=r"a side of 8 pixels can be cut into 1\.\.8 patches; found [09]"):
        grid_boxes(8, 8, **parts)


def test_points_are_distinct_inside_their_patch_and_the_same_for_the_same_dice() -> None:
    boxes = grid_boxes(13, 29, rows=4, columns=5)
    points = draw_points(np.random.default_rng(3), boxes, points=15)
    assert points.shape == (20, 15, 2)
    for (x0, y0, x1, y1), inside in zip(boxes, points, strict=True):
        assert len({(x, y) for x, y in inside.tolist()}) == 15
        assert ((inside >= [x0, y0]) & (inside < [x1, y1])).all()
    np.testing.assert_array_equal(points, draw_points(np.random.default_rng(3), boxes, points=15))
    with pytest.raises(ValueError, match="16 distinct points asked of it; the smallest has 15 pixels"):
        draw_points(np.random.default_rng(3), boxes, points=16)


def test_every_pixel_of_a_patch_is_drawn_equally_often() -> None:
    boxes = np.repeat(grid_boxes(3, 4, rows=1, columns=1), 6000, axis=0)
    points = draw_points(np.random.default_rng(0), boxes, points=5)
    counts = np.bincount((points[..., 1] * 4 + points[..., 0]).ravel(), minlength=12)
    # 2500 each; the standard deviation of a count is below 39
    assert np.abs(counts - 2500).max() < 160


def test_ties_go_to_the_lower_index() -> None:
    scores = np.array([[1, 2, 2, 2], [0, 0, 0, 0]], np.float32)
    assert top_in_each(scores, 2).tolist() == [[False, True, True, False], [True, True, False, False]]
    assert not top_in_each(scores, 0).any() and top_in_each(scores, 9).all()
    pool = TopOfPool(lambda: [scores], 5)
    assert pool.choose(scores).tolist() == [[True, True, True, True], [True, False, False, False]]


SCORES = st.lists(
    st.sampled_from([0.0, -0.0, 1e-40, 0.25, 0.5, 0.5000001, 1.0, float("inf")]) | st.floats(0, 1, width=32),
    min_size=1,
    max_size=40,
)


@given(SCORES, st.integers(0, 45), st.integers(1, 9))
def test_the_top_of_a_pool_is_that_of_a_stable_sort(values: list[float], k: int, chunk: int) -> None:
    scores = np.array(values, np.float32)
    chunks = [scores[at : at + chunk] for at in range(0, len(scores), chunk)]
    pool = TopOfPool(lambda: iter(chunks), k)
    chosen = np.concatenate([pool.choose(part) for part in chunks])
    expected = np.sort(np.argsort(-scores, kind="stable")[:k])
    assert np.flatnonzero(chosen).tolist() == expected.tolist()
