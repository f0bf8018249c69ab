"""frontier.html: the frontier to point at; hover tells cell and run. It opens without a network.

The plotting library lies once beside the page. A page that travels without it shows the picture that it carries.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from html import escape
from importlib.util import find_spec
from math import ceil, isfinite, log10, nan
from pathlib import Path
from shutil import copyfile
from textwrap import wrap
from typing import Any

from segfrontier.home.records import Record
from segfrontier.market.budget import hours
from segfrontier.report.findings import Finding
from segfrontier.report.load import Harvest
from segfrontier.report.panel import Panel, Series, panels
from segfrontier.report.points import FrontierPoint, budget_words
from segfrontier.report.sentences import interval_words, prices_words, score_words, short
from segfrontier.report.style import BAND, FRONTIER, GRID, STAR
from segfrontier.report.tables import finite
from segfrontier.report.template import image, paragraph, section, write_html
from segfrontier.report.training import training_words

LIBRARY = "plotly.min.js"
_HEIGHT, _ROW, _LINE = 440, 29, 16  # pixels of a panel and, below it, of a name and of each further line of one
_NAME = 34  # letters in a line of a name: what a telephone shows; two short names share a row there
_DASHES = ("solid", "dash", "dot", "dashdot")
_LOADED = '<script>if (window.Plotly) document.documentElement.classList.add("interactive")</script>'
_HINT = (
    "Large marks are means over seeds, filled where they are on the frontier; small ones are cells. Points at about "
    "the same hours stand side by side. Touch a mark to read it, a name to hide it; drag to zoom."
)
_ALONE = f"{LIBRARY} does not lie beside this page, so that no point can be asked: this is the picture of them."
_CONFIG = {"responsive": True, "displaylogo": False, "modeBarButtonsToRemove": ["lasso2d", "select2d"]}


def write_page(harvest: Harvest, found: Sequence[Finding], picture: Path, path: Path) -> Path:
    """Write the page: a panel a facet, one below the other. `picture` is what is seen without the library."""
    shown = panels(found)
    body = [f"<h1>{escape(f'Frontier of {harvest.name}')}</h1>", paragraph(harvest.words, "quiet")]
    if shown:
        live = "".join(_section(panel, i) for i, panel in enumerate(shown, 1))
        body.append(f'<div class="live">{paragraph(_HINT, "quiet")}{live}</div>')
        still = image(
            picture.read_bytes(), f"The frontier: {harvest.measure} over annotation hours", look="card frontier"
        )
        body.append(f'<div class="static">{paragraph(_ALONE, "quiet")}{still}</div>')
    else:
        body.append(paragraph("No cell has a score yet."))
    head = f'<script src="{LIBRARY}"></script>\n{_LOADED}\n' if shown else ""
    return write_html(path, title=f"Frontier of {harvest.name}", head=head, body="\n".join(body))


def write_library(folder: Path, draft: Path) -> None:
    """Put the plotting library into a folder unless it lies there already, by way of a draft on the same disk."""
    spec = find_spec("plotly")  # only looked for: its Python takes longer to import than the page to write
    assert spec is not None and spec.origin is not None, "plotly is a dependency"
    code, there = Path(spec.origin).parent / "package_data" / LIBRARY, folder / LIBRARY
    if not there.is_file() or there.stat().st_size != code.stat().st_size:
        copyfile(code, draft / LIBRARY)
        (draft / LIBRARY).replace(there)


def figure(panel: Panel) -> dict[str, Any]:
    """A panel as plotly.js draws it, in plain values."""
    axis, traces = panel.axis, [{"type": "scatter", **trace} for trace in _traces(panel)]
    legend = sum(_legend_height(trace["name"]) for trace in traces if trace.get("showlegend") is not False)
    layout = {
        "height": _HEIGHT + legend, "hovermode": "closest", "hoverlabel": {"align": "left"},
        "modebar": {"orientation": "v"}, "margin": {"t": 20, "r": 45, "b": 30, "l": 55},
        "legend": {"orientation": "h", "x": 0, "y": -0.15, "yanchor": "top", "maxheight": _HEIGHT + legend},
        "xaxis": {
            "type": "log" if axis.log else "linear", "title": {"text": panel.across, "standoff": 8},
            "gridcolor": GRID, "zeroline": False, "range": [log10(x) if axis.log else x for x in axis.limits],
            "tickvals": [at for at, _ in axis.ticks], "ticktext": [word for _, word in axis.ticks],
        },
        "yaxis": {
            "title": {"text": panel.finding.harvest.measure}, "gridcolor": GRID, "zeroline": False,
            "range": list(panel.heights),
        },
        "shapes": [
            {"type": "rect", "yref": "paper", "x0": low, "x1": high, "y0": 0, "y1": 1, "fillcolor": BAND,
             "line": {"width": 0}, "layer": "between", "label": {"text": words, "textposition": "top center"}}
            for low, high, words in panel.bands
        ],
    }  # fmt: skip
    return {"data": traces, "layout": layout}


def _named(series: Series) -> str:
    """Its name in as many lines as a telephone needs."""
    return "<br>".join(_plain(line) for line in wrap(series.name, _NAME))


def _legend_height(name: str) -> int:
    return (_ROW if len(name) > _NAME // 2 else ceil(_ROW / 2)) + _LINE * name.count("<br>")


def _section(panel: Panel, number: int) -> str:
    finding = panel.finding
    told = [prices_words(finding), interval_words(finding), *training_words(finding)]
    quiet = paragraph("; ".join(told), "quiet")
    return section(panel.title, f'{quiet}<div class="card">{_live(figure(panel), f"frontier-{number}")}</div>')


def _live(drawn: Mapping[str, Any], name: str) -> str:
    """A place on the page, and the script that draws there."""
    told = ", ".join(_for_script(part) for part in (name, drawn["data"], drawn["layout"], _CONFIG))
    script = f"<script>if (window.Plotly) Plotly.newPlot({told});</script>"
    return f'<div id="{name}" class="plotly-graph-div"></div>{script}'


def _for_script(value: object) -> str:
    """JSON that ends no script, whatever texts it holds."""
    text = json.dumps(value, separators=(",", ":"), allow_nan=False)
    return text.replace("<", r"\u003c").replace(">", r"\u003e").replace("/", r"\u002f")


def _traces(panel: Panel) -> Iterator[dict[str, Any]]:
    if panel.steps:
        on = [panel.xy(p) for p in panel.finding.front.on]
        yield {
            "mode": "lines", "line": {"shape": "hv", "color": FRONTIER, "width": 2}, "hoverinfo": "skip",
            "name": "best a budget buys", "legendrank": 2000,
            "x": [*(x for x, _ in on), panel.axis.limits[1]], "y": [*(y for _, y in on), on[-1][1]],
        }  # fmt: skip
    for series in panel.series():
        shared = {
            "legendgroup": f"{series.look}{series.turn if series.named else 0}",
            "hovertemplate": "%{text}<extra></extra>",
        }
        yield shared | _cells(panel, series)
        yield shared | _means(panel, series)
    if panel.stars:
        at, measure = [panel.xy(s) for s in panel.stars], panel.finding.harvest.measure
        yield {
            "mode": "markers+text", "name": "printed in papers", "x": [x for x, _ in at], "y": [y for _, y in at],
            "text": [str(i) for i, _ in enumerate(at, 1)], "textposition": "middle left", "legendrank": 3000,
            "hovertemplate": "%{customdata}<extra></extra>",
            "customdata": [
                _lines(s.method, s.label, f"{hours(s.seconds):,.4g} h, {measure} {s.score:.3f}", "as printed")
                for s in panel.stars
            ],
            "marker": {"symbol": "star", "size": 14, "color": STAR, "line": {"color": "#333", "width": 1}},
        }  # fmt: skip


def _cells(panel: Panel, series: Series) -> dict[str, Any]:
    """The cells of a series; each stands above its mean, so that a group reads as one."""
    cells = [(e, r) for e in series.entries for r in e.cells]
    return {
        "mode": "markers", "showlegend": False, "name": _named(series),
        "x": [panel.xy(e.point)[0] for e, _ in cells],
        "y": [finite(r.score(panel.finding.harvest.metric)) for _, r in cells],
        "text": [_about_cell(panel, e, r) for e, r in cells],
        "marker": {"color": series.look.colour, "symbol": "circle", "size": 4, "opacity": 0.5},
    }  # fmt: skip


def _means(panel: Panel, series: Series) -> dict[str, Any]:
    """The means of a series with their intervals: filled on the frontier, hollow off it."""
    at = [panel.xy(e.point) for e in series.entries]
    bars = [panel.interval(e) for e in series.entries]
    leads = [panel.leads(e) for e in series.entries]
    colour = series.look.colour
    size = 16 if series.number else 9
    return {
        "mode": "lines+markers", "name": _named(series), "showlegend": series.named, **_number(series, leads),
        "line": {"color": f"{colour}80", "width": 1, "dash": _DASHES[series.turn % len(_DASHES)]},
        "x": [x for x, _ in at], "y": [y for _, y in at], "text": [_about(panel, e) for e in series.entries],
        "error_y": {
            "type": "data", "symmetric": False, "color": colour, "thickness": 1.2, "width": 3,
            "array": [bar and bar[1] - y for (_, y), bar in zip(at, bars, strict=True)],
            "arrayminus": [bar and y - bar[0] for (_, y), bar in zip(at, bars, strict=True)],
        },
        "marker": {
            "color": [colour if on else "white" for on in leads], "symbol": series.look.symbol, "opacity": 1,
            "size": [max(size, 12) if on else size for on in leads],
            "line": {"color": [FRONTIER if on else colour for on in leads], "width": 1.4},
        },
    }  # fmt: skip


def _number(series: Series, leads: Sequence[bool]) -> dict[str, Any]:
    """What its marks are told by where lines cannot."""
    if not series.number:
        return {}
    return {
        "mode": "lines+markers+text", "texttemplate": series.number, "textposition": "middle center",
        "textfont": {"size": 10, "color": ["white" if on else FRONTIER for on in leads]},
    }  # fmt: skip


def _about(panel: Panel, entry: FrontierPoint) -> str:
    point, finding = entry.point, panel.finding
    chance = finding.probability.get(point)
    computed = [f"{short(point.gpu)} {finding.harvest.compute} hours"] if isfinite(point.gpu) else []
    return _lines(
        f"{entry.name}, {budget_words(entry.budget)}",
        f"{finding.harvest.measure} {score_words(finding.reading.summary(point))}",
        ", ".join([f"{hours(point.seconds):.2f} annotation hours", *computed]),
        *_trained(point.trained, point.seen),
        f"{'on the frontier' if panel.leads(entry) else 'beaten'}"
        + ("" if chance is None else f", probability to be on it {chance:.2f}"),
        f"seeds: {entry.seeds}",
    )


def _about_cell(panel: Panel, entry: FrontierPoint, record: Record) -> str:
    harvest = panel.finding.harvest
    run = harvest.runs.get(record.key)
    return _lines(
        f"{entry.name}, {budget_words(entry.budget)}, seed {record.cell['seed']}",
        f"{harvest.measure} {record.score(harvest.metric):.4f}",
        f"{hours(entry.point.seconds):.2f} annotation hours (mean over seeds)",
        *_trained(record.steps or nan, record.images or nan),
        "knobs: " + (", ".join(f"{k}={v}" for k, v in record.cell["knobs"].items()) or "none"),
        f"cell {record.key}",
        f"run {run}" if run else "no MLflow run is known",
    )


def _trained(steps: float, images: float) -> list[str]:
    """How long was trained, where that is known."""
    return [f"{steps:,.0f} steps in all, {images:,.0f} images seen"] if isfinite(steps) and isfinite(images) else []


def _lines(*lines: str) -> str:
    return "<br>".join(map(_plain, lines))


def _plain(text: str) -> str:
    """Text that Plotly shows as it is: it knows a few tags, and no entity for a quotation mark."""
    return escape(text, quote=False)
