"""Schedules: the published vectors, and the closed forms against step-by-step recurrences."""

from __future__ import annotations

import itertools
import math
import pickle
from functools import partial

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from segfrontier.maths import constant, cosine, per_epoch, poly, warm_up

PROPERTY = settings(deadline=None, derandomize=True, database=None, max_examples=60)


@pytest.mark.parametrize(
    ("step", "rate"), [(0, 2.5e-4), (60_000, 1.952865e-4), (120_000, 1.387852e-4), (150_000, 1.095958e-4)]
)
def test_facts_1e_lr_poly(step: int, rate: float) -> None:
    assert 2.5e-4 * poly(step, total=250_000, power=0.9) == pytest.approx(rate, abs=5e-11)


def test_facts_1a_the_rate_ends_at_0_555_of_the_base() -> None:
    assert poly(120_000, total=250_000, power=0.9) == pytest.approx(0.555, abs=5e-4)


@pytest.mark.parametrize(
    ("epoch", "factor"), [(1, 0.954885), (2, 0.909533), (3, 0.863927), (10, 0.535887), (19, 0.067464), (20, 0.0)]
)
def test_facts_3e_poly_by_epoch(epoch: int, factor: float) -> None:
    schedule = partial(per_epoch, steps_per_epoch=7, then=partial(poly, total=20, power=0.9))
    for step in range(7 * epoch, 7 * epoch + 7):
        assert schedule(step) == pytest.approx(factor, abs=5e-7)


def test_facts_3a_the_epoch_ratio_recurrence_gives_the_closed_form() -> None:
    factor = 1.0
    for epoch in range(1, 20):
        factor *= ((20 - epoch) / (20 - epoch + 1)) ** 0.9
        assert poly(epoch, total=20, power=0.9) == pytest.approx(factor, rel=1e-12)


@PROPERTY
@given(total=st.integers(1, 1000), power=st.floats(0.1, 4), floor=st.floats(0, 1))
def test_poly_and_cosine_fall_from_1_and_stay_at_their_end(total: int, power: float, floor: float) -> None:
    for schedule, end in (
        (partial(poly, total=total, power=power), 0.0),
        (partial(cosine, total=total, floor=floor), floor),
    ):
        values = [schedule(step) for step in range(total + 3)]
        assert values[0] == pytest.approx(1.0)
        assert values[total:] == pytest.approx([end] * 3, abs=1e-12)
        assert all(later <= earlier + 1e-12 for earlier, later in itertools.pairwise(values))


def test_cosine_against_the_rotation_it_is() -> None:
    turn, direction = complex(math.cos(math.pi / 10), math.sin(math.pi / 10)), 1 + 0j
    for step in range(11):
        assert cosine(step, total=10) == pytest.approx((1 + direction.real) / 2)
        direction *= turn


def test_facts_4a_cosine_to_a_floor() -> None:
    assert 0.03 * cosine(100, total=100, floor=1e-4 / 0.03) == pytest.approx(1e-4)


def test_warm_up_is_a_line_times_the_schedule_and_then_the_schedule() -> None:
    then = partial(poly, total=100, power=2.0)
    assert warm_up(0, steps=4, then=then, start=0.1) == pytest.approx(0.1)
    assert warm_up(2, steps=4, then=then, start=0.1) == pytest.approx(0.55 * 0.98**2)
    assert [warm_up(s, steps=4, then=then) for s in (4, 50, 100)] == [then(4), then(50), 0.0]
    assert warm_up(0, steps=0, then=constant) == 1.0


def test_schedules_pickle_and_nest() -> None:
    schedule = partial(warm_up, steps=3, then=partial(per_epoch, steps_per_epoch=5, then=partial(cosine, total=4)))
    again = pickle.loads(pickle.dumps(schedule))
    assert [again(s) for s in range(25)] == [schedule(s) for s in range(25)]


def test_impossible_lengths_are_refused() -> None:
    with pytest.raises(ValueError, match="at least 1; found 0"):
        poly(0, total=0, power=1.0)
    with pytest.raises(ValueError, match="steps_per_epoch must be at least 1; found 0"):
        per_epoch(3, steps_per_epoch=0, then=constant)
