"""How methods look in every picture of a study, and where hours lie on an axis that holds 0 and spans decades.

Colours are after Okabe and Ito, so that the colour-blind tell them apart; each comes with a marker, so that a grey
print tells methods apart as well.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from math import ceil, floor, inf, log10

from segfrontier.basics.colours import COLOURS

_MARKERS = (
    ("o", "circle", "●"), ("s", "square", "■"), ("^", "triangle-up", "▲"), ("D", "diamond", "◆"),
    ("v", "triangle-down", "▼"), ("P", "cross", "✚"), ("X", "x", "✖"), ("p", "pentagon", "⬟"),
    ("<", "triangle-left", "◀"), (">", "triangle-right", "▶"), ("h", "hexagon", "⬢"),
)  # fmt: skip
FRONTIER, STAR, GRID, BAND = "#222222", "#F0C000", "#E4E4E4", "#88888820"
_EDGE = 0.02  # of an axis, at either end, that stays free of markers
_TAKEN = 0.8  # of the room about an hour, by those that share it
_AHEAD = 0.06  # of what a logarithmic axis spans, beyond it
_MOST_ROOM = 0.22  # of an axis, left of its least hours


@dataclass(frozen=True, slots=True)
class Style:
    """A method's colour, and its marker by the names of matplotlib and plotly, and as a letter of text."""

    colour: str
    marker: str
    symbol: str
    glyph: str


def styles(methods: Iterable[str]) -> dict[str, Style]:
    """One look a method; ten colours and eleven markers, in turn, give 110 looks."""
    known = enumerate(dict.fromkeys(methods))
    return {m: Style(COLOURS[i % len(COLOURS)], *_MARKERS[i % len(_MARKERS)]) for i, m in known}


@dataclass(frozen=True, slots=True)
class Axis:
    """Hours on paper: logarithmic where they span a decade. There, 0 h has a place of its own left of a gap."""

    low: float  # the least above 0
    high: float
    zero: bool  # some cost nothing
    log: bool
    left: float = 0.0  # share of it that lies left of the least hours, at least

    @classmethod
    def of(cls, costs: Iterable[float], *, step: float = 0.0) -> Axis:
        """The axis for these hours, with room for those that share the least to stand a step apart."""
        known = list(costs)
        above = sorted(c for c in known if c > 0) or [1.0]
        gaps = max(0, known.count(min(known, default=0.0)) - 1)
        left = min(_MOST_ROOM, _EDGE + gaps / 2 * step / _TAKEN)
        return cls(above[0], above[-1], any(c == 0 for c in known), above[-1] >= 10 * above[0], left)

    def at(self, hours: float) -> float:
        """Where an amount of hours is drawn, in the axis's own numbers."""
        return self.origin if self.log and hours <= 0 else hours

    @property
    def origin(self) -> float:
        """Where 0 h is drawn: left of a gap that has as much room for those that cost nothing as lies left of them."""
        if not self.log:
            return 0.0
        share = 2 * max(0.0, self.left - _EDGE) * (1 + _AHEAD) / (1 - self.left)  # of what lies right of the origin
        return self.low / 10 ** (max(0.18, share / (1 - share)) * max(1.0, log10(self.high / self.low)))

    @property
    def limits(self) -> tuple[float, float]:
        """The ends of the axis, with room for markers."""
        spread = self.left / (1 - self.left)
        if not self.log:
            first = 0.0 if self.zero else self.low
            room = 0.07 * (self.high - first or self.high)
            low = -room if self.zero else max(first - room, 0.0)
            return min(low, first - spread * (self.high + room - first)), self.high + room
        first = self.origin if self.zero else self.low
        room = 10 ** (_AHEAD * log10(self.high / first))
        return min(first / room, first / (self.high * room / first) ** spread), self.high * room

    def share(self, at: float) -> float:
        """How far along the axis a place is, 0 to 1."""
        low, high = self.limits
        return log10(at / low) / log10(high / low) if self.log else (at - low) / (high - low)

    def place(self, share: float) -> float:
        """The place that is so far along the axis; the inverse of `share`."""
        low, high = self.limits
        return float(low * (high / low) ** share) if self.log else low + share * (high - low)

    @property
    def ticks(self) -> list[tuple[float, str]]:
        """Places and their words: a few in each decade, and 0 where something costs nothing."""
        zero = [(self.at(0.0), "0")] if self.zero else []
        return zero + [(t, f"{t:g}") for t in (self._decades() if self.log else self._even()) if t > 0]

    def _decades(self) -> Sequence[float]:
        low, high = self.low * 0.97, self.limits[1]
        span = self.high / self.low
        steps = next(
            s for most, s in ((30, (1, 2, 3, 5)), (300, (1, 2, 5)), (3e4, (1, 3)), (inf, (1,))) if span <= most
        )
        powers = range(floor(log10(low)), ceil(log10(high)) + 1)
        return [t for p in powers for s in steps if low <= (t := float(f"{s}e{p}")) <= high]

    def _even(self) -> Sequence[float]:
        low, high = self.limits
        rough = (high - low) / 6
        unit = 10.0 ** floor(log10(rough))
        step = next(s * unit for s in (1, 2, 5, 10) if s * unit >= rough)
        return [round(i * step, 12) for i in range(ceil(low / step), floor(high / step) + 1)]


def side_by_side(shares: Sequence[float], step: float) -> list[float]:
    """Places along an axis, 0 to 1, for `shares`, which ascend: those less than a step apart stand a step apart.

    Points that share an hour would hide each other's intervals. Where many do, they stand closer, so that a group
    stays clear of the next one and its hour can still be read.
    """
    groups: list[list[float]] = []
    for share in shares:
        if groups and share - groups[-1][-1] < step:
            groups[-1].append(share)
        else:
            groups.append([share])
    found: list[float] = []
    for i, group in enumerate(groups):
        left = group[0] - groups[i - 1][-1] if i else 2 * (group[0] - _EDGE)
        right = groups[i + 1][0] - group[-1] if i + 1 < len(groups) else 2 * (1 - _EDGE - group[-1])
        middle, gaps = (group[0] + group[-1]) / 2, len(group) - 1
        apart = min(step, (group[-1] - group[0] + _TAKEN * max(0.0, min(left, right))) / max(1, gaps))
        found += [middle + (j - gaps / 2) * apart for j in range(gaps + 1)]
    return found
