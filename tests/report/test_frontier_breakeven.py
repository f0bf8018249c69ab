"""Break-even prices of a whole facet: the same as from all points, though most points are left out first."""

import numpy as np
from hypothesis import example, given, settings
from hypothesis import strategies as st
from madestudy import STREET, record, study

from segfrontier.report.answers import break_even
from segfrontier.report.breakeven import turning_prices
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
