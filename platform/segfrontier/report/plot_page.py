"""frontier.html: the frontier to point at, one file that opens without a network. Hover tells cell and run."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from html import escape
from math import isfinite
from pathlib import Path
from typing import Any

from segfrontier.home.records import Record
from segfrontier.market.budget import hours
from segfrontier.report.findings import Finding
from segfrontier.report.frontier import Point
from segfrontier.report.load import Harvest
from segfrontier.report.points import Entry, budget_words
from segfrontier.report.sentences import interval_words, prices_words, score_words, short
from segfrontier.report.style import FRONTIER, Axis, Style, styles

_HEIGHT, _GAP, _EDGE = 460, 100, 40  # pixels of a panel, between panels, above and below all

_PAGE = """<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">
<title>{title}</title>
<style>body{{font:15px/1.5 system-ui,sans-serif;margin:1.2rem auto;max-width:1200px;padding:0 1rem;color:#222}}
h1{{font-size:1.3rem;margin:0}}p{{margin:.2rem 0;color:#555}}</style>
</head><body><h1>{title}</h1>{notes}
<div id="frontier"></div>
<script>{library}</script>
<script>Plotly.newPlot("frontier", {figure});</script>
</body></html>
"""


def write_page(harvest: Harvest, found: Sequence[Finding], path: Path) -> Path:
    """Write the page: a panel a facet, one below the other."""
    from plotly.offline import get_plotlyjs

    notes = [harvest.words, *dict.fromkeys(f"{prices_words(f)}; {interval_words(f)}" for f in found if f.points)]
    if any(f.points for f in found):
        notes.append("Small marks are cells, large ones means over seeds. Click a name to hide it, drag to zoom.")
    else:
        notes.append("No cell has a score yet.")
    text = _PAGE.format(
        title=escape(f"Frontier of {harvest.name}"),
        notes="".join(f"<p>{escape(note)}</p>" for note in notes),
        library=get_plotlyjs(),
        # A "<" in a label must not end the script.
        figure=json.dumps(figure(found), allow_nan=False).replace("<", "\\u003c"),
    )
    path.write_text(text, encoding="utf-8")
    return path


def figure(found: Sequence[Finding]) -> dict[str, Any]:
    """Traces and layout in Plotly's JSON."""
    views = [
        (f, by_compute) for f in found if f.points for by_compute in ((False, True) if f.reading.gpu else (False,))
    ]
    height = len(views) * (_HEIGHT + _GAP) + 2 * _EDGE
    layout: dict[str, Any] = {
        "height": height, "template": "none",
        "hovermode": "closest", "annotations": [], "hoverlabel": {"align": "left"},
        "modebar": {"orientation": "v"}, "margin": {"t": _EDGE + 20, "r": 50, "b": _EDGE, "l": 60},
        "legend": {"orientation": "h", "y": 1 + 30 / height, "yanchor": "bottom"},
    }  # fmt: skip
    traces: list[dict[str, Any]] = []
    for i, (finding, by_compute) in enumerate(views):
        panel = _Panel(finding, by_compute, "" if i == 0 else str(i + 1))
        top = 1 - i / len(views)
        bottom = top - _HEIGHT / (_HEIGHT + _GAP) / len(views)
        layout[f"xaxis{panel.number}"], layout[f"yaxis{panel.number}"] = panel.axes((bottom, top))
        layout["annotations"].append(_title(finding.words, top))
        traces += panel.traces(legend=i == 0)
    config = {
        "responsive": True,
        "displaylogo": False,
        "modeBarButtonsToRemove": ["lasso2d", "select2d", "sendDataToCloud"],
    }
    return {"data": traces, "layout": layout, "config": config}


def _title(words: str, top: float) -> dict[str, Any]:
    return {
        "text": escape(words), "xref": "paper", "yref": "paper", "x": 0, "y": top, "xanchor": "left",
        "yanchor": "bottom", "showarrow": False, "font": {"size": 12, "color": "#555"},
    }  # fmt: skip


class _Panel:
    """One facet over one cost."""

    def __init__(self, finding: Finding, by_compute: bool, number: str) -> None:
        self.finding, self.by_compute, self.number = finding, by_compute, number
        self.entries = [e for e in finding.entries if isfinite(e.point.score)]
        self.stars = () if by_compute else finding.front.stars
        self.axis = Axis.of(self._cost(p) for p in (*(e.point for e in self.entries), *self.stars))

    def axes(self, domain: tuple[float, float]) -> tuple[dict[str, Any], dict[str, Any]]:
        """The layout of both axes."""
        axis, number = self.axis, self.number
        what = f"{self.finding.harvest.compute} hours" if self.by_compute else "annotation hours"
        grid = {"gridcolor": "#e6e6e6", "zeroline": False}
        across = grid | {
            "anchor": f"y{number}", "type": "log" if axis.log else "linear", "title": {"text": what},
            "tickvals": [at for at, _ in axis.ticks], "ticktext": [word for _, word in axis.ticks],
        }  # fmt: skip
        return across, grid | {"anchor": f"x{number}", "domain": list(domain), "title": {"text": "mIoU"}}

    def traces(self, *, legend: bool) -> list[dict[str, Any]]:
        """Everything drawn in the panel."""
        looks = styles(self.finding.harvest.methods)
        made = [trace for m in self.finding.methods for trace in self._method(m, looks[m], legend)]
        if not self.finding.reading.gpu:
            on = [self._xy(p) for p in self.finding.front.on]
            made.insert(0, {
                "mode": "lines", "line": {"shape": "hv", "color": FRONTIER, "width": 2}, "hoverinfo": "skip",
                "name": "frontier", "legendgroup": "frontier", "showlegend": legend,
                "x": [*(x for x, _ in on), self.axis.limits[1]], "y": [*(y for _, y in on), on[-1][1]],
            })  # fmt: skip
        if self.stars:
            made.append(self._stars())
        return [{"type": "scatter", "xaxis": f"x{self.number}", "yaxis": f"y{self.number}"} | trace for trace in made]

    def _method(self, method: str, look: Style, legend: bool) -> Iterator[dict[str, Any]]:
        series: dict[str, list[Entry]] = {}
        for entry in sorted((e for e in self.entries if e.point.method == method), key=lambda e: self._cost(e.point)):
            series.setdefault(entry.knobs, []).append(entry)
        cells = [(e, r) for members in series.values() for e in members for r in e.cells]
        shared = {"legendgroup": method, "name": escape(method), "hovertemplate": "%{text}<extra></extra>"}
        yield shared | {
            "mode": "markers", "showlegend": False, "text": [self._about_cell(e, r) for e, r in cells],
            "x": [self._place(e, r) for e, r in cells], "y": [r.miou for _, r in cells],
            "marker": {"color": look.colour, "symbol": f"{look.symbol}-open", "size": 5, "opacity": 0.55},
        }  # fmt: skip
        for i, members in enumerate(series.values()):
            yield shared | self._means(members, look) | {"showlegend": legend and i == 0}

    def _means(self, members: Sequence[Entry], look: Style) -> dict[str, Any]:
        points = [e.point for e in members]
        intervals = [self.finding.reading.summary(p).interval or (p.score, p.score) for p in points]
        on = [p in self.finding.front.on for p in points]
        return {
            "mode": "lines+markers", "line": {"color": look.colour, "width": 1},
            "text": [self._about(e) for e in members],
            "x": [self._xy(p)[0] for p in points], "y": [p.score for p in points],
            "error_y": {
                "type": "data", "symmetric": False, "color": look.colour, "thickness": 1, "width": 3,
                "array": [high - p.score for p, (_, high) in zip(points, intervals, strict=True)],
                "arrayminus": [p.score - low for p, (low, _) in zip(points, intervals, strict=True)],
            },
            "marker": {
                "color": look.colour, "symbol": look.symbol, "size": [12 if o else 9 for o in on],
                "opacity": [1.0 if o else 0.5 for o in on],
                "line": {"color": FRONTIER, "width": [1.2 if o else 0 for o in on]},
            },
        }  # fmt: skip

    def _stars(self) -> dict[str, Any]:
        at = [self._xy(s) for s in self.stars]
        return {
            "mode": "markers+text", "name": "printed in papers", "showlegend": False,
            "x": [x for x, _ in at], "y": [y for _, y in at], "textposition": "middle left",
            "text": [escape(s.method) for s in self.stars], "hovertemplate": "%{customdata}<extra></extra>",
            "customdata": [
                _lines(s.method, s.label, f"{hours(s.seconds):,.4g} h, mIoU {s.score:.3f}", "as printed")
                for s in self.stars
            ],
            "marker": {"symbol": "star", "size": 14, "color": "#F0C000", "line": {"color": "#333", "width": 1}},
        }  # fmt: skip

    def _cost(self, point: Point) -> float:
        return point.gpu if self.by_compute else hours(point.seconds)

    def _xy(self, point: Point) -> tuple[float, float]:
        return self.axis.at(self._cost(point)), point.score

    def _place(self, entry: Entry, record: Record) -> float:
        """Cells stand above their mean's cost, so that a group reads as one."""
        seed = int(record.cell["seed"])
        return self.axis.at(entry.point.gpu_hours[seed] if self.by_compute else hours(entry.point.seconds))

    def _about(self, entry: Entry) -> str:
        point, finding = entry.point, self.finding
        chance = finding.probability.get(point)
        return _lines(
            f"{entry.name}, {budget_words(entry.budget)}",
            f"mIoU {score_words(finding.reading.summary(point))}",
            f"{hours(point.seconds):.2f} annotation hours, {short(point.gpu)} {finding.harvest.compute} hours",
            f"{'on the frontier' if point in finding.front.on else 'beaten'}"
            + ("" if chance is None else f", probability to be on it {chance:.2f}"),
            f"seeds: {entry.seeds}",
        )

    def _about_cell(self, entry: Entry, record: Record) -> str:
        run = self.finding.harvest.runs.get(record.key)
        return _lines(
            f"{entry.name}, {budget_words(entry.budget)}, seed {record.cell['seed']}",
            f"mIoU {record.miou:.4f}",
            f"{hours(entry.point.seconds):.2f} annotation hours (mean over seeds)",
            "knobs: " + (", ".join(f"{k}={v}" for k, v in record.cell["knobs"].items()) or "none"),
            f"cell {record.key}",
            f"run {run}" if run else "no MLflow run is known",
        )


def _lines(*lines: str) -> str:
    return "<br>".join(escape(line) for line in lines)
