"""Settings that cannot work: a plan says so for the cells that would be refused, and a run of them buys nothing."""

import pytest
from toystudy import RECIPE, toy_study

from segfrontier.home.layout import Home
from segfrontier.home.records import Record
from segfrontier.market import Ledger
from segfrontier.plan.planning import plan_study
from segfrontier.study.run import run_study

ONE = {"methods": ["fine"], "seeds": [0], "budgets": [200 / 3600]}


@pytest.mark.parametrize(
    ("facets", "says"),
    [
        ({"crop": [4000, 4000]}, "recipe.crop must be at most"),
        ({"encoder": "resnet5000"}, "one of timm's"),
        ({"pretrained": "/nowhere/weights.pt"}, "is no file"),
        ({"batch": 3, "accumulate": 2}, "recipe.batch must divide"),
    ],
)
def test_a_plan_names_what_cannot_be_trained(tmp_path, facets, says):
    plan = plan_study(toy_study(tmp_path, **ONE, recipe=RECIPE | facets), home=tmp_path / "home", probe=False)
    assert [says in reason for reason in plan.refused] == [True]
    assert all(cell.seconds == 0 for cell in plan.cells) and not (tmp_path / "home").exists()


def test_a_run_of_it_fails_before_it_buys(tmp_path):
    mine = toy_study(tmp_path, **ONE, recipe=RECIPE | {"crop": [4000, 4000]})
    (cell,) = plan_study(mine, home=tmp_path / "home", probe=False).cells
    run_study(mine, home=tmp_path / "home")
    record = Record.read(Home(tmp_path / "home").cell(cell.key))
    assert record.state == "failed" and "recipe.crop must be at most" in record.error and not record.seconds
    ledger = tmp_path / "home" / "ledger"
    assert not ledger.exists() or Ledger(ledger).totals() == {}
