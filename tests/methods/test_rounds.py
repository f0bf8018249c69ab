"""A training that is repeated has draws of its own: another head to begin with, other orders, crops and mixtures."""

import pytest
from coarsehere import RECIPE
from pointhere import KNOBS, larger_toy, point_lab
from pointhere import RECIPE as POINTS

from segfrontier.lab import Recipe, make_method

CASES = {
    "coarse_to_fine": ({"iterations": 2, "above": 0.34, "note_iterations": False}, RECIPE, [0, 1, 2]),
    "naive_student": ({"iterations": 2}, RECIPE, [0, 1, 2]),
    "active_points": (KNOBS | {"rounds": 2}, POINTS, [0, 1, 2]),
}


@pytest.mark.parametrize("method", CASES)
def test_each_round_draws_anew(tmp_path, method):
    knobs, recipe, seeds = CASES[method]
    with point_lab(tmp_path / "home", larger_toy(tmp_path / "toy"), hours=5.0) as lab:
        plans, train = [], lab.train

        def spy(objective, streams, plan, **more):
            plans.append(plan)
            return train(objective, streams, plan, **more)

        lab.train = spy
        make_method(method, knobs).run(lab, recipe)
    assert [plan.seed for plan in plans] == seeds


def test_the_first_draw_is_the_plain_plan():
    assert Recipe().plan(draw=0) == Recipe().plan()
