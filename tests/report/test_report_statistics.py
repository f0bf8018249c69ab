"""Means, intervals and paired verdicts: by hand, against exhaustive resampling, and every way to have no interval."""

from itertools import product
from math import isnan, nan, sqrt

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from segfrontier.report.statistics import compare, summarise

PROPERTY = settings(max_examples=50, deadline=None, derandomize=True)
SCORES = st.floats(0, 1, allow_nan=False).map(lambda x: round(x, 6))


def test_student_t_by_hand():
    got = summarise([0.50, 0.60, 0.70])
    half = 4.302652729911275 * 0.1 / sqrt(3)  # the 97.5 % point of t with 2 degrees of freedom, from a table
    assert got.mean == pytest.approx(0.6)
    assert got.interval == pytest.approx((0.6 - half, 0.6 + half))
    assert (got.count, got.how, got.level, got.note) == (3, "Student t", 0.95, "")
    assert got.words == "0.600 [0.352, 0.848] (95 % Student t, 3 seeds)"


@PROPERTY
@given(st.lists(SCORES, min_size=3, max_size=8, unique=True), st.sampled_from([0.5, 0.9, 0.99]))
def test_student_t_is_scipys(values, level):
    low, high = stats.t.interval(level, len(values) - 1, loc=np.mean(values), scale=stats.sem(values))
    assert summarise(values, level=level).interval == pytest.approx((low, high), abs=1e-9)


@pytest.mark.parametrize(
    ("values", "note"),
    [([], "no seeds"), ([0.4], "one seed"), ([0.4, nan, 0.5], "1 of 3 scores are not finite numbers")],
)
def test_no_interval_says_why(values, note):
    got = summarise(values)
    assert got.interval is None and got.note == note and note in got.words
    assert isnan(got.mean) == (len(values) != 1)


@pytest.mark.parametrize("how", ["t", "bootstrap"])
def test_seeds_that_agree_leave_an_interval_of_no_width(how):
    got = summarise([0.1, 0.1, 0.1], how=how, rng=np.random.default_rng(0))
    assert got.mean == 0.1 and got.interval == (0.1, 0.1)


@pytest.mark.parametrize("values", [[0.1, 0.5, 0.9], [0.2, 0.3, 0.35, 0.8], [0.61, 0.64, 0.6, 0.7, 0.55]])
def test_the_bootstrap_is_that_of_all_resamples(values):
    means = np.mean(list(product(values, repeat=len(values))), axis=1)
    got = summarise(values, how="bootstrap", level=0.8, draws=40_000, rng=np.random.default_rng(1))
    assert got.how == "percentile bootstrap" and got.interval is not None
    # Means of resamples lie on a grid: compare how much mass lies beyond each end, not the ends themselves.
    low, high = got.interval
    assert np.mean(means < low - 1e-9) <= 0.11 and np.mean(means <= low + 1e-9) >= 0.09
    assert np.mean(means > high + 1e-9) <= 0.11 and np.mean(means >= high - 1e-9) >= 0.09


def test_the_bootstrap_repeats_with_its_rng_and_the_order_of_seeds_is_nothing():
    a = summarise([0.3, 0.1, 0.2], how="bootstrap", rng=np.random.default_rng(7))
    b = summarise([0.1, 0.2, 0.3], how="bootstrap", rng=np.random.default_rng(7))
    assert a == b


def test_bad_settings_are_refused():
    with pytest.raises(ValueError, match="pass e.g. rng="):
        summarise([1, 2], how="bootstrap")
    with pytest.raises(ValueError, match="between 0 and 1; got 95"):
        summarise([1, 2], level=95)
    with pytest.raises(ValueError, match="'t', 'bootstrap'; got 'normal'"):
        summarise([1, 2], how="normal")


def test_pairs_see_what_means_cannot():
    a = {0: 0.51, 1: 0.62, 2: 0.71}
    b = {0: 0.50, 1: 0.60, 2: 0.70, 9: 0.99}  # seed 9 has no partner
    got = compare(a, b)
    assert got.seeds == (0, 1, 2) and got.difference.mean == pytest.approx(0.04 / 3)
    spread = np.std([0.01, 0.02, 0.01], ddof=1)
    assert got.difference.interval == pytest.approx(
        (0.04 / 3 - 4.302652729911275 * spread / sqrt(3), 0.04 / 3 + 4.302652729911275 * spread / sqrt(3))
    )
    assert got.verdict == "cannot tell" and got.reason.endswith("3 paired differences contains 0")


def test_three_verdicts():
    low, high = {0: 0.5, 1: 0.6, 2: 0.7}, {0: 0.6, 1: 0.71, 2: 0.81}
    assert compare(high, low).verdict == "yes" and "above 0" in compare(high, low).reason
    assert compare(low, high).verdict == "no" and "below 0" in compare(low, high).reason
    assert compare(low, low).verdict == "cannot tell"
    drawn = compare(high, low, how="bootstrap", rng=np.random.default_rng(0))
    assert drawn.verdict == "yes" and "percentile bootstrap" in drawn.reason


@pytest.mark.parametrize(
    ("b", "reason"),
    [
        ({3: 0.1}, "two shared seeds or more; shared: none"),
        ({0: 0.1}, "shared: seed 0 alone"),
        ({0: 0.1, 1: nan}, "1 of 2 scores are not finite"),
    ],
)
def test_cannot_tell_says_why(b, reason):
    got = compare({0: 0.9, 1: 0.9}, b)
    assert got.verdict == "cannot tell" and reason in got.reason and got.difference.interval is None


@PROPERTY
@given(st.dictionaries(st.integers(0, 6), SCORES), st.dictionaries(st.integers(0, 6), SCORES))
def test_a_comparison_read_backwards(a, b):
    there, back = compare(a, b), compare(b, a)
    swap = {"yes": "no", "no": "yes", "cannot tell": "cannot tell"}
    assert back.verdict == swap[there.verdict] and back.seeds == there.seeds
