"""Annotator noise: seeded per item, as frequent as asked for, and always a possible answer."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from market_fakes import street_like

from segfrontier.errors import BadInput
from segfrontier.market import Noise
from segfrontier.market.noise import Wobble, misnamed, misread, scene_key, shaken, uniforms
from segfrontier.scenes.classes import VOID

ITEMS = np.arange(20000, dtype=np.int64)


def test_keys_are_the_same_everywhere():
    assert scene_key(0, "a", "point") == 11134108861208324235
    assert len({scene_key(s, n, k) for s in (0, 1) for n in "ab" for k in ("point", "tag")}) == 8


def test_uniforms_are_uniform_independent_and_by_item():
    u, v = uniforms(7, ITEMS, stream=0), uniforms(7, ITEMS, stream=1)
    assert u.min() > 0 and u.max() < 1
    assert np.abs(np.histogram(u, 10, (0, 1))[0] / len(u) - 0.1).max() < 0.01
    assert abs(np.corrcoef(u, v)[0, 1]) < 0.02 and abs(np.corrcoef(u[1:], u[:-1])[0, 1]) < 0.02
    assert abs(np.corrcoef(u, uniforms(8, ITEMS, stream=0))[0, 1]) < 0.02
    some = np.array([19, 3, 7000])
    assert np.array_equal(uniforms(7, some, stream=0), u[some]), "an answer must not depend on what else was asked"


@pytest.mark.parametrize("share", [0.0, 0.1, 1.0])
def test_wrong_names_are_as_frequent_as_asked_for_and_never_right(share):
    labels = (ITEMS % 5).astype(np.uint8)
    labels[labels == 4] = VOID
    got = misnamed(labels, ITEMS, share=share, classes=4, key=3)
    assert (got != labels).mean() == pytest.approx(share, abs=0.01)
    wrong = got[got != labels]
    assert (wrong < 4).all() and (share == 0 or np.bincount(wrong, minlength=4).min() > 0.2 * len(wrong) * 0.9)


def test_the_only_class_cannot_be_misnamed():
    labels = np.zeros(50, np.uint8)
    assert (misnamed(labels, ITEMS[:50], share=1.0, classes=1, key=0) == 0).all()


def test_misread_tags():
    present = np.zeros((2000, 6), bool)
    present[:, :2] = True
    assert misread(present, ITEMS[:2000], share=0.0, key=1) is present
    got = misread(present, ITEMS[:2000], share=0.2, key=1)
    assert (got != present).mean(axis=0) == pytest.approx(0.2, abs=0.04)


@given(st.integers(0, 2**63 - 1), st.floats(0, 1), st.integers(1, 50), st.integers(1, 50), st.data())
def test_shaken_boxes_stay_boxes_in_the_image(key, share, height, width, data):
    x0, y0 = data.draw(st.integers(0, width - 1)), data.draw(st.integers(0, height - 1))
    box = np.array([[x0, y0, data.draw(st.integers(x0 + 1, width)), data.draw(st.integers(y0 + 1, height))]])
    ((a, b, c, d),) = shaken(box, np.array([5]), share=share, height=height, width=width, key=key).tolist()
    assert 0 <= a < c <= width and 0 <= b < d <= height


def test_boxes_are_shaken_in_proportion_to_their_sides():
    boxes = np.tile([[4000, 4000, 4400, 4100]], (5000, 1))
    moved = shaken(boxes, ITEMS[:5000], share=0.05, height=9000, width=9000, key=1) - boxes
    assert moved.std(axis=0) == pytest.approx([20, 5, 20, 5], rel=0.05)
    assert np.abs(moved.mean(axis=0)).max() < 1
    assert shaken(boxes, ITEMS[:5000], share=0.0, height=9000, width=9000, key=1) is boxes


def test_a_wobble_moves_outlines_only_and_both_maps_alike():
    semantic = street_like(1)
    ids = (semantic == 13).astype(np.uint16) * 4321
    wobble = Wobble(96, 192, pixels=1.5, key=9)
    moved, moved_ids = wobble.map(semantic), wobble.instance(ids)
    share = (moved != semantic).mean()
    assert 0.01 < share < 0.15 and set(np.unique(moved)) <= set(np.unique(semantic))
    assert np.array_equal(moved_ids > 0, moved == 13) and set(np.unique(moved_ids)) <= {0, 4321}
    assert np.array_equal(moved, Wobble(96, 192, pixels=1.5, key=9).map(semantic))
    assert not np.array_equal(moved, Wobble(96, 192, pixels=1.5, key=8).map(semantic))
    flat = np.zeros((96, 192), np.uint8)
    flat[:, 96:] = 1
    edge = (Wobble(96, 192, pixels=2.0, key=3).map(flat) == 0).sum(axis=1)
    assert 0.5 < np.std(edge - 96.0) < 4.0 and np.abs(np.diff(edge)).mean() < 1.0  # as far as asked for, and smooth


@pytest.mark.parametrize("field", ["points", "tags", "boxes", "outlines"])
@pytest.mark.parametrize("bad", [-0.1, float("nan"), 1001, "much"])
def test_impossible_noise_is_refused(field, bad):
    with pytest.raises(BadInput, match=f"annotator noise '{field}' must lie in 0..1"):
        Noise(**{field: bad})
