"""Means, intervals and paired comparisons over seeds. Every result states how its interval was made, and why not."""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Mapping
from dataclasses import dataclass
from functools import cache
from math import cos, pi, sin, sqrt, tan
from typing import Literal

import numpy as np
from numpy.typing import NDArray

How = Literal["t", "bootstrap"]
Verdict = Literal["yes", "no", "cannot tell"]
_NAMES: Mapping[How, str] = {"t": "Student t", "bootstrap": "percentile bootstrap"}


@dataclass(frozen=True, slots=True)
class Summary:
    """A mean over `count` seeds. `interval` is None where there is none, and `note` then says why."""

    mean: float
    interval: tuple[float, float] | None
    count: int
    how: str
    level: float
    note: str = ""

    @property
    def words(self) -> str:
        """ "0.612 [0.598, 0.626] (95 % Student t, 5 seeds)"."""
        if self.interval is None:
            return f"{self.mean:.3f} (no interval: {self.note})"
        low, high = self.interval
        return f"{self.mean:.3f} [{low:.3f}, {high:.3f}] ({self.level * 100:g} % {self.how}, {self.count} seeds)"


@dataclass(frozen=True, slots=True)
class Comparison:
    """Does A beat B, from A minus B on the seeds that both have? `reason` says what the verdict rests on."""

    verdict: Verdict
    reason: str
    difference: Summary
    seeds: tuple[Hashable, ...]


def summarise(
    values: Iterable[float],
    *,
    how: How = "t",
    level: float = 0.95,
    draws: int = 10_000,
    rng: np.random.Generator | None = None,
) -> Summary:
    """Mean and interval of one score a seed.

    The percentile bootstrap needs `rng`. It never leaves the range of what was measured, so with a handful of seeds it
    is narrower than its level promises; Student t is the default for that reason.
    """
    if not 0 < level < 1:
        raise ValueError(f"the level of an interval lies between 0 and 1; got {level!r}; write e.g. 0.95")
    if how not in _NAMES:
        raise ValueError(f"an interval is made by one of {', '.join(map(repr, _NAMES))}; got {how!r}")
    if how == "bootstrap" and rng is None:
        raise ValueError("a bootstrap draws at random; got no rng; pass e.g. rng=np.random.default_rng(0)")
    x = np.sort(np.asarray(list(values), np.float64))  # sorted: the order of the seeds must not move the last bit
    name, note = _NAMES[how], _why_no_interval(x)
    mean = float(x.mean()) if len(x) else float("nan")
    if note:
        return Summary(mean, None, len(x), name, level, note)
    if x[0] == x[-1]:  # rounding must not open an interval around values that all agree
        mean = float(x[0])
    interval = _student(x, mean, level) if rng is None or how == "t" else _bootstrap(x, level, draws, rng)
    return Summary(mean, interval, len(x), name, level)


def compare(
    a: Mapping[int, float],
    b: Mapping[int, float],
    *,
    how: How = "t",
    level: float = 0.95,
    draws: int = 10_000,
    rng: np.random.Generator | None = None,
) -> Comparison:
    """Does A beat B? "yes" and "no" when the interval of the paired differences lies wholly on one side of 0."""
    seeds = tuple(sorted(a.keys() & b.keys()))
    difference = summarise([a[s] - b[s] for s in seeds], how=how, level=level, draws=draws, rng=rng)
    if len(seeds) < 2:
        shared = f"seed {seeds[0]} alone" if seeds else "none"
        return Comparison("cannot tell", f"pairs need two shared seeds or more; shared: {shared}", difference, seeds)
    if difference.interval is None:
        return Comparison("cannot tell", difference.note, difference, seeds)
    low, high = difference.interval
    of = f"the {level * 100:g} % interval ({difference.how}) of {len(seeds)} paired differences"
    if low > 0:
        return Comparison("yes", f"{of} lies above 0", difference, seeds)
    if high < 0:
        return Comparison("no", f"{of} lies below 0", difference, seeds)
    return Comparison("cannot tell", f"{of} contains 0", difference, seeds)


def _why_no_interval(x: NDArray[np.float64]) -> str:
    if not len(x):
        return "no seeds"
    if not np.isfinite(x).all():
        return f"{np.count_nonzero(~np.isfinite(x))} of {len(x)} scores are not finite numbers"
    return "one seed" if len(x) == 1 else ""


def _student(x: NDArray[np.float64], mean: float, level: float) -> tuple[float, float]:
    spread = 0.0 if x[0] == x[-1] else x.std(ddof=1)
    half = float(_t_limit(len(x) - 1, level) * spread / np.sqrt(len(x)))
    return mean - half, mean + half


@cache
def _t_limit(degrees: int, level: float) -> float:
    """What |t| stays under in so many of all cases: its distribution, a finite series in the angle, halved into.

    SciPy has it, too, and takes longer to load than a report to make.
    """
    low, high = 0.0, pi / 2
    for _ in range(60):
        angle = (low + high) / 2
        low, high = (angle, high) if _t_within(degrees, angle) < level else (low, angle)
    return sqrt(degrees) * tan(low)


def _t_within(degrees: int, angle: float) -> float:
    """How often |t| is under sqrt(degrees) * tan(angle)."""
    odd, squared = degrees % 2, cos(angle) ** 2
    term = total = (cos(angle) if degrees > 1 else 0.0) if odd else 1.0
    for k in range(2 + odd, degrees - 1, 2):
        term *= squared * (k - 1) / k
        total += term
    return 2 / pi * (angle + sin(angle) * total) if odd else sin(angle) * total


def _bootstrap(x: NDArray[np.float64], level: float, draws: int, rng: np.random.Generator) -> tuple[float, float]:
    if x[0] == x[-1]:
        return float(x[0]), float(x[0])
    means = x[rng.integers(len(x), size=(draws, len(x)))].mean(axis=1)
    low, high = np.quantile(means, [(1 - level) / 2, (1 + level) / 2])
    return float(low), float(high)
