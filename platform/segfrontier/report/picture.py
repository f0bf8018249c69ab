"""frontier.png: a panel a facet, annotation hours against mIoU, the frontier as steps of what a budget affords.

It is as wide as its letters allow on a telephone, and its legend lies below, where no point can be.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import ceil
from pathlib import Path
from textwrap import fill
from typing import Any

from segfrontier.report.findings import Finding
from segfrontier.report.panel import Panel, Series, panels
from segfrontier.report.sentences import interval_words, prices_words
from segfrontier.report.style import BAND, FRONTIER, GRID, STAR
from segfrontier.report.training import training_words

_DPI, _WIDE, _HIGH, _ROW = 200, 6.4, 4.1, 0.21  # inches: of the picture, of a panel, of a line of text
_LETTERS, _NAME = 78, 34  # in a line of text, and of a legend with two columns
_DASHES = ("-", "--", ":", "-.")


def draw_frontier(found: Sequence[Finding], path: Path) -> Path:
    """Draw every facet that has a score, one below the other."""
    from matplotlib import rc_context
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    shown = panels(found)
    with rc_context({"font.size": 10, "axes.spines.top": False, "axes.spines.right": False}):
        handles, notes = _handles(shown), _notes(shown)
        columns = 2 if any(len(h.get_label()) > 22 for h in handles) else 3
        lines = sum(1 + h.get_label().count("\n") for h in handles)
        rows = ceil(lines / columns) + notes.count("\n") + 2
        figure = Figure((_WIDE, _HIGH * max(1, len(shown)) + _ROW * rows), dpi=_DPI, layout="constrained")
        FigureCanvasAgg(figure)
        grid = figure.subplots(max(1, len(shown)), squeeze=False)[:, 0]
        for axes, panel in zip(grid, shown, strict=False):
            _draw(axes, panel)
        if not shown:
            grid[0].set_axis_off()
            grid[0].text(0.5, 0.5, "no cell has a score yet", ha="center", transform=grid[0].transAxes)
        else:
            figure.legend(
                handles=handles, loc="outside lower center", ncols=columns, fontsize=9.5, frameon=False,
                title=notes, title_fontproperties={"size": 8.5}, handletextpad=0.5, columnspacing=1.2,
            )  # fmt: skip
        figure.savefig(path, facecolor="white")
    return path


def _draw(axes: Any, panel: Panel) -> None:
    _frame(axes, panel)
    for series in panel.series():
        _series(axes, panel, series)
    if panel.steps:
        axes.plot(*zip(*panel.steps, strict=True), color=FRONTIER, linewidth=1.6, zorder=2)
    for number, star in enumerate(panel.stars, 1):
        axes.plot(*panel.xy(star), "*", color=STAR, mec="#333333", mew=0.7, ms=14, zorder=5)
        axes.annotate(str(number), panel.xy(star), (-9, 0), textcoords="offset points", ha="right", va="center")


def _series(axes: Any, panel: Panel, series: Series) -> None:
    """Its line, markers and intervals; few calls for many points, since each is slow."""
    colour, xy = series.look.colour, [panel.xy(e.point) for e in series.entries]
    axes.plot(*zip(*xy, strict=True), _DASHES[series.turn % len(_DASHES)], color=colour, lw=0.9, alpha=0.45, zorder=1)
    bars = [(x, y, y - i[0], i[1] - y)
            for (x, y), e in zip(xy, series.entries, strict=True) if (i := panel.interval(e)) is not None]  # fmt: skip
    if bars:
        x, y, below, above = zip(*bars, strict=True)
        axes.errorbar(x, y, yerr=[below, above], fmt="none", capsize=2.5, ecolor=colour, elinewidth=1.1, zorder=3)
    for leads in (False, True):
        own = [at for at, e in zip(xy, series.entries, strict=True) if panel.leads(e) == leads]
        if own:
            axes.plot(*zip(*own, strict=True), series.look.marker, **_mark(colour, leads, series.number), zorder=4)
        for at in own if series.number else ():
            axes.annotate(series.number, at, (0, -0.3), textcoords="offset points", ha="center", va="center_baseline",
                          fontsize=6.5, color="white" if leads else FRONTIER, zorder=4)  # fmt: skip


def _mark(colour: str, leads: bool, number: str = "") -> dict[str, Any]:
    """Filled and edged on the frontier, hollow off it; larger around a number."""
    size = 10 if number else 7.5 if leads else 6
    return {"color": colour if leads else "white", "mec": FRONTIER if leads else colour, "ms": size,
            "mew": 0.9 if leads or number else 1.3}  # fmt: skip


def _frame(axes: Any, panel: Panel) -> None:
    axis = panel.axis
    axes.set_title(fill(panel.title, _LETTERS), fontsize=9, loc="left", color="#333333")
    axes.set_xscale("log" if axis.log else "linear")
    axes.set_xlim(*axis.limits)
    axes.set_ylim(*panel.heights)
    axes.set_xticks([t for t, _ in axis.ticks], labels=[word for _, word in axis.ticks])
    axes.minorticks_off()
    axes.set_xlabel(f"{panel.across}{', logarithmic' if axis.log else ''}")
    axes.set_ylabel(panel.finding.harvest.measure)
    for low, high, words in panel.bands:
        axes.axvspan(low, high, color=BAND, lw=0, zorder=0)
        axes.text(axis.place((axis.share(low) + axis.share(high)) / 2), 0.98, words, fontsize=8, ha="center", va="top",
                  transform=axes.get_xaxis_transform())  # fmt: skip
    axes.grid(True, color=GRID, linewidth=0.6, zorder=0)
    if axis.log and axis.zero:  # the axis is broken between 0 and the first cost above it
        gap = (axis.origin * axis.low) ** 0.5
        axes.plot([gap], [0], marker=[(-1, -2), (1, 2)], ms=8, color=FRONTIER, mew=1, clip_on=False,
                  transform=axes.get_xaxis_transform(), zorder=7)  # fmt: skip


def _handles(shown: Sequence[Panel]) -> list[Any]:
    """What marks, lines and stars mean, of all panels."""
    from matplotlib.lines import Line2D

    named = {(s.look, s.turn, s.name): s for panel in shown for s in panel.series() if s.named}
    found = [
        Line2D([], [], ls=_DASHES[s.turn % len(_DASHES)], lw=1, marker=s.look.marker, label=fill(s.name, _NAME),
               **{**_mark(s.look.colour, False), "color": s.look.colour, "ms": 6.5})
        for s in named.values()
    ]  # fmt: skip
    if shown:
        found += [
            Line2D([], [], ls="", marker="o", **_mark("#777777", True), label="on the frontier"),
            Line2D([], [], ls="", marker="o", **_mark("#777777", False), label="beaten"),
        ]
    if any(p.steps for p in shown):
        found.append(Line2D([], [], color=FRONTIER, lw=1.6, label="best a budget buys"))
    stars = {f"{i} {star.method}": star for p in shown for i, star in enumerate(p.stars, 1)}
    found += [Line2D([], [], ls="", color=STAR, marker="*", ms=11, mec="#333333", label=f"{name}, printed")
              for name in stars]  # fmt: skip
    return found


def _notes(shown: Sequence[Panel]) -> str:
    cut = ["long intervals are cut off"] if any(p.cut for p in shown) else []
    said = [
        word for p in shown for word in (interval_words(p.finding), prices_words(p.finding), *training_words(p.finding))
    ]
    moved = ["points at about the same hours stand side by side"] if any(p.moved for p in shown) else []
    return fill("; ".join([*dict.fromkeys(said), *moved, *cut]), _LETTERS + 12)
