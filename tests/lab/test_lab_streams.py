"""Streams and augmentation: who loads what is a pure function of the seed and the step."""

from collections import Counter

import numpy as np
import pytest
from toylab import fine_part
from toyworld import write_toy

from segfrontier.errors import BadInput
from segfrontier.lab.augment import Augment
from segfrontier.lab.streams import Deck, Part, Stream, class_table
from segfrontier.lab.training.loader import StepDataset, batches
from segfrontier.scenes.labels import LabelRow, write_labels


def augmented(augment, image, label, instance, rng):
    geometry = augment.geometry(image.shape[:2], rng)
    ids = None if instance is None else geometry.map(instance, outside=0)
    return augment.recoloured(geometry.image(image), rng), geometry.map(label, outside=255), ids


def slots(deck, steps, world=1):
    return [[s for rank in range(world) for s in deck.share_of(step, rank=rank, world=world)] for step in range(steps)]


def test_an_epoch_shows_every_scene_once_in_an_order_of_its_own(toy_world, tmp_path):
    part = fine_part(toy_world, tmp_path)
    deck = Deck("labelled", Stream(parts=(part,), batch=3), seed=0)
    epochs = [[s.scene for step in slots(deck, 8)[e * 2 : e * 2 + 2] for s in step] for e in range(4)]
    for epoch in epochs:
        assert sorted(epoch) == sorted(part.names())
    assert len({tuple(e) for e in epochs}) == 4
    assert [s.epoch for step in slots(deck, 4) for s in step] == [0] * 6 + [1] * 6


def test_the_global_batch_does_not_depend_on_the_number_of_workers(toy_world, tmp_path):
    stream = Stream(parts=(fine_part(toy_world, tmp_path),), batch=4)
    deck = Deck("labelled", stream, seed=3)
    assert slots(deck, 7, world=1) == slots(deck, 7, world=2) == slots(deck, 7, world=4)
    other = Deck("labelled", stream, seed=4)
    assert slots(deck, 7) != slots(other, 7)
    with pytest.raises(BadInput, match="must divide among the workers; found 4 over 3"):
        StepDataset({"labelled": stream}, seed=0, rank=0, world=3)


def test_shares_hold_over_any_stretch(toy_world, tmp_path):
    first = fine_part(toy_world, tmp_path)
    second = fine_part(toy_world, tmp_path, domain="source")
    deck = Deck("mixed", Stream(parts=(first, second), batch=5, shares=(0.7, 0.3)), seed=0)
    dealt = [s for step in slots(deck, 40) for s in step]
    counts = Counter(s.part for s in dealt)
    assert counts == {0: 140, 1: 60}
    for start in range(0, 150, 10):
        assert Counter(s.part for s in dealt[start : start + 10]) == {0: 7, 1: 3}
    shown = Counter(s.scene for s in dealt if s.part == 1)
    assert max(shown.values()) - min(shown.values()) <= 1, "each part goes through its own epochs"


def test_class_balance_draws_rare_classes_as_often_as_common_ones(tmp_path):
    world = write_toy(tmp_path / "w", target_train=20)
    pool, truth = world.pool(), world.truth()
    rows = []
    for i, scene in enumerate(pool.scenes()):
        labels = np.zeros(truth.size(scene), np.uint8)
        if i == 7:
            labels[0, 0] = 2  # one scene alone shows class 2
        rows.append(LabelRow(scene, *labels.shape, map=labels))
    part = Part(images=pool, labels=write_labels(tmp_path, kind="fine", classes=world.classes, rows=rows))
    assert [len(scenes) for scenes in class_table([part])] == [20, 1]
    deck = Deck("s", Stream(parts=(part,), batch=10, balance="class"), seed=1)
    dealt = [s for step in slots(deck, 100) for s in step]
    share = np.mean([s.scene == pool.scenes()[7] for s in dealt])
    assert 0.45 < share < 0.6
    assert len({s.epoch for s in dealt}) == len(dealt), "repeated scenes are augmented anew"


def test_loader_workers_give_the_same_batches(toy_world, tmp_path):
    augment = Augment(scale=(0.5, 1.5), crop=(16, 16), flip=True, colour=0.3, blur=1.0)
    streams = {"a": Stream(parts=(fine_part(toy_world, tmp_path),), batch=4, augment=augment)}
    wants = [(s, ("a",)) for s in range(3, 7)]
    for rank in range(2):
        dataset = StepDataset(streams, seed=5, rank=rank, world=2)
        here = list(batches(dataset, wants, workers=0, pin=False))
        there = list(batches(dataset, wants, workers=2, pin=False))
        for a, b in zip(here, there, strict=True):
            assert a["a"].scene == b["a"].scene
            assert (a["a"].image == b["a"].image).all() and (a["a"].label == b["a"].label).all()


def test_augmentation_moves_image_label_and_instances_together():
    rng = np.random.default_rng(0)
    label = rng.integers(0, 3, (40, 60)).astype(np.uint8).repeat(4, 0).repeat(4, 1)
    image = np.stack([label * 80] * 3, -1).astype(np.uint8)
    instance = label.astype(np.uint16) * 300
    augment = Augment(scale=(1.0, 2.0), crop=(96, 96), flip=True)
    for seed in range(5):
        x, y, ids = augmented(augment, image, label, instance, np.random.default_rng(seed))
        assert x.shape == (96, 96, 3) and y.shape == ids.shape == (96, 96) and ids.dtype == np.uint16
        assert (ids == y.astype(np.uint16) * 300).all()
        assert np.mean(np.abs(x[..., 0].astype(int) - y * 80) < 40) > 0.9
        again = augmented(augment, image, label, instance, np.random.default_rng(seed))
        assert (again[0] == x).all() and (again[1] == y).all()


def test_a_crop_larger_than_the_image_is_padded_with_void():
    image, label = np.zeros((10, 12, 3), np.uint8), np.zeros((10, 12), np.uint8)
    x, y, ids = augmented(Augment(crop=(16, 20)), image, label, np.ones((10, 12), np.uint16), np.random.default_rng(0))
    assert x.shape == (16, 20, 3) and (y == 255).sum() == 16 * 20 - 120 and (ids == 0).sum() == 16 * 20 - 120


def test_each_part_of_augmentation_does_what_it_says():
    rng = np.random.default_rng(0)
    image = rng.integers(0, 255, (32, 32, 3)).astype(np.uint8)
    label = rng.integers(0, 3, (32, 32)).astype(np.uint8)
    same = augmented(Augment(), image, label, None, np.random.default_rng(0))
    assert (same[0] == image).all() and (same[1] == label).all() and same[2] is None
    flips = [augmented(Augment(flip=True), image, label, None, np.random.default_rng(s))[1] for s in range(20)]
    flipped = [bool((f == label[:, ::-1]).all()) for f in flips]
    assert 4 <= sum(flipped) <= 16 and all((f == label).all() for f, m in zip(flips, flipped, strict=True) if not m)
    blurred = augmented(Augment(blur=3.0), image, label, None, np.random.default_rng(1))[0]
    assert blurred.std() < image.std() * 0.9
    jittered = augmented(Augment(colour=0.5), image, label, None, np.random.default_rng(1))[0]
    assert np.abs(jittered.astype(int) - image).mean() > 3
    small = augmented(Augment(resize=(16, 16)), image, label, None, np.random.default_rng(0))
    assert small[0].shape == (16, 16, 3) and set(np.unique(small[1])) <= {0, 1, 2}


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda part: Stream(parts=(part,), batch=0), "batch is at least 1"),
        (lambda _: Stream(parts=(), batch=1), "at least one scene"),
        (lambda part: Stream(parts=(part,), batch=1, shares=(0.5, 0.5)), "one non-negative number a part"),
        (lambda _: Augment(scale=(0.0, 1.0)), "0 < low <= high"),
        (lambda _: Augment(colour=1.0), "0 <= colour < 1"),
    ],
)
def test_bad_settings_are_refused(toy_world, make, message):
    with pytest.raises(BadInput, match=message):
        make(Part(images=toy_world.pool()))


def test_class_balance_needs_labels(toy_world):
    with pytest.raises(BadInput, match="needs labels in every part"):
        Deck("a", Stream(parts=(Part(images=toy_world.pool()),), batch=1, balance="class"), seed=0)
