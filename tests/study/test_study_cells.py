"""Cells: which there are, that they come once and in order, and that their keys hold all that decides a result."""

from collections import Counter
from dataclasses import dataclass, fields, replace
from functools import partial
from importlib.resources import files
from math import inf
from types import SimpleNamespace
from typing import ClassVar, Literal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from toystudy import parsed

from segfrontier.errors import BadInput, BadStudy
from segfrontier.lab import Recipe, make_method
from segfrontier.market import Noise
from segfrontier.study.cells import cells_of, expand
from segfrontier.study.config import Study


@dataclass(frozen=True, kw_only=True)
class Probe:
    k: int = 10
    above: float = 0.9
    views: tuple[float, ...] = (1.0,)
    rule: Literal["agree", "sure"] = "agree"
    bound: float = inf

    def __post_init__(self):
        if self.above > 1:
            raise BadInput(f"above must be 1 at most; found {self.above}")

    def run(self, lab, recipe): ...


@dataclass(frozen=True, kw_only=True)
class Free:
    budget: ClassVar[str] = "none"

    def run(self, lab, recipe): ...


@dataclass(frozen=True, kw_only=True)
class Whole:
    budget: ClassVar[str] = "all"

    def run(self, lab, recipe): ...


@dataclass(frozen=True, kw_only=True)
class Shared:
    split_kinds: ClassVar[tuple[str, str]] = ("coarse", "points")
    split: float = 0.5

    def run(self, lab, recipe): ...


@pytest.fixture(autouse=True, scope="module")
def methods():
    found = {"probe": Probe, "free": Free, "whole": Whole, "shared": Shared}
    entries = [SimpleNamespace(name=n, value=f"tests:{n}", load=lambda c=c: c) for n, c in found.items()]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("segfrontier.basics.installed.entry_points", lambda group: entries)
        yield


study = partial(parsed, {"name": "a", "methods": ["probe"], "budgets": [5], "recipe": {"pretrained": "never"}})


def probe(**knobs):
    return {"name": "probe", "knobs": knobs}


def keys(of):
    return [cell.key() for cell in expand(of)]


def test_the_grid_is_the_product_seeds_first():
    cells = expand(study(methods=[probe(k=[1, 2], above=[0.5, 0.6])], budgets=[5, "all"], seeds=[7, 3]))
    assert [(c.seed, c.knobs["k"], c.knobs["above"], c.hours) for c in cells] == [
        (seed, k, above, hours) for seed in (7, 3) for k in (1, 2) for above in (0.5, 0.6) for hours in (5.0, "all")
    ]
    assert cells[0].label == "probe k=1 above=0.5, 5 h, seed 7" and cells[1].label.endswith("all labels, seed 7")


def test_methods_that_spend_no_budget_are_not_repeated_over_budgets():
    cells = expand(study(methods=["free", "whole", "probe"], budgets=[1, 2, 3], seeds=[0, 1]))
    assert Counter((c.method, c.hours) for c in cells) == {
        ("free", 0.0): 2, ("whole", "all"): 2, ("probe", 1.0): 2, ("probe", 2.0): 2, ("probe", 3.0): 2,
    }  # fmt: skip
    assert len(expand(study(methods=["free", "whole"], budgets=[]))) == 2


def test_equal_cells_of_overlapping_grids_collapse():
    overlapping = [probe(k=[1, 10]), probe(k=[10, 2]), "probe", probe(k="10", above=0.9)]
    cells = expand(study(methods=overlapping, budgets=[5, 5.0, 5], seeds=[0, 0]))
    assert [c.knobs["k"] for c in cells] == [1, 10, 2]


def test_knobs_are_whole_plain_and_make_the_same_method():
    (cell,) = expand(study(methods=[probe(views=[0.5, 1], rule="sure")]))
    assert cell.knobs == {"k": 10, "above": 0.9, "views": [0.5, 1.0], "rule": "sure", "bound": inf}
    made = make_method(cell.method, cell.knobs)
    assert made == Probe(views=(0.5, 1.0), rule="sure")
    two = study(methods=[probe(views=[[0.5, 1], [1]])])
    assert len(expand(two)) == 2 and expand(Study.parse(two.to_yaml())) == expand(two)


def test_ranges_in_a_grid_follow_the_knob_s_type():
    knobs = {"k": {"low": 1, "high": 100, "steps": 3, "log": True}, "above": {"low": 0.5, "high": 0.9, "steps": 3}}
    cells = expand(study(methods=[probe(**knobs)]))
    assert [(c.knobs["k"], c.knobs["above"]) for c in cells] == [(k, a) for k in (1, 10, 100) for a in (0.5, 0.7, 0.9)]


def test_splits_become_the_knob_split():
    splits = [{"points": 0.3, "coarse": 0.7}, {"points": 0.1, "coarse": 0.9}]
    cells = expand(study(methods=["shared"], splits=splits))
    assert [c.knobs["split"] for c in cells] == [0.7, 0.9]
    assert [c.split for c in cells] == [{"coarse": 0.7, "points": 0.3}, {"coarse": 0.9, "points": 0.1}]
    by_knob = study(methods=[{"name": "shared", "knobs": {"split": [0.7, 0.9]}}])
    assert expand(by_knob) == cells and keys(by_knob) == [c.key() for c in cells]


@settings(max_examples=15, deadline=None)
@given(st.data())
def test_growing_a_study_adds_keys_and_keeps_the_old_ones(data):
    def grown(values):
        order = data.draw(st.permutations(values))
        cut = data.draw(st.integers(1, len(values)))
        return order[:cut], data.draw(st.permutations(order))

    seeds, budgets, ks, lrs = grown([0, 1, 2]), grown([5, 10.5, "all"]), grown([1, 2, 3]), grown([0.1, 0.2])
    old, new = (
        keys(study(seeds=seeds[i], budgets=budgets[i], methods=[probe(k=ks[i])],
                   recipe={"pretrained": "never", "lr": lrs[i]}))
        for i in (0, 1)
    )  # fmt: skip
    assert set(old) <= set(new) and len(set(new)) == len(new) == 3 * 3 * 3 * 2
    assert len(old) == len(seeds[0]) * len(budgets[0]) * len(ks[0]) * len(lrs[0])


def test_how_a_study_is_executed_changes_no_key():
    slow = study(executor={"parallel_cells": 4}, limits={"cells": 3}, name="b", seeds=[0, 1])
    assert keys(study())[0] == keys(slow)[0]


def test_every_part_of_a_cell_changes_its_key():
    (cell,) = expand(study())
    others = {
        "method": "free", "knobs": {**cell.knobs, "k": 11}, "hours": 6.0, "world": "street:gap=0.5", "source": "street",
        "recipe": Recipe(steps=9), "seed": 1, "prices": "camvid", "noise": Noise(points=0.1),
    }  # fmt: skip
    assert set(others) == {f.name for f in fields(cell) if f.compare}
    changed = [replace(cell, **{name: value}).key() for name, value in others.items()]
    changed += [cell.key({"world": "0" * 32}), cell.key()]
    assert len(set(changed)) == len(changed) and all(len(k) == 32 and int(k, 16) >= 0 for k in changed)
    assert replace(cell, label="x", split={"fine": 1.0}).key() == cell.key()


def test_facets_tell_apart_what_must_not_be_joined():
    both = {"worlds": ["street", {"target": "street", "source": "street:gap=0.5"}], "seeds": [0, 1]}
    cells = expand(study(**both, budgets=[1, 2], recipe={"pretrained": "never", "steps": [10, 20]}))
    assert set(Counter(c.facet for c in cells).values()) == {4}
    assert len({c.facet.digest for c in cells}) == len({str(c.facet) for c in cells}) == 4


def test_random_search_is_seeded_and_grows_by_samples():
    def drawn(samples, seed=0, **more):
        knobs = {"above": {"low": 0.1, "high": 0.9}, "k": {"low": 1, "high": 9}, "rule": ["agree", "sure"]}
        search = {"kind": "random", "samples": samples, "seed": seed}
        return keys(study(methods=[probe(**knobs), "free"], search=search, **more))

    assert drawn(5) == drawn(5) and len(drawn(5)) == 6
    assert set(drawn(5)) < set(drawn(8)) and set(drawn(5)) < set(drawn(5, budgets=[5, 6]))
    assert set(drawn(5)) & set(drawn(5, seed=1)) == set(drawn(5)[-1:]), "only the method without choices stays"


def test_a_model_based_search_asks_for_the_cells_of_its_choices():
    search = {"kind": "optuna", "samples": 4}
    of = study(methods=[probe(k=[1, 2]), "free"], search=search, budgets=[5, 6], seeds=[0, 1])
    assert {c.method for c in expand(of)} == {"free"}
    cells = cells_of(of, "probe", {"k": 2})
    assert [(c.knobs["k"], c.hours, c.seed) for c in cells] == [(2, 5, 0), (2, 6, 0), (2, 5, 1), (2, 6, 1)]


def test_refused_values_are_told_together():
    with pytest.raises(BadStudy) as caught:
        study(recipe={"output_stride": [0, 8], "steps": [0, 5]})
    assert "output_stride must be" in str(caught.value) and "steps must be a whole number from 1" in str(caught.value)
    with pytest.raises(BadStudy) as caught:
        expand(study(methods=[probe(above=[0.5, 2, 3])], recipe={"head": ["fpn", "fpm"], "pretrained": "never"}))
    text = str(caught.value)
    assert "did you mean fpn" in text and "found 2.0" in text and "found 3.0" in text


def test_the_examples_expand_with_the_installed_methods(monkeypatch):
    from importlib.metadata import entry_points

    monkeypatch.setattr("segfrontier.basics.installed.entry_points", entry_points)
    for file in (files("segfrontier.study") / "examples").iterdir():
        cells = expand(Study.parse(file.read_text(), where=file.name))
        assert len(cells) >= 12 and len({c.key("") for c in cells}) == len(cells)
