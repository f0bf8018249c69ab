"""The market's promises in one process: exact bills, owned labels for free, all or nothing, as many as fit."""

import errno
import os

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from market_fakes import open_market, toy_truth

from segfrontier.errors import BadInput, BadPrices, BudgetExceeded, DiskFull, LedgerError
from segfrontier.market import WHOLE_IMAGE, Boxes, Coarse, Fine, Noise, Points, Tags, answers, load_prices
from segfrontier.scenes.classes import VOID


def points(scene, *items):
    return Points([scene], [np.array([[i % 30, i // 30] for i in items]).reshape(-1, 2)])


def test_buying_delivers_the_labels_and_charges_the_bill(tmp_path):
    shop, truth = open_market(tmp_path, seconds=20_000), toy_truth()
    bought = shop.buy(Fine(["s2", "s0"]), stage="seed")
    assert (bought.kind, bought.stage, bought.acts, bought.units) == ("fine", "seed", 2, 2)
    assert (bought.seconds, bought.spent, bought.remaining) == (10_800, 10_800, 9_200)
    assert (shop.spent, shop.remaining) == (10_800, 9_200)
    assert bought.labels.scenes() == ["s2", "s0"] and "s1" not in bought.labels
    assert (bought.labels.map("s2") == truth.semantic("s2")).all()
    assert (bought.labels.instance("s0") == truth.instance("s0")).all()
    (line,) = shop.ledger.purchases("c")
    assert (line.stage, line.labels_path, line.labels_digest) == ("seed", bought.labels.path, bought.labels.digest)


def test_points_come_as_a_map_with_void_elsewhere(tmp_path):
    bought = open_market(tmp_path).buy(points("s0", 0, 35, 299), stage="t")
    assert bought.seconds == 8, "3 x 2.4 = 7.2, and a second that was begun is paid"
    assert (bought.labels.map("s0") != VOID).sum() == 2 and len(bought.labels.values("s0")) == 3


def test_what_is_owned_comes_again_for_free(tmp_path):
    shop = open_market(tmp_path)
    first = shop.buy(Coarse(["s0", "s1"]), stage="a")
    again = shop.buy(Coarse(["s0", "s1"]), stage="b")
    assert again.labels == first.labels and (again.seconds, again.acts) == (0, 0)
    more = shop.buy(Coarse(["s2", "s1"]), stage="c")
    assert more.seconds == 420 and more.labels.scenes() == ["s2", "s1"]
    assert shop.spent == 3 * 420


def test_another_cell_pays_for_itself(tmp_path):
    open_market(tmp_path).buy(Coarse(["s0"]), stage="a")
    assert open_market(tmp_path, cell="other").buy(Coarse(["s0"]), stage="a").seconds == 420


@settings(max_examples=20, deadline=None)
@given(st.lists(st.lists(st.integers(0, 599), unique=True, max_size=9), max_size=6))
def test_the_bill_never_depends_on_the_splitting(tmp_path_factory, parts):
    shop = open_market(tmp_path_factory.mktemp("m"))
    charged = sum(shop.buy(points("s0", *part), stage="t").seconds for part in parts)
    assert charged == shop.spent == -(-24 * len({i for part in parts for i in part}) // 10)


def test_all_or_nothing_says_what_is_left_and_what_it_costs(tmp_path):
    shop = open_market(tmp_path, seconds=1000)
    shop.buy(Coarse(["s0"]), stage="t")
    with pytest.raises(BudgetExceeded, match=r"580 s of 1000 s; the request costs 840 s\. Nothing was charged"):
        shop.buy(Coarse(["s0", "s1", "s2"]), stage="t")
    assert shop.spent == 420 and len(shop.ledger.purchases()) == 1
    assert shop.buy(Coarse(["s1", "s0"]), stage="t").remaining == 160


def test_as_many_whole_scenes_as_fit_in_the_order_of_the_request(tmp_path):
    shop = open_market(tmp_path, seconds=1300)
    bought = shop.buy(Coarse(["s4", "s1", "s3", "s0"]), stage="t", at_most=900)
    assert bought.labels.scenes() == ["s4", "s1"] and bought.seconds == 840
    rest = shop.buy(Coarse(["s4", "s2", "s5"]), stage="t", at_most=10**9)
    assert rest.labels.scenes() == ["s4", "s2"] and rest.remaining == 40, "owned scenes take nothing from at_most"
    shop = open_market(tmp_path, seconds=1300, cell="spent some")
    shop.buy(Coarse(["s0", "s1"]), stage="t")
    assert shop.buy(Coarse(["s2", "s3"]), stage="t", at_most=421).seconds == 420, "at_most is about this purchase"
    none = shop.buy(Coarse(["s5"]), stage="t", at_most=419)
    assert (len(none.labels), none.labels.scenes(), none.seconds) == (0, [], 0)


def test_a_budget_of_nothing_buys_nothing(tmp_path):
    shop = open_market(tmp_path, seconds=0)
    assert len(shop.buy(Fine(["s0"]), stage="t", at_most=10**6).labels) == 0
    with pytest.raises(BudgetExceeded):
        shop.buy(Fine(["s0"]), stage="t")


def test_boxes_and_tags_are_billed_by_the_answer(tmp_path):
    shop = open_market(tmp_path)
    assert shop.buy(Boxes(["s0"]), stage="t").seconds == 3 * 7, "the crowd's box is free"
    tags = shop.buy(Tags(["s0"], WHOLE_IMAGE, things=False), stage="t")
    assert tags.seconds == 2 and tags.labels.values("s0").tolist() == [[0, 0], [0, 1]]
    assert shop.buy(Tags(["s0"], WHOLE_IMAGE), stage="t").seconds == 2, "the uncountable half is owned"
    voc = open_market(tmp_path, cell="v", prices="voc")
    assert voc.buy(Tags(["s0"], WHOLE_IMAGE), stage="t").seconds == 4
    assert voc.buy(Tags(["s1"], WHOLE_IMAGE, things=False), stage="t").seconds == 2


def test_neither_a_quote_nor_a_refusal_tells_what_only_the_answer_knows(tmp_path):
    shop = open_market(tmp_path, seconds=15)
    for request in (Boxes(["s0"]), Tags(["s0"], WHOLE_IMAGE)):
        assert shop.quote(request) is None
    with pytest.raises(BudgetExceeded, match=r"15 s of 15 s; the request costs more than that") as refused:
        shop.buy(Boxes(["s0"]), stage="t")
    assert "21" not in str(refused.value) and shop.spent == 0
    shop.buy(Tags(["s0"], WHOLE_IMAGE, things=False), stage="t")
    assert shop.quote(Tags(["s0"], WHOLE_IMAGE, things=False)) == 0
    assert shop.quote(Tags(["s0"], WHOLE_IMAGE)) is None, "the countable half is still for sale"


def test_quotes_are_what_buying_charges(tmp_path):
    shop = open_market(tmp_path)
    for request in (
        Fine(["s0"]),
        Coarse(["s0", "s1"]),
        Coarse(["s1", "s2"]),
        points("s0", 1, 2),
        points("s0", 2, 3, 4),
    ):
        quote = shop.quote(request)
        assert quote == shop.buy(request, stage="t").seconds
        assert shop.quote(request) == 0


def test_an_act_without_a_price_cannot_be_bought_or_quoted(tmp_path):
    shop = open_market(tmp_path, prices="voc")
    for deal in (shop.quote, lambda r: shop.buy(r, stage="t")):
        with pytest.raises(BadPrices, match=r"must price the act 'coarse'.*it prices: fine, point, box, tag"):
            deal(Coarse(["s0"]))
    assert shop.ledger.purchases() == []


@pytest.mark.parametrize("bad", [-1, float("nan"), 3.5, None])
def test_bad_budgets_and_limits(tmp_path, bad):
    with pytest.raises(BadPrices, match="a budget must be a whole number"):
        open_market(tmp_path, seconds=bad)
    if bad is not None:
        with pytest.raises(BadPrices, match="at_most must be a whole number"):
            open_market(tmp_path).buy(Coarse(["s0"]), stage="t", at_most=bad)


def test_bad_requests_charge_nothing(tmp_path):
    shop = open_market(tmp_path)
    for request in (Coarse(["s0", "elsewhere"]), points("s0", 30 * 20)):
        with pytest.raises(BadInput):
            shop.buy(request, stage="t")
    assert shop.spent == 0 and not (tmp_path / "labels").exists()


def test_a_cell_goes_on_with_the_same_truth_prices_and_annotators(tmp_path):
    open_market(tmp_path, noise=Noise(points=0.1), seed=4).buy(Coarse(["s0"]), stage="t")
    assert open_market(tmp_path, noise=Noise(points=0.1), seed=4).spent == 420
    for other in (
        {"seed": 4},
        {"noise": Noise(points=0.1), "seed": 5},
        {"noise": Noise(points=0.1), "seed": 4, "truth": toy_truth(digest="d1")},
        {"noise": Noise(points=0.1), "seed": 4, "prices": "camvid"},
    ):
        with pytest.raises(LedgerError, match="terms of its first purchase"):
            open_market(tmp_path, **other)


def test_the_same_acts_under_other_prices_without_buying(tmp_path):
    shop = open_market(tmp_path)
    shop.buy(Fine(["s0"]), stage="t")
    totals, camvid = shop.ledger.totals("c")["c"], load_prices("camvid")
    assert camvid.milliseconds("fine", units=totals["fine"].units, asked=totals["fine"].asked) == 1_350_000


def test_labels_that_cannot_be_written_are_not_charged(tmp_path, monkeypatch):
    shop = open_market(tmp_path)

    for code, error, says in [
        (errno.ENOSPC, DiskFull, "must be room on the disk of"),
        (errno.EROFS, LedgerError, r"before they are charged.*Nothing was charged"),
    ]:

        def fails(*args, code=code, **more):
            raise OSError(code, os.strerror(code))

        monkeypatch.setattr(answers, "write_labels", fails)
        with pytest.raises(error, match=says):
            shop.buy(Coarse(["s0"]), stage="t")
        assert shop.spent == 0 and not list((tmp_path / "labels").glob(".*"))
    monkeypatch.undo()
    assert shop.buy(Coarse(["s0"]), stage="t").seconds == 420


def test_what_another_takes_between_choice_and_charge_is_noticed(tmp_path, monkeypatch):
    """The other one buys after our labels are written: we get one scene fewer, and the budget holds."""
    mine, other = open_market(tmp_path, seconds=1000), open_market(tmp_path, seconds=1000)
    write, calls = answers.write_labels, []

    def write_while_another_buys(*args, **more):
        labels = write(*args, **more)
        calls.append(len(labels))
        if len(calls) == 1:
            other.buy(Coarse(["s5"]), stage="other")
        return labels

    monkeypatch.setattr(answers, "write_labels", write_while_another_buys)
    bought = mine.buy(Coarse(["s0", "s1", "s2"]), stage="t", at_most=10**6)
    assert calls == [2, 1, 1] and bought.labels.scenes() == ["s0"] and mine.spent == 840
    calls.clear()
    with pytest.raises(BudgetExceeded, match="160 s of 1000 s; the request costs 420 s"):
        mine.buy(Coarse(["s1"]), stage="t")


def test_the_same_request_twice_at_once_is_paid_once(tmp_path):
    """The other one buys between our choice and our charge; the budget holds one of us alone."""
    mine, other = open_market(tmp_path, seconds=840), open_market(tmp_path, seconds=840)
    request, charge = Coarse(["s0", "s1"]), mine.ledger.charge

    def after_the_other_has_bought(*order, **terms):
        other.buy(request, stage="other")
        return charge(*order, **terms)

    mine.ledger.charge = after_the_other_has_bought
    bought = mine.buy(request, stage="t")
    assert (bought.seconds, bought.spent) == (0, 840) and bought.labels.scenes() == ["s0", "s1"]


def test_the_ledger_looked_at_while_another_buys_counts_nothing_twice(tmp_path):
    """In between the two looks at the ledger that a second choice takes, another one buys what we want."""
    mine, other = open_market(tmp_path, seconds=840), open_market(tmp_path, seconds=840)
    request, looks, charges = Coarse(["s0", "s1"]), [], []
    charge = mine.ledger.charge

    def refused_once(*order, **terms):
        charges.append(order)
        return None if len(charges) == 1 else charge(*order, **terms)

    def and_then_the_other_buys(look):
        def looking(*args):
            seen = look(*args)
            looks.append(look)
            if len(looks) == 1:
                other.buy(request, stage="other")
            return seen

        return looking

    mine.ledger.charge = refused_once
    for name in ("totals", "owned"):
        setattr(mine.ledger, name, and_then_the_other_buys(getattr(mine.ledger, name)))
    bought = mine.buy(request, stage="t")
    assert (bought.seconds, bought.spent) == (0, 840) and bought.labels.scenes() == ["s0", "s1"]


def test_a_run_started_again_is_sold_what_it_was_sold_before(tmp_path):
    """It asks for shares of what is left; by its own account that is the same, whatever the ledger holds already."""

    def run(market, *, upto):
        sold = []
        for share in (0.6, 0.5, 1.0)[:upto]:
            bought = market.buy(Coarse([f"s{i}" for i in range(6)]), stage="t", at_most=round(share * market.left))
            sold.append(bought.labels.scenes())
        return sold

    run(open_market(tmp_path, seconds=2000), upto=1)
    run(open_market(tmp_path, seconds=2000), upto=2)
    again = open_market(tmp_path, seconds=2000)
    found = run(again, upto=3)
    (tmp_path / "fresh").mkdir()
    whole = open_market(tmp_path / "fresh", seconds=2000)
    assert found == run(whole, upto=3)
    assert (again.used, again.left) == (whole.used, whole.left) == (whole.spent, whole.remaining)
    assert again.spent == whole.spent


def test_a_smaller_budget_later_still_delivers_what_is_owned(tmp_path):
    open_market(tmp_path, seconds=1000).buy(Coarse(["s0", "s1"]), stage="t")
    poorer = open_market(tmp_path, seconds=500)
    assert poorer.remaining == 0 and poorer.buy(Coarse(["s1"]), stage="t").labels.scenes() == ["s1"]
    with pytest.raises(BudgetExceeded):
        poorer.buy(Coarse(["s2"]), stage="t")
