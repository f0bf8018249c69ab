"""How long the points of a facet were trained: said where it is equal, and by how much where it is not.

A recipe that gives `steps` to each training gives a method that trains three times three times the compute. Steps are
counted, hours of computing are measured: the same cell always has the same steps, on whatever machine.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import isfinite

from segfrontier.report.contenders import YARDSTICK
from segfrontier.report.findings import Finding
from segfrontier.report.points import FrontierPoint


def training_words(finding: Finding) -> tuple[str, ...]:
    """ "all trained 60 steps", or how few and how many; nothing where it is not known of every point.

    Equal steps may see more or fewer images, where a method's steps have batches of several kinds: that is said, too.
    """
    steps = _steps(finding.entries)
    if not steps:
        return ()
    low, high = min(steps.values()), max(steps.values())
    if low < high:
        return (f"trained {_number(low)} to {_number(high)} steps",)
    seen = sorted(e.point.seen for e in steps)
    images = "" if seen[0] == seen[-1] else f" that saw {_number(seen[0])} to {_number(seen[-1])} images"
    return (f"all trained {_number(low)} steps{images}",)


def unequal_training(finding: Finding) -> list[str]:
    """A sentence on each contender that trained longer than the yardstick, and the row that would be its control."""
    steps = _steps(finding.entries)
    own = {n for e, n in steps.items() if e.point.method == YARDSTICK}
    least = {n for e, n in steps.items() if e.point.method == YARDSTICK and not e.knobs} or own
    told: dict[str, None] = {}
    for entry, count in steps.items():
        if least and count > min(least) and entry.point.method != YARDSTICK:
            told[_unequal(entry.name, count, min(least), controlled=count in own)] = None
    return list(told)


def steps_words(entries: Sequence[FrontierPoint], of: Sequence[FrontierPoint]) -> str:
    """ "1,200 steps" of a series whose facet holds other numbers, too; empty where all are equal or one is unknown."""
    every, here = _steps(of), {e.point.trained for e in entries}
    return f"{_number(here.pop())} steps" if len(set(every.values())) > 1 and len(here) == 1 else ""


def _unequal(name: str, count: float, least: float, *, controlled: bool) -> str:
    times, whole = count / least, count % least == 0
    if controlled:
        control = f"the control is the row of {YARDSTICK} with as many"
    elif whole:
        row = f"{{name: {YARDSTICK}, knobs: {{trainings: {times:.0f}}}}}"
        control = f"no row of {YARDSTICK} has as many: add {row}, or give all the same by recipe.total_steps"
    else:
        control = f"no row of {YARDSTICK} has as many: give all the same by recipe.total_steps"
    return f"{name} trained {_number(count)} steps, {times:.3g} times those of {YARDSTICK}; {control}"


def _steps(entries: Sequence[FrontierPoint]) -> dict[FrontierPoint, float]:
    """Of every point that has a score; nothing where one's are not known."""
    scored = [e for e in entries if isfinite(e.point.score)]
    found = {e: e.point.trained for e in scored}
    return found if all(map(isfinite, found.values())) else {}


def _number(steps: float) -> str:
    return f"{steps:,.0f}"
