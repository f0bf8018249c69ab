"""A plan against the study it foretells: the same stages by key, the same acts, the same bills; and nothing is left
behind."""

from dataclasses import dataclass
from types import SimpleNamespace

import numpy as np
import pytest
from toylab import Plain, Recorder
from toystudy import parsed

from segfrontier.errors import BadStudy
from segfrontier.home.layout import Home
from segfrontier.home.records import Record
from segfrontier.lab import Argmax, Bench, Coarse, Fine, Gauge, Part, Plan, Points, Rule, Stream, open_lab
from segfrontier.lab.opening import LabSettings
from segfrontier.market import Ledger
from segfrontier.plan.planning import plan_study
from segfrontier.plan.words import sentences
from segfrontier.store import Store
from segfrontier.study.cells import expand
from segfrontier.study.keys import Atlas, keyed, plain_cell
from segfrontier.study.run import run_study


@dataclass(frozen=True, kw_only=True)
class Straight:
    """Buy, train."""

    def run(self, lab, recipe):
        return trained(lab, lab.buy_masks("coarse", spend=lab.budget))


@dataclass(frozen=True, kw_only=True)
class Onwards:
    """Train, train on at some other rate: all rates share the first training, with each other and with `Straight`."""

    lr: float = 0.1

    def run(self, lab, recipe):
        labels = lab.buy_masks("coarse", spend=lab.budget)
        return trained(lab, labels, lr=self.lr, start={"segmenter": trained(lab, labels)})


def trained(lab, labels, *, steps=2, lr=0.1, start=None):
    streams = {"labelled": Stream(parts=(Part(images=lab.pool, labels=labels),), batch=2)}
    return lab.train(Plain(lr=lr), streams, Plan(steps=steps, snapshots=1), start=start)


@dataclass(frozen=True, kw_only=True)
class Marked(Rule):
    """The likeliest classes, with a mark."""

    mark: int

    def label(self, predictor, image, known):
        labels = Argmax().label(predictor, image, known)
        labels.semantic[:4] = self.mark
        return labels


@dataclass(frozen=True, kw_only=True)
class SelfTaught:
    """Train, label, train on: all cells of a seed and budget share the teacher, whatever their mark."""

    mark: int = 0

    def run(self, lab, recipe):
        teacher = trained(lab, lab.buy_masks("coarse", spend=lab.budget))
        made = lab.label(teacher, Part(images=lab.pool), Marked(mark=self.mark))
        return trained(lab, made, start={"segmenter": teacher})


@dataclass(frozen=True, kw_only=True)
class Left(Gauge):
    def shapes(self, classes):
        return {"left": (2,)}

    def measure(self, predictor, image, known):
        return {"left": image[0, :2, 0].astype(np.float32)}


@dataclass(frozen=True, kw_only=True)
class Asking:
    """What it buys depends on what a model has measured."""

    k: int = 3

    def run(self, lab, recipe):
        model = trained(lab, lab.buy(Fine(lab.shuffled()[:1])))
        found = lab.measure(model, Part(images=lab.pool), Left())
        worst = [found.scenes()[i] for i in np.argsort(-found.column("left")[:, 0], kind="stable")[: self.k]]
        points = lab.buy(Points(worst, [np.array([[5, 5], [9, 3]])] * self.k))
        return trained(lab, points, start={"segmenter": model})


@dataclass(frozen=True, kw_only=True)
class Curious:
    """Looks at weights, which no rehearsal has."""

    def run(self, lab, recipe):
        import torch

        model = trained(lab, lab.buy(Coarse(lab.pool.scenes()[:2])))
        weights = torch.load(model.file(), weights_only=True)
        return trained(lab, lab.buy_masks("coarse", spend=600), steps=2 + len(weights))


@pytest.fixture(autouse=True)
def methods(monkeypatch):
    from segfrontier_methods.supervised import FineOnly

    found = {"fine": FineOnly, "straight": Straight, "onwards": Onwards, "taught": SelfTaught, "asking": Asking}
    found["curious"] = Curious
    entries = [SimpleNamespace(name=n, value=f"tests:{n}", load=lambda c=c: c) for n, c in found.items()]
    monkeypatch.setattr("segfrontier.basics.installed.entry_points", lambda group: entries)


def study(toy_world, **changes):
    plain = {
        "name": "toy", "worlds": toy_world.uri, "prices": "street",
        "methods": [{"name": "taught", "knobs": {"mark": [0, 1]}}],
        "budgets": [0.4, 0.7], "seeds": [0, 1], "executor": {"kind": "local"},
        "recipe": {"pretrained": "never", "steps": 400},
    }  # fmt: skip
    return parsed(plain, **changes)


def run_for_real(study, home):
    """Every cell by hand, through the lab that a user's cells get: its stages by key."""
    atlas, stages = Atlas(), {}
    for key, cell in keyed(expand(study), atlas).items():
        from segfrontier.lab import make_method

        watcher = Recorder()
        settings = LabSettings(
            home=home, world=atlas.target(cell), hours=cell.hours, prices=cell.prices, cell=key, seed=cell.seed,
            noise=cell.noise, bench=Bench(device="cpu", threads=1), watcher=watcher,
        )  # fmt: skip
        with open_lab(settings) as lab:
            model = make_method(cell.method, dict(cell.knobs)).run(lab, cell.recipe)
            lab.score(model)
            if cell.recipe.snapshots:
                lab.oracle_best(model)
        stages[key] = watcher.stages
    return stages


def bills(home, keys):
    ledger = Ledger(home / "ledger")
    return {key: ledger.totals(key).get(key, {}) for key in keys}


def shape(stages):
    """Who shares what with whom, whatever the keys: stages numbered in the order in which cells come to them."""
    numbers = {}
    return [
        [(kind, numbers.setdefault(key, len(numbers))) for key, kind in of_cell.items()] for of_cell in stages.values()
    ]


def planned(plan):
    return {cell.key: dict(cell.stages) for cell in plan.cells}


def acts(plan):
    return {cell.key: dict(cell.acts) for cell in plan.cells}


def stored(home):
    return {row.key: row.kind for row in Store(home / "store").ls() if row.kind not in ("source", "quality")}


@pytest.mark.parametrize("noise", [{}, {"outlines": 1.0}], ids=["sure", "noisy"])
def test_a_plan_is_what_then_happens(toy_world, tmp_path, noise):
    """Keys and bills to the last digit, where no stage depends on labels that a model has still to make."""
    home, both = tmp_path / "home", ["straight", {"name": "onwards", "knobs": {"lr": [0.1, 0.2]}}]
    mine = study(toy_world, methods=both, noise=noise, recipe={"pretrained": "never", "steps": 400, "snapshots": 1})
    plan = plan_study(mine, home=home, probe=False)
    real = run_for_real(mine, home)
    assert planned(plan) == real and acts(plan) == bills(home, real)
    assert all(cell.seconds > 0 and not cell.refused and not cell.unforeseen for cell in plan.cells)
    assert not any(cell.guided for cell in plan.cells)
    # 12 cells: 2 seeds, 2 budgets, 3 settings. The first training is the same in all settings.
    assert {name: (kind.asked, kind.distinct, kind.left) for name, kind in plan.kinds.items()} == {
        "train": (20, 12, 12), "score": (36, 36, 36)
    }  # fmt: skip
    assert (plan.asked, len(plan.stages), plan.saved) == (56, 48, 8)
    assert stored(home) == {key: stage.kind for key, stage in plan.stages.items()}


def test_what_is_shared_after_labels_of_models_is_foreseen_too(toy_world, tmp_path):
    """Those stages have other keys than they will get, for the labels are not there; but the same cells share them."""
    home, mine = tmp_path / "home", study(toy_world, methods=[{"name": "taught", "knobs": {"mark": [0, 1, 2]}}])
    plan = plan_study(mine, home=home, probe=False)
    real = run_for_real(mine, home)
    assert shape(planned(plan)) == shape(real) and acts(plan) == bills(home, real)
    assert {name: (kind.asked, kind.distinct) for name, kind in plan.kinds.items()} == {
        "train": (24, 16), "label": (12, 12), "score": (12, 12)
    }  # fmt: skip
    assert all(cell.guided for cell in plan.cells) and "In 12 cells stages build on" in sentences(plan)[1]
    assert len(plan.stages) == len(stored(home))
    known = stored(home).keys() & plan.stages.keys()
    assert sorted(plan.stages[key].kind for key in known) == ["label"] * 12 + ["train"] * 4
    assert planned(plan_study(mine, home=home, probe=False)) == real


def test_planned_again_all_is_stored(toy_world, tmp_path):
    methods = {"methods": ["taught", "asking"], "budgets": [2, 3]}
    mine = study(toy_world, **methods, seeds=[0])
    real = run_for_real(mine, tmp_path / "home")
    again = plan_study(mine, home=tmp_path / "home", probe=True)
    assert planned(again) == real and acts(again) == bills(tmp_path / "home", real)
    assert not any(cell.guided for cell in again.cells)
    assert all(stage.stored for stage in again.stages.values()) and again.compute_seconds == 0
    assert f"{len(again.stages)} are stored already, 0 to compute." in sentences(again)[1]
    grown = plan_study(study(toy_world, **methods), home=tmp_path / "home", probe=False)
    assert sum(s.stored for s in grown.stages.values()) == len(again.stages) < len(grown.stages)


def test_purchases_after_a_guess_have_their_bill_but_an_identity_of_their_own(toy_world, tmp_path):
    home = tmp_path / "home"
    mine = study(toy_world, methods=[{"name": "asking", "knobs": {"k": [3, 2]}}], seeds=[0], budgets=[2])
    plan = plan_study(mine, home=home, probe=False)
    real = run_for_real(mine, home)
    assert acts(plan) == bills(home, real) and [cell.acts["point"].units for cell in plan.cells] == [6, 4]
    for cell in plan.cells:
        known = [kind for key, kind in cell.stages.items() if key in real[cell.key]]
        assert known == ["train", "measure"] and list(cell.stages.values()) == ["train", "measure", "train", "score"]
    assert shape(planned(plan)) == shape(real)


@pytest.mark.slow
def test_a_study_that_runs_as_users_run_it_costs_what_was_planned(toy_world, tmp_path):
    mine = study(
        toy_world, methods=["straight", "onwards", "fine"], budgets=[3], recipe={"pretrained": "never", "steps": 2}
    )
    plan = plan_study(mine, home=tmp_path / "home", probe=False)
    run_study(mine, home=tmp_path / "home")
    for cell in plan.cells:
        record = Record.read(Home(tmp_path / "home").cell(cell.key))
        assert record is not None and record.state == "done" and record.seconds == cell.seconds
        assert {stage.key: stage.kind for stage in record.stages} == cell.stages
    again = plan_study(mine, home=tmp_path / "home", probe=False)
    assert all(cell.done for cell in again.cells) and all(stage.stored for stage in again.stages.values())


def test_a_home_is_left_as_it_was(toy_world, tmp_path):
    home = tmp_path / "home"
    plan_study(study(toy_world), home=home, probe=True)
    assert not home.exists()
    run_for_real(study(toy_world, seeds=[0]), home)

    def content():
        return {p: (p.stat().st_size, p.stat().st_mtime_ns) for p in sorted(home.rglob("*")) if p.is_file()}

    before, bought = content(), Ledger(home / "ledger").cells()
    plan_study(study(toy_world), home=home, probe=True)
    assert content() == before and Ledger(home / "ledger").cells() == bought


def test_what_cannot_be_foreseen_is_told_of_its_cells_alone(toy_world, tmp_path):
    plan = plan_study(study(toy_world, methods=["curious", "taught"]), home=tmp_path / "home", probe=False)
    odd = [cell for cell in plan.cells if cell.cell.method == "curious"]
    assert len(odd) == 4 and all(cell.unforeseen and list(cell.stages.values()) == ["train"] for cell in odd)
    assert not any(cell.unforeseen or cell.refused for cell in plan.cells if cell.cell.method == "taught")
    assert all(text.startswith("after 1 stage: ") for text in plan.unforeseen)


def test_cells_that_would_be_refused_are_listed_with_the_reason(toy_world, tmp_path):
    plan = plan_study(study(toy_world, methods="fine", budgets=[0.1, 4]), home=tmp_path / "home", probe=False)
    ((error, labels),) = plan.refused.items()
    assert "360 s must pay for at least one fine mask" in error
    assert labels == ["fine, 0.1 h, seed 0", "fine, 0.1 h, seed 1"]
    assert [cell.seconds for cell in plan.cells] == [0, 10800, 0, 10800]


def test_done_cells_are_told_apart(toy_world, tmp_path):
    home, mine = Home(tmp_path / "home"), study(toy_world)
    cells = keyed(expand(mine), Atlas())
    for (key, cell), state in zip(cells.items(), ("done", "failed"), strict=False):
        Record(key=key, state=state, cell=plain_cell(cell), facet="", facet_words="").write(home)
    plan = plan_study(mine, home=home.path, probe=False)
    assert [cell.done for cell in plan.cells] == [True] + [False] * 7
    assert sentences(plan)[0] == "8 cells, 1 of them done already."


def test_worlds_that_do_not_open_are_all_told_at_once(toy_world, tmp_path):
    with pytest.raises(BadStudy) as told:
        plan_study(study(toy_world, worlds=[toy_world.uri, "nowhere", "there"]), home=tmp_path / "home")
    assert "nowhere: a world folder holds" in str(told.value) and "there: a world folder holds" in str(told.value)
