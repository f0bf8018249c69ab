"""Differences judged together: by hand, against SciPy, and what identical methods make of a whole report."""

from dataclasses import replace
from math import sqrt

import numpy as np
import pytest
from scipy import special, stats

from segfrontier.report import spread as spreads
from segfrontier.report.digits import estimated, rounded
from segfrontier.report.findings import findings
from segfrontier.report.redrawn import middle, needed, stepped_area
from segfrontier.report.scores import Score, from_scores
from segfrontier.report.simultaneous import SeedScores, _student, _wallace, judge
from segfrontier.report.statements import sentences


def said(scores):
    return [s for finding in findings(from_scores(scores)) for s in sentences(finding)]


def alike(rng, rivals, seeds, *, better=0.0, hours=(4.0, 12.0), sd=0.02):
    """The situation of a demo: identical methods, 0.14 at 4 h and 0.155 at 12 h."""
    truth = {4.0: 0.14, 12.0: 0.155}
    return [
        Score(method=f"m{i}", hours=h, seed=s, score=truth[h] + better * (i == 0) + rng.normal(0, sd))
        for i in range(rivals)
        for h in hours
        for s in range(seeds)
    ]


def test_the_functions_that_scipy_has_too():
    x = np.array([0.5, 1.0, 1.5, 2.0, 7.3, 40.0])
    assert spreads._digamma(x) == pytest.approx(special.digamma(x), abs=1e-9)
    assert spreads._trigamma(x) == pytest.approx(special.polygamma(1, x), abs=1e-9)
    for y in (0.01, 0.3, 2.0):
        assert special.polygamma(1, spreads._trigamma_inverse(y)) == pytest.approx(y, rel=1e-3)
    for degrees in (2.0, 5.0, 20.0):
        z = _wallace(np.array([3.0]), np.array([degrees]))
        assert stats.norm.sf(z[0]) == pytest.approx(stats.t.sf(3.0, degrees), rel=0.05)
        assert _student(z, np.array([degrees])) == pytest.approx(3.0)
    assert spreads._f_limit(4, 12, 0.002) == pytest.approx(stats.f.ppf(0.998, 4, 12), rel=0.08)
    assert spreads._f_limit(4, 12) == pytest.approx(stats.f.ppf(0.99, 4, 12), rel=0.05)


def test_one_difference_of_many_seeds_is_welchs_test():
    rng = np.random.default_rng(0)
    a, b = rng.normal(0.5, 0.02, 60), rng.normal(0.49, 0.04, 60)
    cells = [SeedScores("f", "a", 4, dict(enumerate(a))), SeedScores("f", "b", 4, dict(enumerate(b)))]
    (d,) = judge(cells, [{0: 1.0, 1: -1.0}]).differences
    error = sqrt(a.var(ddof=1) / 60 + b.var(ddof=1) / 60)
    assert d.value == pytest.approx(a.mean() - b.mean()) and d.error == pytest.approx(error, rel=0.1)
    limit = stats.norm.ppf(1 - 0.05 * 0.9 / 2)
    assert d.error == pytest.approx(error) and (d.high - d.low) / 2 == pytest.approx(limit * error, rel=0.02)
    assert d.sign == (d.low > 0)


def test_a_pair_alone_lends_nothing_and_has_welchs_degrees_of_freedom():
    a, b = np.array([0.50, 0.51, 0.52]), np.array([0.40, 0.46, 0.43])
    cells = [SeedScores("f", "a", 4, dict(enumerate(a))), SeedScores("f", "b", 4, dict(enumerate(b)))]
    (d,) = judge(cells, [{0: 1.0, 1: -1.0}]).differences
    test = stats.ttest_ind(a, b, equal_var=False)
    assert d.strength == pytest.approx(_wallace(np.array([test.statistic]), np.array([test.df]))[0])
    same = judge(cells, [{0: 1.0, 1: -1.0}, {0: 1.0, 1: -1.0}]).differences
    assert same == (d, d), "a difference that two sentences assert is judged once"


@pytest.mark.parametrize("ratio", [1, 3])
def test_a_pair_alone_of_three_seeds_errs_in_one_of_twenty_also_where_one_spreads_three_times_as_much(ratio):
    """Before, 6.6 % of such pairs were told apart; no test that errs in 5 % finds half of what is 3 errors apart."""
    rng = np.random.default_rng([77, 3, ratio])
    error, found = sqrt((1 + ratio**2) / 3), {0: 0, 3: 0}
    for apart in found:
        for _ in range(2000):
            a, b = rng.normal(apart * error, 1, 3), rng.normal(0, ratio, 3)
            cells = [SeedScores("f", name, 4, dict(enumerate(x))) for name, x in (("a", a), ("b", b))]
            found[apart] += judge(cells, [{0: 1.0, 1: -1.0}]).differences[0].sign != 0
    assert found[0] <= 110 and found[3] >= {1: 900, 3: 800}[ratio], found


def test_families_too_large_to_draw_measure_the_same(monkeypatch):
    rng = np.random.default_rng(4)
    cells = [SeedScores("f", i // 2, i % 2, dict(enumerate(rng.normal(0.5, 0.02, 3)))) for i in range(8)]
    pairs = [{0: 0.5, 1: 0.5, 2: -0.5, 3: -0.5}, *({i: 1.0, j: -1.0} for i in range(8) for j in range(i))]
    drawn = judge(cells, pairs).differences
    monkeypatch.setattr("segfrontier.report.simultaneous._MOST_NUMBERS", 10)
    held = judge(cells, pairs).differences
    assert [(d.value, d.error, d.strength) for d in drawn] == [(d.value, d.error, d.strength) for d in held]
    assert all(h.low <= d.low and h.high >= d.high for d, h in zip(drawn, held, strict=True)), "Holm is the wider"


def test_seeds_that_move_all_scores_alike_are_paired_and_others_are_not():
    rng = np.random.default_rng(1)
    noise, shifts = rng.normal(0, 0.01, (4, 5)), np.array([0.1, -0.05, 0.02, 0.0, 0.07])
    assert not spreads.seed_effects(noise).any()
    found = spreads.seed_effects(noise + shifts)
    assert found == pytest.approx(shifts - shifts.mean(), abs=0.02)
    cells = [SeedScores("f", i, 4, dict(enumerate(row + shifts + 0.06 * (i == 0)))) for i, row in enumerate(noise)]
    assert judge(cells, [{0: 1.0, 1: -1.0}]).differences[0].sign == 1, "0.06 apart where seeds shift by 0.15"


def test_a_seed_that_a_method_lacks_is_no_advantage():
    noise, shifts = np.random.default_rng(1).normal(0, 0.002, (4, 6)), np.arange(6) * 0.1
    rows = [dict(enumerate(row + shifts)) for row in noise]
    del rows[0][0]  # its mean is higher by the worst seed, which it never ran
    found = judge([SeedScores("f", i, 4, row) for i, row in enumerate(rows)], [{0: 1.0, 1: -1.0}, {0: 1.0, 2: -1.0}])
    assert [abs(d.value) < 0.005 for d in found.differences] == [True, True]
    assert not any(d.sign for d in found.differences)


def test_pairing_costs_the_degrees_of_freedom_of_an_analysis_of_variance():
    scores = np.random.default_rng(1).normal(0, 1, (4, 6))
    residual = scores - scores.mean(0) - scores.mean(1, keepdims=True) + scores.mean()
    variance, freedom = spreads.effective(scores - scores.mean(0), paired=True)
    assert freedom.sum() == pytest.approx((4 - 1) * (6 - 1))
    assert variance.mean() == pytest.approx((residual**2).sum() / 15)
    assert spreads.effective(scores, paired=False)[1].tolist() == [5.0] * 4


def test_scores_that_are_the_same_but_for_rounding_are_not_told_apart():
    cells = [SeedScores("f", i, 4, dict.fromkeys(range(3), 0.5 + i * 2e-6)) for i in range(3)]
    assert not any(d.sign for d in judge(cells, [{0: 1.0, 1: -1.0}, {0: 1.0, 2: -1.0}]).differences)


def test_a_family_is_held_against_its_largest():
    rng = np.random.default_rng(2)
    cells = [SeedScores("f", i, 4, dict(enumerate(rng.normal(0.5, 0.02, 4)))) for i in range(8)]
    pairs = [{i: 1.0, j: -1.0} for i in range(8) for j in range(i)]
    many, one = judge(cells, pairs), judge(cells, pairs[:1])
    assert many.limit > one.limit + 0.7 and one.limit == pytest.approx(stats.norm.ppf(1 - 0.05 * 0.65 / 2), abs=0.1)
    assert many.limit < stats.norm.ppf(1 - 0.05 * 0.5 / 2 / len(pairs)), "less than Bonferroni: pairs share cells"
    known = [SeedScores("f", i, 4, dict(enumerate(rng.normal(0.5, 0.02, 100)))) for i in range(3)]
    three = judge(known, [{0: 1.0, 1: -1.0}, {0: 1.0, 2: -1.0}, {1: 1.0, 2: -1.0}])
    tukeys = stats.studentized_range.ppf(1 - 0.05 * 0.5, 3, np.inf) / sqrt(2)
    assert three.limit == pytest.approx(tukeys, abs=0.1), "half of the error allowed: the rest is for few seeds"


def test_what_was_found_leaves_the_family():
    rng = np.random.default_rng(3)
    cells = [SeedScores("f", i, 4, dict(enumerate(rng.normal(0.5 + 0.5 * i, 0.02, 4)))) for i in range(3)]
    pairs = [{0: 1.0, 1: -1.0}, {0: 1.0, 2: -1.0}, {1: 1.0, 2: -1.0}]
    assert [d.sign for d in judge(cells, pairs).differences] == [-1, -1, -1]


def test_variances_that_differ_are_not_lent():
    squares, freedom = np.array([1.0, 1.0, 1.0, 1.0]) * 1e-4, np.full(4, 8.0)
    even = spreads.spread(squares, freedom, range(4), [0] * 4)
    odd = spreads.spread(squares * [1, 1, 100, 100], freedom, range(4), [0] * 4)
    assert even.variance == pytest.approx(squares) and (even.freedom > odd.freedom + 4).all()
    assert odd.variance[0] < 0.4 * odd.variance[2], "a quiet method stays quieter than a noisy one"
    assert (even.freedom < 20).all(), "four that agree are no proof that all do"
    few = spreads.spread(np.full(6, 1e-4), np.full(6, 2.0), [0, 0, 1, 1, 2, 2], [0, 1] * 3)
    assert few.groups == 6, "three methods are too few to tell a budget's factor from a method's"


def test_two_seeds_have_one_sentence_how_many_more_would_decide():
    (one,) = said(alike(np.random.default_rng(0), 6, 2))
    assert not one.decided and "2 seeds a point decide nothing; 3 are the least" in one.text
    assert "more would tell" in one.text and "standard deviation 0.013" in one.text
    (single,) = said(alike(np.random.default_rng(0), 6, 1))
    assert single.text == "1 seed a point decides nothing; 3 are the least: run 2 more"


@pytest.mark.parametrize(("others", "more"), [({}, 8), ({"c": (0.4, 0.42)}, 11)])
def test_how_many_more_seeds_would_decide_by_hand(others, more):
    """Spread 0.01414, 0.02 apart: 2 ((2.241 + 0.84) / 1.414)^2 is 9.5; of three pairs 2.638 in place of 2.241: 12.1."""
    seen = {"a": (0.50, 0.52), "b": (0.48, 0.50)} | others
    (one,) = said([Score(method=m, hours=4, seed=s, score=x[s]) for m, x in seen.items() for s in (0, 1)])
    assert f"(standard deviation 0.014), about {more} more would tell a from b with 4 h (0.020 apart)" in one.text


def test_a_percent_of_full_supervision_is_decided_where_the_difference_is():
    draws = alike(np.random.default_rng(10), 3, 4)
    named = [replace(s, method="oracle" if s.method == "m0" else s.method) for s in draws]
    percents = [s for s in said(named) if s.kind == "percent"]
    assert len(percents) == 2 and not any(s.decided for s in percents)
    assert all(s.text.startswith("cannot tell m") and "from oracle" in s.text for s in percents)
    apart = [replace(s, score=s.score + 0.3 * (s.method == "oracle")) for s in named]
    assert [s.decided for s in said(apart) if s.kind == "percent"] == [True, True]


def test_a_percent_of_a_noisy_score_is_as_unsure_as_that_score():
    def width(noise):
        rows = [Score(method="m1", hours=4, seed=s, score=0.3 + s / 1000) for s in range(4)]
        full = [Score(method="oracle", hours=90, seed=s, score=0.6 + noise * (-1) ** (s in (1, 2))) for s in range(4)]
        (percent,) = [s for s in said(rows + full) if s.kind == "percent"]
        return percent.interval[1] - percent.interval[0]

    assert width(0.05) > 5 * width(0.001)


@pytest.mark.parametrize(("rivals", "seeds"), [(6, 2), (4, 3)])
def test_identical_methods_are_told_apart_in_one_study_of_twenty_at_most(rivals, seeds):
    """Before, 40 % of such reports held a saving, and half of them a "beats"."""
    rng = np.random.default_rng(15)
    false = sum(any(s.decided for s in said(alike(rng, rivals, seeds))) for _ in range(100))
    assert false <= 5


def test_a_method_three_standard_errors_better_is_found():
    rng = np.random.default_rng(16)
    found = 0
    for _ in range(40):
        decided = [s for s in said(alike(rng, 4, 3, better=3 * 0.02 * sqrt(2 / 3))) if s.decided]
        found += any(s.methods[0] == "m0" for s in decided)
    assert found >= 28


@pytest.mark.slow
@pytest.mark.parametrize(("rivals", "seeds"), [(2, 3), (6, 3), (6, 5), (12, 4)])
def test_the_error_of_whole_reports_over_many_draws(rivals, seeds):
    rng = np.random.default_rng([rivals, seeds])
    false = sum(any(s.decided for s in said(alike(rng, rivals, seeds))) for _ in range(400))
    assert false <= 20, f"{false} of 400"


@pytest.mark.slow
def test_some_that_differ_leave_the_others_alone():
    rng, false = np.random.default_rng(5), 0
    for _ in range(300):
        scores = alike(rng, 6, 4)
        moved = [replace(s, score=s.score + 0.1 * (s.method in ("m0", "m1"))) for s in scores]
        decided = [set(s.methods) for s in said(moved) if s.decided]
        good = {"m0", "m1"}
        false += any(m <= good or not m & good for m in decided)
    assert false <= 15


def test_the_same_scores_say_the_same_in_any_order():
    scores = alike(np.random.default_rng(4), 3, 4, better=0.05)
    swapped = [s for m in ("m0", "m1", "m2") for s in reversed(scores) if s.method == m]
    assert [s.text for s in said(scores)] == [s.text for s in said(swapped)]
    assert {s.text for s in said(scores) if s.decided} == {s.text for s in said(scores[::-1]) if s.decided}


def test_flat_curves_tell_no_factor():
    rng = np.random.default_rng(8)
    scores = [
        Score(method=m, hours=h, seed=s, score=0.15 + rng.normal(0, 0.01))
        for m in ("fine", "coarse") for h in (4.0, 12.0, 36.0) for s in range(4)
    ]  # fmt: skip
    saving = [s for s in said(scores) if s.kind == "saving"]
    assert [s.text.startswith("cannot tell whether") and not s.decided for s in saving] == [True]


def test_savings_come_with_the_noise_of_the_seeds():
    """Scores on a line of log hours: coarse needs a third of fine's hours everywhere."""
    rng = np.random.default_rng(9)
    scores = [
        Score(method=m, hours=h, seed=s, score=0.3 + 0.1 * np.log(h * f) + rng.normal(0, 0.004))
        for m, f in (("fine", 1), ("coarse", 3)) for h in (3.0, 9.0, 27.0, 81.0) for s in range(5)
    ]  # fmt: skip
    (saving,) = [s for s in said(scores) if s.kind == "saving"]
    low, high = saving.interval
    assert saving.decided and saving.methods == ("coarse", "fine") and low < 3 < high and high - low > 0.2
    assert saving.text.startswith("coarse needs 3") or saving.text.startswith("coarse needs 2.")
    needs = {s.methods[0]: s for s in said(scores) if s.kind == "need"}
    assert not any(s.decided for s in needs.values()) and needs["coarse"].interval[0] < 27 < needs["coarse"].interval[1]


def test_no_budget_is_said_to_miss_a_target_that_only_chance_has_set():
    """The target of these tables is the best score measured, which one of several identical methods holds by luck."""
    rng, missed = np.random.default_rng(21), 0
    for _ in range(30):
        missed += any("is not reached" in s.text for s in said(alike(rng, 6, 3)))
    assert missed <= 2
    apart = [Score(method=m, hours=h, seed=s, score=x + h / 100 + s / 500) for m, x in (("low", 0.1), ("high", 0.5))
             for h in (4.0, 12.0) for s in range(3)]  # fmt: skip
    needs = {s.methods[0]: s.text for s in said(apart) if s.kind == "need"}
    assert needs["low"].endswith("is not reached with 12 h") and "is not reached" not in needs["high"]


def test_who_sets_the_target_needs_what_its_interval_holds():
    """Targets are shown with three digits, rounded down; the interval is of the number shown."""
    rng = np.random.default_rng(22)
    scores = [
        Score(method="fine", hours=h, seed=s, score=0.2077 + h / 60 + rng.normal(0, 0.005))
        for h in (4.0, 12.0) for s in range(5)
    ]  # fmt: skip
    (need,) = [s for s in said(scores) if s.kind == "need"]
    low, high = need.interval
    assert low <= need.hours <= high


def test_a_leader_that_too_few_seeds_leave_open_says_so():
    scores = alike(np.random.default_rng(3), 2, 4, better=0.3)
    (one, *_) = [s for s in said([s for s in scores if s.method == "m0" or s.seed < 2]) if s.kind == "leader"]
    assert not one.decided and one.text.endswith("not told from m1 (seeds: 2; 3 are the least)")


def test_needs_of_draws_by_hand():
    scores = [np.array([0.5, 0.5, 0.7, 0.1]), np.array([0.7, 0.6, 0.8, 0.2])]
    low, _, high = needed([10.0, 20.0], scores, 0.6)
    assert low.tolist() == pytest.approx([15, 20, 0, 20]) and high.tolist() == pytest.approx([15, 20, 10, np.inf])
    assert middle(low, high) == (0.0, np.inf)
    area = stepped_area([10.0, 20.0], scores, 10.0, 40.0)
    assert area.tolist() == pytest.approx([0.6, 0.55, 0.75, 0.15])


@pytest.mark.parametrize(
    ("numbers", "words"),
    [
        ((2.312, 1.44, 3.86), "2.3 times (1.4 to 3.9)"),
        ((413.71, 371.0, 452.0), "410 times (370 to 450)"),
        ((0.5101, 0.4852, 0.5349), "0.510 times (0.485 to 0.535)"),
        ((0.03, 0.0004, 0.06), "0.030 times (above 0 to 0.060)"),
        ((12345.0, 12000.0, 12700.0), "12,340 times (12,000 to 12,700)"),
        ((2.0, 2.0, 2.0), "2.00 times"),
        ((4.0, 3.0, float("inf")), "at least 3.0 times"),
        ((4.0, 0.0, float("inf")), "unknown times"),  # "at least 0" says nothing
        ((4.0, float("-inf"), 8.0), "at most 8 times"),
        ((0.03, 0.0, 0.06), "0.030 times (0.000 to 0.060)"),
    ],
)
def test_numbers_have_the_digits_that_their_interval_supports(numbers, words):
    assert estimated(*numbers, unit="times") == words


def test_rounding_to_tens_and_no_minus_nought():
    assert rounded(-0.0004, 0.01) == "0.000" and rounded(1234, 130) == "1,230" and rounded(0, 0) == "0.00"
