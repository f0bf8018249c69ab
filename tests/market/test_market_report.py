"""The ledger as a table: exact rows, bills rounded once a cell, under the prices of the day or others."""

import json

import numpy as np
import pytest
from market_fakes import open_market

from segfrontier.errors import BadPrices
from segfrontier.market import WHOLE_IMAGE, Boxes, Coarse, Fine, Points, Tags, ledger_table, load_prices
from segfrontier.market.prices import parse_prices


@pytest.fixture
def ledger(tmp_path):
    a, b = open_market(tmp_path, cell="a"), open_market(tmp_path, cell="b", prices="camvid")
    a.buy(Coarse(["s0", "s1"]), stage="t")
    a.buy(Points(["s0"], [np.array([[1, 1], [2, 2], [3, 3]])]), stage="t")
    a.buy(Points(["s1"], [np.array([[1, 1]])]), stage="t")
    b.buy(Coarse(["s0"]), stage="t")
    b.buy(Tags(["s0"], WHOLE_IMAGE), stage="t")
    b.buy(Boxes(["s0"]), stage="t")
    a.ledger.note_free(cell="a", stage="pre", what="encoder_pretraining", detail="resnet50 imagenet", count=1)
    a.ledger.note_free(cell="z", stage="pre", what="source_labels", detail="game/train", count=500)
    return a.ledger


def test_each_cell_under_the_list_that_it_bought_under(ledger):
    table = ledger_table(ledger)
    a, b, z = table.cells
    rows = [(r.kind, r.scenes, r.acts, r.units, r.milliseconds) for r in a.rows]
    assert rows == [("coarse", 2, 2, 2, 840_000), ("point", 2, 4, 4, 9_600)]
    assert (a.cell, a.prices, a.seconds) == ("a", "cityscapes (version 1)", 850) and a.hours == 850 / 3600
    assert [(r.kind, r.units, r.milliseconds) for r in b.rows] == [
        ("box", 3, 21_000), ("coarse", 1, 105_000), ("tag", 4, 4_000),
    ]  # fmt: skip
    assert (b.prices, b.seconds) == ("camvid (version 1)", 130)
    assert [(line.what, line.count) for line in a.free] == [("encoder_pretraining", 1)]
    assert (z.cell, z.rows, z.seconds, len(z.free)) == ("z", (), 0, 1)
    assert table.seconds == 850 + 130
    assert {r.kind: (r.scenes, r.units, r.milliseconds) for r in table.rows} == {
        "box": (1, 3, 21_000),
        "coarse": (3, 3, 945_000),
        "point": (2, 4, 9_600),
        "tag": (1, 4, 4_000),
    }


def test_the_same_acts_under_other_prices(ledger):
    table = ledger_table(ledger, load_prices("street"))
    assert [c.seconds for c in table.cells] == [850, 420 + 4 + 21, 0]
    own = parse_prices(
        """
format: 1
name: team
version: 2
money: {per_hour: 36, currency: EUR}
acts:
  coarse: {seconds: 100, per: image, source: ours}
  point: {seconds: 0.25, per: point, source: ours}
  box: {seconds: 1, per: instance, source: ours}
  tag: {seconds: 1, per: class and crop, source: ours}
""",
        where="team",
    )
    table = ledger_table(ledger, own)
    assert [c.seconds for c in table.cells] == [201, 100 + 1 * 4 + 3, 0]
    assert [c.money for c in table.cells] == ["2.01 EUR", "1.07 EUR", "0.00 EUR"]


def test_bills_agree_with_the_market(tmp_path):
    shop = open_market(tmp_path, cell="x")
    for i in range(5):
        shop.buy(Points([f"s{i}"], [[[i, 0]]]), stage="t")
    shop.buy(Fine(["s0"]), stage="t")
    (bill,) = ledger_table(shop.ledger).cells
    assert bill.seconds == shop.spent == 5412


def test_a_list_that_cannot_price_the_ledger_says_which_act(ledger):
    with pytest.raises(BadPrices, match="must price the act 'coarse'"):
        ledger_table(ledger, load_prices("voc"))


def test_json_is_plain_and_complete(ledger):
    plain = json.loads(json.dumps(ledger_table(ledger).to_json()))
    assert set(plain) == {"cells", "rows", "seconds", "hours", "faults"}
    assert plain["cells"][0]["rows"][0] == {
        "kind": "coarse", "scenes": 2, "acts": 2, "units": 2, "milliseconds": 840_000, "hours": 840 / 3600,
    }  # fmt: skip
    assert plain["cells"][0]["free"][0]["detail"] == "resnet50 imagenet"
    assert plain["hours"] == pytest.approx(980 / 3600)
