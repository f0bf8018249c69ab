"""Seams 1 to 3: any labels go into a pass, any number of models takes part, any labels come out and are judged."""

from pathlib import Path

import numpy as np
import pytest
from passhere import Columns, Fused, Painted, through_boxes, through_several, trained
from toylab import Plain, toy_lab, watcher_of
from toyworld import TOY, write_toy

from segfrontier.errors import BadInput
from segfrontier.lab import (
    SEMANTIC,
    WHOLE_IMAGE,
    Argmax,
    Bench,
    Boxes,
    Detections,
    Fine,
    Instances,
    Looking,
    MultiLabel,
    Panoptic,
    Part,
    Plan,
    Points,
    SceneLabels,
    Stream,
    Tags,
)
from segfrontier.lab.passes.scores import Scores
from segfrontier.lab.sealed import unseal

BENCH = Bench(device="cpu", threads=1)


@pytest.fixture
def lab(tmp_path):
    world = write_toy(tmp_path / "w", target_train=6, target_val=5)
    with toy_lab(tmp_path / "home", world, bench=BENCH) as lab:
        yield lab


@pytest.mark.parametrize("request_of", [Boxes, lambda scenes: Tags(scenes, WHOLE_IMAGE)], ids=["boxes", "tags"])
def test_boxes_and_tags_go_through_every_verb(lab, request_of):
    """Sold and then refused by loader, labelling and measuring: they say nothing of single pixels, and that is all."""
    scenes = lab.pool.scenes()[:2]
    labels = lab.buy(request_of(scenes))
    fine = Part(images=lab.pool, labels=lab.buy(Fine(scenes)))
    part = Part(images=lab.pool, labels=labels)
    streams = {"labelled": Stream(parts=(fine, part), shares=(1, 1), batch=2)}
    model = lab.train(Plain(), streams, Plan(steps=2))
    made = lab.label(model, part, Argmax())
    blank = lab.label(model, Part(images=lab.pool, scenes=tuple(scenes)), Argmax())
    assert all(np.array_equal(made.map(scene), blank.map(scene)) for scene in scenes)


def test_from_boxes_and_tags_through_a_pass_without_models_to_instances(lab):
    made, model, scores = through_boxes(lab)
    truth = unseal(lab._places).truth("train")
    for scene in made.scenes():
        known = made.labels(scene)
        assert len(known.detections.label) == known.instance.max() == known.detections.mask.any((1, 2)).sum() > 0
        covered = known.instance > 0
        assert (known.semantic[covered] == 2).all() and (known.semantic[~covered] == 0).all()
        assert truth.instance(scene) is not None
    assert {"miou_present", "calibration_error", "pq", "pq_things", "ap_vol_cityscapes", "ap_50_cityscapes"} <= set(
        scores.values
    )
    assert 0 < scores.values["pq_things"] < 1, "a model that learnt boxes finds some of the cars' halves"
    assert scores.folder != lab.score(model, rule=Columns(), tasks=(*SEMANTIC, Instances())).folder
    again = Scores.read(Path(scores.folder), lab.classes, (*scores_tasks(),))
    assert again.sums.parts["panoptic"] == scores.sums.parts["panoptic"]
    assert again.sums.parts["instances"] == scores.sums.parts["instances"]


@pytest.mark.parametrize(("cars", "pq_things", "ap"), [(2, 1, 1), (1, 2 / 3, 1 / 2)], ids=["both", "one of two"])
def test_instances_are_scored_as_counted_by_hand(lab, cars, pq_things, ap):
    """Each scene shows two cars. Where one is found exactly: TP = FN, so PQ is 1 / (1 + 1/2), recall stops at half."""
    voc = Instances(convention="voc", thresholds=(0.5,))  # Cityscapes' counts no car below 100 pixels
    scores = lab.score(None, rule=Painted(cars=cars), tasks=(*SEMANTIC, Panoptic(), voc)).values
    assert scores["pq_things"] == pytest.approx(pq_things) and scores["pq_stuff"] > 0.97
    assert scores["ap_50_voc"] == pytest.approx(ap, abs=0.01)
    iou_car = 1 if cars == 2 else 1 / 2  # both cars are of one size
    assert scores["miou_present"] == pytest.approx((2 + iou_car) / 3, abs=0.02)


def scores_tasks():
    return (*SEMANTIC, Panoptic(), Instances())


def test_several_models_are_fused_when_labelling_measuring_and_scoring(lab):
    models, apart, made, scores = through_several(lab)
    assert lab.history(models["classifier"])[-1]["tags"] < 0.3, "it learnt what no segmenter answers"
    assert apart.scenes() == lab.pool.scenes() and (apart.column("share") > 0).any()
    assert len(made) == 6 and 0 <= scores.values["tag_map"] <= 1 and 0 < scores.miou <= 1
    assert watcher_of(lab) is not None


def test_one_model_where_several_take_part_is_asked_for_by_name(lab):
    fine = lab.buy(Fine(lab.pool.scenes()[:2]))
    one = trained(lab, fine)
    with pytest.raises(Exception, match="here one model looks; this pass has a, b"):
        lab.score({"a": one, "b": one})
    with pytest.raises(Exception, match="the models of this pass are model; found 'first'"):
        lab.score(one, rule=Fused())
    with pytest.raises(BadInput, match="judges detections; the rule made none"):
        lab.score(one, tasks=(Instances(),))
    with pytest.raises(BadInput, match="judges tag_scores"):
        lab.score(one, tasks=(MultiLabel(),))
    with pytest.raises(BadInput, match="tasks of different names"):
        lab.score(one, tasks=(Panoptic(), Panoptic()))
    for bad in ([one], {"": one}, {"a": "b"}, "model"):
        with pytest.raises(BadInput):
            lab.label(bad, Part(images=lab.pool), Argmax())
    both = Part(images=lab.pool, labels={"a": fine, "b": fine})
    with pytest.raises(Exception, match="this rule reads one label set; the part has a, b"):
        lab.label(one, both, Argmax())


def test_each_model_is_looked_at_in_its_own_way(lab):
    """Trained and labelling at half size, scored at full size: the same weights had two scores."""
    model = trained(lab, lab.buy(Fine(lab.pool.scenes()[:3])), steps=30)
    half = model.looked(Looking(resize=(12, 16)))
    assert half.digest == model.digest and half.teacher().looking == half.looking
    seen = {name: lab.score(one) for name, one in {"full": model, "half": half}.items()}
    assert seen["full"].values != seen["half"].values
    made = {
        name: lab.label(one, Part(images=lab.pool), Argmax()) for name, one in {"full": model, "half": half}.items()
    }
    assert made["full"].digest != made["half"].digest
    assert lab.score(model.looked(Looking())).folder == seen["full"].folder, "the way of looking is in the key"
    best = lab.oracle_best(half)[1]
    assert best.values == seen["half"].values


def test_the_first_set_that_knows_a_pixel_has_it(lab):
    scene = lab.pool.scenes()[0]
    seeds = lab.buy(Points([scene], [[[3, 4]]]))
    fine = lab.buy(Fine([scene]))
    known = Part(images=lab.pool, labels={"seeds": seeds, "fine": fine}).pixels(scene)
    assert isinstance(known, SceneLabels) and np.array_equal(known.map(), fine.map(scene))
    assert np.array_equal(known.instance, fine.instance(scene))


@pytest.mark.parametrize(
    ("in_void", "name", "ap"), [("forgotten", "ap_50_voc", 1.0), ("false", "ap_50_voc_void_false", 0.5)]
)
def test_what_lies_in_void_is_forgotten_or_false_as_the_task_says(in_void, name, ap):
    """Two detections of class 2: the surer one lies in void, the other one is right."""
    semantic = np.array([[2, 2, 0, 255, 255]], np.uint8)
    truth = SceneLabels(size=(1, 5), semantic=semantic, instance=(semantic == 2).astype(np.uint16))
    masks = np.stack([semantic == 255, semantic == 2])
    found = Detections(label=np.array([2, 2], np.uint8), score=np.array([0.9, 0.5], np.float32), mask=masks)
    task = Instances(convention="voc", thresholds=(0.5,), in_void=in_void)
    sums = task.zero(TOY) + task.counts(truth, SceneLabels(size=(1, 5), detections=found), TOY, place=0)
    assert task.scores(sums, TOY)[name] == pytest.approx(ap)


def test_the_mean_average_precision_of_tags_by_hand():
    """Class 0 is found second and third of four, class 1 first and second; no image shows class 2, and void is none."""
    shown = ((1, 255), (0, 0), (0, 255), (1, 1))
    scores = ((0.9, 0.9, 0.3), (0.8, 0.1, 0.2), (0.7, 0.2, 0.9), (0.6, 0.8, 0.1))
    task, parts = MultiLabel(), []
    for place, (classes, found) in enumerate(zip(shown, scores, strict=True)):
        truth = SceneLabels(size=(1, 2), semantic=np.array([classes], np.uint8))
        said = SceneLabels(size=(1, 2), tag_scores=np.array(found))
        parts.append(task.counts(truth, said, TOY, place=place))
    wanted = ((1 / 2 + 2 / 3) / 2 + 1.0) / 2
    assert task.scores(sum(parts), TOY) == {"tag_map": pytest.approx(wanted)}
    assert task.scores(sum(reversed(parts)), TOY) == {"tag_map": pytest.approx(wanted)}
    assert task.scores(task.zero(TOY) + sum(parts), TOY) == {"tag_map": pytest.approx(wanted)}
