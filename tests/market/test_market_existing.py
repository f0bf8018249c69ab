"""Labels that exist already: they come as the file has them, and stand on the bill as acts of their own."""

from decimal import Decimal

import numpy as np
import pytest
from mixedhere import pool_with_boxes_and_tags

from segfrontier.errors import BadInput, BadPrices
from segfrontier.market import (
    PAPER_002,
    WHOLE_IMAGE,
    Boxes,
    Fine,
    Ledger,
    Market,
    Noise,
    Tags,
    Tiling,
    ledger_table,
    load_prices,
)
from segfrontier.market.acts import Acts
from segfrontier.market.lines import PurchaseOrder, Terms
from segfrontier.market.prices import parse_prices
from segfrontier.scenes.importing import import_folders

FINE, BARE = "train/b0", ["train/b1", "train/b2", "train/b3"]
LIST = """
format: 1
name: mine
version: 1
acts:
  box: {seconds: 7, per: instance, source: me}
  tag: {seconds: 1, per: present class and crop, source: me}
"""


@pytest.fixture
def world(tmp_path):
    """Four scenes with two boxes and three tags each that exist; one has a fine mask, too."""
    return import_folders(pool_with_boxes_and_tags(tmp_path / "data", boxes=1.5, fine=("b0",)), tmp_path / "world")


def market_of(tmp_path, world, *, prices=LIST, budget=1000, name="home", **more):
    ledger = Ledger(tmp_path / name / "ledger", create=True)
    prices = parse_prices(prices, where="x") if isinstance(prices, str) else prices
    return Market(world.truth(), prices, ledger, "c", budget, tmp_path / name / "labels", **more)


def test_they_come_as_they_are_whatever_annotators_are_like(world, tmp_path):
    market = market_of(tmp_path, world, noise=Noise(boxes=0.5, tags=0.9), seed=3)
    boxes = market.buy(Boxes([BARE[0], FINE]), stage="s").labels
    for scene in (BARE[0], FINE):
        np.testing.assert_array_equal(boxes.values(scene), world.truth().existing(scene, "box"))
    tags = market.buy(Tags(BARE, WHOLE_IMAGE), stage="s").labels
    assert tags.values(BARE[1]).tolist() == [[0, 0], [0, 1], [0, 2]]


def test_they_are_acts_of_their_own_at_the_stated_price(world, tmp_path):
    market = market_of(tmp_path, world)
    bought = market.buy(Boxes(BARE[:1]), stage="s")
    assert (bought.acts, bought.units, bought.seconds) == (1, 2, 3)
    stuff = market.buy(Tags(BARE[:1], WHOLE_IMAGE, things=False), stage="s")
    assert (stuff.units, stuff.seconds) == (2, 1) and stuff.labels.values(BARE[0]).tolist() == [[0, 0], [0, 1]]
    whole = market.buy(Tags(BARE[:1], WHOLE_IMAGE), stage="s")
    assert (whole.units, whole.seconds) == (1, 1), "the tag of a thing, beside those that are owned: 4.5 s in all"
    totals = market.ledger.totals("c")["c"]
    assert {kind: counts.units for kind, counts in totals.items()} == {"existing_box": 2, "existing_tag": 3}
    (bill,) = ledger_table(market.ledger).cells
    assert [(row.kind, row.units, row.milliseconds) for row in bill.rows] == [
        ("existing_box", 2, 3000), ("existing_tag", 3, 1500)
    ]  # fmt: skip
    price = market.ledger.prices_of("c").price("existing_tag")
    assert price.milliseconds == 500 and price.source == "stated by the world mixed"


def test_what_a_world_states_is_what_is_charged_unless_the_list_has_a_price(world, tmp_path):
    dear = LIST + "  existing_box: {seconds: 9, per: instance, source: we asked}\n"
    assert market_of(tmp_path, world, prices=dear).buy(Boxes(BARE[:1]), stage="s").seconds == 18
    free = parse_prices(LIST, where="x").stating({"box": Decimal(0)}, world="w")
    assert free.price("existing_box").milliseconds == 0 and "existing_tag" not in free.acts
    assert len({free.digest, parse_prices(LIST, where="x").digest, parse_prices(dear, where="x").digest}) == 3
    with pytest.raises(BadPrices, match="acts.box.seconds must be greater than 0; found 0"):
        parse_prices(LIST.replace("seconds: 7", "seconds: 0"), where="x")
    parse_prices(dear.replace("seconds: 9", "seconds: 0"), where="x")


def test_a_list_without_boxes_has_those_that_exist(world, tmp_path):
    market = market_of(tmp_path, world, prices=LIST.replace("  box:", "  point:").replace("instance", "point"))
    assert market.buy(Boxes(BARE), stage="s").seconds == 9


def test_crops_are_asked_about_where_there_is_truth(world, tmp_path):
    market, halves = market_of(tmp_path, world), Tiling(width=16, height=24, columns=2, rows=1, of=(32, 24))
    assert market.sold("tag", [FINE, *BARE]) == [FINE, *BARE] == market.sold("tag", [FINE, *BARE], tiling=WHOLE_IMAGE)
    assert market.sold("tag", [FINE, *BARE], tiling=halves) == [FINE]
    assert market.buy(Tags([FINE], halves), stage="s").units == 6
    assert market.ledger.totals("c")["c"].keys() == {"tag"}
    with pytest.raises(
        BadInput, match=r"the tags of 'train/b1' exist already, and are of whole images. Ask with WHOLE"
    ):
        market.buy(Tags(BARE, PAPER_002), stage="s")
    with pytest.raises(BadInput, match="known kind; found 'existing_box'"):
        market.sold("existing_box", BARE)


def test_a_request_may_be_of_scenes_of_both_sorts(tmp_path):
    """One scene's boxes are drawn at 7 s each, the other's exist at 0.25 s each; tags exist of none."""
    spec = pool_with_boxes_and_tags(tmp_path / "data", boxes=0.25, fine=("b0", "b1"))
    file = tmp_path / "data/boxes.json"
    file.write_text(file.read_text().replace('"b0.png"', '"gone.png"'))
    world = import_folders(spec, tmp_path / "world")
    first, second = "train/b0", "train/b1"
    for name, budget, at_most, got in (
        ("a", 1000, None, [first, second]),
        ("b", 15, None, [first, second]),  # 14 s and 0.5 s: whole seconds
        ("c", 1000, 14, [first]),
        ("d", 1000, 13, []),
    ):
        market = market_of(tmp_path, world, budget=budget, name=name)
        bought = market.buy(Boxes([first, second]), stage="s", at_most=at_most)
        assert bought.labels.scenes() == got and bought.seconds == market.spent == {2: 15, 1: 14, 0: 0}[len(got)]
        totals = market.ledger.totals("c").get("c", {})
        assert {k: (t.scenes, t.acts, t.units) for k, t in totals.items() if t.units} == dict(
            list({"box": (1, 1, 2), "existing_box": (1, 1, 2)}.items())[: len(got)]
        )
        again = market.buy(Boxes([first, second]), stage="s", at_most=0)
        assert again.labels.scenes() == got and again.seconds == 0
    assert market.quote(Boxes([second])) is None, "how many there are is for sale, too"


def test_an_order_of_both_sorts_is_refused_whole(tmp_path):
    prices = parse_prices(LIST, where="x").stating({"box": Decimal(2)}, world="w")
    ledger = Ledger(tmp_path / "ledger", create=True)
    acts = {"a": Acts.of([0], [3], [1]), "b": Acts.of([0], [2], [1])}
    order = PurchaseOrder("c", "s", "box", acts, "/l.arrow", "d", Terms("t", "a", prices), kinds={"b": "existing_box"})
    assert ledger.charge(order, cost=prices.bill, budget=24) is None and ledger.totals("c") == {}
    receipt = ledger.charge(order, cost=prices.bill, budget=25)
    assert (receipt.acts, receipt.units, receipt.seconds, receipt.bill) == (2, 5, 25, 25)
    assert [(line.kind, line.seconds) for line in ledger.purchases("c")] == [("box", 21), ("existing_box", 4)]
    assert ledger.charge(order, cost=prices.bill, budget=25).acts == 0


def test_a_kill_between_two_lines_is_made_good_by_the_same_order(tmp_path):
    prices = parse_prices(LIST, where="x").stating({"box": Decimal(2)}, world="w")
    ledger, terms = Ledger(tmp_path / "ledger", create=True), Terms("t", "a", prices)
    acts = {"a": Acts.of([0], [3], [1]), "b": Acts.of([0], [2], [1])}
    ledger.charge(PurchaseOrder("c", "s", "box", {"a": acts["a"]}, "/l", "d", terms), cost=prices.bill, budget=25)
    whole = PurchaseOrder("c", "s", "box", acts, "/l", "d", terms, kinds={"b": "existing_box"})
    receipt = ledger.charge(whole, cost=prices.bill, budget=25)
    assert (receipt.acts, receipt.seconds, receipt.bill) == (1, 4, 25)


def test_a_world_without_them_sells_as_ever(toy_world, tmp_path):
    """Its list is the same object: terms, digests and bills are what they were."""
    prices = load_prices("street")
    market = market_of(tmp_path, toy_world, prices=prices)
    scene = toy_world.pool().scenes()[0]
    market.buy(Fine([scene]), stage="s", at_most=10**4)
    assert market.prices is prices and market.ledger.prices_of("c").acts.keys() == prices.acts.keys()
