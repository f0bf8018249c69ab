"""The stated limits of a study: each refused at once, by its place, before anything is expanded."""

import time
from dataclasses import dataclass

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from segfrontier.basics import bounds
from segfrontier.errors import BadInput, BadStudy
from segfrontier.lab import Recipe
from segfrontier.lab.devices import require_device
from segfrontier.plan.planning import plan_study
from segfrontier.study import config
from segfrontier.study.cells import expand
from segfrontier.study.config import Study
from segfrontier.study.run import run_study

PLAIN = {"name": "a", "methods": ["fine"], "budgets": [5]}


def refusal(plain):
    text, began = yaml.safe_dump(PLAIN | plain), time.monotonic()
    with pytest.raises(BadStudy) as caught:
        Study.parse(text)
    assert time.monotonic() - began < 4, "less than a second on a quiet machine"
    return str(caught.value)


@pytest.mark.parametrize(
    ("plain", "at", "found"),
    [
        ({"recipe": {"lr": {"low": 0.1, "high": 1, "steps": 10**9}}}, "recipe.lr.steps", "found 1000000000"),
        ({"search": {"kind": "random", "samples": 10**8}}, "search.samples", "found 100000000"),
        ({"seeds": [0, 10**26]}, "seeds.1", "found 1" + "0" * 26),
        ({"seeds": [-(10**26)]}, "seeds.0", "within 64 bits"),
        ({"seeds": list(range(10_001))}, "seeds", "found 10001"),
        ({"recipe": {"lr": 10**26}}, "recipe.lr", "within 64 bits"),
        ({"recipe": {f"k{i}": 1 for i in range(1_001)}}, "recipe", "found 1001"),
        ({f"k{i}": 1 for i in range(20_000)}, "the study", "1000 keys"),
        ({"budgets": [1e300]}, "budgets.0", "found 1e+300"),
        ({"budgets": ["1e999999999"]}, "budgets.0", "found '1e999999999'"),
        ({"name": "x" * 300}, "name", "at most 100"),
        ({"worlds": "x" * 2_000}, "worlds.0.target", "up to 1000 characters"),
        ({"worlds": "a\0b"}, "worlds.0.target", "without NUL"),
        ({"executor": {"parallel_cells": 10**9}}, "executor.parallel_cells", "found 1000000000"),
        ({"executor": {"workers_per_stage": 10**9}}, "executor.workers_per_stage", "found 1000000000"),
        ({"executor": {"cpus_per_cell": 1e300}}, "executor.cpus_per_cell", "found 1e+300"),
        ({"executor": {"gpus_per_cell": 1e300}}, "executor.gpus_per_cell", "found 1e+300"),
        ({"executor": {"gpus_per_cell": 1.5}}, "executor.gpus_per_cell", "found 1.5: set 1 or 2"),
        ({"executor": {"device": "toaster"}}, "executor.device", "found 'toaster'"),
        ({"limits": {"hours": 1e300}}, "limits.hours", "found 1e+300"),
        ({"references": ["nowhere.yaml"]}, "references.0", "nowhere.yaml"),
    ],
)  # fmt: skip
def test_what_is_too_large_is_refused_at_once_by_its_place(plain, at, found):
    text = refusal(plain)
    assert text.startswith(f"study: {at}: ") and found in text and len(text) < 500


def test_the_number_of_cells_is_counted_before_any_is_made(monkeypatch):
    thousand = list(range(1_000))
    text = refusal({"seeds": thousand, "budgets": thousand, "recipe": {"lr": [0.1, 0.2], "worlds": 1}})
    assert "recipe.worlds" in text, "mistakes of single fields come first"
    text = refusal({"seeds": thousand, "budgets": thousand, "recipe": {"lr": [0.1, 0.2]}})
    assert text == "study: a study may have 100,000 cells; found 2,000,000: give it shorter lists"
    wide = [i / 1000 for i in range(1_000)]
    assert f"found {10**12:,}" in refusal({"recipe": dict.fromkeys(("lr", "head_lr", "power", "momentum"), wide)})


@settings(max_examples=8, deadline=None, derandomize=True)
@given(
    seeds=st.lists(st.integers(0, 9), min_size=1, max_size=3, unique=True),
    budgets=st.lists(st.integers(1, 9), min_size=1, max_size=3, unique=True),
    rates=st.lists(st.sampled_from([0.1, 0.2, 0.3]), min_size=1, max_size=3, unique=True),
    methods=st.lists(st.sampled_from(["fine", "coarse", "oracle", "synthetic"]), min_size=1, max_size=4, unique=True),
    samples=st.none() | st.integers(1, 4),
)
def test_the_count_is_that_of_the_cells(seeds, budgets, rates, methods, samples):
    open_ = {"name": "fine+coarse", "knobs": {"split": {"low": 0.1, "high": 0.9, "steps": 3}}}
    plain = {"name": "a", "seeds": seeds, "budgets": budgets, "recipe": {"lr": rates}, "methods": [*methods, open_]}
    if samples is not None:
        plain["search"] = {"kind": "random", "samples": samples}
    study = Study.parse(yaml.safe_dump(plain))
    drawn_twice = samples is not None
    assert study.size >= len(expand(study)) and (drawn_twice or study.size == len(expand(study)))


def test_what_the_recipe_refuses_is_a_mistake_of_the_recipe(monkeypatch):
    """Whatever the recipe itself checks comes out with the file and the place."""

    @dataclass(frozen=True, kw_only=True)
    class Judging(Recipe):
        def __post_init__(self):
            if self.lr < 0:
                raise BadInput(f"lr must be above 0; found {self.lr}")

    monkeypatch.setattr(config, "Recipe", Judging)
    assert "study: recipe: lr must be above 0; found -1.0" in refusal({"recipe": {"lr": [0.1, -1.0]}})
    assert config._recipe_misfits({"lr": [0.1, -1.0]}) == [(("recipe",), "lr must be above 0; found -1.0")]


def test_a_device_that_is_not_here_is_refused_where_cells_run_in_this_process(tmp_path, monkeypatch):
    monkeypatch.setattr("torch.cuda.is_available", lambda: True)
    monkeypatch.setattr("torch.cuda.device_count", lambda: 2)
    study = Study.parse(yaml.safe_dump(PLAIN | {"executor": {"kind": "local", "device": "cuda:99"}}))
    for act in (plan_study, run_study):
        with pytest.raises(BadInput, match="found 'cuda:99', and there are 2 of the kind cuda"):
            act(study, home=tmp_path / "runs")
    require_device("cuda:1", here=True)
    assert not (tmp_path / "runs").exists()


@pytest.mark.parametrize("name", ["", "gpu", "cuda:", "cuda:x", "cuda:-1", "cuda:²", "cuda:99999999999", "meta", "CPU"])
def test_what_is_no_device(name):
    with pytest.raises(BadInput, match="a device must be auto"):
        require_device(name, here=False)


def test_lists_as_long_as_the_limit_are_taken():
    study = Study.parse(yaml.safe_dump(PLAIN | {"seeds": list(range(bounds.ENTRIES))}))
    assert study.size == bounds.ENTRIES
