"""Price lists and bills: the papers' hours, exact sums that do not depend on the splitting, and every bad list."""

from decimal import Decimal
from fractions import Fraction
from math import ceil

import pytest
from hypothesis import given
from hypothesis import strategies as st

from segfrontier.errors import BadPrices
from segfrontier.market import hours, load_prices, packaged_price_lists, seconds_from_hours
from segfrontier.market.budget import whole_seconds
from segfrontier.market.prices import parse_prices, whole

GOOD = """
format: 1
name: mine
version: 3
acts:
  fine: {seconds: 60, per: image, source: me}
  point: {seconds: 2.4, per: point, source: me}
  tag: {seconds: 1, per: class and crop, source: me}
money: {per_hour: 15.50, currency: EUR}
"""


def cost(prices, **counts):
    return whole(sum(prices.milliseconds(k, units=u, asked=a) for k, (u, a) in counts.items()))


def test_the_packaged_lists_are_those_of_the_fact_sheet():
    assert packaged_price_lists() == ["bdd100k", "camvid", "cityscapes", "street", "voc"]
    seconds = {name: {k: p.seconds for k, p in load_prices(name).acts.items()} for name in packaged_price_lists()}
    everywhere = {"point": Decimal("2.4"), "box": 7, "tag": 1}
    assert seconds["cityscapes"] == {"fine": 5400, "coarse": 420, **everywhere}
    assert seconds["street"] == seconds["cityscapes"]
    assert seconds["bdd100k"] == {"fine": 4500, "coarse": 420, **everywhere}
    assert seconds["voc"] == {"fine": Decimal("239.7"), **everywhere}
    assert seconds["camvid"] == {"fine": 1350, "coarse": 105, **everywhere}


@pytest.mark.parametrize("name", packaged_price_lists())
def test_every_packaged_number_has_a_source(name):
    prices = load_prices(name)
    assert prices.name == name and all(len(p.source) > 20 for p in prices.acts.values())


@pytest.mark.parametrize(
    ("name", "kind", "units", "paper_hours"),
    [
        ("cityscapes", "coarse", 500, 58.33),
        ("cityscapes", "coarse", 8000, 933.33),
        ("cityscapes", "coarse", 19998, 2333.1),
        ("cityscapes", "fine", 2975, 4462.5),
        ("bdd100k", "fine", 3000, 3750),
        ("cityscapes", "point", 10 * 5 * 2975, 99.2),
        ("cityscapes", "point", 128 * 5 * 2975, 1269.3),
    ],
)
def test_bills_are_the_papers_hours(name, kind, units, paper_hours):
    seconds = cost(load_prices(name), **{kind: (units, units)})
    assert hours(seconds) == pytest.approx(paper_hours, abs=0.06)


def test_paper_004s_shares_of_cityscapes_cost_what_the_fact_sheet_says_to_the_second():
    """FACTS 4d: 1/8 is 371 masks or 556.5 hours, 1/4 is 743 or 1114.5."""
    for share, count, paper_hours in ((1 / 8, 371, 556.5), (1 / 4, 743, 1114.5)):
        assert int(share * 2975) == count
        assert hours(cost(load_prices("cityscapes"), fine=(count, count))) == paper_hours


def test_tags_of_absent_classes_cost_where_the_list_says_so():
    assert cost(load_prices("cityscapes"), tag=(57, 15 * 19)) == 57  # 3.8 stuff classes in each of 15 crops
    assert cost(load_prices("voc"), tag=(2, 20)) == 20  # Bearman: 20 s an image


def test_a_cityscapes_image_of_boxes_and_tags_takes_182_seconds():
    assert cost(load_prices("cityscapes"), box=(179, 10), tag=(570, 0)) / 10 == pytest.approx(182.3, abs=0.1)


@given(st.lists(st.integers(0, 40), max_size=12))
def test_the_bill_does_not_depend_on_the_splitting(parts):
    prices, before, charged = load_prices("cityscapes"), 0, 0
    for part in parts:
        charged += cost(prices, point=(before + part, 0)) - cost(prices, point=(before, 0))
        before += part
    assert charged == ceil(Fraction("2.4") * before)


def test_your_own_list_by_its_path(tmp_path):
    path = tmp_path / "mine.yaml"
    path.write_text(GOOD)
    prices = load_prices(str(path))
    assert (prices.name, prices.version, prices.price("point").milliseconds) == ("mine", 3, 2400)
    assert prices.money.currency == "EUR" and prices.money.per_hour == Decimal("15.5")
    assert prices.digest == load_prices(path).digest


def test_the_digest_is_about_what_is_charged():
    def digest(text):
        return parse_prices(text, where="x").digest

    assert digest(GOOD) == digest(GOOD.replace("source: me", "source: you").replace("15.50", "99"))
    assert digest(GOOD) == digest(GOOD.replace("2.4,", "2.40,"))
    for old, new in [("2.4,", "2.5,"), ("version: 3", "version: 4"), ("class and crop", "present class and crop")]:
        assert digest(GOOD) != digest(GOOD.replace(old, new))


def test_a_list_that_lacks_an_act_says_so_when_asked():
    with pytest.raises(BadPrices, match=r"must price the act 'coarse'.*it prices: fine, point, tag"):
        parse_prices(GOOD, where="x").price("coarse")


@pytest.mark.parametrize(
    ("old", "new", "says"),
    [
        ("point:", "piont:", "found 'piont' .did you mean 'point'"),
        ("seconds: 60", "secnods: 60", "acts.fine.secnods: did you mean 'seconds'"),
        ("version: 3", "versoin: 3", "versoin: did you mean 'version'"),
        ("currency: EUR", "curency: EUR", "did you mean 'currency'"),
        ("per: image", "per: picture", "acts.fine.per must be one of 'image'"),
        ("2.4,", "-2.4,", "greater than or equal to 0; found -2.4"),
        ("2.4,", "0,", "greater than 0; found 0"),
        ("2.4,", ".nan,", "found nan"),
        ("2.4,", ".inf,", "found inf"),
        ("2.4,", "cheap,", "found 'cheap'"),
        ("2.4,", "2.4001,", "no more than 3 decimal places"),
        ("2.4,", "true,", "found True"),
        (", source: me}\n  tag", "}\n  tag", "acts.point.source: must be given"),
        ("source: me}\n  tag", "source: ''}\n  tag", "at least 1 character"),
        ("  tag:", "  fine:", "twice: fine"),
        ("format: 1", "format: 2", "reads price lists with 'format: 1'; found 2"),
        ("format: 1\n", "", "found None"),
        ("version: 3", "version: 0", "greater than or equal to 1"),
        ("version: 3", "version: 1.5", "version"),
        ("name: mine", "name: [", "valid YAML"),
    ],
)
def test_bad_lists_are_refused_with_the_way_out(old, new, says):
    assert old in GOOD
    with pytest.raises(BadPrices, match=says):
        parse_prices(GOOD.replace(old, new, 1), where="mine.yaml")


@pytest.mark.parametrize("text", ["", "- 1", "format: 1", "just words"])
def test_things_that_are_no_lists(text):
    with pytest.raises(BadPrices):
        parse_prices(text, where="x")


def test_unknown_worlds_and_unreadable_files(tmp_path):
    with pytest.raises(BadPrices, match="did you mean 'cityscapes'"):
        load_prices("cityscape")
    with pytest.raises(BadPrices, match="readable"):
        load_prices(tmp_path / "none.yaml")
    (tmp_path / "bytes.yaml").write_bytes(b"\xff\xfe\x00\x80")
    with pytest.raises(BadPrices, match="UTF-8"):
        load_prices(tmp_path / "bytes.yaml")


@pytest.mark.parametrize("bad", [-1, -0.001, float("nan"), float("inf"), -float("inf"), "much", None, True])
def test_bad_budgets_are_refused(bad):
    with pytest.raises(BadPrices, match="a budget must be a number of hours"):
        seconds_from_hours(bad)


@pytest.mark.parametrize(
    ("given_hours", "seconds"), [(0, 0), (1, 3600), (0.7, 2520), (1 / 3, 1200), (58.3333333, 210000), ("12.5", 45000)]
)
def test_budgets_are_whole_seconds(given_hours, seconds):
    assert seconds_from_hours(given_hours) == seconds


@pytest.mark.parametrize("bad", [-1, 1.5, float("nan"), True, None, "3"])
def test_the_market_counts_whole_seconds(bad):
    with pytest.raises(BadPrices, match="whole number of seconds"):
        whole_seconds(bad, what="a budget")
