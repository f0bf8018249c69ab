"""Dominance, frontiers, their probability and area: by hand, against loops in plain Python, and as properties."""

from itertools import product
from math import log, nan

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from segfrontier.report.frontier import (
    Point,
    _beaten,
    _beaten_along,
    area,
    by_facet,
    dominates,
    frontiers,
    one_facet,
    probability_on_frontier,
)

PROPERTY = settings(max_examples=50, deadline=None, derandomize=True)
SMALL, LARGE = (("image", 256),), (("image", 512),)


def point(seconds, score, *, method="m", facet=SMALL, gpu=None, **more):
    scores = score if isinstance(score, dict) else {0: score}
    gpu_hours = {} if gpu is None else {0: gpu}
    return Point(method=method, label="", seconds=seconds, facet=facet, scores=scores, gpu_hours=gpu_hours, **more)


# Few distinct values, so that ties are common.
POINTS = st.lists(
    st.builds(
        point,
        st.integers(0, 4),
        st.sampled_from([0.1, 0.2, 0.3, nan]),
        facet=st.sampled_from([SMALL, LARGE]),
        gpu=st.sampled_from([1.0, 2.0, None]),
        star=st.booleans(),
    ),
    max_size=12,
)


def plain_dominates(p, q, gpu):
    if p.facet != q.facet or p.star or q.star or p.score != p.score or q.score != q.score:
        return False
    costs = [(p.seconds, q.seconds)]
    if gpu:
        if not p.gpu_hours or not q.gpu_hours:
            return False
        costs.append((p.gpu_hours[0], q.gpu_hours[0]))
    no_worse = all(x <= y for x, y in costs) and p.score >= q.score
    return no_worse and (any(x < y for x, y in costs) or p.score > q.score)


def on(points, gpu=False):
    return {p for front in frontiers(points, gpu=gpu) for p in front.on}


def test_a_frontier_by_hand():
    cheap, good, best = point(10, 0.4), point(20, 0.5), point(40, 0.7)
    dear, worse = point(30, 0.5), point(10, 0.3)
    (front,) = frontiers([best, dear, cheap, worse, good])
    assert front.facet == SMALL
    assert front.on == (cheap, good, best)
    assert front.beaten == (worse, dear)


def test_equal_points_share_the_frontier():
    a, b = point(10, 0.5, method="a"), point(10, 0.5, method="b")
    assert not dominates(a, b) and not dominates(b, a)
    assert frontiers([b, a])[0].on == (a, b)


def test_not_a_number_and_stars_are_listed_apart():
    good, lost, none = point(10, 0.5), point(1, {0: 0.9, 1: nan}), point(1, {})
    star = point(1, 0.99, star=True)
    (front,) = frontiers([star, lost, good, none])
    assert front.on == (good,) and front.beaten == ()
    assert set(front.unranked) == {lost, none} and front.stars == (star,)
    assert not dominates(star, good)


def test_gpu_hours_are_a_second_cost():
    labels, compute = point(20, 0.5, gpu=1), point(10, 0.5, gpu=3)
    unmeasured = point(5, 0.9)
    assert on([labels, compute]) == {compute}
    front = frontiers([labels, compute, unmeasured], gpu=True)[0]
    assert set(front.on) == {labels, compute} and front.unranked == (unmeasured,)
    assert dominates(compute, labels) and not dominates(compute, labels, gpu=True)


@PROPERTY
@given(POINTS, st.booleans())
def test_the_frontier_is_what_nothing_dominates(points, gpu):
    for front in frontiers(points, gpu=gpu):
        mine = [p for p in points if p.facet == front.facet]
        ranked = [p for p in mine if not p.star and p.score == p.score and (not gpu or p.gpu_hours)]
        free = {p for p in ranked if not any(plain_dominates(q, p, gpu) for q in mine)}
        assert set(front.on) == free
        assert set(front.beaten) == set(ranked) - free
        assert sorted(map(id, mine)) == sorted(map(id, front.on + front.beaten + front.unranked + front.stars))
    assert all(dominates(p, q, gpu=gpu) == plain_dominates(p, q, gpu) for p, q in product(points, points))


@PROPERTY
@given(POINTS, st.booleans())
def test_adding_a_beaten_point_changes_nothing(points, gpu):
    before = on(points, gpu)
    for p in list(before):
        worse = point(p.seconds + 1, p.score - 0.05, facet=p.facet, gpu=p.gpu_hours.get(0))
        assert on([worse, *points], gpu) == before


@PROPERTY
@given(POINTS)
def test_facets_never_mix(points):
    apart = [on([p for p in points if p.facet == facet]) for facet in (SMALL, LARGE)]
    assert on(points) == apart[0] | apart[1]


@PROPERTY
@given(POINTS, st.randoms())
def test_the_order_of_points_is_nothing(points, random):
    mixed = random.sample(points, len(points))
    assert on(mixed) == on(points)
    assert [f.facet for f in frontiers(mixed)] == [f.facet for f in frontiers(points)]
    there, back = (probability_on_frontier(p, rng=np.random.default_rng(3), draws=5) for p in (points, mixed))
    assert there == back


def test_the_probability_is_that_of_all_resamples():
    a = point(10, {0: 0.50, 1: 0.52, 2: 0.60})
    b = point(20, {0: 0.51, 1: 0.50, 2: 0.61})  # paired with a: beaten in a third of the seeds
    alone = point(15, {5: 0.4, 6: 0.7})
    times_on = {a: 0, b: 0, alone: 0}
    for draw, other in product(product(range(3), repeat=3), product((5, 6), repeat=2)):
        mean = {p: np.mean([p.scores[s] for s in draw]) for p in (a, b)} | {
            alone: np.mean([alone.scores[s] for s in other])
        }
        for p in times_on:
            worse_off = [q for q in times_on if q.seconds < p.seconds and mean[q] >= mean[p] - 1e-12]
            times_on[p] += not worse_off
    exact = {p: n / (27 * 4) for p, n in times_on.items()}
    got = probability_on_frontier([b, alone, a], rng=np.random.default_rng(0), draws=20_000)
    assert got == pytest.approx(exact, abs=0.02) and 0 < exact[b] < 1


def test_twins_tie_in_every_draw_and_one_seed_is_taken_at_its_word():
    scores = {s: 0.1 * s + 0.03 for s in range(7)}
    twins = [point(10, scores), point(10, dict(reversed(scores.items())))]
    sure, lost = point(5, 0.01), point(50, 0.02)
    unranked = point(5, nan)
    got = probability_on_frontier([*twins, sure, lost, unranked], rng=np.random.default_rng(0), draws=200)
    assert got == {twins[0]: 1, twins[1]: 1, sure: 1, lost: 0}


def test_areas_by_hand():
    points = [point(20, 0.5), point(10, 0.4), point(30, 0.45), point(40, 0.8), point(99, 1.0), point(1, nan)]
    points.append(point(1, 1.0, star=True))
    assert area(points, low=0, high=50) == pytest.approx((0 * 10 + 0.4 * 10 + 0.5 * 20 + 0.8 * 10) / 50)
    assert area(points, low=15, high=25) == pytest.approx(0.45)
    assert area(points, low=0, high=20, floor=0.1) == pytest.approx(0.25)
    assert area(points, low=5, high=20, log=True) == pytest.approx(0.4 * log(2) / log(4))
    assert area([], low=0, high=1) == 0


@PROPERTY
@given(POINTS)
def test_the_area_is_the_mean_over_a_fine_grid(points):
    points = by_facet(points).get(SMALL, [])
    ranked = [p for p in points if not p.star and p.score == p.score]
    grid = np.arange(0.5, 4.5, 0.01) + 0.005
    best = [max((p.score for p in ranked if p.seconds <= x), default=0) for x in grid]
    assert area(points, low=0.5, high=4.5) == pytest.approx(np.mean(best), abs=1e-9)


def test_bad_requests_are_refused():
    with pytest.raises(ValueError, match="got 2 facets"):
        one_facet([point(1, 1), point(1, 1, facet=LARGE)])
    with pytest.raises(ValueError, match="low above 0 for log hours"):
        area([], low=0, high=1, log=True)
    with pytest.raises(ValueError, match="low < high"):
        area([], low=2, high=1)
    with pytest.raises(ValueError, match="finite and 0 or more; got -1"):
        point(-1, 0.5)
    with pytest.raises(ValueError, match="one draw or more"):
        probability_on_frontier([], rng=np.random.default_rng(0), draws=0)


def test_many_draws_at_once_are_beaten_as_one_after_the_other():
    rng = np.random.default_rng(0)
    for count in (0, 1, 2, 5, 9) * 20:
        costs, scores = rng.integers(0, 4, count).astype(float), rng.integers(0, 4, (5, count)).astype(float)
        one_by_one = [_beaten(costs[:, None], row) for row in scores]
        assert np.array_equal(_beaten_along(costs, scores), np.array(one_by_one).reshape(5, count)), "ties included"
