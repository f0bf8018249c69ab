"""The picture and the pages: drawn, complete, self-contained, escaped, and never brought down by an odd cell."""

import json
import re
from html.parser import HTMLParser
from itertools import pairwise
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
from segfrontier.report.panel import panels
from segfrontier.report.picture import draw_frontier
from segfrontier.report.plot_page import LIBRARY, figure
from segfrontier.report.style import Axis, side_by_side, styles
from segfrontier.report.template import listed

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


def drawn(found):
    """The traces and the layout of each panel of the page to point at, which Plotly's own schema takes."""
    from plotly.graph_objects import Figure

    shown = [figure(panel) for panel in panels(found)]
    for plain in shown:
        Figure(plain)
    return [json.loads(json.dumps(plain, allow_nan=False)) for plain in shown]


def legends(monkeypatch):
    """The names in the legend of every picture that is drawn from now on."""
    from matplotlib.figure import Figure

    seen, draw = [], Figure.legend

    def legend(self, **given):
        seen.append([handle.get_label() for handle in given["handles"]])
        return draw(self, **given)

    monkeypatch.setattr(Figure, "legend", legend)
    return seen


def crowd(count=12, seeds=(0, 1, 2)):
    """Many methods at the same hours, the third with fewer seeds than the rest."""
    made = [record(f"free{i}", 0.0, s, 0.2 + i / 50 + s / 100) for i in range(2) for s in seeds]
    for hours in (6, 12):
        for i in range(count):
            for s in seeds[: 2 if i == 2 else None]:
                made.append(
                    record(f"m{i}", hours, s, 0.3 + i / 50 + hours / 100 + s / 100, acts={"fine": hours * 2 // 3})
                )
    return [*made, *(record("oracle", "all", s, 0.9 + s / 100, acts={"fine": 64}) for s in seeds)]


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
        assert image.width == 1280 and image.height > 1600, "two panels, one below the other, for narrow screens"
        pixels = np.asarray(image.convert("RGB"))
    upper, lower = pixels[:800], pixels[800:1600]
    assert (upper < 250).any(axis=2).mean() > 0.01 and (lower < 250).any(axis=2).mean() > 0.005
    assert (pixels == (0x00, 0x9E, 0x73)).all(axis=2).sum() > 50, "coarse, the third method, has its own colour"


@pytest.mark.parametrize("name", ["report.html", "frontier.html"])
def test_pages_load_nothing_and_run_nothing_that_was_typed(report, name):
    page = report[name].read_text()
    parsed = Loads(page)
    beside = [LIBRARY] if name == "frontier.html" else []
    assert [load for load in parsed.loads if not load.startswith("data:image/")] == beside
    assert not re.search(r"@import|url\(\s*['\"]?(?!data:)", page.partition("<body>")[0])
    assert "alert('x')" not in page.replace("&lt;script&gt;alert", "") and "<script>alert" not in page
    assert parsed.scripts == (0 if name == "report.html" else 2 + 2), "the library, whether it is there, a panel each"


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
    assert page.count("<figcaption>road</figcaption>") == page.count("<figcaption>train</figcaption>") == 2
    assert 'alt="IoU of train: never occurs"' in page, "it is in the class table and in no scene"
    assert "coarse: 0.510 at 5.6 h, 0.590 at 11.2 h" in page, "the numbers of a chart can be read"
    assert page.count("data:image/jpeg") == 2 and page.count("data:image/png") == 1 + 2 * 3 and "<svg" not in page
    assert "printed" in text.lower() and "full <sup>: 0.780 with 750 h (P, Table 1)" in text


def test_a_long_list_opens_on_its_first_lines():
    lines = [f"line {i} <b>" for i in range(13)]
    assert "<details>" not in listed(lines[:12]) and listed([]) == ""
    head, _, tail = listed(lines).partition("<details>")
    assert "<summary>and 3 more</summary>" in tail and "line 9 &lt;b&gt;" in head and "line 10" not in head
    assert all(listed(lines).count(f"line {i} &lt;b&gt;") == 1 for i in range(13))


def test_sheets_are_scaled_down(report):
    import base64
    from io import BytesIO

    first = re.search(r"data:image/jpeg;base64,([^\"]+)", report["report.html"].read_text())
    assert Image.open(BytesIO(base64.b64decode(first[1]))).size == (1000, 25)


def test_the_score_comes_before_the_knobs_and_every_cell_names_its_column(report):
    page = report["report.html"].read_text()
    heads = re.findall(r"<th[^>]*>([^<]*)</th>", page)
    assert heads.index("mIoU") < heads.index("knobs")
    assert page.count('data-name="mIoU"') == 11 and page.count('data-name="knobs"') == 10, "none in the other facet"


def test_the_library_lies_once_beside_the_page_and_is_no_output(tmp_path):
    place = study(tmp_path, baselines())
    files = {p.name: p for p in write_report(place)}
    library, page = place.report / LIBRARY, files["frontier.html"]
    assert LIBRARY not in files, "what is listed goes to MLflow"
    assert page.stat().st_size < 1_500_000 < library.stat().st_size
    before = library.stat()
    library_of_before = library.read_bytes()[:1000]
    write_report(place)
    assert library.stat().st_mtime_ns == before.st_mtime_ns and library.stat().st_ino == before.st_ino
    library.write_bytes(b"half")
    write_report(place)
    assert library.stat().st_size == before.st_size and library.read_bytes()[:1000] == library_of_before


def test_a_page_without_its_library_shows_the_picture(report):
    page = report["frontier.html"].read_text()
    static = page.partition('class="static"')[2]
    assert "plotly.min.js does not lie beside this page" in static and "data:image/png;base64," in static
    assert ".live { display: none; }" in page and ".interactive .static" in page


def test_hover_tells_cell_knobs_seed_hours_score_and_run(tmp_path):
    made = [record("m", 6, s, 0.5 + s / 10, knobs={"k": 2}, acts={"fine": 4}) for s in (0, 1)]
    place = study(tmp_path, made)
    (place.path / "runs.json").write_text(f'{{"{made[0].key}": "abc123"}}')
    (one,) = drawn(findings(harvest(place)))
    cells = next(t for t in one["data"] if t["mode"] == "markers")
    assert list(cells["y"]) == [0.5, 0.6] and list(cells["x"]) == pytest.approx([6, 6])
    assert cells["text"][0] == (
        "m k=2, 6 h, seed 0<br>mIoU 0.5000<br>6.00 annotation hours (mean over seeds)<br>knobs: k=2<br>"
        f"cell {made[0].key}<br>run abc123"
    )
    assert cells["text"][1].endswith("no MLflow run is known")
    mean = next(t for t in one["data"] if t["mode"] == "lines+markers")
    assert mean["text"][0].startswith("m k=2, 6 h<br>mIoU 0.6 [") and "seeds: 2 of 3" in mean["text"][0]


def test_panels_and_lines_stay_within_a_facet(tmp_path):
    lone = [record("fine", 6, s, 0.9, acts={"fine": 4}, **OTHER) for s in (0, 1)]
    first, second = drawn(findings(harvest(study(tmp_path, [*baselines(), *lone]))))
    assert not [t for t in first["data"] if 0.9 in t["y"]] and [t for t in second["data"] if 0.9 in t["y"]]
    front = next(t for t in first["data"] if t["name"] == "best a budget buys")
    assert front["line"]["shape"] == "hv" and list(front["y"]) == sorted(front["y"]) and max(front["y"]) < 0.82


def test_stars_are_joined_to_nothing(tmp_path):
    file = tmp_path / "refs.yaml"
    file.write_text("references: [{name: full, paper: P, where: T, hours: 75, score: 0.99}]")
    (one,) = drawn(findings(harvest(study(tmp_path, baselines()), references=[file])))
    star = [t for t in one["data"] if 0.99 in t["y"]]
    assert len(star) == 1 and star[0]["mode"] == "markers+text" and star[0]["marker"]["symbol"] == "star"
    assert star[0]["customdata"][0] == "full<br>P, T<br>75 h, mIoU 0.990<br>as printed"


def test_with_compute_as_a_cost_each_facet_has_two_panels_and_no_line(tmp_path):
    place = study(tmp_path, baselines())
    found = findings(harvest(place), Reading(gpu=True))
    first, second = drawn(found)
    assert first["layout"]["xaxis"]["title"]["text"] == "annotation hours"
    assert second["layout"]["xaxis"]["title"]["text"] == "CPU hours"
    assert not [t for one in (first, second) for t in one["data"] if t["name"] == "best a budget buys"]
    with Image.open(draw_frontier(found, tmp_path / "two.png")) as image:
        assert image.width == 1280 and image.height > 1600


def test_intervals_of_points_that_share_an_hour_stand_apart(tmp_path):
    (panel,) = panels(findings(harvest(study(tmp_path, crowd()))))
    shares = sorted(panel.axis.share(panel.xy(e.point)[0]) for e in panel.entries)
    assert len(shares) == 2 + 2 * 12 + 1
    assert min(b - a for a, b in pairwise(shares)) > 0.008 and panel.moved
    assert shares[0] >= 0 and shares[-1] <= 1
    at = {(e.point.method, e.budget): panel.xy(e.point)[0] for e in panel.entries}
    for hours in (6, 12):
        row = [at[f"m{i}", hours] for i in range(12)]
        assert row == sorted(row), "in the order of the methods, at every budget"
        assert np.exp(np.log(row).mean()) == pytest.approx(hours), "about the hour itself, on a logarithmic axis"
        assert hours / 1.5 < row[0] and row[-1] < 1.5 * hours
    free = [at["free0", 0.0], at["free1", 0.0]]
    assert free[0] < panel.axis.origin < free[1] < (panel.axis.origin * panel.axis.low) ** 0.5, "left of the gap"


def test_both_drawings_use_the_places_and_draw_no_interval_of_one_seed(tmp_path):
    made = [r for r in crowd(4) if not (r.cell["method"] == "m1" and r.cell["seed"] > 0)]
    found = findings(harvest(study(tmp_path, made)))
    (panel,), (one,) = panels(found), drawn(found)
    shown = one["layout"]["xaxis"]["range"]
    assert list(shown) == pytest.approx(np.log10(panel.axis.limits)), "a closer look would draw neighbours apart"
    for series in panel.series():
        mean = next(t for t in one["data"] if t["mode"] == "lines+markers" and t["name"] == series.name)
        assert list(mean["x"]) == [panel.xy(e.point)[0] for e in series.entries]
        assert all((bar is None) == (series.name == "m1") for bar in mean["error_y"]["array"])


def test_points_that_share_no_hour_stay_where_they_are(tmp_path):
    (panel,) = panels(findings(harvest(study(tmp_path, baselines()))))
    fine = next(e for e in panel.entries if (e.point.method, e.budget) == ("fine", 12))
    assert panel.xy(fine.point)[0] == pytest.approx(12)
    assert side_by_side([], 0.1) == [] and side_by_side([0.3], 0.1) == [0.3]
    assert side_by_side([0.2, 0.4, 0.4, 0.4], 0.02) == pytest.approx([0.2, 0.38, 0.4, 0.42])
    crowded = side_by_side([0.2] + [0.3] * 9 + [0.4], 0.05)
    assert crowded[0] == 0.2 and crowded[-1] == 0.4 and crowded[1] == pytest.approx(0.26)
    assert crowded[9] == pytest.approx(0.34)
    uneven = side_by_side([0.481] + [0.5] * 9 + [0.517, 0.534, 0.97, 0.97, 0.97], 0.018)
    assert min(b - a for a, b in pairwise(uneven)) > 0.0045 and uneven[-1] <= 0.98


@pytest.mark.parametrize("count", [2, 12, 30])
def test_every_method_is_in_both_legends(tmp_path, monkeypatch, count):
    seen = legends(monkeypatch)
    found = findings(harvest(study(tmp_path, crowd(count, seeds=(0, 1)))))
    draw_frontier(found, tmp_path / "picture.png")
    (one,) = drawn(found)
    methods = ["free0", "free1", *(f"m{i}" for i in range(count)), "oracle"]
    assert seen == [[*methods, "on the frontier", "beaten", "best a budget buys"]]
    listed = [t["name"] for t in one["data"] if t.get("showlegend") is not False]
    assert sorted(listed) == sorted([*methods, "best a budget buys"])


def test_knobs_that_differ_name_the_series_of_a_method(tmp_path, monkeypatch):
    seen = legends(monkeypatch)
    long = {"acquisition": "entropy_times_margin_of_two_critics", "weights": "0.001,0.0002"}
    made = [*baselines(), *(record("fine", 12, s, 0.5, knobs={"k": 2}, acts={"fine": 8}) for s in (0, 1))]
    made += [record("knobby", 6, 0, 0.4 + k / 10, knobs={**long, "k": k}, acts={"point": 9}) for k in (1, 2)]
    found = findings(harvest(study(tmp_path, made)))
    draw_frontier(found, tmp_path / "picture.png")
    assert seen[0][:8] == [
        "synthetic",
        "fine",
        "fine k=2",
        "coarse",
        "oracle",
        "1 knobby k=1",
        "2 knobby k=2",
        "on the frontier",
    ]
    turns = {s.name: s.turn for s in panels(found)[0].series()}
    assert turns["fine"] == 0 and turns["fine k=2"] == 1, "each has a line of its own"
    (one,) = drawn(found)
    groups = {t["name"]: t["legendgroup"] for t in one["data"] if "legendgroup" in t}
    assert len(set(groups.values())) == len(groups) == 7, "hiding one hides no other"


def swept():
    """Twelve settings of a method that cost nothing, as a sweep of two long knobs has them, between two yardsticks."""
    knobs = [{f"gamma_{'very_' * 3}long": g, f"beta_{'very_' * 3}long": b} for g in range(3) for b in range(4)]
    made = [record("swept", 0, 0, 0.4 + n / 100, knobs=k) for n, k in enumerate(knobs)]
    return made + [r for r in baselines() if r.cell["method"] in ("synthetic", "oracle")]


def test_settings_that_are_a_point_each_are_told_by_numbers_in_marks_and_legends(tmp_path, monkeypatch):
    seen, found = legends(monkeypatch), findings(harvest(study(tmp_path, swept())))
    draw_frontier(found, tmp_path / "picture.png")
    own = [name.replace("\n", " ") for name in seen[0] if "swept" in name]
    assert [name.split()[:2] for name in own] == [[str(n), "swept"] for n in range(1, 13)]
    assert len({name.partition(" ")[2] for name in own}) == 12, "no name is cut to the same letters as another"
    assert max(len(line) for name in seen[0] for line in name.split("\n")) <= 34, "two columns fit"
    (one,), (panel,) = drawn(found), panels(found)
    marks = [t for t in one["data"] if t["mode"] == "lines+markers+text"]
    assert [t["texttemplate"] for t in marks] == [str(n) for n in range(1, 13)]
    assert all("swept" in t["text"][0] for t in marks), "and a touch tells the rest"
    shares = sorted(panel.axis.share(panel.xy(e.point)[0]) for e in panel.entries if e.point.seconds == 0)
    assert min(b - a for a, b in pairwise(shares)) > 0.02 and shares[0] > 0.01, "numbers can be read"


def test_a_band_says_what_points_that_stand_far_apart_cost(tmp_path):
    found = findings(harvest(study(tmp_path / "swept", swept())))
    (one,), (panel,) = drawn(found), panels(found)
    ((low, high, words),) = panel.bands
    places = [panel.xy(e.point)[0] for e in panel.entries]
    assert words == "all at 0 h" and low < min(places) and sorted(places)[-2] < high < max(places)
    (shape,) = one["layout"]["shapes"]
    assert (shape["x0"], shape["x1"], shape["label"]["text"]) == (low, high, words)
    assert panels(findings(harvest(study(tmp_path / "plain", baselines()))))[0].bands == []


def test_lines_tell_few_settings_apart_and_numbers_many(tmp_path):
    few = [record("m", h, 0, 0.4 + k / 50, knobs={"k": k}, acts={"fine": h}) for k in range(4) for h in (3, 6)]
    more = few + [record("m", h, 0, 0.6, knobs={"k": 9}, acts={"fine": h}) for h in (3, 6)]
    numbers = [
        [s.number for s in panels(findings(harvest(study(tmp_path / str(len(made)), made))))[0].series()]
        for made in (few, more)
    ]
    assert numbers == [[""] * 4, list("12345")]


def test_the_legend_of_a_page_is_never_cut(tmp_path):
    """Plotly cuts it at half of the height unless told otherwise."""
    (one,) = drawn(findings(harvest(study(tmp_path, swept()))))
    names = [t["name"] for t in one["data"] if t.get("showlegend") is not False]
    assert max(len(line) for name in names for line in name.split("<br>")) <= 34
    lines = sum(1 + name.count("<br>") for name in names)
    assert one["layout"]["legend"]["maxheight"] >= 16 * lines and one["layout"]["height"] >= 16 * lines + 400


def test_a_method_with_many_settings_is_named_once_and_hidden_as_one(tmp_path, monkeypatch):
    seen = legends(monkeypatch)
    made = [record("swept", 6, 0, 0.4 + k / 100, knobs={"k": k}, acts={"point": 9}) for k in range(20)]
    found = findings(harvest(study(tmp_path, [*baselines(), *made])))
    draw_frontier(found, tmp_path / "picture.png")
    assert seen[0][:5] == ["synthetic", "fine", "coarse", "oracle", "swept"]
    (one,) = drawn(found)
    own = [t for t in one["data"] if t["name"] == "swept"]
    assert len(own) == 40 and len({t["legendgroup"] for t in own}) == 1
    assert sum(t.get("showlegend") is not False for t in own) == 1


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
    assert [axis.place(axis.share(x)) for x in (3.0, 30.0)] == pytest.approx([3.0, 30.0])


@pytest.mark.parametrize("costs", [[0.0] * 13 + [6.0], [0.0] * 13 + [3.0, 72.0], [2.0] * 13 + [6.0], [2.0] * 13 + [72]])
def test_many_that_share_the_least_hours_have_room_to_stand_apart(costs):
    axis = Axis.of(costs, step=0.02)
    shares = side_by_side(sorted(axis.share(axis.at(c)) for c in costs), 0.02)
    assert shares[0] >= 0.02 - 1e-9 and shares[12] - shares[0] == pytest.approx(12 * 0.02)


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


def test_a_wild_interval_does_not_flatten_the_panel(tmp_path):
    made = [record("a", 6, s, x, acts={"fine": 4}) for s, x in enumerate((0.50, 0.52))]
    made += [record("b", 6, s, x, acts={"coarse": 4}) for s, x in enumerate((0.30, 0.60))]
    (panel,) = panels(findings(harvest(study(tmp_path, made))))
    low, high = panel.heights
    assert panel.cut and 0.3 < low < 0.45 and 0.51 < high < 0.6


def test_the_end_of_a_log(tmp_path):
    log = tmp_path / "log.txt"
    assert log_end(log) == ""
    log.write_bytes(b"x" * 100_000 + b"\nlast \xff line\n")
    assert log_end(log, lines=1) == "last \N{REPLACEMENT CHARACTER} line"
