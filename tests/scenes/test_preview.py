"""Sheets of pictures: what objects look like, and what stands below."""

import numpy as np
from toyworld import TOY

from segfrontier.scenes.preview import colourise_instances, colourise_objects, sheet

VOID = 255


def test_objects_have_colours_of_their_own_and_a_line_where_they_touch():
    ids = np.zeros((5, 8), np.uint16)
    ids[1:4, 1:3], ids[1:4, 3:5], ids[1:4, 6:8] = 1, 2, 3
    picture = colourise_objects(np.where(ids > 0, 2, 1).astype(np.uint8), ids, TOY)
    own = colourise_instances(ids)
    line = (picture == (30, 30, 30)).all(axis=2)
    assert line.sum() == 3 and line[1:4, 2].all(), "between 1 and 2 alone, in one of them"
    inside = (ids > 0) & ~line
    assert (picture[inside] == own[inside]).all()
    assert len({tuple(own[2, x]) for x in (1, 4, 6)}) == 3


def test_what_is_no_object_is_pale_and_void_is_white():
    semantic = np.array([[0, 1, VOID, VOID]], np.uint8)
    picture = colourise_objects(semantic, np.zeros((1, 4), np.uint16), TOY)
    assert (picture[0, 2:] == 255).all()
    for x, colour in enumerate(TOY.palette[:2].astype(int)):
        assert np.abs(picture[0, x] - (0.65 * 255 + 0.35 * colour)).max() <= 0.5
        assert (picture[0, x] < 255).any()


def test_a_note_stands_below_a_sheet_in_as_many_lines_as_it_needs():
    rows = [("a", [("image", np.zeros((20, 40, 3), np.uint8))] * 3)]
    bare, short, long = (sheet(rows, TOY, width=100, note=note) for note in ("", "red is wrong", "red is wrong " * 9))
    assert short.shape == (bare.shape[0] + 20, *bare.shape[1:])
    assert long.shape[0] > short.shape[0] and long.shape[1:] == bare.shape[1:]
    assert (short[: bare.shape[0] - 6] == bare[:-6]).all()
    assert (short[bare.shape[0] - 6 : -6] < 128).any() and (short[:, -6:] == 255).all(), "it is there, and is not cut"
