"""The ledger of many cells as a user reads it: totals first, a row a method and kind of label, every cell if asked."""

import json

import pytest
from madestudy import record
from terminal import segfrontier

from segfrontier.basics.atomic import write_json
from segfrontier.home.layout import Home
from segfrontier.market import Ledger, _account, load_prices
from segfrontier.market.acts import Acts
from segfrontier.market.ledger import PurchaseOrder, Terms

PRICES = """
format: 1
name: paid
version: 1
acts:
  fine: {seconds: 3600, per: image, source: made up}
  coarse: {seconds: 360, per: image, source: made up}
money: {per_hour: 12, currency: EUR}
"""


@pytest.fixture
def many(tmp_path):
    """51 cells, of which 20 bought two coarse masks and the others one fine mask."""
    (tmp_path / "paid.yaml").write_text(PRICES)
    home, prices = Home(tmp_path / "runs"), load_prices(str(tmp_path / "paid.yaml"))
    ledger = Ledger(home.ledger, create=True)
    terms = Terms(truth="t", annotators="a", prices=prices)
    for number in range(51):
        kind, count = ("coarse", 2) if number < 20 else ("fine", 1)
        key = f"{number:032x}"
        made = record(kind, 4.0, number, 0.5)
        write_json(home.cell(key) / "cell.json", dict(made.cell))
        acts = {f"scene{i}": Acts.of([0], [1], [1]) for i in range(count)}
        order = PurchaseOrder(key, "buy-1", kind, acts, "labels", "digest", terms)
        ledger.charge(order, cost=prices.bill, budget=10**9)
    return tmp_path


def test_many_cells_are_summed_up_by_method_and_kind_and_printed_if_asked(many):
    text = segfrontier("ledger", "runs", folder=many).stdout
    lines = [line.split() for line in text.splitlines() if line.strip()]
    assert lines[0] == ["51", "cells:", "35.00", "h,", "420.00", "EUR;", "`--all`", "prints", "each"]
    assert lines[1:4] == [
        ["method", "kind", "cells", "acts", "units", "hours"],
        ["coarse", "coarse", "20", "40", "40", "4.00"],
        ["fine", "fine", "31", "31", "31", "31.00"],
    ]
    assert len(lines) == 5 and "all cells: 35.00 h, 420.00 EUR (126000 s)" in text
    everything = segfrontier("ledger", "runs", "--all", folder=many).stdout
    assert everything.count(", seed ") == 51 and "all cells: 35.00 h, 420.00 EUR" in everything
    plain = json.loads(segfrontier("ledger", "runs", "--json", folder=many).stdout)
    assert len(plain["cells"]) == 51 and plain["money"] == {"EUR": 420.0}


def test_each_account_is_read_once(many, monkeypatch):
    read = []
    real = _account.read
    monkeypatch.setattr(_account, "read", lambda path: (read.append(path), real(path))[1])
    assert segfrontier("ledger", "runs", folder=many).returncode == 0
    assert len(read) == len(set(read)) == 51
