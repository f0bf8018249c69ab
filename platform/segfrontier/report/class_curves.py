"""Per-class IoU over annotation hours: a small chart a class, a line a method, all on the same axes."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from io import BytesIO
from math import isfinite
from statistics import fmean
from typing import Any

from segfrontier.market.budget import hours
from segfrontier.report.findings import Finding
from segfrontier.report.points import FrontierPoint
from segfrontier.report.style import GRID, Axis, styles

_WIDE, _HIGH, _DPI = 1.9, 1.2, 200  # inches, as large as its letters need

Curves = Mapping[str, list[tuple[float, float]]]  # method -> (hours, IoU)


@dataclass(frozen=True, slots=True)
class ClassChart:
    """One class: its picture, and the same in words for those who cannot see it or want the numbers."""

    name: str
    png: bytes
    words: str


def class_charts(finding: Finding) -> Iterator[ClassChart]:
    """One chart a class, in the order of the class table."""
    from matplotlib import rc_context
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    curves = _curves(finding)
    axis = Axis.of(x for by_class in curves.values() for line in by_class.values() for x, _ in line)
    with rc_context({"font.size": 7, "axes.spines.top": False, "axes.spines.right": False, "axes.linewidth": 0.5}):
        figure = Figure((_WIDE, _HIGH), dpi=_DPI)
        FigureCanvasAgg(figure)
        axes = figure.add_axes((0.13, 0.16, 0.78, 0.8))
        for name in dict.fromkeys(name for e in finding.entries for r in e.cells for name in r.iou):
            own = {m: by_class[name] for m, by_class in curves.items() if name in by_class}
            axes.clear()
            _draw(axes, own, axis, finding)
            out = BytesIO()
            figure.savefig(out, format="png", facecolor="white")
            yield ClassChart(name, out.getvalue(), _words(own))


def best_entries(finding: Finding) -> dict[str, list[FrontierPoint]]:
    """Each method's points by cost, the best knobs at each budget."""
    found: dict[str, list[FrontierPoint]] = {}
    for method in finding.methods:
        best: dict[str, FrontierPoint] = {}
        for e in finding.entries:
            if e.point.method == method and isfinite(e.point.score):
                kept = best.setdefault(str(e.budget), e)
                best[str(e.budget)] = max(kept, e, key=lambda e: e.point.score)
        found[method] = sorted(best.values(), key=lambda e: e.point.seconds)
    return found


def mean_iou(entry: FrontierPoint) -> dict[str, float]:
    """Class -> mean IoU over the seeds where it occurs in truth or prediction."""
    values: dict[str, list[float]] = {}
    for record in entry.cells:
        for name, iou in record.iou.items():
            if isfinite(iou):
                values.setdefault(name, []).append(iou)
    return {name: fmean(ious) for name, ious in values.items()}


def _curves(finding: Finding) -> dict[str, dict[str, list[tuple[float, float]]]]:
    """method -> class -> (hours, mean IoU over the seeds where the class occurs)."""
    found: dict[str, dict[str, list[tuple[float, float]]]] = {}
    for method, entries in best_entries(finding).items():
        for entry in entries:
            for name, iou in mean_iou(entry).items():
                found.setdefault(method, {}).setdefault(name, []).append((hours(entry.point.seconds), iou))
    return found


def _draw(axes: Any, curves: Curves, axis: Axis, finding: Finding) -> None:
    looks = styles(finding.harvest.methods)
    axes.set_xscale("log" if axis.log else "linear")
    axes.set_xlim(*axis.limits)
    axes.set_ylim(-0.03, 1.03)
    ends = dict.fromkeys((axis.ticks[0], axis.ticks[-1]) if axis.ticks else ())
    axes.set_xticks([at for at, _ in ends], labels=[f"{word} h" for _, word in ends])
    axes.set_yticks([0, 0.5, 1], labels=["0", "0.5", "1"])
    axes.minorticks_off()
    axes.tick_params(length=2, width=0.5, pad=1.5)
    axes.grid(True, axis="y", color=GRID, linewidth=0.5)
    for method, line in curves.items():
        xs, ys = [axis.at(x) for x, _ in line], [y for _, y in line]
        axes.plot(xs, ys, marker=looks[method].marker, color=looks[method].colour, ms=3, lw=0.9)
    if not curves:
        axes.text(0.5, 0.5, "never occurs", ha="center", va="center", transform=axes.transAxes)


def _words(curves: Curves) -> str:
    """ "fine: 0.412 at 6 h, 0.518 at 12 h; ..."."""
    told = (f"{m}: {', '.join(f'{iou:.3f} at {h:.3g} h' for h, iou in line)}" for m, line in curves.items())
    return "; ".join(told) or "never occurs"
