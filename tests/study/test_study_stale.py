"""After an upgrade: the same cells, told as stale, renewed in place; what a change does not touch is found."""

from __future__ import annotations

import pytest
from toystudy import outcome, toy_study

from segfrontier.home.records import records
from segfrontier.home.status import Board
from segfrontier.market import Ledger
from segfrontier.plan.planning import plan_study
from segfrontier.report.load import harvest
from segfrontier.study import keys as identity
from segfrontier.study.keys import code_of
from segfrontier.study.run import run_study


@pytest.fixture
def upgrade(monkeypatch):
    """Another version of the code behind all cells; their stages are as they were."""

    def make(version):
        real = identity.code_behind
        monkeypatch.setattr(identity, "code_behind", lambda *things: f"{version} {real(*things)}")

    return make


def test_stale_cells_are_told_and_renewed_in_place(tmp_path, upgrade):
    study, home = toy_study(tmp_path, methods=["fine"], budgets=[200 / 3600]), tmp_path / "runs"
    place = run_study(study, home=home, tracking="none").study
    before = {r.key: r for r in records(place)}
    paid = Ledger(place.home.ledger).totals()
    assert len(before) == 2 and all(r.code == code_of("fine", r.kinds) for r in before.values())
    assert (
        not any(cell.stale for cell in Board(place, identity.staleness_here()).look())
        and not run_study(study, home=home, tracking="none").outcomes
    )

    upgrade("next")
    assert [cell.stale for cell in Board(place, identity.staleness_here()).look()] == [True, True]
    assert not any(cell.done for cell in plan_study(study, home=home, probe=False).cells)
    one = toy_study(tmp_path, methods=["fine"], budgets=[200 / 3600], limits={"cells": 1})
    assert len(run_study(one, home=home, tracking="none").outcomes) == 1
    assert [cell.stale for cell in Board(place, identity.staleness_here()).look()] == [False, True]
    assert any("different versions of the code" in fault for fault in harvest(place).faults)

    run_study(study, home=home, tracking="none")
    after = {r.key: r for r in records(place)}
    assert {key: outcome(r) for key, r in after.items()} == {key: outcome(r) for key, r in before.items()}
    assert all(r.code.startswith("next ") and all(s.found for s in r.stages) for r in after.values())
    assert Ledger(place.home.ledger).totals() == paid
    assert not harvest(place).faults and not any(cell.stale for cell in Board(place, identity.staleness_here()).look())


def test_the_code_of_a_cell_is_that_of_its_method_and_of_its_kinds_of_stages():
    kinds = ("train", "score")
    assert code_of("fine", kinds) == code_of("fine", ("score", "train", "train"))
    assert len({code_of("fine", kinds), code_of("coarse", kinds), code_of("fine", (*kinds, "label"))}) == 3
