"""Break-even prices of a whole facet: the same as from all points, though most points are left out first."""

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from madestudy import STREET, record, study

from segfrontier.report.answers import break_even
from segfrontier.report.breakeven import price_range, turning_prices
from segfrontier.report.findings import Reading, findings
from segfrontier.report.load import harvest
from segfrontier.report.points import points
from segfrontier.report.statements import sentences

KINDS = st.dictionaries(st.sampled_from(["fine", "coarse", "point"]), st.integers(1, 20), min_size=1)


def made(method, bought, scores):
    return [record(method, i + 1.0, 0, s / 10, acts=a) for i, (a, s) in enumerate(zip(bought, scores, strict=False))]


@settings(max_examples=60, deadline=None, derandomize=True)
@example(  # two points of one bill, of which the worse one came first
    a=[{"fine": 1}, {"fine": 2}],
    b=[{"fine": 1}] * 3 + [{"fine": 1, "coarse": 1, "point": 1}] * 2,
    scores=[1, 2, 1, 1, 1, 1, 1, 1, 2, 3],
)
@given(
    a=st.lists(KINDS, min_size=1, max_size=5),
    b=st.lists(KINDS, min_size=1, max_size=5),
    scores=st.lists(st.integers(1, 9), min_size=10, max_size=10),
)
def test_leaving_out_points_that_never_matter_changes_no_price(a, b, scores):
    found = points(made("a", a, scores[:5]) + made("b", b, scores[5:]))
    target = min(max(p.score for p in found if p.method == m) for m in "ab")
    for told in turning_prices(found, ["a", "b"], prices=STREET, target=target):
        slow = break_even(found, told.a, told.b, kind=told.kind, prices=STREET, target=target)
        assert told.wins == slow.wins and told.verdict == slow.verdict


def test_who_buys_more_of_a_kind_is_named_first_and_alike_kinds_are_left_out():
    found = points([record("a", 1, 0, 0.5, acts={"fine": 2, "coarse": 3}), record("b", 1, 0, 0.5, acts={"fine": 2})])
    (told,) = turning_prices(found, ["a", "b"], prices=STREET, target=0.5)
    assert (told.kind, told.a, told.b, told.verdict) == ("coarse", "a", "b", "never")


def test_a_break_even_price_has_an_interval_and_none_where_the_seeds_cannot_tell(tmp_path):
    def made(noise):
        rng = np.random.default_rng(3)
        return [
            record(m, h, s, score + noise * rng.normal(), acts={m: n})
            for m, few, many in (("fine", 3, 9), ("coarse", 17, 51))
            for h, score, n in ((4, 0.4, few), (12, 0.6, many))
            for s in range(4)
        ]

    def told(noise, folder):
        (finding,) = findings(harvest(study(folder, made(noise))), Reading(target=0.5))
        return {s.methods: s for s in sentences(finding) if s.kind == "break_even"}

    sure, wide = told(0.004, tmp_path / "a"), told(0.1, tmp_path / "b")
    # 34 coarse masks do what 6 fine ones do: a coarse mask may cost 6 / 34 of 5,400 s.
    one = sure["coarse", "fine"]
    assert one.decided and one.interval[0] < 953 < one.interval[1] and one.interval[1] < 2 * one.interval[0]
    assert "while a coarse mask costs under" in one.text and "here 420 s" in one.text
    assert wide and not any(s.decided for s in wide.values()), "scores that spread as wide as the budgets are apart"


def priced(kind, side, *, keen=1.0, other=1.0):
    """The price at which 9,000 points and 10 masks cost the same, and its range over 1,000 draws.

    In so large a share of the draws the one that buys `kind`, and the other, reach the target; of each, a first and
    smaller budget does not.
    """
    told = break_even(SIDES["points"] + SIDES["fine"], *side, kind=kind, prices=STREET, target=0.6)
    draws = {}
    for method in SIDES:
        share = keen if (method == "points") == (kind == "point") else other
        draws[method] = [np.full(1000, 0.1), np.where(np.arange(1000) < 1000 * share, 0.6, 0.1)]
    of = (SIDES[told.a], SIDES[told.b], draws[told.a], draws[told.b])
    return told, price_range(told, *of, target=0.6, prices=STREET)


SIDES = {
    method: points([record(method, n, 0, score, acts={kind: n}) for n, score in bought])
    for method, kind, bought in (
        ("points", "point", ((3000, 0.1), (9000, 0.6))), ("fine", "fine", ((2, 0.1), (10, 0.6)))
    )
}  # fmt: skip


@pytest.mark.parametrize(
    ("kind", "side", "price"),
    [("point", ("points", "fine"), 6), ("point", ("fine", "points"), 6), ("fine", ("points", "fine"), 2160)],
)
def test_a_price_that_all_draws_agree_on_has_a_range_of_a_step_or_two(kind, side, price):
    told, (low, high) = priced(kind, side)
    assert told.seconds == pytest.approx(price) and low <= price <= high and 1.01 < high / low < 1.13


@pytest.mark.parametrize("which", ["keen", "other"])
@pytest.mark.parametrize(("share", "sure"), [(0.99, True), (0.951, True), (0.949, False), (0.5, False)])
def test_a_price_is_certain_where_39_of_40_draws_agree_and_an_open_one_counts_half(which, share, sure):
    _, found = priced("point", ("points", "fine"), **{which: share})
    assert (found is not None) == sure
