"""The study file: defaults, every kind of mistake by its place, `--set`, and the way back to YAML."""

import random
from importlib.resources import files

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from segfrontier.basics.overrides import override
from segfrontier.errors import BadInput, BadStudy
from segfrontier.lab.training.loop import Bench
from segfrontier.study.config import Executor, Study
from segfrontier.study.executing import bench_of
from segfrontier.study.knobs import Range

SMALL = "name: small\nmethods: [fine, {name: fine+coarse, knobs: {split: [0.3, 0.7]}}]\nbudgets: [2, 5]\n"


def mistakes(text, *assignments):
    with pytest.raises(BadStudy) as caught:
        Study.parse(text, assignments)
    return str(caught.value).splitlines()


def test_defaults_are_filled_in_and_survive_the_way_back():
    study = Study.parse(SMALL)
    plain = study.resolved()
    assert plain["recipe"]["total_steps"] == 400 and plain["recipe"]["steps"] is None
    assert plain["recipe"]["scale"] == [0.75, 1.5]
    assert plain["worlds"] == [{"target": "street", "source": None}] and plain["seeds"] == [0]
    assert plain["noise"] == {"points": 0.0, "tags": 0.0, "boxes": 0.0, "outlines": 0.0}
    assert plain["executor"]["kind"] == "ray" and plain["limits"] == {"hours": None, "cells": None, "gpu_hours": None}
    again = Study.parse(study.to_yaml())
    assert again == study and again.to_yaml() == study.to_yaml()


def test_one_entry_needs_no_list():
    lone = Study.parse("name: a\nworlds: street\nmethods: fine\nbudgets: all\nseeds: 3")
    listed = Study.parse("name: a\nworlds: [{target: street}]\nmethods: [{name: fine}]\nbudgets: [all]\nseeds: [3]")
    assert lone == listed and lone.budgets == ("all",)


def test_all_mistakes_are_told_at_once_each_with_its_place():
    found = mistakes("""
name: small
seedz: [1]
methods:
  - fien
  - {name: fine+coarse, knobs: {splitt: 0.1}}
  - {name: fine+coarse, knobs: {split: [0.2, fast]}}
  - {name: fine+coarse, knobs: {split: {low: 0.1, hihg: 0.3}}}
  - {nam: fine}
recipe: {stepz: 3, norm: batchy, lr: [0.1, slow], steps: {low: 1, high: 3, steps: 2}}
budgets: [5, -1, many]
worlds: [street:trian=3]
splits: {fine: 0.3, coarse: 0.8}
noise: {points: [0.1, 0.2]}
prices: stret
executor: {kind: dask, parallel_cels: 3}
limits: {hours: 0}
""")
    expected = {
        "seedz": "did you mean 'seeds'?",
        "methods.0.name": "did you mean 'fine'?",
        "methods.1.knobs.splitt": "did you mean 'split'?",
        "methods.2.knobs.split.1": "found 'fast'",
        "methods.3.knobs.split.hihg": "did you mean 'high'?",
        "methods.3.knobs.split.high": "must be given; it is missing",
        "methods.4.nam": "did you mean 'name'?",
        "methods.4.name": "must be given; it is missing",
        "recipe.stepz": "did you mean 'steps'?",
        "recipe.norm": "must be 'batch', 'frozen', 'frozen_affine' or 'sync'; found 'batchy'",
        "recipe.lr.1": "found 'slow'",
        "recipe.steps": "must be one value or a list of them",
        "budgets.1": "found -1",
        "budgets.2": "found 'many'",
        "worlds.0.target": "did you mean 'train'?",
        "splits.0": "add up to 1",
        "noise.points": "must be one value; found [0.1, 0.2]",
        "prices": "did you mean 'street'?",
        "executor.kind": "must be 'local' or 'ray'; found 'dask'",
        "executor.parallel_cels": "did you mean 'parallel_cells'?",
        "limits.hours": "must be greater than 0; found 0",
    }
    told = {line.split(": ")[1]: line for line in found}
    assert set(told) == set(expected) and len(found) == len(expected)
    for at, text in expected.items():
        assert text in told[at], told[at]


@pytest.mark.parametrize(
    ("more", "at", "text"),
    [
        ("methods: [fine]", "methods.0.name", "give budgets"),
        ("{methods: fine, budgets: 5, splits: {fine: 0.5, coarse: 0.5}}", "methods.0.name", "has no knob 'split'"),
        (
            "{methods: {name: fine+coarse, knobs: {split: 0.5}}, budgets: 5, splits: {fine: 0.5, coarse: 0.5}}",
            "methods.0.knobs.split", "choose one of the two",
        ),
        ("{methods: fine+coarse, budgets: 5, splits: {fine: 0.5, point: 0.5}}", "methods.0.name", "fine and coarse"),
        (
            "{methods: {name: fine+coarse, knobs: {split: {low: 0.1, high: 0.9}}}, budgets: 5}",
            "methods.0.knobs.split", "must have steps",
        ),
        (
            "{methods: {name: fine+coarse, knobs: {split: {low: 0.9, high: 0.1}}}, budgets: 5}",
            "methods.0.knobs.split", "low < high",
        ),
        ("{methods: fine, budgets: 5, search: {kind: random}}", "search.samples", "must be given"),
        ("{methods: fine, budgets: 5, search: {samples: 4}}", "search.samples", "left out of a grid"),
        ("{methods: oracle, executor: {kind: local, workers_per_stage: 2}}", "executor.workers_per_stage", "is ray"),
        ("{methods: oracle, executor: {kind: local, memory_per_cell: 2}}", "executor.memory_per_cell", "is ray"),
        ("{methods: oracle, executor: {kind: local, node_labels: {a: b}}}", "executor.node_labels", "is ray"),
        ("{methods: oracle, executor: {workers_per_stage: [4, 1]}}", "executor.workers_per_stage", "found [4, 1]"),
        ("{methods: oracle, executor: {workers_per_stage: [0, 1]}}", "executor.workers_per_stage", "found [0, 1]"),
        ("{methods: oracle, executor: {workers_per_stage: [1]}}", "executor.workers_per_stage", "found [1]"),
        ("{methods: oracle, executor: {workers_per_stage: '2'}}", "executor.workers_per_stage", "found '2'"),
        ("{methods: oracle, executor: {node_labels: {a: '!b'}}}", "executor.node_labels.a", "must match pattern"),
        ("{methods: fine, budgets: 5, seeds: [1, true]}", "seeds.1", "found True"),
        ("{methods: fine, budgets: 5, seeds: []}", "seeds", "at least one"),
        ("{methods: [], budgets: 5}", "methods", "at least one"),
        ("{methods: fine, budgets: true}", "budgets.0", "found True"),
    ],
)  # fmt: skip
def test_what_does_not_fit(more, at, text):
    lines = mistakes(yaml.safe_dump({"name": "a"} | yaml.safe_load(more)))
    assert len(lines) == 1 and lines[0].startswith(f"study: {at}: ") and text in lines[0], lines


@pytest.mark.parametrize("text", ["[1, 2]", "a: [", "name: a\nname: b\nmethods: fine", ""])
def test_what_is_no_study_at_all(text):
    assert mistakes(text)[0].startswith("study: a study must be")


def test_a_file_that_is_not_there(tmp_path):
    with pytest.raises(BadStudy, match="readable file"):
        Study.load(tmp_path / "none.yaml")


def test_set_changes_values_before_validation():
    study = Study.parse(
        SMALL,
        [
            "recipe.steps=7",
            "budgets.0=all",
            "budgets.2=20",
            "methods.1.knobs.split=[0.1]",
            "executor={parallel_cells: 3}",
        ],
    )
    assert study.recipe["steps"] == 7 and study.budgets == ("all", 5.0, 20.0)
    assert study.methods[1].knobs["split"] == [0.1] and study.executor.parallel_cells == 3


def test_wrong_sets_name_the_nearest_place():
    assert mistakes(SMALL, "recipie.steps=7") == ["study: recipie: did you mean 'recipe'?"]
    assert mistakes(SMALL, "executor.parallel_cell=7") == [
        "study: executor.parallel_cell: did you mean 'parallel_cells'?"
    ]
    wrong = mistakes(SMALL, "budgets.9=1", "name.x=1", "budgits.0=1", "steps", "methods.0.knobs.x=1", "name=[")
    assert "0 to 2; found '9'" in wrong[0] and "found 'small'" in wrong[1] and "did you mean 'budgets'?" in wrong[2]
    assert "place=value" in wrong[3] and "found 'fine'" in wrong[4] and "valid YAML" in wrong[5]


def test_set_leaves_what_it_was_given_alone():
    plain = {"a": {"b": [1, {"c": 2}]}}
    assert override(plain, ["a.b.1.c=3", "a.b.0=null"]) == {"a": {"b": [None, {"c": 3}]}}
    assert plain == {"a": {"b": [1, {"c": 2}]}}


@given(st.dictionaries(st.sampled_from("abcd"), st.dictionaries(st.sampled_from("xyz"), st.integers(), min_size=1)))
def test_set_rebuilds_any_tree(tree):
    assert override({}, [f"{a}.{b}={v}" for a, inner in tree.items() for b, v in inner.items()]) == tree


def test_a_list_that_is_one_value_stays_one():
    one = Study.parse(SMALL + "recipe: {crop: [96, 96], lr: [0.1, 1e-3]}")
    assert one.recipe["crop"] == [96, 96] and one.recipe["lr"] == [0.1, "1e-3"]
    assert Study.parse(one.to_yaml()) == one


def test_ranges():
    assert Range(low=0, high=1, steps=5).values() == (0, 0.25, 0.5, 0.75, 1)
    assert Range(low=1e-4, high=1e-1, steps=4, log=True).values() == (1e-4, 1e-3, 1e-2, 1e-1)
    assert Range(low=1, high=3, steps=5).values(whole=True) == (1, 2, 3)
    with pytest.raises(ValueError, match="low > 0"):
        Range(low=0, high=1, log=True)


@given(st.floats(1e-6, 1e3), st.floats(1.001, 1e3), st.booleans(), st.integers(0, 99))
def test_draws_stay_in_the_range(low, ratio, log, seed):
    found = Range(low=low, high=low * ratio, log=log).draw(random.Random(seed))
    assert low <= found <= low * ratio


@settings(max_examples=10, deadline=None)
@given(
    st.lists(st.floats(0, 1e4) | st.just("all"), min_size=1, max_size=4),
    st.lists(st.integers(0, 2**31), min_size=1, max_size=3),
    st.sampled_from([0.5, [0.1, 0.5], {"low": 0.1, "high": 0.5, "steps": 3}]),
)  # fmt: skip
def test_any_study_survives_the_way_back(budgets, seeds, split):
    methods = ["fine", {"name": "fine+coarse", "knobs": {"split": split}}]
    study = Study.parse(yaml.safe_dump({"name": "a", "methods": methods, "budgets": budgets, "seeds": seeds}))
    assert Study.parse(study.to_yaml()) == study


def test_errors_of_a_study_are_bad_input():
    with pytest.raises(BadInput):
        Study.parse("name: a")


def test_what_an_executor_says_reaches_the_stages():
    faster = {"look_batch": 5, "channels_last": True, "fused": True}
    said = Executor(kind="local", cpus_per_cell=3, device="cuda", loaders=2, **faster)
    assert bench_of(said) == Bench(device="cuda", threads=3, loader_workers=2, **faster)
    plain = bench_of(Executor())
    assert not plain.channels_last and not plain.fused, "as published, to the last digit, unless it is asked for"


def test_the_examples_load():
    found = [f for f in (files("segfrontier.study") / "examples").iterdir() if f.name.endswith(".yaml")]
    assert len(found) >= 2
    for file in found:
        study = Study.parse(file.read_text(), where=file.name)
        assert file.name == f"{study.name}.yaml" and study.worlds[0].target.startswith(("street:", "worlds/"))
