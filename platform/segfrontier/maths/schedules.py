"""Learning-rate schedules as closed forms: step -> factor of the base rate.

Each is a plain function, so `functools.partial(poly, total=40_000, power=0.9)` is a `Schedule` that pickles, and any
step can be asked for without having lived through the earlier ones.
"""

from __future__ import annotations

import math
from collections.abc import Callable

Schedule = Callable[[int], float]
"""The factor of the base learning rate at a step, counted from 0."""


def constant(step: int) -> float:  # noqa: ARG001
    """Factor 1 at every step."""
    return 1.0


def poly(step: int, *, total: int, power: float) -> float:
    """(1 - step / total) ** power, and 0 from `total` on."""
    return (1 - _progress(step, total)) ** power


def cosine(step: int, *, total: int, floor: float = 0.0) -> float:
    """Half a cosine from 1 at step 0 to `floor` at `total`, and `floor` after it."""
    return floor + (1 - floor) * 0.5 * (1 + math.cos(math.pi * _progress(step, total)))


def warm_up(step: int, *, steps: int, then: Schedule, start: float = 0.0) -> float:
    """`then`, scaled by a straight line from `start` at step 0 to 1 at `steps`.

    The wrapped schedule is not shifted: it counts the warm-up's steps too, so its own total stays the run's length.
    """
    if min(step, steps) < 0:
        raise ValueError(f"a warm-up's step and length must be at least 0; found {step} of {steps}; count from 0")
    if step >= steps:
        return then(step)
    return (start + (1 - start) * step / steps) * then(step)


def per_epoch(step: int, *, steps_per_epoch: int, then: Schedule) -> float:
    """`then` asked for whole epochs: the factor moves once an epoch. Its `total` counts epochs."""
    if steps_per_epoch < 1:
        raise ValueError(f"steps_per_epoch must be at least 1; found {steps_per_epoch}; give the steps of one epoch")
    return then(step // steps_per_epoch)


def _progress(step: int, total: int) -> float:
    if total < 1:
        raise ValueError(f"a schedule's total must be at least 1; found {total}; give the length of the run")
    return min(max(step / total, 0.0), 1.0)
