"""Hours to a target, percent of full supervision, other prices and break-even prices, checked by hand."""

from fractions import Fraction
from math import inf, nan

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from segfrontier.errors import BadPrices
from segfrontier.market.ledger import Totals
from segfrontier.market.prices import load_prices, parse_prices
from segfrontier.report.answers import (
    break_even,
    in_words,
    needs,
    percent_of_full,
    reprice,
)
from segfrontier.report.frontier import Point

HOUR = 3600
SMALL, LARGE = (("image", 256),), (("image", 512),)
STREET = load_prices("street")


def point(method, seconds, score, *, facet=SMALL, acts=None, **more):
    scores = score if isinstance(score, dict) else {0: score}
    acts = {0: acts} if acts is not None else None
    return Point(method=method, label="", seconds=seconds, facet=facet, scores=scores, acts=acts, **more)


def bought(method, score, **counts):
    acts = {kind: Totals(units=n, asked=10 * n) for kind, n in counts.items()}
    return point(method, STREET.bill(acts), score, acts=acts)


FINE = [point("fine", 10 * HOUR, 0.5), point("fine", 20 * HOUR, 0.7), point("fine", 15 * HOUR, 0.4)]
COARSE = [point("coarse", 1 * HOUR, 0.5), point("coarse", 3 * HOUR, 0.7), point("coarse", 9 * HOUR, 0.6)]


def need(points, target, **more):
    (found,) = needs(points, target=target, **more)
    return found


def test_needs_by_hand():
    assert need(FINE, 0.6).seconds == pytest.approx(15 * HOUR)  # halfway from (10 h, 0.5) to (20 h, 0.7), not via 0.4
    assert need(FINE, 0.6, between="step").seconds == 20 * HOUR
    assert need(FINE, 0.7).seconds == 20 * HOUR


def test_the_cheapest_budget_is_an_upper_bound_and_nothing_is_extrapolated():
    low, high = need(FINE, 0.45), need(FINE, 0.8)
    assert low.seconds == 10 * HOUR and low.at_most
    assert high.seconds is None and high.best == 0.7 and not high.at_most


def test_needs_come_by_facet_and_method_and_leave_stars_and_losses_out():
    other = point("fine", HOUR, 0.9, facet=LARGE)
    odd = [point("fine", 1, 0.9, star=True), point("coarse", 1, nan), point("lost", 1, nan)]
    got = needs([*odd, *FINE, other, *COARSE], target=0.7)
    assert [(n.facet, n.method, n.seconds) for n in got] == [
        (SMALL, "coarse", 3 * HOUR),
        (SMALL, "fine", 20 * HOUR),
        (LARGE, "fine", HOUR),
    ]


def test_equal_budgets_are_no_division_by_zero():
    assert need([point("m", 5, 0.4), point("m", 5, 0.8), point("m", 5, 0.8)], 0.6).seconds == 5


def test_percent_of_full_supervision():
    oracles = [point("oracle", 9, 0.8), point("oracle", 9, 0.5), point("oracle", 9, 0.9, star=True)]
    away = point("fine", 1, 0.5, facet=LARGE)
    got = percent_of_full([*FINE, *oracles, away])
    assert got[FINE[0]] == pytest.approx(62.5) and got[oracles[0]] == 100 and got[away] is None
    assert len(got) == 6


def test_other_prices_redraw_without_training():
    cheap = parse_prices(
        "{format: 1, name: x, version: 1, acts: {point: {seconds: 0.7, per: point, source: me},"
        " tag: {seconds: 2, per: class and crop, source: me}}}",
        where="x",
    )
    tags = bought("m", 0.5, point=3, tag=2)
    two = Point(
        method="m",
        label="",
        seconds=0,
        facet=SMALL,
        scores={0: 0.5, 1: 0.5},
        acts={0: {"point": Totals(units=1)}, 1: {"point": Totals(units=3)}},
    )
    free, unknown = point("synthetic", 0, 0.2, acts={}), point("paper", 7, 0.9, star=True)
    assert tags.seconds == 10  # ceil(3 * 2.4 + 2 * 1)
    priced, stuck = reprice([tags, two, free, unknown], cheap)
    assert [p.seconds for p in priced] == [43, 2, 0]  # ceil(2.1 + 20 * 2); mean of ceil(0.7) and ceil(2.1)
    assert priced[0].scores == tags.scores and tags.seconds == 10
    assert stuck == (unknown,)
    with pytest.raises(BadPrices, match="must price the act 'fine'"):
        reprice([bought("fine", 0.5, fine=1)], cheap)


def even(points, target, **more):
    return break_even(points, "points", "fine", **({"kind": "point", "prices": STREET, "target": target} | more))


def test_break_even_by_hand():
    # 10 fine masks cost 54,000 s; 9,000 clicks cost as much at 6 s.
    points = [bought("points", 0.6, point=9000), bought("fine", 0.6, fine=10)]
    got = even(points, 0.6)
    assert got.wins == ((0, 6),) and got.verdict == "under" and got.seconds == 6
    back = break_even(points, "fine", "points", kind="point", prices=STREET, target=0.6)
    assert back.wins == ((6, inf),) and back.verdict == "over" and back.seconds == 6
    masks = even(points, 0.6, kind="fine")
    assert masks.seconds == 2160 and masks.verdict == "over"


def test_break_even_between_budgets_follows_the_straight_line():
    points = [bought("points", 0.5, point=1000), bought("points", 0.7, point=3000), bought("fine", 0.6, fine=1)]
    assert even(points, 0.6).seconds == pytest.approx(5400 / 2000)
    assert even(points, 0.6, between="step").seconds == pytest.approx(5400 / 3000)


def test_break_even_where_there_is_none():
    always = even([bought("points", 0.6, point=5, coarse=1), bought("fine", 0.6, point=5, fine=1)], 0.6)
    assert always.verdict == "always" and always.seconds is None
    tie = [bought("points", 0.6, point=5), bought("fine", 0.6, point=5)]
    assert even(tie, 0.6).verdict == "always", "no more hours is enough"
    never = even([bought("points", 0.6, point=5, fine=2), bought("fine", 0.6, fine=1)], 0.6)
    assert never.verdict == "never" and never.wins == () and never.seconds is None
    short = even([bought("points", 0.3, point=5), bought("fine", 0.6, fine=1)], 0.6)
    assert short.verdict == "never" and short.reason == "points not measured to reach 0.6"
    rival = even([bought("points", 0.6, point=5), bought("fine", 0.3, fine=1)], 0.6)
    assert rival.verdict == "always" and rival.reason == "fine not measured to reach 0.6"


def test_break_even_with_two_windows():
    # The rival takes the cheaper of many clicks and two fine masks; in between, clicks with coarse masks win.
    points = [
        bought("points", 0.6, point=1000, coarse=10),
        bought("fine", 0.6, point=1800),
        bought("fine", 0.6, fine=2),
    ]
    got = even(points, 0.6)  # 1000 p + 4200 <= min(1800 p, 10800): 5.25 <= p <= 6.6
    assert got.wins == ((5.25, 6.6),) and got.verdict == "between" and got.seconds is None
    back = break_even(points, "fine", "points", kind="point", prices=STREET, target=0.6)
    assert back.wins == ((0, 5.25), (6.6, inf)) and back.verdict == "between"


def test_break_even_wants_known_acts_and_one_facet():
    with pytest.raises(ValueError, match="acts are known"):
        even([*FINE, bought("points", 0.9, point=1)], 0.5)
    with pytest.raises(ValueError, match="2 facets"):
        even([*FINE, point("points", 1, 0.5, facet=LARGE)], 0.5)


CURVE = st.lists(
    st.tuples(st.sampled_from([0.4, 0.5, 0.6, 0.7]), st.integers(0, 900), st.integers(0, 4), st.integers(0, 3)),
    min_size=1,
    max_size=4,
)


def by_formula(curve, price, target):
    """The need at one price, from the definition: a straight line from the best cheaper budget to the first enough."""
    bills = sorted((n * price + 420 * c + 5400 * f, -s) for s, n, c, f in curve)
    cost, score = next((b, -s) for b, s in bills if -s >= target)
    cheaper = [(-s, -b) for b, s in bills if (b, s) < (cost, -score) and -s < target]
    if not cheaper:
        return cost
    base, minus = max(cheaper)
    share = (Fraction(target) - Fraction(base)) / (Fraction(score) - Fraction(base))
    return -minus + share * (cost + minus)


@settings(max_examples=60, deadline=None, derandomize=True)
@given(CURVE, CURVE, st.lists(st.fractions(Fraction(1, 97), 40, max_denominator=97), min_size=1, max_size=12))
def test_break_even_agrees_with_the_definition_at_any_price(mine, yours, trials):
    target = 0.6
    curves = {"points": [*mine, (0.7, 900, 1, 2)], "fine": [*yours, (0.7, 10, 0, 3)]}
    points = [bought(m, s, point=n, coarse=c, fine=f) for m, curve in curves.items() for s, n, c, f in curve]
    wins = even(points, target).wins
    for price in trials:
        if any(abs(price - edge) < 1e-9 for window in wins for edge in window if edge < inf):
            continue
        a, b = (by_formula(curves[m], price, target) for m in ("points", "fine"))
        if a != b:
            assert (a < b) == any(low < price < high for low, high in wins)


def test_times_in_words():
    assert [in_words(s) for s in (0, 14.4, 359, 360, 45_000, 4_500_000)] == [
        "0 s",
        "14.4 s",
        "359 s",
        "0.1 h",
        "12.5 h",
        "1,250 h",
    ]
