"""Methods on pools that hold images without labels: they ask for answers that exist, and see the other images."""

from dataclasses import replace

import numpy as np
import pytest
from pointhere import KNOBS, larger_toy, point_lab

from segfrontier.errors import BadInput
from segfrontier.lab import make_method
from segfrontier_methods.active_points.acquisition import Choice, Draw, steps_of_asking
from segfrontier_methods.active_points.knobs import Knobs
from segfrontier_methods.high_low.data import bought as masks_and_tags
from segfrontier_methods.weak_panoptic.data import bought as boxes_and_tags

HOURS = 1000.0
"""More than all labels of the world cost."""


def bare(scene, *, rest=2):
    """Of the target's training scenes the last `rest` of each three have no labels."""
    if (scene.domain, scene.split) != ("target", "train") or int(scene.id[-3:]) % 3 < 3 - rest:
        return scene
    return replace(scene, semantic=None, instance=None)


@pytest.fixture
def world(tmp_path):
    return larger_toy(tmp_path / "world", train=6, change=bare)


@pytest.fixture
def lab(world, tmp_path):
    with point_lab(tmp_path / "home", world, hours=HOURS) as lab:
        assert len(lab.pool) == 6 and len(lab.sold("fine")) == 2
        yield lab


def test_high_low_tags_what_can_be_tagged_and_sees_the_rest(lab):
    data = masks_and_tags(lab, labelled=0.5, split=0.5, draw=None)
    assert len(data.masked.names()) == len(data.tagged.names()) == 1
    assert {*data.masked.names(), *data.tagged.names()} == set(lab.sold("tag"))
    assert set(data.untagged.names()) == set(lab.pool.scenes()) - set(lab.sold("tag"))


@pytest.mark.parametrize("allocate", ["pool", "image"])
def test_active_points_asks_about_what_can_be_asked_about(lab, allocate):
    knobs = Knobs(**(KNOBS | {"selector": "random", "patches": None, "allocate": allocate}))
    (total,) = steps_of_asking(knobs, lab)
    assert total == 2 * knobs.grid, "all patches of the two images with labels"
    parts = Choice(knobs=knobs, draw=Draw.of(knobs, 0), lab=lab, measures=None, before=[]).buy(total)
    assert [scene for labels in parts for scene in labels.scenes()] == lab.sold("point")
    assert lab.spent == np.ceil(total * knobs.points * lab.price("point"))


def test_active_points_needs_something_to_ask_about(tmp_path):
    world = larger_toy(tmp_path / "world", train=3, change=lambda scene: bare(scene, rest=3))
    with point_lab(tmp_path / "home", world, hours=HOURS) as lab, pytest.raises(BadInput, match="this pool has none"):
        steps_of_asking(Knobs(**KNOBS), lab)


def test_weak_panoptic_boxes_what_can_be_boxed(lab):
    data = boxes_and_tags(lab, make_method("weak_panoptic", {}))
    assert set(data.boxes.scenes()) == set(lab.sold("box"))
