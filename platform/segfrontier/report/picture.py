"""frontier.png: a panel a facet, annotation hours against mIoU, the frontier as steps of what a budget affords."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from itertools import pairwise
from math import ceil, isfinite
from pathlib import Path
from textwrap import fill
from typing import Any

from segfrontier.market.budget import hours
from segfrontier.report.findings import Finding
from segfrontier.report.frontier import Point
from segfrontier.report.placing import place_labels
from segfrontier.report.points import Entry
from segfrontier.report.sentences import interval_words, prices_words
from segfrontier.report.style import FRONTIER, Axis, Style, styles

_DPI = 200
_STAR = "#F0C000"
_MOST_SERIES = 9  # more are named by their method alone


def draw_frontier(found: Sequence[Finding], path: Path) -> Path:
    """Draw every facet that has a score. With computing as a second cost, each has a second panel over that cost."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    views = [
        (f, by_compute) for f in found if f.points for by_compute in ((False, True) if f.reading.gpu else (False,))
    ]
    across = min(2, max(1, len(views)))
    down = max(1, ceil(len(views) / across))
    figure = Figure(figsize=(7.2 if across == 1 else 12.4, 4.6 * down + 0.5), dpi=_DPI, layout="constrained")
    FigureCanvasAgg(figure)
    grid = figure.subplots(down, across, squeeze=False).flatten().tolist()
    panels = [Panel(axes, finding, by_compute) for axes, (finding, by_compute) in zip(grid, views, strict=False)]
    for axes in grid[len(views) :]:
        axes.set_axis_off()
    for panel in panels:
        panel.draw()
    if panels:
        _legend(figure, panels)
    else:
        grid[0].text(0.5, 0.5, "no cell has a score yet", ha="center", transform=grid[0].transAxes)
    figure.draw_without_rendering()  # the layout must be final before names look for room
    figure.set_layout_engine("none")
    for panel in panels:
        panel.name_series()
    figure.savefig(path, facecolor="white")
    return path


class Panel:
    """One facet over one cost."""

    def __init__(self, axes: Any, finding: Finding, by_compute: bool) -> None:
        self.axes, self.finding, self.by_compute = axes, finding, by_compute
        self.styles = styles(finding.harvest.methods)
        self.entries = [e for e in finding.entries if isfinite(e.point.score) and isfinite(self.cost(e.point))]
        self.stars = () if by_compute else finding.front.stars
        costs = [self.cost(p) for p in (*(e.point for e in self.entries), *self.stars)]
        self.axis = Axis.of(costs)
        self.cut = False

    def cost(self, point: Point) -> float:
        """What the panel shows along x, in hours."""
        return point.gpu if self.by_compute else hours(point.seconds)

    @property
    def has_line(self) -> bool:
        """With two costs the frontier is a surface, and no line in a plane shows it."""
        return not self.finding.reading.gpu

    def draw(self) -> None:
        """All but the names."""
        self._frame()
        for members in self.series().values():
            look = self.styles[members[0].point.method]
            xy = [self._xy(e.point) for e in members]
            self.axes.plot(*zip(*xy, strict=True), color=look.colour, linewidth=0.9, alpha=0.3, zorder=1)
            for strong in (False, True):
                self._mark([e for e in members if (e.point in self.finding.front.on) == strong], look, strong)
        if self.has_line:
            self.axes.plot(*zip(*self._steps(), strict=True), color=FRONTIER, linewidth=1.4, zorder=2)
        for star in self.stars:
            self.axes.plot(*self._xy(star), "*", color=_STAR, mec="#333333", mew=0.7, ms=13, zorder=5)

    def series(self) -> dict[tuple[str, str], list[Entry]]:
        """Points by what joins them: the budgets of a method with its knobs."""
        found: dict[tuple[str, str], list[Entry]] = {}
        for entry in sorted(self.entries, key=lambda e: self.cost(e.point)):
            found.setdefault(entry.series, []).append(entry)
        return found

    def name_series(self) -> None:
        """Write names beside the points."""
        groups: dict[str, list[Entry]] = {}
        all_series = self.series()
        settings = Counter(method for method, _ in all_series)  # knobs are told where a method has more than one
        for (method, _), members in all_series.items():
            tells = settings[method] > 1 and len(all_series) <= _MOST_SERIES
            groups.setdefault(_clip(members[0].name if tells else method), []).extend(members)
        names = [
            (
                name,
                self.styles[members[0].point.method].colour,
                sorted((self._xy(e.point) for e in members), key=_height),
            )
            for name, members in groups.items()
        ]
        names += [(_clip(star.method), "#333333", [self._xy(star)]) for star in self.stars]
        place_labels(self.axes, names, self._lines(), size=8.5)

    def _steps(self) -> list[tuple[float, float]]:
        """The corners of the frontier, up to the end of the axis."""
        on = [self._xy(p) for p in self.finding.front.on]
        corners = [(x, y) for before, (x, after) in pairwise(on) for y in (before[1], after)]
        return [on[0], *corners, (self.axis.limits[1], on[-1][1])]

    def _lines(self) -> list[list[tuple[float, float]]]:
        """What names should not cover."""
        bars = [(self._xy(e.point)[0], self.finding.reading.summary(e.point).interval) for e in self.entries]
        low, high = self.axes.get_ylim()
        upright = [[(x, max(i[0], low)), (x, min(i[1], high))] for x, i in bars if i]
        joined = [[self._xy(e.point) for e in members] for members in self.series().values() if len(members) > 1]
        return upright + joined + ([self._steps()] if self.has_line else [])

    def _xy(self, point: Point) -> tuple[float, float]:
        return self.axis.at(self.cost(point)), point.score

    def _mark(self, entries: Sequence[Entry], look: Style, strong: bool) -> None:
        """Markers with their intervals; one call for many, since each is slow."""
        if not entries:
            return
        alpha = 1.0 if strong else 0.4
        xs, ys = zip(*(self._xy(e.point) for e in entries), strict=True)
        found = [
            (x, y, self.finding.reading.summary(e.point).interval) for x, y, e in zip(xs, ys, entries, strict=True)
        ]
        bars = [(x, y, y - i[0], i[1] - y) for x, y, i in found if i is not None]
        if bars:
            x, y, below, above = zip(*bars, strict=True)
            self.axes.errorbar(x, y, yerr=[below, above], fmt="none", capsize=2.5, ecolor=look.colour, elinewidth=1,
                               alpha=alpha * 0.75, zorder=3)  # fmt: skip
        self.axes.plot(xs, ys, look.marker, color=look.colour, ms=7 if strong else 6, alpha=alpha,
                       mec=FRONTIER if strong else look.colour, mew=0.8, zorder=4)  # fmt: skip

    def _frame(self) -> None:
        axes, axis = self.axes, self.axis
        axes.set_title(fill(self.finding.words, 92), fontsize=8, loc="left", color="#333333")
        axes.set_xscale("log" if axis.log else "linear")
        axes.set_xlim(*axis.limits)
        axes.set_ylim(*self._heights())
        axes.set_xticks([t for t, _ in axis.ticks], labels=[word for _, word in axis.ticks])
        axes.minorticks_off()
        what = f"{self.finding.harvest.compute} hours" if self.by_compute else "annotation hours"
        axes.set_xlabel(f"{what}{', logarithmic' if axis.log else ''}")
        axes.set_ylabel("mIoU")
        axes.grid(True, color="#E4E4E4", linewidth=0.6, zorder=0)
        axes.spines[["top", "right"]].set_visible(False)
        if axis.log and axis.zero:  # the axis is broken between 0 and the first cost above it
            gap = (axis.origin * axis.low) ** 0.5
            axes.plot([gap], [0], marker=[(-1, -2), (1, 2)], ms=8, color=FRONTIER, mew=1, clip_on=False,
                      transform=axes.get_xaxis_transform(), zorder=7)  # fmt: skip

    def _heights(self) -> tuple[float, float]:
        """Limits that show all means and most of the intervals: a wild interval must not flatten the rest."""
        scores = [p.score for p in (*(e.point for e in self.entries), *self.stars)]
        spread = max(max(scores) - min(scores), 0.02)
        intervals = [i for e in self.entries if (i := self.finding.reading.summary(e.point).interval)]
        low = max(min([*scores, *(i[0] for i in intervals)]), min(scores) - 0.5 * spread)
        high = min(max([*scores, *(i[1] for i in intervals)]), max(scores) + 0.5 * spread)
        room = max(0.08 * spread, 0.01)
        low, high = low - room, high + room
        self.cut = any(i[0] < low or i[1] > high for i in intervals)
        return low, high


def _height(xy: tuple[float, float]) -> float:
    return xy[1]


def _clip(name: str, most: int = 34) -> str:
    return name if len(name) <= most else f"{name[: most - 3]}..."


def _legend(figure: Any, panels: Sequence[Panel]) -> None:
    """What marks, lines, bars and stars mean, below all panels."""
    from matplotlib.lines import Line2D

    shown = dict.fromkeys(m for p in panels for m in p.finding.methods)
    entries = [
        Line2D([], [], color=look.colour, marker=look.marker, lw=0.9, ms=6, label=_clip(method))
        for method, look in panels[0].styles.items() if method in shown
    ]  # fmt: skip
    entries += [
        Line2D([], [], color="#777777", marker="o", ls="", mec=FRONTIER, label="on the frontier"),
        Line2D([], [], color="#777777", marker="o", ls="", alpha=0.4, label="beaten"),
    ]
    if panels[0].has_line:
        entries.append(Line2D([], [], color=FRONTIER, lw=1.4, label="frontier: best mean a budget affords"))
    if any(p.stars for p in panels):
        entries.append(Line2D([], [], color=_STAR, marker="*", ls="", ms=11, mec="#333333", label="printed in a paper"))
    cut = "; long intervals are cut off" if any(p.cut for p in panels) else ""
    said = "; ".join(dict.fromkeys(f"{interval_words(p.finding)}; {prices_words(p.finding)}" for p in panels))
    figure.legend(
        handles=entries, loc="outside lower center", ncols=4 if figure.get_figwidth() < 10 else 7, fontsize=8,
        frameon=False, title=fill(f"{said}{cut}", 110), title_fontproperties={"size": 8},
    )  # fmt: skip
