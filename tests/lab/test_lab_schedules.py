"""A schedule built directly is checked as one from a recipe is."""

import math

import pytest

from segfrontier.errors import BadInput
from segfrontier.lab.optimisers import Schedule


@pytest.mark.parametrize(
    ("fields", "says"),
    [
        ({"shape": "linear"}, r"shape must be poly \| cosine \| constant; found 'linear'"),
        ({"per": "steps"}, r"per must be step \| epoch; found 'steps'"),
        ({"power": -1.0}, "power, floor and warmup must be at least 0"),
        ({"power": math.nan}, "found .*power=nan"),
        ({"floor": -0.1}, "found .*floor=-0.1"),
        ({"warmup": -5}, "found .*warmup=-5"),
        ({"over": 0}, "`over` at least 1; found .*over=0"),
    ],
)
def test_a_schedule_that_cannot_be_meant_is_refused(fields, says):
    with pytest.raises(BadInput, match=says):
        Schedule(**fields)


def test_the_edges_are_allowed():
    schedule = Schedule(power=0, floor=0, warmup=0, over=1)
    assert schedule.factor(step=0, steps=1, steps_an_epoch=1) == 1
