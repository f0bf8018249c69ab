"""The coarse annotator: every labelled pixel is right, about two thirds are labelled, small things are gone."""

import time
from pathlib import Path

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from market_fakes import street_like

from segfrontier.market.coarse import LOST_SHARE, coarse_map, eroded
from segfrontier.scenes.classes import VOID


def slowly_eroded(inside, small):
    """Each component for itself, every k in turn, with a plain erosion."""
    count, ids = cv2.connectedComponents(inside, connectivity=8)
    out = np.zeros_like(inside)
    for number in range(1, count):
        component = (ids == number).astype(np.uint8)
        if component.sum() < small:
            continue
        best = None
        for k in range(1, max(inside.shape) * 2):
            left = cv2.erode(component, np.ones((k, k), np.uint8))
            off = abs(1 - left.sum() / component.sum() - LOST_SHARE)
            if best is None or off < best[0] - 1e-12:
                best = (off, left)
            if not left.any():
                break
        out |= best[1]
    return out


@pytest.mark.parametrize("seed", range(12))
@pytest.mark.parametrize("size", [(96, 192), (64, 128), (128, 128)])
def test_two_thirds_are_labelled_and_nothing_wrongly(seed, size):
    semantic = street_like(seed, *size)
    coarse = coarse_map(semantic)
    labelled = coarse != VOID
    assert (coarse[labelled] == semantic[labelled]).all()
    assert 0.55 <= labelled.mean() <= 0.75
    assert np.array_equal(coarse, coarse_map(semantic.copy())), "the same map gives the same polygons"


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 2**32 - 1), st.integers(1, 40), st.integers(1, 60), st.integers(1, 6), st.integers(1, 9))
def test_no_labelled_pixel_has_another_class(seed, height, width, classes, grain):
    """Also on nonsense: maps of blocks and noise of any size, with void."""
    rng = np.random.default_rng(seed)
    blocks = rng.integers(0, classes + 1, (-(-height // grain), -(-width // grain))).astype(np.uint8)
    semantic = np.kron(blocks, np.ones((grain, grain), np.uint8))[:height, :width]
    semantic = np.where(semantic == classes, VOID, semantic).astype(np.uint8)
    coarse = coarse_map(semantic)
    assert coarse.shape == semantic.shape
    assert ((coarse == VOID) | (coarse == semantic)).all()
    assert (coarse[semantic == VOID] == VOID).all()


@pytest.mark.parametrize("seed", range(6))
def test_the_erosion_is_the_one_that_loses_about_35_percent(seed):
    """Against trying every k; the direction in which an even square leans does not change what is lost."""
    semantic = street_like(seed, 48, 96)
    for label in np.unique(semantic[semantic != VOID]):
        inside = np.pad((semantic == label).astype(np.uint8), 1)  # a frame, so that borders are outlines for both
        fast, slow = eroded(inside, small=5), slowly_eroded(inside, small=5)
        assert np.array_equal(fast, slow)


def test_erosion_on_one_square():
    inside = np.zeros((30, 30), np.uint8)
    inside[5:25, 5:25] = 1
    kept = eroded(inside, small=1)
    assert kept.sum() == 16 * 16  # k = 5: 36 % gone; k = 4 loses 27.75 %, k = 6 43.75 %
    assert kept[7:23, 7:23].all()


def test_a_class_that_fills_the_image_has_no_outline():
    assert (coarse_map(np.full((20, 30), 3, np.uint8)) == 3).all()
    assert (coarse_map(np.full((20, 30), VOID, np.uint8)) == VOID).all()


def test_small_components_are_dropped_at_any_size():
    for scale in (1, 2, 4):
        semantic = np.zeros((100 * scale, 100 * scale), np.uint8)
        semantic[10 * scale : 13 * scale, 10 * scale : 13 * scale] = 1  # 9 of 10,000: below a thousandth
        semantic[50 * scale : 54 * scale, 50 * scale : 54 * scale] = 2  # 16 of 10,000
        coarse = coarse_map(semantic)
        assert not (coarse == 1).any() and (coarse == 2).any()


def test_holes_stay_void_around_their_outline():
    semantic = np.zeros((120, 120), np.uint8)
    semantic[50:70, 50:70] = 1
    coarse = coarse_map(semantic)
    gap = coarse[40:50, 60]
    assert (gap == VOID).any() and coarse[60, 60] == 1 and coarse[5, 5] == 0


def test_polygons_have_few_corners():
    """A wavy outline comes out with straight sides: far fewer corners than the erosion itself has."""
    y, x = np.mgrid[0:400, 0:400] - 200
    radius = 150 + 6 * np.sin(30 * np.arctan2(y, x))
    semantic = np.where(np.hypot(x, y) < radius, 0, 1).astype(np.uint8)
    coarse = (coarse_map(semantic) == 0).astype(np.uint8)
    (outline,), _ = cv2.findContours(coarse, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
    assert len(cv2.approxPolyDP(outline, 1.0, True)) <= 55


def test_camvid_when_it_is_there():
    folder = Path(__file__).parents[3] / "shared/data/CamVid/valannot"
    if not folder.is_dir():
        pytest.skip("CamVid is not here")
    for path in sorted(folder.iterdir())[::25]:
        semantic = cv2.imread(str(path), cv2.IMREAD_UNCHANGED)
        semantic = np.where(semantic == 11, VOID, semantic).astype(np.uint8)
        coarse = coarse_map(semantic)
        assert (coarse[coarse != VOID] == semantic[coarse != VOID]).all()
        assert 0.5 <= (coarse != VOID).mean() <= 0.75


@pytest.mark.slow
def test_speed(capsys):
    for height, width, bound in ((96, 192, 0.015), (512, 1024, 0.5)):
        maps = [street_like(s, height, width) for s in range(20)]
        best = min(_seconds(maps) for _ in range(3))
        with capsys.disabled():
            print(f"\ncoarse {height}x{width}: {best * 1000:.1f} ms")
        assert best < bound


def _seconds(maps):
    start = time.perf_counter()
    for semantic in maps:
        coarse_map(semantic)
    return (time.perf_counter() - start) / len(maps)
