"""Requests and tilings: what may be asked for, and that crops lie where paper 002 put them."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from segfrontier.basics.wording import nearest
from segfrontier.errors import BadInput
from segfrontier.market import PAPER_002, WHOLE_IMAGE, Boxes, Coarse, Fine, Points, Tags, Tiling
from segfrontier.market.acts import FOR_SALE, Acts


def test_paper_002_tiles_a_cityscapes_image_as_published():
    crops = PAPER_002.crops(1024, 2048)
    assert sorted(set(crops[:, 0].tolist())) == [0, 387, 774, 1161, 1548]
    assert sorted(set(crops[:, 1].tolist())) == [0, 312, 624]
    assert (crops[:, 2] - crops[:, 0] == 500).all() and (crops[:, 3] - crops[:, 1] == 400).all()
    assert crops[0].tolist() == [0, 0, 500, 400] and crops[5].tolist() == [0, 312, 500, 712]  # row by row
    overlaps = crops[0, 2] - crops[1, 0], crops[0, 3] - crops[5, 1]
    assert overlaps == (113, 88)


def test_a_tiling_keeps_its_shares_on_another_size():
    half = PAPER_002.crops(512, 1024)
    assert half.shape == (15, 4)
    assert (half[:, 2] - half[:, 0] == 250).all() and (half[:, 3] - half[:, 1] == 200).all()
    assert Tiling(width=3, height=1, columns=3, rows=1, of=(10, 1)).crops(1, 10)[:, 0].tolist() == [0, 4, 7]
    assert WHOLE_IMAGE.crops(37, 51).tolist() == [[0, 0, 51, 37]]


@given(
    st.integers(20, 400),
    st.integers(20, 400),
    st.integers(1, 100),
    st.integers(1, 100),
    st.integers(1, 6),
    st.integers(1, 6),
)
def test_crops_are_inside_distinct_and_evenly_spread(height, width, crop_w, crop_h, columns, rows):
    tiling = Tiling(width=crop_w, height=crop_h, columns=columns, rows=rows, of=(200, 200))
    try:
        crops = tiling.crops(height, width)
    except BadInput:
        return  # too many crops for so small an image
    assert len({tuple(c) for c in crops.tolist()}) == columns * rows
    assert (crops[:, :2] >= 0).all() and (crops[:, 2] <= width).all() and (crops[:, 3] <= height).all()
    starts = np.unique(crops[:, 0])
    if columns > 1:
        assert starts[0] == 0 and crops[:, 2].max() == width
        assert np.ptp(np.diff(starts)) <= 1


@pytest.mark.parametrize(
    ("fields", "says"),
    [
        ({"width": 0, "height": 4, "columns": 1, "rows": 1, "of": (8, 8)}, "0 < crop <= image"),
        ({"width": 9, "height": 4, "columns": 1, "rows": 1, "of": (8, 8)}, "a crop of 9 on 8 px"),
        ({"width": 4, "height": 4, "columns": 0, "rows": 1, "of": (8, 8)}, "at least one column"),
        ({"width": 8, "height": 8, "columns": 2, "rows": 1, "of": (8, 8)}, "start at different pixels"),
    ],
)
def test_impossible_tilings_are_refused(fields, says):
    with pytest.raises(BadInput, match=says):
        Tiling(**fields)


def test_a_tiling_too_fine_for_a_small_image_says_so():
    with pytest.raises(BadInput, match="coarser tiling"):
        PAPER_002.crops(1024, 4)


@pytest.mark.parametrize("kind", [Fine, Coarse, Boxes])
def test_a_request_names_each_scene_once(kind):
    assert kind(["a", "b"]).scenes == ("a", "b")
    with pytest.raises(BadInput, match="twice: a"):
        kind(["a", "b", "a"])
    with pytest.raises(BadInput, match="list of scene ids"):
        kind("abc")


def test_points_are_distinct_whole_pixels_for_each_scene():
    request = Points(["a", "b"], {"b": [[1, 2]], "a": []})
    assert request.pixels("a").shape == (0, 2) and request.pixels("b").tolist() == [[1, 2]]
    for xy, says in [
        ({"a": [[1, 2]]}, "each scene of the request"),
        ([[[1, 2]]], "got 1 for 2 scenes"),
        ([[[1.5, 2]], []], "whole numbers"),
        ([[[1, 2, 3]], []], "whole numbers"),
        ([[[1, 2], [1, 2]], []], "distinct"),
    ]:
        with pytest.raises(BadInput, match=says):
            Points(["a", "b"], xy)


def test_points_cannot_be_changed_after_they_were_asked_for():
    mine = np.array([[1, 2]])
    request = Points(["a"], [mine])
    mine[:] = 9
    assert request.pixels("a").tolist() == [[1, 2]]
    with pytest.raises(ValueError, match="read-only"):
        request.pixels("a")[0, 0] = 3


def test_every_kind_of_act_has_a_request():
    requests = [Fine([]), Coarse([]), Points([], []), Boxes([]), Tags([], WHOLE_IMAGE)]
    assert [r.kind for r in requests] == list(FOR_SALE)
    assert [r.labels for r in requests] == ["fine", "coarse", "points", "boxes", "tags"]


def test_acts_without_owned_items():
    acts = Acts.of([3, 1, 2], [1, 5, 1], [1, 1, 1])
    assert acts.without(np.array([1, 9])).items.tolist() == [3, 2]
    assert acts.without(None) is acts


def test_nearest_names_the_close_one_or_all():
    assert nearest("cityscape", ["cityscapes", "voc"]) == "did you mean 'cityscapes'?"
    assert nearest("xyz", ["b", "a"]) == "known: a, b"
