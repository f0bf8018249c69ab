"""Knobs, claims, tables and example studies of proxy_curriculum: all of them can be written, and bad ones are told."""

from dataclasses import fields
from importlib.resources import files

import pytest
from toystudy import parsed

from segfrontier.basics.installed import installed
from segfrontier.errors import BadInput
from segfrontier_methods.proxy_curriculum import ProxyCurriculum
from segfrontier_methods.proxy_curriculum.knobs import PAPERS_CLASSES, Knobs

VALUES = {
    "branches": 3, "average": "probabilities", "easy_up_to": 0.34, "epochs": 10, "counted_from": 1, "gamma": 0.8,
    "gamma_end": 0.2, "gamma_over": 5, "masked": 0.1, "masked_end": 0.9, "masked_over": 6, "source_size": [72, 128],
    "target": "batch_norm", "target_pixels": "all", "target_weight": 0.5, "hard": "correctness",
    "dropping": "bernoulli", "normalisation": "pixels", "weighting": "rare", "weighted": ["pole"], "weight": 3.0,
    "rare_below": 0.02, "beta": 0.1, "similarity": "product", "similar": "last", "decay": "epoch", "looks": 2,
    "look_scenes": 5, "look_noted": "first", "pictures": 1,
}  # fmt: skip
registered = pytest.mark.skipif("proxy_curriculum" not in installed(), reason="install the package anew to register it")

BAD = [
    ({"gamma": 1.1}, r"a chance gamma in \[0, 1\]; found gamma: 1.1"),
    ({"gamma": -0.1}, r"a chance gamma in \[0, 1\]"),
    ({"gamma": float("nan")}, r"a chance gamma in \[0, 1\]"),
    ({"gamma_end": 2.0}, r"a chance gamma_end in \[0, 1\]"),
    ({"masked": -0.5}, r"a share masked in \[0, 1\]"),
    ({"masked_end": 1.5}, r"a share masked_end in \[0, 1\]"),
    ({"gamma_over": 21}, "gamma to end within the 20 epochs of the training; found gamma_over: 21"),
    ({"masked_over": 6, "gamma_over": 5, "epochs": 5}, "masked to end within the 5 epochs"),
    ({"masked_over": -1}, "masked to end within"),
    ({"epochs": 0, "gamma_over": 0, "masked_over": 0}, "at least one epoch"),
    ({"branches": 1}, "2 branches or more"),
    ({"branches": 0}, "2 branches or more"),
    ({"easy_up_to": 1.0}, r"an easy_up_to in \[0, 1\)"),
    ({"target_weight": -1.0}, "a target_weight that is not negative"),
    ({"weighted": ()}, "one or more different `weighted` classes"),
    ({"weighted": ("pole", "pole")}, "one or more different `weighted` classes"),
    ({"weight": 0.0}, "a positive weight"),
    ({"rare_below": 0.0}, "a rare_below between 0 and 1"),
    ({"beta": -0.01}, "a beta that is not negative"),
    ({"similarity": "product"}, "similar: last where similarity is `product`"),
    ({"looks": -1}, "looks >= 0"),
    ({"look_scenes": 0}, "at least one of its look_scenes"),
    ({"looks": 0, "pictures": 2}, "0 pictures without looks"),
    ({"source_size": (0, 128)}, "a source_size of"),
]


@pytest.mark.parametrize(("knobs", "told"), BAD)
def test_a_bad_knob_is_told_when_the_method_is_made(knobs, told):
    with pytest.raises(BadInput, match=f"proxy_curriculum needs {told}"):
        ProxyCurriculum(**knobs)


def test_values_at_the_bounds_are_taken():
    ProxyCurriculum(gamma=1.0, gamma_end=0.0, masked=1.0, masked_end=0.0, gamma_over=20, masked_over=0, beta=0.0)


def test_the_papers_numbers_are_the_defaults():
    knobs = Knobs()
    assert (knobs.branches, knobs.beta, knobs.weight, knobs.epochs) == (2, 0.01, 2.0, 20)
    assert (knobs.gamma, knobs.gamma_end, knobs.gamma_over) == (0.9, 0.1, 10)
    assert (knobs.masked, knobs.masked_end, knobs.masked_over) == (0.0, 1.0, 10)
    assert knobs.weighted == PAPERS_CLASSES == ("wall", "fence", "pole", "light", "sign", "rider")


def test_every_knob_has_a_value_here():
    assert set(VALUES) == {f.name for f in fields(ProxyCurriculum)}
    for name, value in VALUES.items():
        assert getattr(Knobs(), name) != (tuple(value) if isinstance(value, list) else value), name


@registered
def test_a_study_file_reaches_every_knob():
    from segfrontier.lab import make_method
    from segfrontier.study.cells import expand

    plain = {"name": "x", "methods": [{"name": "proxy_curriculum", "knobs": VALUES}]}
    (cell,) = expand(parsed(plain))
    made = make_method(cell.method, dict(cell.knobs))
    for name, value in VALUES.items():
        assert getattr(made, name) == (tuple(value) if isinstance(value, list) else value), name


@registered
def test_the_claims_of_the_issue_are_there_and_cost_nothing():
    from segfrontier.study.cells import expand
    from segfrontier.study.claim_cells import study_of
    from segfrontier.study.claims import claims_of

    claims = claims_of("proxy_curriculum")
    assert {c.id for c in claims.claims} == {
        "the-curriculum-adapts", "the-ladder", "naive-self-training-starves-minorities",
        "easy-mining-is-the-largest-step", "hard-pixels-become-fewer", "the-penalty-keeps-decoders-apart",
        "the-schedule-of-gamma-helps",
    }  # fmt: skip
    cells = {cell for claim, side in claims.sides() for cell in expand(study_of(claims, claim, side))}
    assert {cell.hours for cell in cells} == {0} and {cell.seed for cell in cells} == set(range(6))
    adapting = [c for c in claims.claims if c.id in ("the-curriculum-adapts", "the-ladder")]
    assert all("batch_norm" in str(c.compare[0].controls) for c in adapting)


@registered
@pytest.mark.parametrize(("table", "cells"), [("table-1", 8), ("table-2-gta5", 6), ("table-2-cityscapes", 6)])
def test_tables_have_a_cell_for_each_printed_row_and_seed(table, cells):
    from segfrontier.study.cells import expand
    from segfrontier.study.paper_tables import load_study, tables_of

    assert table in [t.id for t in tables_of("proxy_curriculum")]
    found = expand(load_study(f"proxy_curriculum:{table}"))
    assert len(found) == 3 * cells and {c.recipe.batch for c in found} == {12}
    epoch = 248 if table == "table-2-cityscapes" else 2081
    assert {c.recipe.total_steps for c in found} == {20 * epoch}


@registered
@pytest.mark.parametrize(("name", "settings"), [("proxy-ladder", 8), ("proxy-sweep", 14)])
def test_example_studies_are_one_facet_of_equal_training(name, settings):
    from segfrontier.study.cells import expand
    from segfrontier.study.config import Study

    text = (files("segfrontier.study") / "examples" / f"{name}.yaml").read_text()
    cells = expand(Study.parse(text))
    assert len(cells) == 3 * settings and len({cell.facet for cell in cells}) == 1
    assert "400 steps in all" in str(cells[0].facet)
