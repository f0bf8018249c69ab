"""How a plan is told, and what of its time estimate does not depend on the machine."""

import json
from dataclasses import dataclass, replace
from functools import partial
from types import SimpleNamespace

import pytest
from toylab import Plain, TinyCritic, fine_part
from toystudy import parsed

from segfrontier.basics.atomic import write_json
from segfrontier.lab import SEMANTIC, Argmax, Augment, Looking, Model, Part, Plan, Stream
from segfrontier.lab.passes.label import LabelPass
from segfrontier.lab.passes.score import Address, ScorePass
from segfrontier.lab.training.loop import Job
from segfrontier.market.prices import Money, load_prices
from segfrontier.plan.dry_lab import Training
from segfrontier.plan.probe import estimate, kind_of, size_of
from segfrontier.plan.study_plan import CellPlan, StagePlan, StudyPlan, Times
from segfrontier.plan.trials import _Clock, part_of
from segfrontier.plan.words import duration, sentences
from segfrontier.scenes.imagined import stripes
from segfrontier.study.cells import expand
from segfrontier.study.config import Executor

study = partial(
    parsed,
    {"name": "a", "methods": ["fine"], "budgets": [5, 10], "recipe": {"pretrained": "never"}, "prices": "street"},
)


def plan(mine, *, stages, uses, times=None, **cells):
    """A hand-made plan: `stages` by name, and which of them each cell uses."""
    prices = load_prices("street")
    made = [
        CellPlan(
            key=f"c{i}", cell=cell, done=i in cells.get("done", ()), stages={s: stages[s].kind for s in used},
            seconds=3600 * (i + 1), prices=cells.get("prices", prices),
        )
        for i, (cell, used) in enumerate(zip(expand(mine), uses, strict=True))
    ]  # fmt: skip
    return StudyPlan(study=mine, cells=tuple(made), stages=stages, times=times)


STAGES = {
    "t": StagePlan(kind="train", cells=2, stored=True),
    "u": StagePlan(kind="train", cells=1, stored=False),
    "s": StagePlan(kind="score", cells=1, stored=False),
}


def test_the_words_of_a_plan_are_its_numbers():
    rich = load_prices("street").model_copy(update={"money": Money(per_hour=15, currency="EUR")})
    times = Times(device="cpu", memory=1_500_000_000, seconds={"u": 5400.0, "s": 30.0}, unknown={})
    mine = study(executor={"parallel_cells": 2}, limits={"cells": 1, "hours": 0.5})
    found = plan(mine, stages=STAGES, uses=["t", "tus"], times=times, done=[0], prices=rich)
    assert sentences(found) == (
        "2 cells, 1 of them done already.",
        "3 stages instead of 4: sharing saves 1 (25%); 1 is stored already, 2 to compute.",
        "Annotation: 1.0 h to 2.0 h a cell; cells are alternatives, each pays for all of its labels: 3.0 h, 45 EUR "
        "over all cells, 1.0 h of it by cells that are done.",
        "Compute: about 90 min of one CPU process, by a probe on this machine; at best 90 min with 2 cells side by "
        "side. A process held up to 1.5 GB of CPU memory.",
        "limits.hours = 0.5 may end a run early: 90 min one after another.",
    )
    assert found.plain() == json.loads(json.dumps(found.plain()))
    assert found.plain()["stages"]["by_kind"]["train"] == {
        "asked": 3, "distinct": 2, "stored": 1, "seconds": 5400.0, "left": 1
    }  # fmt: skip


def test_what_was_not_probed_is_said():
    times = Times(device="cuda", memory=0, seconds={"u": 50.0}, unknown={"s": "no weights"})
    found = plan(study(), stages=STAGES, uses=["t", "tus"], times=times)
    assert "about 50 s of one GPU process" in sentences(found)[-1]
    assert "; 1 is not in it, for the probe of their kind did not succeed. A process" in sentences(found)[-1]
    assert found.unprobed == {"no weights": ["1 score stage"]}
    assert found.plain()["compute"]["unknown"] == {"s": "no weights"}
    assert len(sentences(plan(study(), stages=STAGES, uses=["t", "tus"]))) == 3


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0, "0 s"), (99, "99 s"), (100, "2 min"), (5990, "100 min"), (6000, "1.7 h"), (360000, "100.0 h")],
)
def test_durations(seconds, text):
    assert duration(seconds) == text


def test_a_search_is_planned_with_stand_ins(toy_world, tmp_path, monkeypatch):
    from segfrontier.plan.planning import plan_study

    @dataclass(frozen=True, kw_only=True)
    class Open:
        k: int = 1

        def run(self, lab, recipe):
            raise ValueError("not yet")

    entry = SimpleNamespace(name="open", value="tests:open", load=lambda: Open)
    monkeypatch.setattr("segfrontier.basics.installed.entry_points", lambda group: [entry])
    search = {"kind": "optuna", "samples": 3, "seed": 1}
    methods = [{"name": "open", "knobs": {"k": {"low": 1, "high": 1000}}}]
    mine = study(worlds=toy_world.uri, methods=methods, search=search, budgets=[1])
    found = plan_study(mine, home=tmp_path / "home", probe=False)
    assert sentences(found) == (
        "3 cells; the search has still to choose the knobs of 3, random ones stand in.",
        "No annotation is bought.",
    )
    write_json(tmp_path / "home" / "studies" / "a" / "search.json", {"open": [{"k": 7}]})
    again = plan_study(mine, home=tmp_path / "home", probe=False)
    assert [cell.cell.knobs["k"] for cell in again.cells] == [7, *[c.cell.knobs["k"] for c in found.cells[:2]]]
    assert again.stand_ins == 2
    assert found.unforeseen == {"after 0 stages: ValueError: not yet": [c.cell.label for c in found.cells]}


@pytest.fixture
def training(toy_world, tmp_path):
    stream = Stream(parts=(fine_part(toy_world, tmp_path / "labels"),), batch=2)
    return Training(Job(objective=Plain(), streams={"labelled": stream}, plan=Plan(steps=500)))


@pytest.fixture
def looks(toy_world):
    pool = toy_world.pool()
    model = Model(
        store="", key="k", network="segmenter", blueprints={"segmenter": Plain().blueprint}, classes=toy_world.classes
    )
    part = Part(images=pool, scenes=tuple(pool.scenes()))
    return LabelPass(models={"model": model}, classes=toy_world.classes, part=part, rule=Argmax())


@pytest.fixture
def scored(looks, toy_world):
    return ScorePass(
        models=looks.models, classes=looks.classes, pool=looks.part.images, address=Address.of(toy_world),
        split="train", rule=Argmax(), tasks=SEMANTIC, pictures=frozenset(),
    )  # fmt: skip


def fewer(looks, count):
    return replace(looks, part=replace(looks.part, scenes=looks.part.scenes[:count]))


def test_work_is_of_one_kind_where_it_takes_equally_long(training, looks, scored):
    def job(**changes):
        return kind_of(Training(replace(training.job, **changes)))

    def stream(**changes):
        return {"labelled": replace(training.job.streams["labelled"], **changes)}

    same = [{}, {"objective": Plain(lr=0.3)}, {"plan": Plan(steps=7, seed=3)}, {"streams": stream(balance="class")}]
    assert len({job(**change) for change in same}) == 1
    other = [
        {"plan": Plan(steps=500, precision="bf16")}, {"streams": stream(batch=4)}, {"objective": Plain(ema=None)},
        {"streams": stream(augment=Augment(crop=(8, 8)))},
    ]  # fmt: skip
    assert len({job(**change) for change in [{}, *other]}) == 5

    def look(**changes):
        return kind_of(replace(looks, **changes))

    assert look() == look(rule=Argmax(above=0.5)) == kind_of(fewer(looks, 2))
    windows = {"model": looks.models["model"].looked(Looking(window=(8, 8)))}
    assert len({look(), kind_of(scored), look(models=windows)}) == 3


def test_an_estimate_is_pace_times_size(training, looks, scored, monkeypatch):
    work = {
        "a": training,
        "b": looks,
        "c": scored,
        "d": fewer(looks, 3),
    }
    tried = []

    def pace(one, bench):
        tried.append(one)
        return 0.5

    monkeypatch.setattr("segfrontier.plan.probe.probe", pace)
    times = estimate(work, Executor(kind="local"))
    assert times.seconds == {"a": 250.0, "b": 3.0, "c": 3.0, "d": 1.5} and not times.unknown
    assert tried == [work["a"], work["b"], work["c"]] and [size_of(one) for one in tried] == [500, 6, 6]
    assert set(estimate(work, Executor(kind="local"), patience=-1).unknown) == set(work)


def test_probes_run_a_few_real_steps_and_images(training, looks, scored):
    broken = replace(training.job, objective=replace(Plain(), blueprint=TinyCritic()))
    work = {
        "a": training,
        "b": looks,
        "c": scored,
        "d": Training(broken),
        "e": fewer(looks, 0),
    }
    times = estimate(work, Executor(kind="ray", cpus_per_cell=1.0))
    assert times.device == "cpu" and set(times.seconds) == {"a", "b", "c", "e"}
    assert times.seconds["e"] == 0 and all(times.seconds[key] > 0 for key in "abc")
    assert 50_000_000 < times.memory < 2**37
    assert times.unknown["d"].startswith("RuntimeError: ") or times.unknown["d"].startswith("AttributeError: ")


def test_a_cpu_tries_large_steps_by_a_part(training, monkeypatch):
    stream = training.job.streams["labelled"]
    streams = {"labelled": replace(stream, batch=40), "partner": replace(stream, batch=3)}
    large = Training(replace(training.job, streams=streams, plan=Plan(steps=9, accumulate=5)))
    pixels = 24 * 32
    assert part_of(large) == (large, 1.0)
    monkeypatch.setattr("segfrontier.plan.trials.CPU_PIXELS", 4 * pixels)
    part, share = part_of(large)
    assert [s.batch for s in part.job.streams.values()] == [4, 2] and part.job.plan.accumulate == 1
    assert share == pytest.approx(6 / 43)
    paces = {}
    monkeypatch.setattr("segfrontier.plan.trials._seconds_a_step", lambda work, bench: paces.setdefault("s", 0.6))
    times = estimate({"a": large}, Executor(kind="local", device="cpu"))
    assert times.by_parts and times.seconds == {"a": pytest.approx(0.6 * 43 / 6 * 9)}
    found = plan(study(), stages={"a": StagePlan(kind="train", cells=1, stored=False)}, uses=["a", "a"], times=times)
    assert sentences(found)[-1] == (
        "Compute: about 39 s of one CPU process, by a probe on this machine, which tried large batches by a part. "
        "Where there is a GPU, plan there: it tries steps as they are."
    )


def test_a_step_that_takes_all_of_the_time_is_tried_once(training, monkeypatch):
    monkeypatch.setattr("segfrontier.plan.trials.SECONDS", 0.0)
    told, tick = [], _Clock.tick
    monkeypatch.setattr("segfrontier.plan.trials._Clock.tick", lambda clock, *_: (told.append(1), tick(clock)))
    times = estimate({"a": training}, Executor(kind="local"))
    assert len(told) == 1 and times.seconds["a"] > 0


def test_stripes_show_every_class_there_is_room_for():
    found = stripes(2, 40, 19)
    assert found.shape == (2, 40) and set(found[0].tolist()) == set(range(19)) and (found[0] == found[1]).all()
    assert stripes(1, 3, 19).max() < 19
