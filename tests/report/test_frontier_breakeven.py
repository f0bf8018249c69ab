"""Break-even prices of a whole facet: the same as from all points, though most points are left out first."""

from hypothesis import example, given, settings
from hypothesis import strategies as st
from madestudy import STREET, record

from segfrontier.report.answers import break_even
from segfrontier.report.breakeven import turning_prices
from segfrontier.report.points import points

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
