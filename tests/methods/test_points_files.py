"""Knobs, claims and tables of active_points as studies: all of them can be written in a study file."""

from dataclasses import fields

import pytest
from toystudy import parsed

from segfrontier.lab import make_method
from segfrontier.study.cells import expand
from segfrontier.study.claim_cells import study_of
from segfrontier.study.claims import claims_of
from segfrontier.study.paper_tables import load_study, tables_of
from segfrontier_methods.active_points import ActivePoints
from segfrontier_methods.active_points.knobs import Knobs

VALUES = {
    "uda": "intrada", "selector": "random", "patches": None, "points": 3, "columns": 8, "rows": 4, "allocate": "pool",
    "rounds": 2, "reading": "dense", "normalisation": "sum", "label_weight": 2.0, "levels": 1, "aux_weight": 0.2,
    "target_weight": 0.01, "aux_target_weight": 0.002, "easy": 0.5, "lr": 0.01, "momentum": 0.8, "weight_decay": 5e-4,
    "head_lr": 5.0, "encoder_lr": 3.0, "schedule_share": 1.0, "critic_lr": 1e-3, "critic_betas": [0.5, 0.9],
    "critic_width": 8, "source_size": [72, 128], "target_size": [64, 128], "class_sets": ["synthia16", "synthia13"],
    "pictures": 0, "rebn": True, "encoder_repeats": True,
}  # fmt: skip


def test_every_knob_can_be_set_in_a_study_file():
    assert set(VALUES) == {f.name for f in fields(ActivePoints)}
    plain = {"name": "x", "methods": [{"name": "active_points", "knobs": VALUES}], "budgets": [1]}
    (cell,) = expand(parsed(plain))
    made = make_method(cell.method, dict(cell.knobs))
    for name, value in VALUES.items():
        assert getattr(made, name) == (tuple(value) if isinstance(value, list) else value), name


def test_the_papers_constants_are_the_defaults():
    knobs = Knobs()
    assert (knobs.patches, knobs.points, knobs.columns, knobs.rows) == (10, 5, 16, 8)
    assert (knobs.lr, knobs.momentum, knobs.weight_decay) == (2.5e-4, 0.9, 1e-4)
    assert (knobs.critic_lr, knobs.critic_betas, knobs.head_lr) == (1e-4, (0.9, 0.99), 10.0)
    assert (knobs.aux_weight, knobs.target_weight, knobs.aux_target_weight) == (0.1, 1e-3, 2e-4)
    assert knobs.schedule_share == 120_000 / 250_000 and knobs.easy == 0.67


def test_claims_and_tables_are_studies():
    claims = claims_of("active_points")
    assert {c.id for c in claims.claims} >= {"active-beats-random", "score-grows-with-k", "advent-beats-source-only"}
    for claim, side in claims.sides():
        (cell, *_) = expand(study_of(claims, claim, side))
        if cell.method == "fine":
            assert cell.hours * 3600 >= 5400, "it pays for a mask"
            continue
        asked = dict(cell.knobs)
        patches = {"full": 128, "none": 0}.get(asked["selector"], asked["patches"])
        assert cell.hours * 3600 >= 64 * patches * 5 * 2.4, "the budget pays for what is asked"
    assert [table.id for table in tables_of("active_points")] == ["table-1", "table-2", "table-3"]


def test_claims_have_one_setting_and_their_controls():
    """Equal steps in sum, one batch-norm policy but where it is the subject, validation that tells, no idle margin."""
    claims = claims_of("active_points")
    cells = [cell for claim, side in claims.sides() for cell in expand(study_of(claims, claim, side))]
    assert {cell.recipe.total_steps for cell in cells} == {500} and {cell.seed for cell in cells} == set(range(8))
    assert all("val=200" in cell.world and cell.recipe.pretrained == "auto" for cell in cells)
    assert all(pair.margin == 0 for claim in claims.claims for pair in claim.compare)
    methods = [(claim.id, study_of(claims, claim, s).methods[0]) for claim, s in claims.sides()]
    assert {name for name, method in methods if method.name == "fine"} == {"points-beat-fine-masks"}
    without = {name for name, method in methods if method.name != "fine" and not method.knobs["rebn"]}
    assert without == {"advent-beats-source-only"}
    (pair,) = next(claim for claim in claims.claims if claim.id == "advent-beats-source-only").compare
    assert [(side.knobs["uda"], side.knobs["rebn"]) for side in pair.controls] == [("images", False), ("source", True)]


@pytest.mark.parametrize(("table", "cells"), [("table-1", 8), ("table-2", 8), ("table-3", 7)])
def test_tables_have_a_cell_for_each_printed_number_and_seed(table, cells):
    found = expand(load_study(f"active_points:{table}"))
    assert len(found) == cells * 3
    assert all(cell.hours * 3600 >= 2975 * 128 * 5 * 2.4 for cell in found)
