"""Every scene of the street world: complete truth, sound instances, the same scene at every size, clear errors."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as some
from numpy.typing import NDArray

from segfrontier.errors import BadInput
from segfrontier.scenes.classes import CITYSCAPES
from segfrontier.scenes.street import StreetScene, render_scene


def _nearest(field: NDArray[np.uint8], height: int, width: int) -> NDArray[np.uint8]:
    rows = ((2 * np.arange(height) + 1) * field.shape[0]) // (2 * height)
    columns = ((2 * np.arange(width) + 1) * field.shape[1]) // (2 * width)
    return field[np.ix_(rows, columns)]


def _assert_sound(scene: StreetScene, height: int, width: int) -> None:
    assert scene.image.shape == (height, width, 3) and scene.image.dtype == np.uint8
    assert scene.semantic.shape == (height, width) and scene.semantic.dtype == np.uint8
    assert scene.instance.shape == (height, width) and scene.instance.dtype == np.uint16
    assert scene.semantic.max() < len(CITYSCAPES), "every pixel has a class"
    thing = np.isin(scene.semantic, CITYSCAPES.things)
    np.testing.assert_array_equal(scene.instance > 0, thing, "every countable pixel has an id, and no other has one")
    ids, first = np.unique(scene.instance, return_index=True)
    for i, at in zip(ids[1:], first[1:], strict=True):
        inside = scene.semantic[scene.instance == i]
        assert (inside == scene.semantic.ravel()[at]).all(), f"instance {i} spans classes {np.unique(inside)}"


@settings(max_examples=15, deadline=None, derandomize=True)
@given(
    seed=some.integers(0, 2**70),
    index=some.integers(0, 2**32 - 1),
    domain=some.sampled_from(["game", "city"]),
    height=some.integers(64, 130),
    width=some.integers(128, 260),
    gap=some.floats(0, 1),
)
def test_any_scene_is_complete_and_its_instances_stay_in_one_class(seed, index, domain, height, width, gap):
    scene = render_scene(seed=seed, index=index, domain=domain, height=height, width=width, gap=gap)
    _assert_sound(scene, height, width)


@pytest.mark.parametrize("size", [(64, 128), (96, 192), (128, 128), (64, 700), (360, 480), (256, 512)])
def test_sizes_and_shapes(size):
    _assert_sound(render_scene(seed=1, index=2, domain="city", height=size[0], width=size[1]), *size)


@pytest.mark.slow
@pytest.mark.parametrize("size", [(1024, 2048), (1024, 128), (64, 2048)])
def test_the_extreme_sizes(size):
    _assert_sound(render_scene(seed=1, index=2, domain="game", height=size[0], width=size[1]), *size)


@pytest.mark.parametrize("index", [0, 1, 2])
def test_the_same_scene_at_two_sizes_shows_the_same_things(index):
    large = render_scene(seed=4, index=index, domain="city", height=256, width=512)
    small = render_scene(seed=4, index=index, domain="city", height=96, width=192)
    assert (_nearest(large.semantic, 96, 192) == small.semantic).mean() > 0.95
    other = render_scene(seed=4, index=index + 100, domain="city", height=96, width=192)
    assert (other.semantic == small.semantic).mean() < 0.9


def test_another_aspect_is_a_crop_of_the_same_view():
    wide = render_scene(seed=4, index=3, domain="city", height=128, width=256).semantic
    narrow = render_scene(seed=4, index=3, domain="city", height=128, width=160).semantic
    assert (narrow == wide[:, 48:208]).mean() > 0.99


def test_poles_survive_at_the_smallest_size():
    """A pole of 8 cm is far below a pixel there, and still most that a large picture shows can be found."""
    pole, found, expected = CITYSCAPES.index("pole"), 0, 0
    for index in range(12):
        large = render_scene(seed=6, index=index, domain="city", height=192, width=384).semantic == pole
        small = render_scene(seed=6, index=index, domain="city", height=64, width=128).semantic == pole
        columns = _nearest(large.any(0)[None].astype(np.uint8), 1, 128)[0].astype(bool)
        near = cv2.dilate(small.any(0)[None].astype(np.uint8), np.ones((1, 3), np.uint8))[0].astype(bool)
        expected, found = expected + int(columns.sum()), found + int((columns & near).sum())
    assert expected > 40
    assert found > 0.9 * expected


def test_riders_sit_on_cycles():
    rider, cycles = CITYSCAPES.index("rider"), [CITYSCAPES.index("bicycle"), CITYSCAPES.index("motorcycle")]
    seen = 0
    for index in range(40):
        scene = render_scene(seed=8, index=index, domain="city", height=96, width=192)
        for i in np.unique(scene.instance[scene.semantic == rider]):
            body = scene.instance == i
            around = cv2.dilate(body.astype(np.uint8), np.ones((5, 5), np.uint8)).astype(bool)
            inner = body[1:-1, 1:-1].sum() == body.sum()
            if inner and body.sum() > 25:
                seen += 1
                occluded = np.isin(scene.semantic[around], [*cycles, CITYSCAPES.index("car")]).any()
                assert occluded, f"scene {index}: rider {i} has no cycle"
    assert seen >= 3


GOOD = {"seed": 0, "index": 0, "domain": "city", "height": 64, "width": 128}


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"seed": -1}, "seed must be 0 or more; found -1"),
        ({"seed": 1.5}, "seed must be a whole number; found 1.5"),
        ({"index": -3}, "index must be in"),
        ({"index": 1 << 32}, "index must be in"),
        ({"domain": "City"}, "must be one of game, city; found 'City'"),
        ({"height": 63}, "64x128 to 1024x2048 .*; found '63x128'"),
        ({"width": 2049}, "found '64x2049'"),
        ({"height": 96.0}, "height must be a whole number; found 96.0"),
        ({"width": True}, "width must be a whole number; found True"),
        ({"gap": 1.01}, "gap must be a number from 0 .* found 1.01"),
        ({"gap": -0.1}, "gap must be"),
        ({"gap": float("nan")}, "gap must be .* found nan"),
        ({"gap": "1"}, "gap must be .* found '1'"),
    ],
)
def test_bad_input_says_what_must_hold_and_what_was_found(change, words):
    with pytest.raises(BadInput, match=words):
        render_scene(**(GOOD | change))
