"""Points that were paid for reach the loss at any size; boxes and tags reach the step; views show the same sample."""

from dataclasses import dataclass

import numpy as np
import pytest
import torch
from toylab import Tiny, fine_part
from toyworld import TOY, write_toy

from segfrontier.lab import Augment, Bench, Ema, Loss, Network, Objective, Part, Plan, Sgd, Stream
from segfrontier.lab.geometry import Geometry
from segfrontier.lab.keying import train_key
from segfrontier.lab.training.loader import StepDataset, batches, to_device
from segfrontier.lab.training.loop import Job, run
from segfrontier.lab.worker import Worker
from segfrontier.maths import cross_entropy
from segfrontier.scenes.known import SceneLabels
from segfrontier.scenes.labels import LabelRow, write_labels

CPU = torch.device("cpu")


def bought(count, height=1024, width=2048, *, seed=0):
    """So many points at pixels of their own, as (x, y, label)."""
    rng = np.random.default_rng(seed)
    y, x = np.divmod(rng.choice(height * width, count, replace=False), width)
    return np.column_stack([x, y, rng.integers(0, 3, count)]).astype(np.int32)


def burned(points, size):
    labels = np.full(size, 255, np.uint8)
    labels[points[:, 1], points[:, 0]] = points[:, 2]
    return labels


def test_all_points_reach_half_the_size():
    points = bought(3200)
    known = SceneLabels(size=(1024, 2048), points=points)
    half = Augment(resize=(512, 1024)).geometry((1024, 2048), np.random.default_rng(0))
    labels = half.labels(known)
    assert np.count_nonzero(labels != 255) == 3200
    assert np.bincount(labels.ravel(), minlength=256)[:3].tolist() == np.bincount(points[:, 2]).tolist()


@pytest.mark.parametrize("seed", range(6))
def test_every_point_in_the_crop_is_shown_once_at_any_scale(seed):
    points = bought(2000, 300, 400, seed=seed)
    augment = Augment(scale=(0.75, 1.5), crop=(200, 250), flip=True)
    geometry = augment.geometry((300, 400), np.random.default_rng(seed))
    top, left = geometry.corner
    height, width = geometry.size
    x, y = (points[:, 0] + 0.5) * width / 400 - left, (points[:, 1] + 0.5) * height / 300 - top
    within = (x >= 0) & (x < 250) & (y >= 0) & (y < 200)
    labels = geometry.labels(SceneLabels(size=(300, 400), points=points))
    assert labels.shape == (200, 250) and np.count_nonzero(labels != 255) == within.sum()
    moved = geometry.points(points)
    x = 250 - x if geometry.mirrored else x
    near = np.hypot(moved[:, 0] + 0.5 - x[within], moved[:, 1] + 0.5 - y[within])
    assert near.max() < 4 and np.median(near) < 0.8 and (moved[:, 2] == points[within, 2]).all()
    assert (geometry.points(points) == moved).all()


def test_what_is_not_resized_is_as_it_was():
    points = bought(50, 24, 32)
    points[1, :2] = points[0, :2]
    augment = Augment(crop=(16, 20), flip=True)
    for seed in range(8):
        geometry = augment.geometry((24, 32), np.random.default_rng(seed))
        wanted = geometry.map(burned(points, (24, 32)), outside=255)
        assert (geometry.labels(SceneLabels(size=(24, 32), points=points)) == wanted).all()


def test_more_points_than_pixels_fill_them_all():
    points = bought(60, 16, 16)
    geometry = Geometry(source=(16, 16), size=(4, 4))
    assert (geometry.labels(SceneLabels(size=(16, 16), points=points)) != 255).all()


def test_points_beside_a_map_keep_their_labels_in_a_smaller_one(tmp_path):
    """What a model guessed all over, and what people answered in it: each answer is there, at a pixel of its own."""
    answers = bought(40, 64, 96)
    answers[:, 2] = 2
    known = SceneLabels(size=(64, 96), semantic=np.zeros((64, 96), np.uint8), points=answers)
    rows = [LabelRow("a", 64, 96, map=known.semantic, points=answers)]
    stored = write_labels(tmp_path, kind="pseudo", classes=TOY, rows=rows).labels("a")
    for each in (known, stored):
        labels = Geometry(source=(64, 96), size=(32, 48)).labels(each)
        assert (labels == 2).sum() == 40 and (labels == 0).sum() == 32 * 48 - 40


def test_boxes_go_where_their_pixels_go():
    boxes = np.array([[4, 2, 8, 6, 1, 7], [0, 0, 3, 3, 2, 8], [30, 20, 32, 24, 0, 9]], np.int32)
    geometry = Geometry(source=(24, 32), size=(48, 64), corner=(4, 6), window=(30, 40), mirrored=True)
    # twice as large: 8..16 x 4..12, less the corner: 2..10 x 0..8, mirrored in 40: 30..38
    assert geometry.boxes(boxes).tolist() == [[30, 0, 38, 8, 1, 7]], "the others lie outside"
    whole = Geometry(source=(24, 32), size=(12, 16))
    assert whole.boxes(boxes).tolist() == [[2, 1, 4, 3, 1, 7], [0, 0, 2, 2, 2, 8], [15, 10, 16, 12, 0, 9]]


def sparse_part(world, folder, kind, values):
    truth = world.truth()
    rows = [LabelRow(s, *truth.size(s), values=np.array(values, np.int32)) for s in truth.scenes()]
    return write_labels(folder, kind=kind, classes=TOY, rows=rows)


@pytest.mark.parametrize("workers", [0, 2])
def test_a_step_sees_boxes_and_tags_beside_pixels(tmp_path, workers):
    world = write_toy(tmp_path / "toy", target_train=4)
    for kind, values in (("boxes", [[4, 2, 8, 6, 1, 7]]), ("tags", [[0, 2], [1, 1]])):
        labels = sparse_part(world, tmp_path, kind, values)
        stream = Stream(parts=(Part(images=world.pool(), labels=labels),), batch=2, augment=Augment(resize=(12, 16)))
        (raw,) = batches(StepDataset({"a": stream}, seed=0, rank=0, world=1), [(0, ("a",))], workers=workers, pin=False)
        batch = to_device(raw["a"], CPU, channels_last=False)
        assert (batch.label == 255).all() and batch.instance is None and list(batch.labels) == [kind]
        for known in batch.labels[kind]:
            assert known.size == (12, 16)
            assert getattr(known, kind).tolist() == ([[2, 1, 4, 3, 1, 7]] if kind == "boxes" else values)


def viewed(world, folder, **views):
    augment = Augment(scale=(0.8, 1.2), crop=(16, 16), flip=True)
    stream = Stream(parts=(fine_part(world, folder),), batch=4, augment=augment, views=views)
    return {"labelled": stream}


def test_views_show_the_same_pixels_in_other_colours(toy_world, tmp_path):
    def shown(**views):
        dataset = StepDataset(viewed(toy_world, tmp_path, **views), seed=1, rank=0, world=1)
        (raw,) = batches(dataset, [(0, ("labelled",))], workers=0, pin=False)
        return to_device(raw["labelled"], CPU, channels_last=False)

    plain, strong = shown(), Augment(colour=0.5)
    two = shown(strong=strong, other=strong, same=Augment(), own=Augment(resize=(10, 12)))
    assert torch.equal(two.image, plain.image) and torch.equal(two.label, plain.label) and not plain.views
    assert torch.equal(two.views["same"], two.image)
    assert two.views["own"].shape == (4, 3, 10, 12)
    for name in ("strong", "other"):
        assert two.views[name].shape == two.image.shape and not torch.equal(two.views[name], two.image)
        for weak, other in zip(two.image, two.views[name], strict=True):
            assert np.corrcoef(weak.flatten(), other.flatten())[0, 1] > 0.7
    assert not torch.equal(two.views["strong"], two.views["other"]), "each name draws its own"
    again = shown(strong=strong)
    assert torch.equal(again.views["strong"], two.views["strong"]), "whatever other views there are"


def test_views_decide_the_key(toy_world, tmp_path):
    keys = {
        train_key(Job(objective=Consistent(), streams=viewed(toy_world, tmp_path, **views), plan=Plan(steps=1)), {})
        for views in ({}, {"strong": Augment(colour=0.5)}, {"strong": Augment(colour=0.4)})
    }
    assert len(keys) == 3


@dataclass(frozen=True, kw_only=True)
class Consistent(Objective):
    """A teacher sees the weak view, its sure answers teach the student on the strong one."""

    above: float = 0.34

    def networks(self):
        return {"segmenter": Network(blueprint=Tiny(norm=False), optimiser=Sgd(lr=0.2), ema=Ema(decay=0.9))}

    def step(self, nets, batch, at):
        one = batch["labelled"]
        yield Loss("ce", cross_entropy(nets["segmenter"](one.image).logits[0], one.label, over=at))
        with torch.no_grad():
            sure, guess = nets.teacher("segmenter")(one.image).logits[0].softmax(1).max(1)
        guess = torch.where(sure > self.above, guess, 255)
        yield Loss("consistency", cross_entropy(nets["segmenter"](one.views["strong"]).logits[0], guess, over=at))


def test_a_weak_and_a_strong_view_train_with_a_teacher(toy_world, tmp_path):
    """In one piece and in two: pseudo-labels cover each part differently."""
    streams = viewed(toy_world, tmp_path, strong=Augment(colour=0.5, blur=1.0))
    found = []
    for parts in (1, 2):
        job = Job(objective=Consistent(), streams=streams, plan=Plan(steps=5, accumulate=parts))
        folder = tmp_path / str(parts)
        run(job, Worker(device=CPU), Bench(device="cpu", threads=1), work=folder / "w", out=folder / "o")
        found.append(torch.load(folder / "o" / "weights.pt", weights_only=True))
    for name in ("segmenter", "segmenter/teacher"):
        for key, value in found[0][name].items():
            torch.testing.assert_close(found[1][name][key], value, rtol=1e-4, atol=1e-5)
