"""The instance side of weak_panoptic from bought boxes to PQ and AP, here and in other processes."""

from functools import partial

import pytest
import torch
from elsewhere import ElsewhereLab
from instancehere import BENCH, DETECTOR, SEGMENTER, learning
from toylab import toy_lab
from toyworld import write_toy

from segfrontier.errors import BadInput
from segfrontier.lab import (
    SEMANTIC,
    Augment,
    Boxes,
    Instances,
    Judged,
    LabSettings,
    LocalLab,
    Panoptic,
    Part,
    Plan,
    Stream,
    judge,
    open_lab,
)
from segfrontier.maths import DIN, VOC_THRESHOLDS
from segfrontier_methods.supervised.objective import CrossEntropy
from segfrontier_methods.weak_panoptic.detector import Detect, Detecting
from segfrontier_methods.weak_panoptic.instances import Panoptically, join_panoptic
from segfrontier_methods.weak_panoptic.matched import PANOPTIC, MatchedInstances

TASKS = (Panoptic(), Instances(convention="din", thresholds=VOC_THRESHOLDS, rankings=("score", "oracle"), stuff=True))


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    return write_toy(tmp_path_factory.mktemp("instances") / "toy", target_train=4, target_val=2)


def from_boxes_to_instances(lab, *, steps=(2, 2, 2), above=0.05, end_to_end=True):
    """Piecewise, or end to end from there."""
    detecting, segmenting, uniting = steps

    def stream(part):
        return Stream(parts=(part,), batch=2, augment=Augment(flip=True))

    boxes, masks = lab.buy(Boxes(lab.pool.scenes())), lab.buy_masks("fine", spend=lab.budget)
    detector = lab.train(
        Detecting(detector=learning(DETECTOR)),
        {"b": stream(Part(images=lab.pool, labels=boxes))},
        Plan(steps=detecting),
    )
    masked = stream(Part(images=lab.pool, labels=masks))
    segmenter = lab.train(CrossEntropy(network=learning(SEGMENTER)), {"labelled": masked}, Plan(steps=segmenting))
    model = join_panoptic(lab, segmenter, detector, crf=DIN)
    if end_to_end:
        found = lab.label(detector, Part(images=lab.pool), Detect(above=above))
        part = Part(images=lab.pool, labels={"masks": masks, "detections": found})
        objective = MatchedInstances(panoptic=learning(model.blueprints[PANOPTIC], lr=1e-4), semantic=1.0)
        model = lab.train(objective, {"m": stream(part)}, Plan(steps=uniting), start={PANOPTIC: model})
    return Judged(model=model, rule=Panoptically(detect=Detect(above=above)), tasks=TASKS)


def outcome(home, world, *, kind=LocalLab, end_to_end=True):
    settings = LabSettings(home=home, world=world, prices="street", hours=100.0, bench=BENCH)
    with open_lab(settings, kind=kind) as lab:
        model, scores = judge(lab, from_boxes_to_instances(lab, end_to_end=end_to_end))
        return torch.load(model.file(), weights_only=True)[PANOPTIC], scores.values


@pytest.fixture(scope="module")
def local(world, tmp_path_factory):
    return outcome(tmp_path_factory.mktemp("local"), world)


@pytest.mark.slow
def test_scores_of_all_tasks_come_out_together(local):
    _, values = local
    names = {f"{score}{group}" for score in ("pq", "sq", "rq") for group in ("", "_things", "_stuff")}
    names |= {f"ap_vol_din{r}{g}" for r in ("", "_oracle") for g in ("", "_stuff", "_all")}
    assert names | {"miou_present", "ap_50_din", "ap_90_din_oracle_all"} <= values.keys()
    for group in ("", "_stuff", "_all"):
        assert values[f"ap_vol_din_oracle{group}"] >= values[f"ap_vol_din{group}"]


@pytest.mark.slow
def test_nothing_found_is_scored_too_and_semantics_are_not_judged_twice(world, tmp_path):
    with toy_lab(tmp_path, world, bench=BENCH) as lab:
        made = from_boxes_to_instances(lab, steps=(1, 1, 1), above=0.999)
        model, scores = judge(lab, made)
        assert scores.values["pq_things"] == 0 == scores.values["ap_vol_din"]
        assert scores.values["miou_present"] == lab.score(model).miou
        with pytest.raises(BadInput, match="judged for its semantic map"):
            judge(lab, Judged(model=model, rule=made.rule, tasks=SEMANTIC))
        masked = Part(images=lab.pool, labels=lab.buy_masks("fine", spend=lab.budget))
        segmenter = lab.train(
            CrossEntropy(network=learning(SEGMENTER)), {"labelled": Stream(parts=(masked,), batch=2)}, Plan(steps=1)
        )
        with pytest.raises(BadInput, match="joined panoptic model"):
            lab.score(segmenter, rule=Panoptically(), tasks=TASKS)
        with pytest.raises(BadInput, match="joins a segmenter and a detector"):
            join_panoptic(lab, segmenter, segmenter)


@pytest.mark.slow
def test_other_processes_come_to_the_same(world, local, tmp_path, pools):
    """On the same detector and segmenter; what comes after them runs where Ray's workers would run it."""
    outcome(tmp_path, world, end_to_end=False)
    weights, values = outcome(tmp_path, world, kind=partial(ElsewhereLab, pools=pools[:1]))
    assert [name for name, value in local[0].items() if not torch.equal(value, weights[name])] == []
    assert values == local[1]
