"""The whole method on a small world: what it trains and notes in each variant."""

import logging
from dataclasses import replace

import numpy as np
import pytest
import torch
from highlowhere import KNOBS, RECIPE, highlow_lab, run_highlow
from pointhere import larger_toy
from toylab import Peeking

from segfrontier.maths import mean_iou
from segfrontier_methods.high_low import HighLow
from segfrontier_methods.high_low.balance import balance, note_balance

MASK = 5400


@pytest.mark.parametrize(
    ("knobs", "stages", "networks"),
    [
        ({"low": "supervised", "high": "none"}, ["train"], ["segmenter"]),
        ({"high": "none"}, ["train"], ["segmenter", "critic"]),
        ({}, ["train", "train", "join", "score"], ["joined"]),
        ({"low": "supervised", "high": "cnn", "note_tags": False}, ["train", "train", "join"], ["joined"]),
        ({"high": "threshold"}, ["train", "measure", "join"], ["joined"]),
        ({"high": "class_thresholds"}, ["train", "measure", "join"], ["joined"]),
    ],
    ids=str,
)
def test_each_variant_trains_what_it_should(world, home, knobs, stages, networks):
    model, spent, heard = run_highlow(home, world, knobs)
    assert list(heard.stages.values()) == stages and spent == 4 * MASK
    assert list(torch.load(model.file(), weights_only=True)) == networks
    assert ("tag_map" in heard.notes) == ("score" in stages)
    assert ("critic/score_fake" in heard.notes) == (knobs.get("low") != "supervised")


def test_deeplab_v3plus_plays_the_low_branch_as_in_table_2(world, tmp_path):
    model, _, heard = run_highlow(tmp_path, world, {"note_tags": False}, recipe=replace(RECIPE, head="deeplab_v3plus"))
    assert list(heard.stages.values()) == ["train", "train", "join"]
    assert model.blueprints["joined"].segmenter.head == "deeplab_v3plus"


def test_early_stopping_looks_at_the_segmenter_and_not_at_tags(world, tmp_path):
    _, _, heard = run_highlow(tmp_path, world, {"note_tags": False}, watcher=Peeking())
    assert list(heard.stages.values()) == ["train", "train", "join"] and len(heard.peeks) == 1


def test_the_control_estimates_statistics_anew(world, home):
    recipe = replace(RECIPE, norm="batch")
    model, _, heard = run_highlow(home, world, {"low": "supervised", "high": "none", "renorm": True}, recipe=recipe)
    assert list(heard.stages.values()) == ["train", "renorm"] and model.network == "segmenter"


def test_steps_are_shared_between_the_branches(world, tmp_path):
    recipe = replace(RECIPE, steps=None, total_steps=5)
    with highlow_lab(tmp_path, world) as lab:
        HighLow(**KNOBS).run(lab, recipe)
        assert lab.trained.steps == 5


def test_extra_tags_train_the_classifier(world, tmp_path):
    model, spent, heard = run_highlow(tmp_path, world, {"split": 0.1}, hours=3.0)
    assert model.network == "joined" and MASK < spent < MASK + 100 and heard.kinds.count("train") == 2


def test_fewer_labelled_images_than_a_batch_stand_in_it_more_than_once(world, tmp_path):
    model, spent, _ = run_highlow(tmp_path, world, {"labelled": 0.2}, recipe=replace(RECIPE, batch=4))
    assert model.network == "joined" and spent == MASK


def test_no_unlabelled_images_leave_all_roles_to_the_same_ones(world, tmp_path):
    model, spent, _ = run_highlow(tmp_path, world, {"labelled": 1.0}, hours=9.0)
    assert model.network == "joined" and spent == 6 * MASK


def lines(*scores, selected=0.5):
    return [{"score_real": 0.9, "score_fake": score, "selected": selected} for score in scores]


def test_balance_is_that_of_the_second_half():
    found = balance([{"step": 1}, *lines(0.0, 0.0), *lines(0.3, 0.5, selected=0.25)])
    assert found == pytest.approx({"score_real": 0.9, "score_fake": 0.4, "selected": 0.25, "doubt": 0.4})
    assert balance(lines(0.7))["doubt"] == pytest.approx(0.3) and balance([{"step": 4}]) == {}


@pytest.mark.parametrize(("selected", "word"), [(1.0, "all"), (0.0, "none"), (0.99, ""), (0.01, "")])
def test_an_alarm_sounds_where_all_or_nothing_is_selected(selected, word, caplog):
    class Lab:
        notes = {}  # noqa: RUF012

        def history(self, model):
            return lines(0.4, 0.4, selected=selected)

        def note(self, name, value):
            self.notes[name] = value

    Lab.notes = {}
    with caplog.at_level(logging.WARNING):
        note_balance(Lab(), None, selecting=True)
    assert ("critic/alarm" in Lab.notes) == bool(word) and (f"it trusted {word} of" in caplog.text) == bool(word)
    Lab.notes = {}
    note_balance(Lab(), None, selecting=False)
    assert "critic/alarm" not in Lab.notes and Lab.notes["critic/selected"] == selected


@pytest.mark.slow
def test_a_class_that_no_labelled_image_holds_is_never_named(tmp_path):
    """No mask and no tag shows a car: both branches learn that there are none. It costs that class alone."""

    def without_cars(scene):
        if scene.split == "train":
            scene = replace(scene, semantic=np.where(scene.semantic == 2, 0, scene.semantic).astype(np.uint8))
            scene = replace(scene, instance=np.zeros_like(scene.instance))
        return scene

    world = larger_toy(tmp_path / "w", change=without_cars)
    recipe = replace(RECIPE, steps=40, head="fpn", optimiser="adamw", lr=3e-3)
    with highlow_lab(tmp_path / "home", world) as lab:
        scores = lab.score(HighLow(**(KNOBS | {"lr": None, "tag_lr": None})).run(lab, recipe))
        assert scores.iou["car"] == 0.0 and scores.iou["ground"] > 0.3
        told = scores.sums.confusion.counts_CC
        assert told[2].sum() > 0 and told[:, 2].sum() == 0, "cars are there, and none is named"
        assert scores.miou == pytest.approx(mean_iou(scores.sums.confusion, absent="present"))


def test_every_reading_of_the_code_trains_too(world, tmp_path):
    """All the knobs that the published code turns, at once, with batch norm and another size for the classifier."""
    knobs = {
        "gamma_strict": True, "self_training_from": 1, "critic_image": "batch", "critic_dropouts": 3,
        "schedule_share": 0.75, "encoder_lr": 3.0, "tau_inclusive": True, "all_masked": "first",
        "consistency_form": "cosine", "consistency_on_labelled": False, "teacher_norm": "own", "tag_size": (48, 32),
        "tag_batch": 3, "classifier_encoder": "test_resnet", "truth_map": "smooth", "score_dropout": False,
    }  # fmt: skip
    model, _, heard = run_highlow(tmp_path, world, knobs, recipe=replace(RECIPE, norm="batch", steps=3))
    assert model.blueprints["joined"].size == (48, 32) and 0 <= heard.notes["tag_map"] <= 1
