"""The five baselines: what each buys and trains on, on a toy world; any encoder and head by name."""

import math

import pytest
from toylab import toy_lab
from toyworld import write_toy

from segfrontier.errors import BadInput, BudgetExceeded
from segfrontier.lab import Bench, Recipe, installed, make_method

RECIPE = Recipe(
    encoder="test_resnet", head="fpn", pretrained="never", steps=4, batch=2, scale=(1.0, 1.0), output_stride=None
)
BENCH = Bench(device="cpu", threads=1)


def run(method, world, home, *, hours=20.0, recipe=RECIPE, **knobs):
    with toy_lab(home, world, hours=hours, bench=BENCH, cell=f"{method}{hours}{knobs}") as lab:
        model = make_method(method, knobs).run(lab, recipe)
        return lab.score(model), lab.spent


@pytest.mark.parametrize(
    ("method", "hours", "seconds"),
    [
        ("fine", 5.0, 3 * 5400),
        ("coarse", 0.5, 4 * 420),
        ("fine+coarse", 4.0, 5400 + 6 * 420),
        ("synthetic", 5.0, 0),
        ("oracle", "all", 6 * 5400),
    ],
)
def test_each_baseline_spends_what_it_should_and_is_scored(toy_world, tmp_path, method, hours, seconds):
    scores, spent = run(method, toy_world, tmp_path / "home", hours=hours)
    assert spent == seconds
    assert 0 <= scores.miou <= 1 and not math.isnan(scores.miou) and scores.scenes == 3


def test_more_training_helps(toy_world, tmp_path):
    from dataclasses import replace

    short, _ = run("fine", toy_world, tmp_path / "home")
    long, _ = run("fine", toy_world, tmp_path / "home", recipe=replace(RECIPE, steps=60))
    assert long.miou > short.miou + 0.1


def test_the_split_decides_how_the_budget_is_shared(toy_world, tmp_path):
    bought = {}
    for split in (0.4, 0.8):
        with toy_lab(tmp_path / "home", toy_world, hours=4.0, bench=BENCH, cell=f"s{split}") as lab:
            make_method("fine+coarse", {"split": split}).run(lab, RECIPE)
            bought[split] = lab.spent
    assert bought == {0.4: 5400 + 6 * 420, 0.8: 2 * 5400 + 6 * 420}


def test_methods_are_found_by_name_and_check_their_knobs(toy_world, tmp_path):
    assert {"fine", "coarse", "fine+coarse", "synthetic", "oracle"} <= set(installed())
    with pytest.raises(BadInput, match="no method 'fne' is installed.*did you mean 'fine'"):
        make_method("fne")
    with pytest.raises(BadInput, match="found 'splt': did you mean 'split'"):
        make_method("fine+coarse", {"splt": 0.5})
    with pytest.raises(BadInput, match="split between 0 and 1"):
        make_method("fine+coarse", {"split": 1.0})
    with pytest.raises(BadInput, match="split: must be a valid number"):
        make_method("fine+coarse", {"split": "half"})
    with pytest.raises(BudgetExceeded):
        run("oracle", toy_world, tmp_path / "home", hours=1.0)


def test_synthetic_needs_source_scenes(tmp_path):
    world = write_toy(tmp_path / "w", target_train=2, target_val=1)
    with pytest.raises(BadInput, match="needs a world with source scenes"):
        run("synthetic", world, tmp_path / "home")
