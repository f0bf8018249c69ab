"""Early stopping as README promises: scores at its rungs with a default recipe, epochs counted through all stages."""

import shutil
from types import SimpleNamespace

import pytest
import torch
from toystudy import RECIPE, toy_study

from segfrontier.home.layout import CUT, Home
from segfrontier.home.records import RECORD, Record, records
from segfrontier.lab import Bench
from segfrontier.study.cells import expand
from segfrontier.study.cellwatch import CellWatch
from segfrontier.study.cellwork import Means, do_cell
from segfrontier.study.config import Asha
from segfrontier.study.keys import Atlas, keyed, write_cell
from segfrontier.study.ray_tune import Cutting
from segfrontier.study.run import run_study

MEANS = Means(bench=Bench(device="cpu", threads=1, log_steps=2))


def cells_in(folder, home, **changes):
    """The keys of a study's cells, by what sets them apart."""
    plain = {"methods": ["fine+coarse"], "budgets": [400 / 3600], "seeds": [0]} | changes
    cells = keyed(expand(toy_study(folder, **plain)), Atlas())
    for key, cell in cells.items():
        write_cell(home, key, cell)
    return cells


def test_rungs_are_those_of_the_schedule():
    assert list(Asha(grace=3, reduction=3).rungs(after=0, until=30)) == [3, 9, 27]
    assert list(Asha().rungs(after=4, until=16)) == [8, 16]


def test_a_cell_tells_its_scores_at_the_rungs_through_all_of_its_stages(tmp_path):
    """Trainings of 1 and 3 epochs: after 1, 2 and 4 of them in all."""
    home, plain = Home(tmp_path / "runs"), Home(tmp_path / "plain")
    (key,) = cells_in(tmp_path, home)
    told = []
    on_rung = lambda epochs, score: told.append((epochs, score))  # noqa: E731
    assert do_cell(home, key, MEANS, on_rung=on_rung, asha=Asha()) == "done"
    found = Record.read(home.cell(key))
    assert [epochs for epochs, _ in told] == [1, 2, 4] and all(0 <= score <= 1 for _, score in told)
    assert not list(home.path.rglob("peeks/*"))
    assert list(cells_in(tmp_path, plain)) == [key]
    assert do_cell(plain, key, MEANS) == "done"
    wanted = Record.read(plain.cell(key))
    assert found.values == wanted.values and [s.key for s in found.stages] == [s.key for s in wanted.stages]
    files = [sorted(h.path.rglob("weights.pt")) for h in (home, plain)]
    assert len(files[0]) == len(files[1]) == 2
    for one, two in zip(*files, strict=True):
        a, b = (torch.load(f, weights_only=True)["segmenter"] for f in (one, two))
        assert all(torch.equal(a[name], b[name]) for name in a), "peeking changes no number"


def test_epochs_of_stages_that_are_found_count_too(tmp_path):
    """Of trainings of 1 and 3 epochs the first is found: the second's rungs are those of 2 and 4 epochs in all."""
    home, told = Home(tmp_path / "runs"), []
    (key,) = cells_in(tmp_path, home)
    assert do_cell(home, key, MEANS, on_rung=lambda *rung: told.append(rung), asha=Asha()) == "done"
    whole = Record.read(home.cell(key))
    first, *later = [stage.key for stage in whole.stages if stage.kind == "train"]
    for stage in whole.stages:
        if stage.key != first:
            (entry,) = home.store.rglob(stage.key)
            shutil.rmtree(entry)
    (home.cell(key) / RECORD).unlink()
    again = []
    assert (
        len(later) == 1 and do_cell(home, key, MEANS, on_rung=lambda *rung: again.append(rung), asha=Asha()) == "done"
    )
    assert again == told[1:] and [epochs for epochs, _ in again] == [2, 4]
    assert Record.read(home.cell(key)).values == whole.values


def test_without_early_stopping_nothing_is_looked_at(tmp_path):
    home = Home(tmp_path / "runs")
    (key,) = cells_in(tmp_path, home)
    asked = {asha: CellWatch(home.cell(key), stop=lambda: False, asha=asha).peeks_at(10, 1) for asha in (None, Asha())}
    assert asked == {None: [], Asha(): [1, 2, 4, 8]}


@pytest.mark.ray
@pytest.mark.slow
def test_on_ray_the_worse_cell_is_cut_while_it_trains_and_its_record_says_so(tmp_path, ray_here):
    """No score and no cut is made by the test: the cells' own ones decide, in the order in which Tune starts them."""
    here, long = Home(tmp_path / "here"), RECIPE | {"steps": 100}  # a cut takes a moment
    knobs = {"name": "fine+coarse", "knobs": {"split": [0.3, 0.6]}}
    heard = {}
    for key, cell in cells_in(tmp_path, here, methods=[knobs], recipe=long).items():
        told = heard.setdefault(cell.knobs["split"], {})
        assert do_cell(here, key, MEANS, on_rung=told.__setitem__, asha=Asha()) == "done"
    rung = min(heard[0.3].keys() & heard[0.6].keys())  # the first training is the same, and found by the second cell
    assert heard[0.3][rung] != heard[0.6][rung]
    better, worse = sorted(heard, key=lambda split: heard[split][rung], reverse=True)
    study = toy_study(
        tmp_path, methods=[knobs | {"knobs": {"split": [better, worse]}}], budgets=[400 / 3600], seeds=[0], recipe=long,
        search={"asha": {"grace": 1}}, executor={"kind": "ray", "parallel_cells": 1},
    )  # fmt: skip
    finished = run_study(study, home=tmp_path / "runs", tracking="none")
    states = {r.cell["knobs"]["split"]: r.state for r in records(finished.study, states=("done", "cut"))}
    assert states == {better: "done", worse: "cut"}


@pytest.mark.parametrize("worse_first", [False, True])
def test_the_worse_of_two_cells_is_cut_by_its_own_scores(tmp_path, worse_first):
    """Scores and epochs as the cells tell them themselves, one cell after the other, judged by Tune's scheduler."""
    home = Home(tmp_path / "runs")
    cells = cells_in(tmp_path, home, methods=[{"name": "fine+coarse", "knobs": {"split": [0.3, 0.6]}}])
    assert len(cells) == 2 and RECIPE.get("snapshots", 0) == 0
    heard = {key: [] for key in cells}
    for key in cells:
        assert do_cell(home, key, MEANS, on_rung=lambda *told, key=key: heard[key].append(told), asha=Asha()) == "done"
    by_score = sorted(cells, key=lambda key: heard[key][-1][1])
    assert heard[by_score[0]][-1][1] < heard[by_score[1]][-1][1], "the toy cells must differ"
    judge = Cutting(home, Asha())
    trials = {key: SimpleNamespace(config={"key": key}, trial_id=key) for key in cells}
    for trial in trials.values():
        judge.on_trial_add(None, trial)
    for key in by_score if worse_first else by_score[::-1]:
        judge.on_trial_result(None, trials[key], {"epoch": heard[key][-1][0], "score": heard[key][-1][1]})
    assert (home.cell(by_score[0]) / CUT).exists() is not worse_first, "the first has none to be worse than"
    assert not (home.cell(by_score[1]) / CUT).exists()
