"""Knobs, claims and tables of high_low as studies: all of them can be written in a study file."""

from dataclasses import fields

import pytest
from toystudy import parsed

from segfrontier.lab import make_method
from segfrontier.study.cells import expand
from segfrontier.study.claim_cells import all_cells, study_of
from segfrontier.study.claims import claims_of
from segfrontier.study.paper_tables import load_study, tables_of
from segfrontier_methods.high_low import HighLow
from segfrontier_methods.high_low.knobs import Knobs

VALUES = {
    "low": "supervised", "high": "cnn", "labelled": 0.05, "draw": 2, "split": 0.1, "pull": "standard",
    "pull_weight": 0.2, "matching_norm": "l2", "self_training": 0.5, "gamma": 0.7, "gamma_strict": True,
    "self_training_from": 1, "score_dropout": False, "truth_map": "smooth", "critic_image": "batch",
    "critic_dropout": 0.3, "critic_dropouts": 3, "critic_lr": 1e-5, "critic_betas": [0.5, 0.9], "critic_width": 8,
    "lr": None, "momentum": 0.8, "weight_decay": 1e-4, "head_lr": 5.0, "encoder_lr": 3.0, "schedule_share": 0.75,
    "renorm": True, "tau": 0.3, "tau_inclusive": True, "all_masked": "first", "consistency": 2.0,
    "consistency_form": "cosine", "consistency_on_labelled": False, "ramp": "sigmoid", "ema_decay": 0.99,
    "teacher_norm": "own", "classifier_encoder": "test_resnet", "classifier_pretrained": "never", "tag_lr": None,
    "tag_weight_decay": 1e-4, "tag_batch": 16, "tag_unlabelled": 2, "tag_size": [320, 320], "colour": 0.2, "blur": 1.0,
    "thresholds": [0.01, 0.02], "note_tags": False,
}  # fmt: skip


def test_every_knob_can_be_set_in_a_study_file():
    assert set(VALUES) == {f.name for f in fields(HighLow)}
    plain = {"name": "x", "methods": [{"name": "high_low", "knobs": VALUES}], "budgets": [1]}
    (cell,) = expand(parsed(plain))
    made = make_method(cell.method, dict(cell.knobs))
    defaults = Knobs()
    for name, value in VALUES.items():
        assert getattr(made, name) == (tuple(value) if isinstance(value, list) else value), name
        assert getattr(made, name) != getattr(defaults, name), f"{name} is set to something else than its default"


def test_the_papers_constants_are_the_defaults():
    knobs = Knobs()
    assert (knobs.pull_weight, knobs.self_training, knobs.consistency) == (0.1, 1.0, 1.0)
    assert (knobs.gamma, knobs.tau, knobs.ema_decay) == (0.6, 0.2, 0.999)
    assert (knobs.lr, knobs.momentum, knobs.weight_decay, knobs.head_lr) == (2.5e-4, 0.9, 5e-4, 10.0)
    assert (knobs.critic_lr, knobs.critic_betas, knobs.critic_dropout, knobs.critic_dropouts) == (
        1e-4, (0.9, 0.99), 0.5, 4
    )  # fmt: skip
    assert knobs.thresholds[0] == pytest.approx(1000 / 187_500, abs=1e-5) and len(knobs.thresholds) == 12


def test_claims_are_studies_whose_budget_pays_for_the_masks():
    claims = claims_of("high_low")
    assert [c.id for c in claims.claims] == [
        "s4gan-beats-supervised", "each-term-helps", "self-training-keeps-the-critic-in-doubt",
        "both-branches-beat-each-where-images-hold-few-classes",
        "the-classifier-adds-nothing-where-images-hold-nearly-all", "the-teacher-beats-the-supervised-classifier",
    ]  # fmt: skip
    for claim, side in claims.sides():
        cells = expand(study_of(claims, claim, side))
        assert len(cells) == 6
        for cell in cells:
            assert cell.hours * 3600 >= int(dict(cell.knobs)["labelled"] * 200) * 5400
            assert cell.world == (claim.worlds or claims.base["worlds"])


def test_every_effect_but_one_has_a_control_among_the_132_cells():
    """Without one: the pair over the teacher alone, whose control would be a pair of cells that were not run."""
    claims = claims_of("high_low")
    pairs = [(claim.id, pair) for claim in claims.claims for pair in claim.compare if pair.expect == "a > b"]
    bare = [name for name, pair in pairs if not pair.controls]
    assert bare == ["both-branches-beat-each-where-images-hold-few-classes"]
    assert len({repr(cell) for cell in all_cells(claims)}) == 22 * 6


@pytest.mark.parametrize(
    ("table", "cells"),
    [
        ("table-1", 16), ("table-1-coco", 16), ("table-2", 8), ("table-3", 12), ("table-4", 9), ("table-5", 7),
        ("table-6", 12), ("table-7", 4),
    ],
)  # fmt: skip
def test_tables_have_a_cell_for_each_printed_number_and_seed(table, cells):
    assert len(expand(load_study(f"high_low:{table}"))) == cells * 3


def test_all_tables_of_the_paper_are_there():
    assert {t.id[:7] for t in tables_of("high_low")} == {f"table-{n}" for n in range(1, 8)}


def test_table_7_labels_the_1464_images_of_the_paper():
    (cell, *_) = expand(load_study("high_low:table-7"))
    assert int(dict(cell.knobs)["labelled"] * 10_582) == 1464
    assert cell.hours * 3600 >= 1464 * 239.7 + 9118 * 20


def test_table_7_sets_aside_what_the_tags_of_the_other_9118_images_cost():
    shares = {dict(cell.knobs).get("split", 0.0): cell for cell in expand(load_study("high_low:table-7"))}
    assert sorted(shares)[0] == 0 and len(shares) == 2
    budget = round(shares[max(shares)].hours * 3600)
    for_tags = round(max(shares) * budget)
    assert 10_582 - 1464 == 9118 and for_tags >= 9118 * 20, "50.66 hours"
    assert budget - for_tags >= 1464 * 239.7
