"""The picture and the pages: drawn, complete, self-contained, escaped, and never brought down by an odd cell."""

import re
from html.parser import HTMLParser
from math import nan

import numpy as np
import pytest
from madestudy import baselines, record, study
from PIL import Image
from test_frontier_findings import OTHER

from segfrontier.report.findings import Reading, findings
from segfrontier.report.load import harvest
from segfrontier.report.outputs import write_report
from segfrontier.report.page import log_end
from segfrontier.report.picture import Panel, draw_frontier
from segfrontier.report.placing import place_labels
from segfrontier.report.plot_page import figure
from segfrontier.report.style import Axis, styles

EVIL = "<script>alert('x')</script> & \"more\""


class Loads(HTMLParser):
    """What a page would load, and the text it shows."""

    def __init__(self, page):
        super().__init__()
        self.loads, self.text, self.scripts, self._inside = [], "", 0, ""
        self.feed(page)

    def handle_starttag(self, tag, attrs):
        self._inside = tag
        self.scripts += tag == "script"
        given = dict(attrs)
        self.loads += [v for k, v in given.items() if k in ("src", "href", "data", "srcset", "action") and v]
        self.loads += ["link"] * (tag in ("link", "iframe", "object", "embed", "base"))

    def handle_data(self, data):
        if self._inside not in ("script", "style"):
            self.text += data


def awkward():
    """Every oddity at once."""
    made = [*baselines(), *(record("fine", 6, s, 0.9, acts={"fine": 4}, **OTHER) for s in (0, 1))]
    made += [
        record("lost", 6, 0, nan, acts={"point": 3}),
        record(EVIL, 6, 0, 0.45, acts={"box": 900}, knobs={"k": EVIL}),
    ]
    made += [record("bad", 6, 0, 0.0, state="failed", error=EVIL), record("late", 6, 0, 0.0, state="cut")]
    return made


@pytest.fixture(scope="module")
def report(tmp_path_factory):
    folder = tmp_path_factory.mktemp("awkward")
    made = awkward()
    sheet = folder / "stage"
    sheet.mkdir()
    Image.fromarray(np.full((40, 1600, 3), 120, np.uint8)).save(sheet / "pictures.png")
    made[-4] = record("lost", 6, 0, nan, score_folder=str(folder / "gone"))
    made[0] = record("synthetic", 0.0, 0, 0.30, score_folder=str(sheet))
    made[3] = record("fine", 6, 0, 0.40, acts={"fine": 4}, iou={})
    made[15] = record("fine", 24, 0, 0.60, acts={"fine": 16}, score_folder=str(sheet))
    (folder / "refs.yaml").write_text(
        "references: [{name: full <sup>, paper: P, where: Table 1, hours: 750, score: 0.78, world: street}]"
    )
    place = study(folder, made, yaml=f"name: made\n# {EVIL}\nreferences: [{folder / 'refs.yaml'}]\n")
    bad = place.home.cell(made[-2].key)
    (bad / "log.txt").write_text("\n".join(f"line {i} {EVIL}" for i in range(50)))
    return {path.name: path for path in write_report(place)}


def test_all_files_are_written(report):
    assert list(report) == [
        "report.html", "frontier.png", "frontier.html", "points.csv", "points.parquet", "cells.csv", "cells.parquet"
    ]  # fmt: skip


def test_the_picture_is_drawn(report):
    with Image.open(report["frontier.png"]) as image:
        assert image.size == (2480, 1020) and image.mode in ("RGB", "RGBA")
        pixels = np.asarray(image.convert("RGB"))
    left, right = pixels[:, :1240], pixels[:, 1240:]
    assert (left < 250).any(axis=2).mean() > 0.01 and (right < 250).any(axis=2).mean() > 0.005
    assert (pixels == (0x00, 0x9E, 0x73)).all(axis=2).sum() > 50, "coarse, the third method, has its own colour"


@pytest.mark.parametrize("name", ["report.html", "frontier.html"])
def test_pages_load_nothing_and_run_nothing_that_was_typed(report, name):
    page = report[name].read_text()
    parsed = Loads(page)
    assert all(load.startswith("data:image/") for load in parsed.loads), parsed.loads
    assert not re.search(r"@import|url\(\s*['\"]?(?!data:)http", page.partition("<body>")[0])
    assert "<script>alert" not in page
    assert parsed.scripts == (0 if name == "report.html" else 2)


def test_the_report_holds_what_a_reader_looks_for(report):
    page = report["report.html"].read_text()
    text = Loads(page).text
    for part in (
        "coarse: 0.729 is not reached with 22.4 h",
        "6 h: cannot tell who leads; best mean coarse",
        "coarse beats fine on average from 6 h to 24 h",
        "What was bought",
        "5,400 s per image",
    ):
        assert part in text, part
    assert "30 cells: 28 done, 1 failed, 1 cut" in text and "late, 6 h, seed 0" in text
    assert f"line 49 {EVIL}" in text and "line 34 " not in text, "the end of the log, not its beginning"
    assert page.count('<figure class="class">') == 2 * 3
    assert "never occurs" in text, "class train is in the table and in no scene"
    assert page.count("data:image/jpeg") == 2 and page.count("data:image/png") == 1
    assert "printed" in text.lower() and "full <sup>: 0.780 with 750 h (P, Table 1)" in text


def test_sheets_are_scaled_down(report):
    import base64
    from io import BytesIO

    first = re.search(r"data:image/jpeg;base64,([^\"]+)", report["report.html"].read_text())
    assert Image.open(BytesIO(base64.b64decode(first[1]))).size == (1000, 25)


def test_hover_tells_cell_knobs_seed_hours_score_and_run(tmp_path):
    made = [record("m", 6, s, 0.5 + s / 10, knobs={"k": 2}, acts={"fine": 4}) for s in (0, 1)]
    place = study(tmp_path, made)
    (place.path / "runs.json").write_text(f'{{"{made[0].key}": "abc123"}}')
    drawn = figure(findings(harvest(place)))
    cells = next(t for t in drawn["data"] if t["mode"] == "markers")
    assert cells["y"] == [0.5, 0.6] and cells["x"] == [6, 6]
    assert cells["text"][0] == (
        "m k=2, 6 h, seed 0<br>mIoU 0.5000<br>6.00 annotation hours (mean over seeds)<br>knobs: k=2<br>"
        f"cell {made[0].key}<br>run abc123"
    )
    assert cells["text"][1].endswith("no MLflow run is known")
    mean = next(t for t in drawn["data"] if t["mode"] == "lines+markers")
    assert mean["text"][0].startswith("m k=2, 6 h<br>mIoU 0.6 [") and "seeds: 2 of 3" in mean["text"][0]


def test_panels_and_lines_stay_within_a_facet(tmp_path):
    lone = [record("fine", 6, s, 0.9, acts={"fine": 4}, **OTHER) for s in (0, 1)]
    drawn = figure(findings(harvest(study(tmp_path, [*baselines(), *lone]))))
    assert {"xaxis", "xaxis2"} <= drawn["layout"].keys() and "xaxis3" not in drawn["layout"]
    high = [t for t in drawn["data"] if 0.9 in t["y"]]
    assert high and {t["xaxis"] for t in high} == {"x2"}
    front = next(t for t in drawn["data"] if t["name"] == "frontier" and t["xaxis"] == "x")
    assert front["line"]["shape"] == "hv" and front["y"] == sorted(front["y"]) and max(front["y"]) < 0.82


def test_stars_are_joined_to_nothing(tmp_path):
    file = tmp_path / "refs.yaml"
    file.write_text("references: [{name: full, paper: P, where: T, hours: 75, score: 0.99}]")
    drawn = figure(findings(harvest(study(tmp_path, baselines()), references=[file])))
    star = [t for t in drawn["data"] if 0.99 in t["y"]]
    assert len(star) == 1 and star[0]["mode"] == "markers+text" and star[0]["marker"]["symbol"] == "star"


def test_with_compute_as_a_cost_each_facet_has_two_panels_and_no_line(tmp_path):
    place = study(tmp_path, baselines())
    found = findings(harvest(place), Reading(gpu=True))
    drawn = figure(found)
    assert drawn["layout"]["xaxis"]["title"]["text"] == "annotation hours"
    assert drawn["layout"]["xaxis2"]["title"]["text"] == "CPU hours"
    assert not [t for t in drawn["data"] if t["name"] == "frontier"]
    with Image.open(draw_frontier(found, tmp_path / "two.png")) as image:
        assert image.size[0] == 2480


def test_nothing_ended_writes_nothing_and_all_failed_is_a_report(tmp_path):
    assert write_report(study(tmp_path / "a", [], waiting=["0" * 32])) == []
    bad = [record("fine", 6, 0, 0.0, state="failed", error="no memory left")]
    files = {p.name: p for p in write_report(study(tmp_path / "b", bad))}
    page = files["report.html"].read_text()
    assert "no memory left" in page and "nothing to compare yet" in page and len(files) == 7
    assert "No cell has a score yet." in files["frontier.html"].read_text()


def test_zero_hours_have_a_place_on_a_logarithmic_axis():
    axis = Axis.of([0.0, 3.0, 30.0, 72.0])
    assert axis.log and axis.limits[0] < axis.at(0) < axis.at(3.0) == 3.0 < axis.limits[1]
    assert axis.ticks[0] == (axis.at(0), "0") and [word for _, word in axis.ticks[1:]] == [
        "3",
        "5",
        "10",
        "20",
        "30",
        "50",
    ]
    assert axis.share(axis.limits[0]) == 0 and axis.share(axis.limits[1]) == pytest.approx(1)


@pytest.mark.parametrize("costs", [[0.0], [5.0], [0.0, 0.001], [1e-4, 1e6], [9.0, 9.5], []])
def test_any_costs_make_an_axis(costs):
    axis = Axis.of(costs)
    low, high = axis.limits
    assert low < high and all(low <= axis.at(c) <= high for c in costs)
    assert len(axis.ticks) <= 20 and all(low <= at <= high for at, _ in axis.ticks)


def test_every_method_looks_different_in_colour_and_in_shape():
    looks = list(styles([f"m{i}" for i in range(30)]).values())
    assert len(set(looks)) == 30 and len({look.marker for look in looks[:10]}) == 10
    assert len({look.colour for look in looks[:10]}) == 10
    assert styles(["a", "b"])["a"] == styles(["a", "b", "c"])["a"], "a new method leaves the others' looks alone"


def test_names_do_not_cover_each_other_or_leave_the_panel():
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(6, 4), dpi=100)
    FigureCanvasAgg(figure)
    axes = figure.subplots()
    axes.set_xlim(0, 10)
    axes.set_ylim(0, 1)
    names = [(f"method number {i}", "black", [(5 + 0.05 * i, 0.5 + 0.01 * i), (9.9, 0.5 + 0.1 * i)]) for i in range(5)]
    place_labels(axes, names, [[(0, 0.5), (10, 0.5)]], size=9)
    boxes = [text.get_window_extent() for text in axes.texts]
    inside = axes.get_window_extent()
    assert len(boxes) == 5
    assert not [1 for i, a in enumerate(boxes) for b in boxes[:i] if a.overlaps(b)]
    assert all(inside.x0 <= b.x0 and b.x1 <= inside.x1 and inside.y0 <= b.y0 and b.y1 <= inside.y1 for b in boxes)


def test_a_wild_interval_does_not_flatten_the_panel(tmp_path):
    from matplotlib.figure import Figure

    made = [record("a", 6, s, x, acts={"fine": 4}) for s, x in enumerate((0.50, 0.52))]
    made += [record("b", 6, s, x, acts={"coarse": 4}) for s, x in enumerate((0.30, 0.60))]
    (finding,) = findings(harvest(study(tmp_path, made)))
    panel = Panel(Figure().subplots(), finding, False)
    panel.draw()
    low, high = panel.axes.get_ylim()
    assert panel.cut and 0.3 < low < 0.45 and 0.51 < high < 0.6


def test_the_end_of_a_log(tmp_path):
    log = tmp_path / "log.txt"
    assert log_end(log) == ""
    log.write_bytes(b"x" * 100_000 + b"\nlast \xff line\n")
    assert log_end(log, lines=1) == "last \N{REPLACEMENT CHARACTER} line"
