"""A plan of a paper's table is told in seconds: counted work, not the clock of whatever machine runs this."""

import numpy as np
import pytest
from toystudy import RECIPE, toy_study

from segfrontier.errors import BadInput
from segfrontier.lab.passes.score import ScorePass
from segfrontier.market import Ledger, Points, _account
from segfrontier.plan.planning import plan_study
from segfrontier.plan.words import sentences
from segfrontier.study.config import Study


def test_scores_that_stand_in_are_added_up_once_for_all_snapshots_of_all_cells(tmp_path, monkeypatch):
    written = []
    real = ScorePass.write
    monkeypatch.setattr(ScorePass, "write", lambda self, *rest: (written.append(self), real(self, *rest)))
    plan = plan_study(toy_study(tmp_path, recipe=RECIPE | {"snapshots": 2}), home=tmp_path / "runs", probe=False)
    assert plan.kinds["score"].distinct == 8 * 4 and not plan.refused and not plan.unforeseen
    assert len(written) == 1


def test_a_line_that_stands_in_an_account_is_not_looked_for_again(tmp_path, monkeypatch):
    ledger = Ledger(tmp_path / "ledger", create=True)
    read = []
    real = _account.writing
    monkeypatch.setattr(_account, "writing", lambda path: (read.append(path), real(path))[1])
    for _ in range(60):
        ledger.note_free(cell="a", stage="validation", what="validation", detail="target/val", count=3)
    ledger.note_free(cell="b", stage="validation", what="validation", detail="target/val", count=3)
    assert len(read) == 2
    assert [len(account.entries) for account in ledger.accounts()] == [1, 1]
    read[0].unlink()
    ledger.note_free(cell="a", stage="validation", what="validation", detail="target/val", count=3)
    assert read[0].exists(), "an account that went is begun anew"


@pytest.mark.parametrize("far", [0, 2**31 - 1, 2**31, 2**40, -5])
def test_points_are_distinct_pixels_wherever_they_lie(far):
    xy = np.array([[far, 0], [0, far], [1, far]], np.int64)
    if far:
        assert len(Points(["s"], xy={"s": xy}).pixels("s")) == 3
    with pytest.raises(BadInput, match="distinct pixels"):
        Points(["s"], xy={"s": np.concatenate([xy, xy[2:]])})


def test_what_cannot_be_timed_is_said_once(tmp_path, monkeypatch):
    tried = []
    monkeypatch.setattr("segfrontier.plan.planning.estimate", lambda *given, **more: tried.append(given))
    plain = {"name": "far", "worlds": [{"target": "worlds/cityscapes", "source": "worlds/gta5"}], "methods": ["fine"],
             "budgets": [30, 60], "seeds": [0, 1], "executor": {"kind": "local", "device": "cpu"},
             "recipe": {"pretrained": "never"}}  # fmt: skip
    plan = plan_study(Study.of(plain), home=tmp_path / "runs")
    said = [line for line in sentences(plan) if "not timed" in line]
    assert said == [
        "Compute: not timed, for worlds/cityscapes and worlds/gta5 are not here, and a CPU takes minutes for a few "
        "steps of that size. Plan where there is a GPU, or once the images are here."
    ]
    assert not tried and not plan.unprobed and plan.plain()["compute"] is None
