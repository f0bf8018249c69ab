"""Per-class IoU over annotation hours: a small chart a class in plain SVG, a line a method."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from html import escape
from math import isfinite
from statistics import fmean

from segfrontier.market.budget import hours
from segfrontier.report.findings import Finding
from segfrontier.report.points import Entry
from segfrontier.report.style import Axis, styles

_WIDE, _HIGH, _LEFT, _TOP, _RIGHT, _BOTTOM = 176, 108, 24, 6, 8, 16


def class_charts(finding: Finding) -> Iterator[str]:
    """One figure a class, in the order of the class table."""
    curves = _curves(finding)
    axis = Axis.of(x for by_class in curves.values() for line in by_class.values() for x, _ in line)
    names = dict.fromkeys(name for e in finding.entries for r in e.cells for name in r.iou)
    for name in names:
        yield _chart(name, {m: by_class[name] for m, by_class in curves.items() if name in by_class}, axis, finding)


def best_entries(finding: Finding) -> dict[str, list[Entry]]:
    """Each method's points by cost, the best knobs at each budget."""
    found: dict[str, list[Entry]] = {}
    for method in finding.methods:
        best: dict[str, Entry] = {}
        for e in finding.entries:
            if e.point.method == method and isfinite(e.point.score):
                kept = best.setdefault(str(e.budget), e)
                best[str(e.budget)] = max(kept, e, key=lambda e: e.point.score)
        found[method] = sorted(best.values(), key=lambda e: e.point.seconds)
    return found


def _curves(finding: Finding) -> dict[str, dict[str, list[tuple[float, float]]]]:
    """method -> class -> (hours, mean IoU over the seeds where the class occurs)."""
    found: dict[str, dict[str, list[tuple[float, float]]]] = {}
    for method, entries in best_entries(finding).items():
        for entry in entries:
            for name, iou in mean_iou(entry).items():
                found.setdefault(method, {}).setdefault(name, []).append((hours(entry.point.seconds), iou))
    return found


def mean_iou(entry: Entry) -> dict[str, float]:
    """Class -> mean IoU over the seeds where it occurs in truth or prediction."""
    values: dict[str, list[float]] = {}
    for record in entry.cells:
        for name, iou in record.iou.items():
            if isfinite(iou):
                values.setdefault(name, []).append(iou)
    return {name: fmean(ious) for name, ious in values.items()}


def _chart(name: str, lines: Mapping[str, list[tuple[float, float]]], axis: Axis, finding: Finding) -> str:
    looks = styles(finding.harvest.methods)
    drawn = "".join(_line(method, xy, axis, looks[method].colour) for method, xy in lines.items())
    if not drawn:
        drawn = f'<text x="{(_WIDE + _LEFT) / 2}" y="{_HIGH / 2}" text-anchor="middle">never occurs</text>'
    grid = "".join(
        f'<line x1="{_LEFT}" x2="{_WIDE - _RIGHT}" y1="{_y(v):.1f}" y2="{_y(v):.1f}" class="grid"/>'
        f'<text x="{_LEFT - 3}" y="{_y(v) + 3:.1f}" text-anchor="end">{v:g}</text>'
        for v in (0, 0.5, 1)
    )
    first, *_, last = [axis.ticks[0], *axis.ticks]
    ends = "".join(
        f'<text x="{_x(at, axis):.1f}" y="{_HIGH - 4}" text-anchor="middle">{word}{" h" * (word == last[1])}</text>'
        for at, word in dict.fromkeys((first, last))
    )
    return (
        f'<figure class="class"><figcaption>{escape(name)}</figcaption>'
        f'<svg viewBox="0 0 {_WIDE} {_HIGH}" role="img" aria-label="IoU of {escape(name)} over annotation hours">'
        f"{grid}{ends}{drawn}</svg></figure>"
    )


def _line(method: str, points: list[tuple[float, float]], axis: Axis, colour: str) -> str:
    at = [(_x(axis.at(x), axis), _y(y)) for x, y in points]
    path = " ".join(f"{x:.1f},{y:.1f}" for x, y in at)
    dots = "".join(
        f'<circle cx="{x:.1f}" cy="{y:.1f}" r="2.4" fill="{colour}">'
        f"<title>{escape(f'{method}: {iou:.3f} at {h:.3g} h')}</title></circle>"
        for (x, y), (h, iou) in zip(at, points, strict=True)
    )
    return f'<polyline points="{path}" fill="none" stroke="{colour}" stroke-width="1.3"/>{dots}'


def _x(at: float, axis: Axis) -> float:
    return _LEFT + axis.share(at) * (_WIDE - _LEFT - _RIGHT)


def _y(iou: float) -> float:
    return _TOP + (1 - iou) * (_HIGH - _TOP - _BOTTOM)
