"""What every method must keep to, whatever it does: one line in `METHODS` puts it through all of this."""

import json
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import pytest
import torch
from elsewhere import ElsewhereLab
from highlowhere import KNOBS as HIGH_LOW_KNOBS
from pointhere import KNOBS as POINT_KNOBS
from pointhere import larger_toy
from toylab import Recorder
from toystudy import parsed
from weakhere import KNOBS as WEAK_KNOBS

from segfrontier.errors import BadInput, Stopped
from segfrontier.home.layout import Home
from segfrontier.home.records import Record
from segfrontier.lab import Bench, LabSettings, LocalLab, Watcher, judge, make_method, open_lab
from segfrontier.plan.planning import plan_study
from segfrontier.store import Store
from segfrontier.study.cells import expand
from segfrontier.study.keys import Atlas, keyed
from segfrontier.study.run import run_study

RECIPE = {
    "encoder": "test_resnet", "head": "deeplab_v2", "pretrained": "never", "steps": 4, "batch": 2,
    "scale": [1.0, 1.0], "lr": 0.001, "norm": "frozen",
}  # fmt: skip


@dataclass(frozen=True)
class Case:
    """A method as it can be run within a second."""

    method: str
    hours: float | str = 1.0
    knobs: dict[str, Any] = field(default_factory=dict)
    batch: int = 2
    spends: bool = True
    own_stages: bool = True  # whether any of its stages has networks, streams or passes unlike those of other cases
    foreseen: bool = True  # whether its plan names the very keys: not where stages stand on labels that a model makes

    def study(self, world, **recipe):
        plain = {
            "name": "contract", "worlds": world.uri, "prices": "street", "budgets": [self.hours], "seeds": [3],
            "methods": [{"name": self.method, "knobs": self.knobs}], "recipe": RECIPE | {"batch": self.batch} | recipe,
            "executor": {"kind": "local"},
        }  # fmt: skip
        return parsed(plain)


METHODS = {
    "fine": Case("fine", hours=6.0),
    "coarse": Case("coarse", hours=0.5, own_stages=False),
    "fine+coarse": Case("fine+coarse", hours=5.0),
    "synthetic": Case("synthetic", spends=False, own_stages=False),
    "oracle": Case("oracle", hours="all", own_stages=False),
    "naive_student": Case("naive_student", hours=6.0, foreseen=False, own_stages=False),
    "coarse_to_fine": Case(
        "coarse_to_fine", hours=0.5, foreseen=False, batch=4,  # half of it real, half synthetic, for two workers
        knobs={"iterations": 1, "first": 3, "above": 0.05, "note_iterations": False},
    ),
    "proxy_curriculum": Case("proxy_curriculum", spends=False, knobs={"weighted": ["wall", "car"], "looks": 2}),
    "active_points": Case("active_points", foreseen=False, knobs=POINT_KNOBS | {"allocate": "pool", "lr": 0.001}),
    "high_low": Case("high_low", hours=6.0, knobs=HIGH_LOW_KNOBS | {"lr": 0.001}),
    "weak_panoptic": Case("weak_panoptic", hours=0.05, foreseen=False, knobs=WEAK_KNOBS),
    "mean_teacher": Case("mean_teacher", hours=6.0, knobs={"ramp": "none"}, own_stages=False),
    "adversarial_semi": Case("adversarial_semi", hours=6.0, knobs={"critic_width": 4}, own_stages=False),
}  # fmt: skip
OWN = {name: case for name, case in METHODS.items() if case.own_stages}
every = pytest.mark.parametrize("case", METHODS.values(), ids=list(METHODS))
own = pytest.mark.parametrize("case", OWN.values(), ids=list(OWN))


def cut_in_the_middle(heard, cut, done, total, values):
    """Asks once in the middle of every training for the end."""
    kind, key = heard.begun[-1]
    if kind == "train" and done == total // 2 and key not in cut:
        cut.add(key)
        heard.stopping = True


def outcome(case, world, home, *, kind=LocalLab, watcher=None, **more):
    """All that must not depend on how it came about."""
    (cell,) = expand(case.study(world))
    settings = LabSettings(
        home=home, world=world, source=None, hours=cell.hours, prices=cell.prices, seed=cell.seed, cell="contract",
        bench=Bench(device="cpu", threads=1, log_steps=1, checkpoint_seconds=0.0), watcher=watcher or Watcher(),
    )  # fmt: skip
    with open_lab(settings, kind=kind, **more) as lab:
        whole = lab.budget
        model, scores = judge(lab, make_method(cell.method, dict(cell.knobs)).run(lab, cell.recipe))
        assert lab.spent <= whole and lab.budget == whole - lab.spent, "the budget holds"
        return {
            "key": model.key, "spent": lab.spent, "values": scores.values, "sums": scores.sums.to_plain(),
            "weights": torch.load(model.file(), weights_only=True),
        }  # fmt: skip


def alike(one, other):
    weights = {(n, k): v for n, tensors in one["weights"].items() for k, v in tensors.items()}
    others = {(n, k): v for n, tensors in other["weights"].items() for k, v in tensors.items()}
    assert weights.keys() == others.keys()
    assert [place for place in weights if not torch.equal(weights[place], others[place])] == []
    return str({k: v for k, v in one.items() if k != "weights"}) == str(
        {k: v for k, v in other.items() if k != "weights"}
    )


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    return larger_toy(tmp_path_factory.mktemp("contract") / "toy", train=8)


@pytest.fixture(scope="module")
def undisturbed(world, tmp_path_factory):
    """What a method comes to in one go, once for all tests of it: its outcome, home and stages."""
    known = {}

    def of(case):
        if case.method not in known:
            home, heard = tmp_path_factory.mktemp("whole"), Recorder()
            known[case.method] = (outcome(case, world, home, watcher=heard), home, heard.begun)
        return known[case.method]

    return of


@every
def test_it_ends_within_its_budget_and_is_found_again(case, world, undisturbed):
    whole, home, stages = undisturbed(case)
    assert (whole["spent"] > 0) == case.spends
    assert "train" in [kind for kind, _ in stages] and stages[-1][0] == "score"
    again = Recorder()
    assert alike(whole, outcome(case, world, home, watcher=again)) and again.begun == []


@every
def test_it_goes_on_from_the_middle_of_every_training(case, world, undisturbed, tmp_path):
    whole, _, stages = undisturbed(case)
    cut, computed, found = set(), set(), None
    while found is None:
        heard = Recorder()
        heard.on_step = partial(cut_in_the_middle, heard, cut)
        try:
            found = outcome(case, world, tmp_path, watcher=heard)
        except Stopped:
            assert heard.stopping
        computed |= set(heard.begun)
    assert alike(whole, found)
    assert cut == {key for kind, key in stages if kind == "train"} and computed == set(stages)


@every
def test_bad_input_costs_nothing(case, world, tmp_path):
    for knobs, recipe in (({"no_such_knob": 1}, {}), ({}, {"lr": -1})):
        plain = case.study(world).resolved()
        plain["methods"][0]["knobs"] |= knobs
        plain["recipe"] |= recipe
        with pytest.raises(BadInput):
            run_study(parsed(plain), home=tmp_path / "runs", tracking="none")
    assert not (tmp_path / "runs").exists()


@every
def test_its_plan_is_what_then_happens(case, world, tmp_path):
    study, home = case.study(world), tmp_path / "runs"
    (planned,) = plan_study(study, home=home, probe=False).cells
    assert not planned.refused and not planned.unforeseen
    run_study(study, home=home, tracking="none")
    (key,) = keyed(expand(study), Atlas())
    record = Record.read(Home(home).cell(key))
    assert record is not None and record.state == "done", record and record.error
    assert record.seconds == planned.seconds
    assert [s.kind for s in record.stages] == list(planned.stages.values())
    known = {stage.key for stage in record.stages} == set(planned.stages)
    assert known or not case.foreseen


@every
def test_total_steps_are_what_all_of_its_trainings_come_to(case, world, tmp_path):
    """Seven steps divide among neither two trainings nor three."""
    plain = case.study(world).resolved()
    plain["recipe"] = {name: value for name, value in RECIPE.items() if name != "steps"} | {
        "total_steps": 7,
        "batch": case.batch,
    }
    study, home = parsed(plain), tmp_path / "runs"
    (planned,) = plan_study(study, home=home, probe=False).cells
    assert not planned.refused and not planned.unforeseen
    run_study(study, home=home, tracking="none")
    (key,) = keyed(expand(study), Atlas())
    record = Record.read(Home(home).cell(key))
    assert record is not None and record.state == "done", record and record.error
    assert [s.kind for s in record.stages] == list(planned.stages.values())
    store = Store(home / "store")
    steps = [trained_steps(store, stage.key) for stage in record.stages if stage.kind == "train"]
    assert sum(steps) == 7 and max(steps) - min(steps) <= 1 and steps == sorted(steps, reverse=True)
    assert f"7 steps in all, batch {case.batch}" in record.facet_words


def trained_steps(store, key):
    """As the model's own card says."""
    return json.loads(store.get(key).local("model.json").read_text())["trained"]["steps"]


@pytest.mark.parametrize(
    ("method", "hours", "knobs", "count"),
    [
        ("naive_student", 6.0, {"iterations": 3}, 4),
        ("naive_student", 100.0, {}, 1),  # every image has its mask
        ("coarse_to_fine", 0.5, {"iterations": 0, "first": 3}, 2),
        ("coarse_to_fine", 0.2, {"iterations": 2, "first": 3}, 3),  # the first set is all that is paid for
        ("coarse_to_fine", 2.0, {"iterations": 1, "first": 3, "split": 0.76}, 4),
        ("coarse_to_fine", 4.0, {"iterations": 1, "first": 3, "split": 0.5}, 3),  # all coarse masks are paid for
        ("fine", 6.0, {"sampling": "model", "first": 2}, 2),
        ("fine+coarse", 2.0, {"sampling": "model", "first": 3, "split": 0.76}, 3),
        ("naive_student", 6.0, {"sampling": "model", "first": 2}, 3),
        (
            "coarse_to_fine",
            4.0,
            {"iterations": 0, "split": 1.0, "mix": "fine<-fine", "synthetic_share": 0, "boundary": 0},
            1,
        ),
        ("coarse_to_fine", 4.0, {"iterations": 1, "sampling": "uniform", "split": 0.5, "mix": "coarse<-fine"}, 2),
        ("active_points", 1.0, POINT_KNOBS | {"selector": "none", "uda": "intrada"}, 2),
        ("active_points", 1.0, POINT_KNOBS | {"uda": "intrada", "patches": 4, "rounds": 3}, 5),
        ("active_points", 1.0, POINT_KNOBS | {"patches": 0}, 2),
        ("proxy_curriculum", 1.0, {"weighted": ["car"], "target": "batch_norm"}, 1),
        ("high_low", 6.0, HIGH_LOW_KNOBS | {"high": "none"}, 1),
        ("high_low", 6.0, HIGH_LOW_KNOBS | {"high": "threshold"}, 1),
        ("high_low", 6.0, HIGH_LOW_KNOBS | {"low": "supervised", "high": "cnn"}, 2),
        ("weak_panoptic", 0.05, WEAK_KNOBS | {"rounds": 0, "instances": "none"}, 2),
        ("weak_panoptic", 0.05, WEAK_KNOBS | {"rounds": 2, "instances": "piecewise"}, 5),
        ("weak_panoptic", 4.0, WEAK_KNOBS | {"split": 1.0}, 3),
        ("weak_panoptic", 4.0, WEAK_KNOBS | {"split": 0.9}, 5),
    ],
)
def test_total_steps_hold_for_every_way_through_a_method(method, hours, knobs, count, world, tmp_path):
    study = Case(method, hours=hours, knobs=knobs).study(world, steps=11, total_steps=11)
    (planned,) = plan_study(study, home=tmp_path / "runs", probe=False).cells
    assert not planned.refused and not planned.unforeseen, (planned.refused, planned.unforeseen)
    assert list(planned.stages.values()).count("train") == count


def test_statistics_estimated_anew_are_planned_and_take_no_optimiser_step(world, tmp_path):
    """Also by a probe and in a run that finds them stored."""
    knobs = POINT_KNOBS | {"selector": "none", "uda": "source", "rebn": True, "lr": None}
    study = Case("active_points", knobs=knobs).study(world, steps=5, total_steps=5, norm="batch")
    plan, home = plan_study(study, home=tmp_path / "runs"), tmp_path / "runs"
    (planned,) = plan.cells
    kinds = {name: (kind.distinct, kind.stored) for name, kind in plan.kinds.items()}
    assert kinds == {"train": (1, 0), "renorm": (1, 0), "score": (1, 0)} and not plan.times.unknown
    run_study(study, home=home, tracking="none")
    (key,) = keyed(expand(study), Atlas())
    record = Record.read(Home(home).cell(key))
    assert record is not None and record.state == "done", record and record.error
    assert {stage.key: stage.kind for stage in record.stages} == dict(planned.stages)
    assert list(record.curves) and all(name.startswith("train1/") for name in record.curves)
    again = plan_study(study, home=home, probe=False)
    assert all(kind.stored == 1 for kind in again.kinds.values())


@pytest.mark.slow
@own
def test_processes_elsewhere_give_the_same_bit_for_bit(case, world, undisturbed, tmp_path, pools):
    """Nothing that a stage needs stays behind, or differs from process to process."""
    whole, home, stages = undisturbed(case)
    heard = Recorder()
    assert alike(whole, outcome(case, world, tmp_path, kind=ElsewhereLab, pools=pools[:1], watcher=heard))
    assert heard.begun == stages
    heard = Recorder()
    assert alike(whole, outcome(case, world, home, kind=ElsewhereLab, pools=pools[:1], watcher=heard))
    assert heard.begun == []


@pytest.mark.slow
@own
def test_two_workers_buy_the_same_and_come_to_nearly_the_same(case, world, undisturbed, tmp_path, pools):
    """But for the order of sums. Where stages follow from a model's labels, these may differ in single pixels."""
    whole, _, _ = undisturbed(case)
    found = outcome(case, world, tmp_path, kind=ElsewhereLab, pools=pools)
    assert found["spent"] == whole["spent"]
    for name, tensors in whole["weights"].items():
        for key, value in tensors.items():
            torch.testing.assert_close(found["weights"][name][key], value, rtol=1e-2, atol=1e-3, msg=f"{name}.{key}")


KINDS = {
    "fine": {"train", "score"},
    "active_points": {"train", "measure", "label", "score"},
    "coarse_to_fine": {"train", "measure", "label", "score"},
    "proxy_curriculum": {"train", "measure", "draw", "score"},
    "high_low": {"train", "join", "score"},
    "weak_panoptic": {"train", "measure", "label", "join", "draw", "score"},
}
RINGS = {"fine": (), "active_points": (pytest.mark.slow,)}


@pytest.mark.ray
@pytest.mark.parametrize("method", [pytest.param(m, marks=RINGS.get(m, (pytest.mark.soak,))) for m in KINDS])
def test_both_labs_give_the_same_bit_for_bit(method, world, undisturbed, tmp_path, ray_here):
    """With every kind of stage that RayLab does otherwise; the slow ring has all but joining and drawing."""
    from segfrontier.lab._ray import RayLab

    case = METHODS[method]
    whole, home, stages = undisturbed(case)
    assert {kind for kind, _ in stages} == KINDS[method]
    assert alike(whole, outcome(case, world, tmp_path, kind=RayLab))
    heard = Recorder()
    assert alike(whole, outcome(case, world, home, kind=RayLab, watcher=heard)) and heard.begun == []
