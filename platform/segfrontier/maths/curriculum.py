"""What a curriculum changes while training goes on: straight lines over its first epochs."""

from __future__ import annotations


def ramp(at: float, *, start: float, end: float, over: float) -> float:
    """`start` at 0, `end` from `over` on, a straight line in between; with `over` 0 it is `end` at once."""
    if at < 0 or over < 0:
        raise ValueError(f"a ramp is asked at 0 or later, and ends there; found {at} of {over}; count from 0")
    return end if at >= over else start + (end - start) * at / over


def spell(step: int, *, steps: int, spells: int) -> int:
    """Which of equally long spells a step is in, from 0: the epochs of a run whose length is given in steps."""
    if not 0 <= step < steps or spells < 1:
        raise ValueError(f"a step lies within the run, in one spell or more; found {step} of {steps} in {spells}")
    return step * spells // steps
