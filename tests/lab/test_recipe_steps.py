"""`total_steps`: shares that sum exactly, told apart from steps a training, and keys that stay where it is not set."""

from dataclasses import dataclass, replace

import pytest
from toystudy import RECIPE, toy_study

from segfrontier.errors import BadInput
from segfrontier.lab import Recipe
from segfrontier.plan.planning import plan_study
from segfrontier.store.keys import plain
from segfrontier.study.cells import expand


@pytest.mark.parametrize(
    ("total", "of", "steps"), [(7, 3, [3, 2, 2]), (8, 3, [3, 3, 2]), (9, 3, [3, 3, 3]), (5, 1, [5])]
)
def test_shares_differ_by_a_step_at_most_and_sum_exactly(total, of, steps):
    shared = [Recipe(total_steps=total).share(i, of=of) for i in range(of)]
    assert [recipe.steps for recipe in shared] == [recipe.plan().steps for recipe in shared] == steps
    assert {recipe.total_steps for recipe in shared} == {None} and sum(steps) == total


def test_without_total_steps_every_training_has_the_recipes_own():
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
    ],
)
def test_total_steps_stand_in_place_of_steps(facets):
    with pytest.raises(BadInput, match="recipe.total_steps must be a whole number .* in place of recipe.steps"):
        Recipe(**facets)
    assert replace(Recipe(total_steps=9), lr=0.1).steps == Recipe(total_steps=9, steps=9).steps == 9


def test_keys_that_exist_stay_and_the_facet_says_which(tmp_path):
    assert "total_steps" not in plain(Recipe()) and plain(Recipe(total_steps=9))["total_steps"] == 9
    (each,) = {c.facet for c in expand(toy_study(tmp_path, recipe=RECIPE | {"steps": 9}))}
    (whole,) = {c.facet for c in expand(toy_study(tmp_path, recipe=RECIPE | {"steps": 9, "total_steps": 9}))}
    assert each.digest != whole.digest and " 9x2 " in str(each) and " 9 in all x2 " in str(whole)


@dataclass(frozen=True, kw_only=True)
class TrainsTwice:
    """A method that knows nothing of shares."""

    def run(self, lab, recipe):
        from segfrontier.lab import Part
        from segfrontier_methods.supervised import fit

        part = Part(images=lab.pool, labels=lab.buy_masks("fine", spend=lab.budget))
        return fit(lab, recipe, part, start=fit(lab, recipe, part))


def test_a_method_that_trains_more_is_refused_by_the_plan(monkeypatch, tmp_path):
    from importlib.metadata import EntryPoint

    entry = EntryPoint("twice", f"{__name__}:TrainsTwice", "segfrontier.methods")
    monkeypatch.setattr("segfrontier.basics.installed.entry_points", lambda group: [entry])
    study = toy_study(tmp_path, methods=["twice"], budgets=[0.1], seeds=[0], recipe=RECIPE | {"total_steps": 3})
    (planned,) = plan_study(study, home=tmp_path / "runs", probe=False).cells
    assert "twice must train 3 steps in all" in planned.refused and "it trained 6" in planned.refused
    study = toy_study(tmp_path, methods=["twice"], budgets=[0.1], seeds=[0])
    (planned,) = plan_study(study, home=tmp_path / "runs", probe=False).cells
    assert not planned.refused
