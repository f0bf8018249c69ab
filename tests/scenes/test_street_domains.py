"""The two domains of the street world: alike in what they show, different in how it looks, as far as the gap says."""

from __future__ import annotations

from functools import cache

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.stats import spearmanr

from segfrontier.scenes.classes import CITYSCAPES
from segfrontier.scenes.street import StreetScene, render_scene

F64 = NDArray[np.float64]

CITYSCAPES_SHARES = {
    "road": 36.9, "building": 22.8, "vegetation": 15.9, "car": 7.0, "sidewalk": 6.1, "sky": 4.0, "pole": 1.23,
    "person": 1.22, "terrain": 1.16, "fence": 0.88, "wall": 0.66, "sign": 0.55, "bicycle": 0.41, "truck": 0.27,
    "bus": 0.24, "train": 0.23, "light": 0.21, "rider": 0.135, "motorcycle": 0.1,
}  # fmt: skip
"""Per cent of the labelled pixels of Cityscapes' training set."""


@cache
def _scenes(domain: str, start: int, count: int, gap: float = 1.0) -> list[StreetScene]:
    indices = range(start, start + count)
    return [render_scene(seed=3, index=i, domain=domain, height=64, width=128, gap=gap) for i in indices]


def _shares(scenes: list[StreetScene]) -> F64:
    counts = sum(np.bincount(s.semantic.ravel(), minlength=len(CITYSCAPES)) for s in scenes)
    return counts / counts.sum()


def _bins(scenes: list[StreetScene]) -> NDArray[np.int64]:
    """Every pixel's colour and height in the picture, coarsely: 8 steps a channel, 4 bands of rows."""
    colours = np.stack([s.image for s in scenes]).astype(np.int64) >> 5
    bands = (np.arange(colours.shape[1]) * 4 // colours.shape[1])[:, None]
    return ((colours[..., 0] * 8 + colours[..., 1]) * 8 + colours[..., 2]) * 4 + bands


def _accuracy(train: list[StreetScene], test: list[StreetScene]) -> float:
    """Share of pixels that a table of the most frequent class by bin, learnt from `train`, gets right in `test`."""
    labels = np.stack([s.semantic for s in train])
    counts = np.bincount((_bins(train) * 19 + labels).ravel(), minlength=8**3 * 4 * 19).reshape(-1, 19)
    guess = counts.argmax(1)[_bins(test)]
    return float((guess == np.stack([s.semantic for s in test])).mean())


def test_the_domains_share_their_class_statistics():
    game, city = _shares(_scenes("game", 0, 40)), _shares(_scenes("city", 0, 40))
    assert np.abs(game - city).sum() / 2 < 0.05
    frequent = city > 0.004
    assert (np.abs(game - city)[frequent] / city[frequent]).max() < 0.35


def test_the_domains_differ_in_pixels():
    for game, city in zip(_scenes("game", 0, 10), _scenes("city", 0, 10), strict=True):
        spread_game, spread_city = (np.ptp(s.image.astype(int), axis=2).mean() for s in (game, city))
        assert spread_game > 1.3 * spread_city, "the game is the more colourful one"


def test_without_a_gap_the_domains_are_the_same_pictures():
    for index in range(3):
        game = render_scene(seed=3, index=index, domain="game", height=64, width=128, gap=0.0)
        city = render_scene(seed=3, index=index, domain="city", height=64, width=128, gap=0.0)
        for part in ("image", "semantic", "instance"):
            np.testing.assert_array_equal(getattr(game, part), getattr(city, part))


def test_the_city_ignores_the_gap():
    one, other = (render_scene(seed=3, index=5, domain="city", height=64, width=128, gap=g) for g in (0.2, 1.0))
    np.testing.assert_array_equal(one.image, other.image)
    np.testing.assert_array_equal(one.instance, other.instance)


def test_pictures_move_steadily_with_the_gap():
    city = _scenes("city", 0, 6)
    distances = []
    for gap in (0.25, 0.5, 0.75, 1.0):
        game = _scenes("game", 0, 6, gap)
        pairs = zip(game, city, strict=True)
        distances.append(np.mean([np.abs(g.image.astype(int) - c.image).mean() for g, c in pairs]))
    assert distances == sorted(distances)
    assert distances[-1] > 1.5 * distances[0]


def test_a_classifier_from_the_game_fails_in_the_city_only_because_of_the_gap():
    city, game, closed = _scenes("city", 0, 30), _scenes("game", 0, 30), _scenes("game", 0, 30, 0.0)
    unseen = _scenes("city", 60, 12)
    at_home = _accuracy(city, unseen)
    assert at_home > 0.6
    assert _accuracy(game, unseen) < at_home - 0.12
    assert _accuracy(closed, unseen) == at_home


def test_frequent_classes_are_as_frequent_as_in_cityscapes():
    shares = 100 * _shares(_scenes("city", 0, 40))
    for name, (low, high) in {
        "road": (30, 44), "building": (14, 30), "vegetation": (10, 25), "car": (4, 11), "sidewalk": (3, 9),
        "sky": (2, 9), "pole": (0.8, 3), "person": (0.5, 2),
    }.items():  # fmt: skip
        assert low < shares[CITYSCAPES.index(name)] < high, (name, shares[CITYSCAPES.index(name)])
    assert spearmanr(shares, [CITYSCAPES_SHARES[n] for n in CITYSCAPES.names]).statistic > 0.85


@pytest.mark.slow
def test_the_long_tail():
    """Over many scenes every class is within a factor of two of Cityscapes' share, and the rare ones stay rare."""
    scenes = _scenes("city", 0, 500)
    shares = 100 * _shares(scenes)
    for name, expected in CITYSCAPES_SHARES.items():
        assert 0.5 * expected < shares[CITYSCAPES.index(name)] < 2 * expected, (name, shares[CITYSCAPES.index(name)])
    present = np.mean([np.bincount(s.semantic.ravel(), minlength=len(CITYSCAPES)) > 0 for s in scenes], axis=0)
    for name in ("truck", "bus", "train", "motorcycle"):
        assert 0.02 < present[CITYSCAPES.index(name)] < 0.25, (name, present[CITYSCAPES.index(name)])
    assert spearmanr(shares, [CITYSCAPES_SHARES[n] for n in CITYSCAPES.names]).statistic > 0.93
