"""The detector of weak_panoptic: what its boxes teach, what it finds, and how finds travel as labels."""

import numpy as np
import pytest
import torch
from instancehere import BENCH, CAR, DETECTOR, boxes_of, learning, mean_of_shares, moment
from toylab import fine_part, toy_lab
from toyworld import write_toy

from segfrontier.errors import BadInput
from segfrontier.lab import Augment, Batch, Detections, Part, Plan, Recipe, SceneLabels, Stream
from segfrontier.lab.geometry import Geometry
from segfrontier.lab.objective import Nets
from segfrontier.models.blueprints import described, rebuilt
from segfrontier.models.detector import Compared, DetectedBoxes, DetectorSpec, Objects, _forgiven
from segfrontier_methods.weak_panoptic.detector import (
    Detect,
    Detecting,
    as_detections,
    detection_losses,
    detector_network,
    objects_of,
)

CPU = torch.device("cpu")


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    return write_toy(tmp_path_factory.mktemp("instances") / "toy")


def known(*rows, size=(24, 32)):
    return SceneLabels(size=size, boxes=np.array(rows, np.int32).reshape(-1, 6))


def test_duplicates_count_once_and_slivers_groups_and_what_lies_outside_do_not():
    objects = objects_of(
        known(
            (4, 4, 12, 12, 2, 0), (4, 4, 12, 12, 2, 0), (4, 4, 12, 12, 1, 0),  # twice the same; another class
            (0, 0, 1, 9, 2, 0), (5, 5, 5, 9, 2, 0),  # a pixel across; no area
            (40, 2, 50, 9, 2, 0), (28, 20, 90, 90, 2, 0),  # outside; reaching out
            (0, 0, 9, 9, 2, 1),
        ),
        CPU,
    )  # fmt: skip
    assert sorted(zip(objects.boxes_B4.tolist(), objects.labels_B.tolist(), strict=True)) == [
        ([4, 4, 12, 12], 1), ([4, 4, 12, 12], 2), ([28, 20, 32, 24], 2),
    ]  # fmt: skip
    assert objects.crowds_B4.tolist() == [[0, 0, 9, 9]]
    assert all(not len(each) for each in objects_of(SceneLabels(size=(24, 32)), CPU))


def test_background_that_lies_by_more_than_half_in_a_crowd_is_forgiven():
    boxes = torch.tensor([[0.0, 0, 4, 4], [2, 0, 6, 4], [3, 0, 7, 4], [0, 0, 4, 4]])
    labels = torch.tensor([0.0, 0, 0, 1])
    crowd = torch.tensor([[0.0, 0, 4, 9], [20, 20, 30, 30]])
    assert _forgiven(labels, boxes, crowd).tolist() == [-1, 0, 0, 1]  # the second lies in it by just a half
    assert _forgiven(labels, boxes, crowd[:0]) is labels


def test_the_losses_are_those_of_faster_rcnn_over_the_samples_of_the_whole_batch():
    torch.manual_seed(0)

    def share(anchors, boxes, right):
        return Compared(
            torch.randn(anchors), (torch.arange(anchors) < right).float(), torch.randn(right, 4), torch.randn(right, 4),
            torch.randn(boxes, 3), torch.arange(boxes) % 3, torch.randn(right, 4), torch.randn(right, 4),
        )  # fmt: skip

    first, second = share(9, 5, 4), share(3, 8, 0)
    both = Compared(*(torch.cat(each) for each in zip(first, second, strict=True)))
    smooth = torch.nn.functional.smooth_l1_loss
    want = {
        "objectness": torch.nn.functional.binary_cross_entropy_with_logits(both.objectness_S, both.is_object_S),
        "anchor_boxes": smooth(both.anchor_offsets, both.anchor_targets, beta=1 / 9, reduction="sum") / 12,
        "classes": torch.nn.functional.cross_entropy(both.logits_SK, both.labels_S),
        "boxes": smooth(both.box_offsets, both.box_targets, beta=1 / 9, reduction="sum") / 13,
    }
    found = detection_losses(both, moment())
    for name, value in want.items():
        torch.testing.assert_close(found[name], value)

        def loss_of(seen, at, name=name):
            return detection_losses(seen, at)[name]

        torch.testing.assert_close(mean_of_shares(loss_of, (first, second)), value)


def test_every_weight_learns_and_no_boxes_at_all_are_no_error():
    detector = DETECTOR.build(seed=0)
    nothing = Objects(torch.zeros(0, 4), torch.zeros(0, dtype=torch.long), torch.zeros(0, 4))
    car = Objects(torch.tensor([[4.0, 4, 12, 12]]), torch.tensor([CAR]), torch.zeros(0, 4))
    other = car._replace(labels_B=torch.tensor([1]))  # no thing of this detector's
    torch.manual_seed(1)
    images = torch.rand(2, 3, 21, 30)
    for objects, right in (((car, nothing), True), ((nothing, other), False)):
        seen = detector(images, objects)
        assert (seen.labels_S > 0).any() == right == bool(len(seen.box_offsets))
        losses = detection_losses(seen, moment())
        assert all(torch.isfinite(loss) for loss in losses.values())
        torch.stack(list(losses.values())).sum().backward()
        assert all(p.grad is not None for p in detector.parameters() if p.requires_grad)


def test_a_threshold_decides_what_is_found_and_nothing_is_an_answer():
    detector = DETECTOR.build(seed=0).eval()
    (many,), (none,) = (detector.detect(torch.rand(1, 3, 24, 32), above=a, nms=0.3, most=7) for a in (0.0, 0.999))
    assert len(many.boxes_B4) == 7 and set(many.labels_B.tolist()) == {CAR}
    assert (many.scores_B.diff() <= 0).all() and many.boxes_B4.amin() >= 0
    assert many.boxes_B4[:, 2].max() <= 32 and many.boxes_B4[:, 3].max() <= 24
    found = as_detections(none, (24, 32))
    assert found.mask.shape == (0, 24, 32) and found.label.shape == found.score.shape == (0,)


def test_a_find_is_its_box_with_whole_corners():
    found = DetectedBoxes(torch.tensor([[1.2, 2.0, 3.0, 4.1]]), torch.tensor([CAR]), torch.tensor([0.75]))
    (mask,) = as_detections(found, (6, 5)).mask
    assert [(y.min(), y.max(), x.min(), x.max()) for y, x in [mask.nonzero()]] == [(2, 4, 1, 2)] and mask.sum() == 6


def test_detections_are_moved_as_maps_are():
    mask = np.zeros((2, 8, 8), np.bool_)
    mask[0, 2:4, 1:3] = mask[1, 6:, 6:] = True
    found = Detections(label=np.array([2, 1], np.uint8), score=np.array([0.5, 0.25], np.float32), mask=mask)
    geometry = Geometry(source=(8, 8), size=(16, 16), corner=(2, 1), window=(8, 8), mirrored=True)
    moved = geometry.sparse(SceneLabels(size=(8, 8), detections=found)).detections
    assert moved.label.tolist() == [2] and moved.score.tolist() == [0.5]  # the other one lies outside
    np.testing.assert_array_equal(moved.mask[0], geometry.map(mask[0].astype(np.uint8), outside=0) > 0)
    nothing = geometry.detections(Detections(label=found.label[:0], score=found.score[:0], mask=mask[:0]))
    assert nothing.mask.shape == (0, 8, 8)


def test_a_detector_is_plain_values_and_its_settings_are_checked():
    assert rebuilt(*described(DETECTOR)) == DETECTOR and described(DETECTOR)[0] == "detector"
    for wrong in ({"things": ()}, {"things": (1, 1)}, {"anchor": 0}, {"width": 0}):
        with pytest.raises(BadInput):
            DetectorSpec(**({"encoder": "test_resnet", "things": (1,)} | wrong))
    for wrong in ({"above": 1.0}, {"nms": 0.0}, {"most": 0}):
        with pytest.raises(BadInput, match="detections need"):
            Detect(**wrong)
    recipe = Recipe(encoder="test_resnet", pretrained="never", norm="frozen")
    assert detector_network(recipe, (2,), width=8).blueprint == DetectorSpec(
        encoder="test_resnet", pretrained="never", norm="frozen", things=(2,), width=8
    )
    with pytest.raises(BadInput, match="this world has none"):
        detector_network(recipe, ())
    step = Detecting(detector=learning(DETECTOR)).step(
        Nets({}, {}, {}), {"a": Batch(torch.zeros(1, 3, 8, 8), torch.zeros(1, 8, 8), None, ["a"])}, moment()
    )
    with pytest.raises(BadInput, match="learns from boxes, or from masks with instances; found none for 'a'"):
        next(step)


@pytest.mark.slow
def test_it_learns_where_cars_are_and_its_finds_reach_a_step(world, tmp_path):
    boxes = boxes_of(world, tmp_path / "labels")
    with toy_lab(tmp_path / "home", world, bench=BENCH) as lab:
        stream = Stream(parts=(Part(images=lab.pool, labels=boxes),), batch=2, augment=Augment(flip=True))
        model = lab.train(Detecting(detector=learning(DETECTOR)), {"boxes": stream}, Plan(steps=120))
        losses = [row["detection"] for row in lab.history(model)]
        assert np.mean(losses[-5:]) < 0.5 * np.mean(losses[:5])
        part = fine_part(world, tmp_path / "fine")
        made = lab.label(model, part, Detect(above=0.5))
        hits = 0
        for scene in made.scenes():
            found, ids = made.detections(scene), part.labels.instance(scene)
            for number in (1, 2):
                truth = ids == number
                y, x = truth.nonzero()
                box = np.zeros_like(truth)
                box[y.min() : y.max() + 1, x.min() : x.max() + 1] = True
                hits += any((m & box).sum() / (m | box).sum() > 0.5 for m in found.mask)
        assert hits >= 11, hits  # of 12: after 80 steps all or all but one, whatever the seed and the machine
        both = Part(images=lab.pool, labels={"masks": part.labels, "found": made})
        sparse = both.sparse(made.scenes()[0])
        assert list(sparse) == ["found"] and sparse["found"].detections is not None
