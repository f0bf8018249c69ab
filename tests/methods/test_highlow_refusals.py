"""What high_low refuses, and when: before anything is trained, and mostly before anything is bought."""

import re
from dataclasses import replace

import pytest
from highlowhere import KNOBS, RECIPE, highlow_lab, run_highlow
from toylab import Recorder
from toystudy import RECIPE as TOY_RECIPE
from toystudy import toy_study

from segfrontier.errors import BadInput, BudgetExceeded
from segfrontier.plan.planning import plan_study
from segfrontier_methods.high_low import HighLow

INF = float("inf")


@pytest.mark.parametrize(
    ("knobs", "told"),
    [
        ({"gamma": 1.1}, r"a gamma in \[0, 1\], the range of scores; found gamma: 1.1"),
        ({"gamma": -0.1}, r"a gamma in \[0, 1\]"),
        ({"tau": 1.5}, r"a tau in \[0, 1\]"),
        ({"tau": float("nan")}, r"a tau in \[0, 1\]"),
        ({"labelled": 0.0}, "a labelled share above 0"),
        ({"labelled": 1.01}, "a labelled share above 0 and up to 1"),
        ({"split": 0.1, "high": "none"}, "0 where no classifier learns from them"),
        ({"split": 1.0}, r"a share `split` for tags in \[0, 1\)"),
        ({"pull_weight": -1.0}, "a pull_weight that is not negative"),
        ({"critic_dropout": 1.0}, "a critic_dropout in"),
        ({"lr": 0.0}, "a positive lr, or null"),
        ({"thresholds": ()}, "thresholds that are shares"),
        ({"ema_decay": 1.0}, "an ema_decay in"),
        ({"tag_size": (0, 32)}, "a tag_size of"),
        ({"tag_batch": 0}, "a tag_batch of at least 1, or null for the recipe's; found tag_batch: 0"),
        ({"critic_lr": INF}, "finite numbers; found critic_lr: inf"),
        ({"pull_weight": INF}, "finite numbers; found pull_weight: inf"),
        ({"consistency": INF}, "finite numbers; found consistency: inf"),
        ({"lr": INF}, "finite numbers; found lr: inf"),
        ({"tag_lr": INF}, "finite numbers; found tag_lr: inf"),
        ({"encoder_lr": INF}, "finite numbers; found encoder_lr: inf"),
        ({"weight_decay": float("nan")}, "a weight_decay that is not negative"),
    ],
    ids=str,
)
def test_wrong_knobs_are_told_at_once(knobs, told):
    with pytest.raises(BadInput, match=told):
        HighLow(**knobs)


@pytest.mark.parametrize(
    ("knobs", "error", "told"),
    [
        ({"labelled": 0.1}, BadInput, "0.1 of 6 images is none. Raise it"),
        ({"labelled": 1.0}, BudgetExceeded, "budget"),
    ],
)
def test_masks_that_cannot_be_bought_are_told_before_anything_is_trained(world, tmp_path, knobs, error, told):
    heard = Recorder()
    with pytest.raises(error, match=told):
        run_highlow(tmp_path, world, knobs, watcher=heard)
    assert heard.begun == []


UNFIT = [
    ({"classifier_encoder": "resnet5000"}, {}, "resnet5000"),
    (
        {"classifier_encoder": "test_resnet", "high": "cnn"},
        {"pretrained": "timm:resnet18.a1_in1k"},
        "resnet18.*; classifier_pretrained says what the classifier starts from",
    ),
    ({"renorm": True}, {}, "the knob renorm needs batch norms .* norm: frozen"),
    ({"renorm": True, "high": "none"}, {"encoder": "convnext_atto", "norm": "batch"}, "renorm needs .* convnext_atto"),
]


@pytest.mark.parametrize(("knobs", "recipe", "told"), UNFIT, ids=str)
def test_networks_that_will_not_do_are_told_before_anything_is_bought(world, tmp_path, knobs, recipe, told):
    with highlow_lab(tmp_path, world, watcher=(heard := Recorder())) as lab:
        with pytest.raises(BadInput, match=told):
            HighLow(**(KNOBS | knobs)).run(lab, replace(RECIPE, **recipe))
        assert heard.begun == [] and lab.spent == 0


@pytest.mark.parametrize(("knobs", "told"), [(knobs, told) for knobs, recipe, told in UNFIT if not recipe], ids=str)
def test_a_plan_refuses_networks_that_will_not_do(tmp_path, knobs, told):
    study = toy_study(
        tmp_path, methods=[{"name": "high_low", "knobs": KNOBS | knobs}], seeds=[0], budgets=[3.0],
        recipe=TOY_RECIPE | {"norm": "frozen"},
    )  # fmt: skip
    plan = plan_study(study, home=tmp_path / "home", probe=False)
    (reason,) = plan.refused
    assert re.search(told, reason) and all(cell.seconds == 0 for cell in plan.cells)


def test_a_classifier_has_nothing_to_fit_where_none_is_trained(world, home):
    run_highlow(home, world, {"high": "none", "low": "supervised", "classifier_encoder": "resnet5000"})
