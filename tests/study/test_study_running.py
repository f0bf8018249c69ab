"""Studies in one process: resumed, grown, stopped, limited, and none the worse for a cell that fails."""

import os
import signal
import threading
import time

import pytest
from toystudy import RECIPE, outcome, toy_study

from segfrontier.errors import BadStudy
from segfrontier.home.layout import Home
from segfrontier.home.records import Record, records
from segfrontier.home.status import Board, best, counts
from segfrontier.market import Ledger
from segfrontier.study.cells import expand
from segfrontier.study.keys import Atlas, keyed, read_cell, write_cell
from segfrontier.study.run import StudyWatcher, run_study, spread_out

pytestmark = pytest.mark.slow


class Heard(StudyWatcher):
    """Remembers what it was told; `then` is called with the number of cells that have ended."""

    def __init__(self, then=lambda count: None):
        self.waiting, self.ends, self.then = None, [], then

    def began(self, board, *, waiting):
        self.board, self.waiting = board, waiting

    def ended(self, key, outcome, record):
        self.ends.append((record.cell["label"] if record else key, outcome))
        self.then(len(self.ends))


def run(study, home, heard=None):
    return run_study(study, home=home, watcher=heard or Heard(), tracking="none")


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    """A study that ran undisturbed."""
    folder = tmp_path_factory.mktemp("whole")
    heard = Heard()
    return folder, run(toy_study(folder), folder / "runs", heard), heard


def test_every_cell_has_a_record_and_the_study_a_report(whole):
    _, finished, heard = whole
    found = records(finished.study)
    assert heard.waiting == 8 and len(found) == 8 and finished.why == "" and set(finished.outcomes.values()) == {"done"}
    assert all(0 <= r.miou <= 1 and r.seconds > 0 and r.stages for r in found)
    assert {p.name for p in finished.report} >= {"report.html", "frontier.png", "points.csv"}
    assert all(p.stat().st_size > 500 for p in finished.report)
    ledger = Ledger(finished.study.home.ledger)
    assert {r.key for r in found} <= set(ledger.cells())


def test_the_same_file_again_computes_nothing(whole):
    folder, _, _ = whole
    heard = Heard()
    again = run(toy_study(folder), folder / "runs", heard)
    assert heard.waiting == 0 and again.outcomes == {} and len(records(again.study)) == 8


def test_an_added_seed_runs_only_its_own_cells(tmp_path):
    first, more = Heard(), Heard()
    run(toy_study(tmp_path, seeds=[0], methods=["fine"]), tmp_path / "runs", first)
    grown = run(toy_study(tmp_path, seeds=[0, 1], methods=["fine"]), tmp_path / "runs", more)
    assert (first.waiting, more.waiting) == (2, 2)
    assert [label for label, _ in more.ends] == ["fine, 0.0555556 h, seed 1", "fine, 0.111111 h, seed 1"]
    shrunk = run(toy_study(tmp_path, seeds=[1], methods=["fine"]), tmp_path / "runs")
    assert shrunk.outcomes == {} and len(records(shrunk.study)) == 2 and len(records(grown.study)) == 2


def test_stages_that_cells_share_are_computed_once(whole):
    _, finished, _ = whole
    notes = [s for r in records(finished.study) for s in r.stages]
    fresh = [s.key for s in notes if not s.found]
    assert len(fresh) == len(set(fresh)) == len({s.key for s in notes}) < len(notes)


def test_a_failing_cell_stops_no_other_is_told_of_and_is_tried_again(tmp_path):
    budgets = [50 / 3600, 200 / 3600]  # 50 s buy not one fine mask
    heard = Heard()
    finished = run(toy_study(tmp_path, methods=["fine"], seeds=[0], budgets=budgets), tmp_path / "runs", heard)
    assert [o for _, o in heard.ends] == ["failed", "done"]
    broken = next(r for r in records(finished.study, states=("failed",)))
    assert "must pay for at least one fine mask" in broken.error
    log = (finished.study.home.cell(broken.key) / "log.txt").read_text()
    assert "Traceback" in log and "nothing could be bought" in log
    states = Board(finished.study).look()
    assert counts(states) == {"failed": 1, "done": 1} and list(best(states)) == ["fine"]
    again = Heard()
    run(toy_study(tmp_path, methods=["fine"], seeds=[0], budgets=budgets), tmp_path / "runs", again)
    assert [o for _, o in again.ends] == ["failed"]


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_leaves_a_state_from_which_the_same_numbers_come(whole, tmp_path, number):
    undisturbed, home = whole[1], tmp_path / "runs"
    study = toy_study(whole[0])
    heard = Heard(lambda count: os.kill(os.getpid(), number) if count == 3 else None)
    stopped = run(study, home, heard)
    assert stopped.why == "it was asked to stop" and len(heard.ends) == 3
    rest = Heard()
    finished = run(study, home, rest)
    assert rest.waiting == 5 and finished.why == ""
    assert sorted(map(outcome, records(finished.study)), key=str) == sorted(
        map(outcome, records(undisturbed.study)), key=str
    )


def test_a_cell_that_is_stopped_in_its_training_goes_on_from_there(tmp_path):
    study = toy_study(tmp_path, methods=["fine"], seeds=[0], budgets=[0.1], recipe=RECIPE | {"steps": 400})
    place = Home(tmp_path / "runs").study("toy")
    heard = Heard()

    def stop_in_the_middle():
        while not any('"done": ' in f.read_text() for f in (tmp_path / "runs/cells").glob("*/status.json")):
            time.sleep(0.05)
        (place.path / "stop").touch()

    thread = threading.Thread(target=stop_in_the_middle, daemon=True)
    thread.start()
    first = run(study, tmp_path / "runs", heard)
    thread.join()
    assert [o for _, o in heard.ends] == ["stopped"] and first.why == "it was asked to stop"
    assert [s.state for s in Board(place).look()] == ["stopped"]
    assert list((tmp_path / "runs/store").rglob("checkpoints/*")), "the training kept its state"
    second = run(study, tmp_path / "runs")
    assert list(second.outcomes.values()) == ["done"]


def test_a_limit_of_cells(tmp_path):
    finished = run(toy_study(tmp_path, limits={"cells": 3}), tmp_path / "runs")
    assert len(finished.outcomes) == 3 and finished.why == "the limit of 3 cells is reached"
    finished = run(toy_study(tmp_path, limits={"hours": 1e-9}), tmp_path / "runs")
    assert finished.outcomes == {} and "limit of 1e-09 h" in finished.why


def test_two_runs_of_a_study_at_once_are_refused(tmp_path):
    study = toy_study(tmp_path, methods=["fine"], seeds=[0], budgets=[0.1])
    refused = []

    def rival(_):
        with pytest.raises(BadStudy, match="run by one process at a time"):
            run_study(study, home=tmp_path / "runs")
        refused.append(True)

    run(study, tmp_path / "runs", Heard(rival))
    assert refused


def test_a_cell_survives_the_way_to_disk_with_its_key(tmp_path):
    study, atlas, home = toy_study(tmp_path), Atlas(), Home(tmp_path / "runs")

    for key, cell in keyed(expand(study), atlas).items():
        write_cell(home, key, cell)
        back = read_cell(home, key)
        assert back == cell and back.label == cell.label and list(keyed([back], atlas)) == [key]


def test_a_record_survives_the_way_to_disk(whole):
    record = records(whole[1].study)[0]
    again = Record.read(whole[1].study.home.cell(record.key))
    assert str(again) == str(record)


def test_neighbours_are_of_different_methods(tmp_path):
    cells = keyed(expand(toy_study(tmp_path, methods=["coarse", "fine", "synthetic"])), Atlas())
    order = [(cells[key].seed, cells[key].method) for key in spread_out(cells)]
    assert order == [(s, m) for s in (0, 1) for m in ("coarse", "fine", "synthetic", "coarse", "fine")]
