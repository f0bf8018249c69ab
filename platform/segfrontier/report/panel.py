"""What a drawing shows of one facet over one cost: which series, where each point stands, under which name.

The picture and the page to point at both draw it, each with a library of its own.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from math import isfinite

from segfrontier.market.budget import hours
from segfrontier.report.findings import Finding
from segfrontier.report.frontier import Point
from segfrontier.report.points import FrontierPoint
from segfrontier.report.style import Axis, Style, side_by_side, styles
from segfrontier.report.training import steps_words

_STEP, _NUMBERED_STEP = 0.018, 0.025  # of the axis, between points that share an hour
_BAND = 0.08  # of the axis: points of one cost that reach over more of it stand in a band
_LINES = 4  # kinds of lines that tell a method's series apart
_MOST_SERIES = 14  # where there are more, a method is named once, without knobs
_LONGEST = 80  # letters of a name


@dataclass(frozen=True, slots=True)
class Series:
    """The budgets of a method with its knobs, which a line joins. `turn`: which one of its method's it is, from 0.

    `number`, from 1, stands in its marks and before its name, where no line tells it from others of its method.
    """

    name: str
    named: bool  # whether the legend lists it
    look: Style
    turn: int
    entries: Sequence[FrontierPoint]
    number: str = ""


class Panel:
    """One facet over one cost."""

    def __init__(self, finding: Finding, *, by_compute: bool = False) -> None:
        self.finding, self.by_compute = finding, by_compute
        self.entries = [e for e in finding.entries if isfinite(e.point.score) and isfinite(self.cost(e.point))]
        self.stars = () if by_compute else finding.front.stars
        self.settings = self._settings()
        step = _NUMBERED_STEP if any(map(self._numbered, self.settings)) else _STEP
        self.axis = Axis.of((self.cost(p) for p in self._points), step=step)
        self._x, self._step = self._places(step), step

    @property
    def title(self) -> str:
        """What the panel is about."""
        return self.finding.words

    @property
    def across(self) -> str:
        """What lies along x."""
        return f"{self.finding.harvest.compute} hours" if self.by_compute else "annotation hours"

    def cost(self, point: Point) -> float:
        """What the panel shows along x, in hours."""
        return point.gpu if self.by_compute else hours(point.seconds)

    def xy(self, point: Point) -> tuple[float, float]:
        """Where a point stands, beside those that share its hour."""
        return self._x[point], point.score

    def interval(self, entry: FrontierPoint) -> tuple[float, float] | None:
        """Of a point's mean score; none where one seed is all there is."""
        return self.finding.reading.summary(entry.point).interval

    def leads(self, entry: FrontierPoint) -> bool:
        """Whether a point is on the frontier."""
        return entry.point in self.finding.front.on

    @property
    def steps(self) -> list[tuple[float, float]]:
        """The corners of the frontier, up to the end of the axis; none with two costs: no line in a plane shows it."""
        if self.finding.reading.gpu:
            return []
        on = [self.xy(p) for p in self.finding.front.on]
        corners = [(x, y) for before, (x, after) in pairwise(on) for y in (before[1], after)]
        return [on[0], *corners, (self.axis.limits[1], on[-1][1])]

    def series(self) -> Iterator[Series]:
        """In the order of the study's methods. Of knobs those are named that tell a method's series apart."""
        looks, tells = styles(self.finding.harvest.methods), self._tells
        for method, settings in self.settings.items():
            for turn, (differing, entries) in enumerate(
                zip(_differing(list(settings)), settings.values(), strict=True)
            ):
                number = str(turn + 1) if self._numbered(method) else ""
                differing = differing or ("(defaults)" if number else "")
                name = " ".join(word for word in (number, method, differing) if word) if tells else method
                name = _clip(name) + (f" · {steps}" if tells and (steps := steps_words(entries, self.entries)) else "")
                yield Series(name, tells or turn == 0, looks[method], turn, entries, number)

    def _settings(self) -> dict[str, dict[str, list[FrontierPoint]]]:
        """By method, in the study's order, and by its knobs: the points, from the cheapest on."""
        found: dict[str, dict[str, list[FrontierPoint]]] = {}
        methods = self.finding.methods
        for entry in sorted(self.entries, key=lambda e: (methods.index(e.point.method), e.knobs, self.cost(e.point))):
            method, knobs = entry.series
            found.setdefault(method, {}).setdefault(knobs, []).append(entry)
        return found

    @property
    def _tells(self) -> bool:
        """Whether each series is named; of too many, a method is named once."""
        return sum(map(len, self.settings.values())) <= _MOST_SERIES

    def _numbered(self, method: str) -> bool:
        """Whether a method's series are told apart by numbers: each is but one point, or there are too many lines."""
        own = self.settings[method].values()
        alone = all(len(entries) == 1 for entries in own)
        return self._tells and len(own) > 1 and (alone or len(own) > _LINES)

    @property
    def heights(self) -> tuple[float, float]:
        """Limits that show all means and most of the intervals: a wild interval must not flatten the rest."""
        scores, bars = [p.score for p in self._points], self._bars
        spread = max(max(scores) - min(scores), 0.02)
        low = max(min([*scores, *(i[0] for i in bars)]), min(scores) - 0.5 * spread)
        high = min(max([*scores, *(i[1] for i in bars)]), max(scores) + 0.5 * spread)
        room = max(0.08 * spread, 0.01)
        return low - room, high + room

    @property
    def cut(self) -> bool:
        """Whether an interval is longer than the panel is high."""
        low, high = self.heights
        return any(i[0] < low or i[1] > high for i in self._bars)

    @property
    def moved(self) -> bool:
        """Whether a point stands beside its hours, to make room for another one's interval."""
        return any(abs(self.axis.share(x) - self._share(p)) > 1e-6 for p, x in self._x.items())

    @property
    def bands(self) -> list[tuple[float, float, str]]:
        """Ends and words of those costs whose points stand so far apart that their places could be taken for costs."""
        shares: dict[float, list[float]] = {}
        for point, x in self._x.items():
            shares.setdefault(self.cost(point), []).append(self.axis.share(x))
        room, at = self._step / 2, self.axis.place
        return [
            (at(min(own) - room), at(max(own) + room), f"all at {cost:.3g} h")
            for cost, own in shares.items()
            if max(own) - min(own) > _BAND
        ]

    @property
    def _points(self) -> list[Point]:
        return [*(e.point for e in self.entries), *self.stars]

    @property
    def _bars(self) -> list[tuple[float, float]]:
        return [i for e in self.entries if (i := self.interval(e)) is not None]

    def _share(self, point: Point) -> float:
        return self.axis.share(self.axis.at(self.cost(point)))

    def _places(self, step: float) -> dict[Point, float]:
        """Where points stand along the axis; those that share an hour in the order of their methods, everywhere."""
        rank = {m: i for i, m in enumerate(self.finding.harvest.methods)}
        knobs = {e.point: e.knobs for e in self.entries}
        ordered = sorted(self._points, key=lambda p: (self.cost(p), rank.get(p.method, len(rank)), knobs.get(p, "")))
        placed = side_by_side([self._share(p) for p in ordered], step)
        return {p: self.axis.place(share) for p, share in zip(ordered, placed, strict=True)}


def panels(found: Sequence[Finding]) -> list[Panel]:
    """One a facet that has a score; with computing as a second cost, a second one over that where it was measured."""
    views = [
        (f, by_compute) for f in found if f.points for by_compute in ((False, True) if f.reading.gpu else (False,))
    ]
    return [panel for f, by_compute in views if (panel := Panel(f, by_compute=by_compute)).entries]


def _differing(settings: Sequence[str]) -> list[str]:
    """Of each setting of a method's knobs, in words, what is not the same in all of them."""
    parts = [setting.split() for setting in settings]
    return [" ".join(word for word in own if not all(word in others for others in parts)) for own in parts]


def _clip(name: str) -> str:
    return name if len(name) <= _LONGEST else f"{name[: _LONGEST - 3]}..."
