"""Steps of all of a cell's trainings, the default, or of each: shares that sum exactly, facets and keys that tell."""

import json
from dataclasses import dataclass, replace

import pytest
from toystudy import RECIPE, toy_study

from segfrontier.errors import BadInput
from segfrontier.home.layout import Home
from segfrontier.home.records import records
from segfrontier.lab import Recipe
from segfrontier.plan.planning import plan_study
from segfrontier.store import Store
from segfrontier.store.keys import plain
from segfrontier.study.cells import expand
from segfrontier.study.run import run_study

OF_OLD = "b30a2deb45e8620914fa059d2250ea72"


@pytest.mark.parametrize(
    ("total", "of", "steps"), [(7, 3, [3, 2, 2]), (8, 3, [3, 3, 2]), (9, 3, [3, 3, 3]), (5, 1, [5])]
)
def test_shares_differ_by_a_step_at_most_and_sum_exactly(total, of, steps):
    shared = [Recipe(total_steps=total).share(i, of=of) for i in range(of)]
    assert [recipe.steps for recipe in shared] == [recipe.plan().steps for recipe in shared] == steps
    assert {recipe.total_steps for recipe in shared} == {None} and sum(steps) == total


def test_unsaid_it_is_a_sum_and_said_it_is_what_was_said(tmp_path):
    assert Recipe() == Recipe(total_steps=400) and Recipe().plan().steps == 400
    assert [Recipe().share(i, of=3).steps for i in range(3)] == [134, 133, 133]
    assert Recipe(steps=400) != Recipe() and Recipe(steps=400).total_steps is None
    unsaid, each = ({**RECIPE, "steps": steps} for steps in (None, 400))
    assert toy_study(tmp_path, recipe=unsaid).resolved()["recipe"]["total_steps"] == 400
    assert {c.recipe.total_steps for c in expand(toy_study(tmp_path, recipe=unsaid))} == {400}
    assert {c.recipe.share(0, of=2).steps for c in expand(toy_study(tmp_path, recipe=each))} == {400}


def test_what_is_resolved_means_the_same_again(tmp_path):
    for facets in ({"steps": None}, {"steps": 5}, {"steps": None, "total_steps": 5}, {"steps": [5, 6]}):
        study = toy_study(tmp_path, recipe=RECIPE | facets)
        assert [c.key() for c in expand(type(study).of(study.resolved()))] == [c.key() for c in expand(study)]


def test_with_steps_every_training_has_the_recipes_own():
    recipe = Recipe(steps=30)
    assert recipe.share(0, of=5) is recipe and recipe.share(4, of=5) is recipe
    assert Recipe(total_steps=30).plan() == recipe.plan(), "one training has all of them"


def test_too_few_steps_and_wrong_numbers_are_refused():
    with pytest.raises(BadInput, match="each of a cell's 3 trainings a step; found 2"):
        Recipe(total_steps=2).share(0, of=3)
    for number in (-1, 3):
        with pytest.raises(ValueError, match="below their count"):
            Recipe(total_steps=9).share(number, of=3)


@pytest.mark.parametrize(
    "facets",
    [
        {"total_steps": 0},
        {"total_steps": 2.5},
        {"total_steps": True},
        {"total_steps": 10**8},
        {"total_steps": 9, "steps": 8},
        {"total_steps": 9, "steps": 400},
    ],
)
def test_total_steps_stand_in_place_of_steps(facets):
    with pytest.raises(BadInput, match="recipe.total_steps must be a whole number .* in place of recipe.steps"):
        Recipe(**facets)
    assert replace(Recipe(total_steps=9), lr=0.1).steps == Recipe(total_steps=9, steps=9).steps == 9


def test_keys_that_exist_stay_and_the_facet_says_which(tmp_path):
    assert "total_steps" not in plain(Recipe(steps=400)) and plain(Recipe(total_steps=9))["total_steps"] == 9
    (each,) = {c.facet for c in expand(toy_study(tmp_path, recipe=RECIPE | {"steps": 9}))}
    (whole,) = {c.facet for c in expand(toy_study(tmp_path, recipe=RECIPE | {"steps": 9, "total_steps": 9}))}
    assert each.digest != whole.digest and "fpn, 9 steps a training, batch 2 #" in str(each)
    assert "fpn, 9 steps in all, batch 2 #" in str(whole)


def test_the_key_of_a_cell_with_steps_a_training_is_what_it_was(tmp_path):
    cell = expand(toy_study(tmp_path, recipe={"steps": 400}, methods=["fine"]))[0]
    cell = replace(cell, world="w", prices=None)
    assert cell.key() == OF_OLD


@dataclass(frozen=True, kw_only=True)
class TrainsTwice:
    """A method that shares its steps among `among` trainings and has two; by default it knows nothing of shares."""

    among: int = 1
    labels: bool = False  # whether a model's answers stand between the two

    def run(self, lab, recipe):
        from segfrontier.lab import Argmax, Part
        from segfrontier_methods.supervised import fit

        part = Part(images=lab.pool, labels=lab.buy_masks("fine", spend=lab.budget))
        first = fit(lab, recipe.share(0, of=self.among), part)
        if self.labels:
            part = Part(images=lab.pool, labels=lab.label(first, part, Argmax()))
        return fit(lab, recipe.share(min(1, self.among - 1), of=self.among), part, start=first)


@pytest.fixture
def twice(monkeypatch, tmp_path):
    """A study of the method above."""
    from importlib.metadata import EntryPoint

    entry = EntryPoint("twice", f"{__name__}:TrainsTwice", "segfrontier.methods")
    monkeypatch.setattr("segfrontier.basics.installed.entry_points", lambda group: [entry])

    def study(recipe, **knobs):
        return toy_study(
            tmp_path, methods=[{"name": "twice", "knobs": knobs}], budgets=[0.1], seeds=[0], recipe=RECIPE | recipe
        )

    return study


SUM = {"steps": None, "total_steps": 6}


@pytest.mark.parametrize("labels", [False, True])
def test_a_method_that_trains_more_is_refused_by_the_plan_also_after_a_models_answers(twice, labels, tmp_path):
    (planned,) = plan_study(twice(SUM, labels=labels), home=tmp_path / "runs", probe=False).cells
    assert "must come to 6 steps in all" in planned.refused and "a training of 6 after 6 makes 12" in planned.refused
    (planned,) = plan_study(twice({"steps": None}, labels=labels), home=tmp_path / "runs", probe=False).cells
    assert "must come to 400 steps in all" in planned.refused, "unsaid, it is a sum"
    for recipe, knobs in (({"steps": 3}, {}), (SUM, {"among": 2})):
        (planned,) = plan_study(twice(recipe, labels=labels, **knobs), home=tmp_path / "runs", probe=False).cells
        assert not planned.refused and not planned.unforeseen


def test_a_training_beyond_the_sum_does_not_begin_and_one_short_of_it_is_no_result(twice, tmp_path):
    home = Home(tmp_path / "runs")
    for knobs, trainings, words in ((dict(), 1, "makes 12"), (dict(among=3), 2, "they came to 4")):
        study = twice(SUM, **knobs)
        run_study(study, home=home.path, tracking="none")
        (record,) = records(home.study(study.name), states=("failed",))
        assert words in record.error and record.refused
        assert [stage.kind for stage in record.stages] == ["train"] * trainings


def test_the_control_with_the_compute_of_several_trainings(tmp_path):
    control = {"name": "fine", "knobs": {"trainings": 3}}
    plain_fine, same = (toy_study(tmp_path, methods=[m], budgets=[0.1], seeds=[0]) for m in ("fine", control))
    (fine,), (longer,) = expand(plain_fine), expand(same)
    assert fine.knobs == {} and longer.knobs == {"trainings": 3}, "cells that exist keep their keys"
    assert longer.label.startswith("fine trainings=3, ") and longer.facet == fine.facet
    home = Home(tmp_path / "runs")
    run_study(same, home=home.path, tracking="none")
    (record,) = records(home.study(same.name))
    (training,) = (stage.key for stage in record.stages if stage.kind == "train")
    card = Store(home.store).get(training).local("model.json")
    assert json.loads(card.read_text())["trained"]["steps"] == 9
    assert record.steps == 9 and record.images == 9 * RECIPE["batch"]


@pytest.mark.parametrize(("recipe", "trainings"), [(SUM, 2), ({"steps": 3}, 0)])
def test_a_control_that_would_train_otherwise_is_refused_before_it_buys(recipe, trainings, tmp_path):
    control = {"name": "fine", "knobs": {"trainings": trainings}}
    study = toy_study(tmp_path, methods=[control], budgets=[0.1], seeds=[0], recipe=RECIPE | recipe)
    (planned,) = plan_study(study, home=tmp_path / "runs", probe=False).cells
    assert f"found trainings {trainings}" in planned.refused and not planned.seconds
