"""A frontier in another metric than mIoU: every word, number and mark of it is of that metric."""

import json

import pytest
import typer
from madestudy import baselines, record, study
from typer.testing import CliRunner

from segfrontier.commands.frontier import frontier
from segfrontier.errors import BadInput, BadStudy
from segfrontier.report.findings import findings
from segfrontier.report.load import harvest
from segfrontier.report.outputs import write_outputs
from segfrontier.study.config import Study

YAML = "name: made\nseeds: [0, 1, 2]\nmetric: pq_things\n"


def scored():
    """PQ ranks fine and coarse masks the other way round than mIoU does at 6 h; the synthetic cell has none."""
    made = []
    for r in baselines():
        pq = {"synthetic": {}, "coarse": {"pq_things": 0.1 + 0.01 * r.cell["seed"]}}.get(r.cell["method"])
        made.append(record(
            r.cell["method"], r.cell["hours"], r.cell["seed"], r.miou, acts={k: c.units for k, c in r.acts.items()},
            values=dict(r.values) | (pq if pq is not None else {"pq_things": r.miou / 2}),
        ))  # fmt: skip
    return made


def run(folder, *words):
    app = typer.Typer()
    app.command()(frontier)
    return CliRunner().invoke(app, ["made", "--home", str(folder), *words], catch_exceptions=False)


def test_the_study_names_what_its_frontier_is_in(tmp_path):
    place = study(tmp_path, scored(), yaml=YAML)
    found = harvest(place)
    assert (found.metric, found.measure, found.faults) == ("pq_things", "pq_things", ())
    points = {(e.point.method, e.budget): e.point for e in found.entries}
    assert points["fine", 6].scores == pytest.approx({0: 0.2, 1: 0.205, 2: 0.21}) and points[
        "coarse", 6
    ].score == pytest.approx(0.11)
    (finding,) = findings(found)
    assert [p.method for p in finding.front.unranked] == ["synthetic"]
    assert finding.percent[points["fine", 12]] == pytest.approx(100 * 0.255 / 0.405, abs=0.1)
    shown = harvest(place, metric="miou_present")
    assert shown.measure == "mIoU" and max(e.point.score for e in shown.entries) == pytest.approx(0.81)


def test_every_output_says_the_metric(tmp_path):
    place = study(tmp_path, scored(), yaml=YAML)
    found = harvest(place)
    write_outputs(found, findings(found), tmp_path / "out")
    for page in ("report.html", "frontier.html"):
        text = (tmp_path / "out" / page).read_text()
        assert "pq_things" in text and "mIoU" not in text, page


def test_the_command_takes_a_metric_and_names_the_nearest(tmp_path):
    study(tmp_path, scored())
    told = json.loads(run(tmp_path, "--metric", "pq_things", "--json").stdout)
    assert told["metric"] == "pq_things" and max(p["score"] or 0 for p in told["points"]) == pytest.approx(0.405)
    assert "mIoU" not in json.dumps(told)
    assert "pq_things" in run(tmp_path, "--metric", "pq_things").stdout
    with pytest.raises(BadInput, match=r"found 'pq_thing'. Choose one of miou_present, pq_things"):
        run(tmp_path, "--metric", "pq_thing")
    with pytest.raises(BadInput, match="--metric must go with a study"):
        app = typer.Typer()
        app.command()(frontier)
        CliRunner().invoke(app, ["--from", "x.csv", "--metric", "pq"], catch_exceptions=False)


def test_a_metric_that_no_cell_has_is_told_and_leaves_no_point_ranked(tmp_path):
    found = harvest(study(tmp_path, baselines(), yaml=YAML))
    assert found.faults and "found 'pq_things'" in found.faults[0]
    (finding,) = findings(found)
    assert not finding.points


def test_stars_are_drawn_among_points_of_their_own_metric(tmp_path):
    file = tmp_path / "papers.yaml"
    file.write_text(
        "references: [{name: a, paper: p, where: t, score: 0.4, hours: 1, metric: pq_things},"
        " {name: b, paper: p, where: t, score: 0.6, hours: 1}]"
    )
    place = study(tmp_path, scored(), yaml=YAML)
    assert [s.method for s in harvest(place, references=[file]).stars] == ["a"]
    assert [s.method for s in harvest(place, references=[file], metric="miou_present").stars] == ["b"]


def test_a_study_file_may_name_it():
    plain = {"name": "s", "methods": ["fine"], "budgets": [1]}
    assert Study.of(dict(plain)).metric == "miou_present"
    assert Study.of(plain | {"metric": "ap_vol_din"}).resolved()["metric"] == "ap_vol_din"
    with pytest.raises(BadStudy):
        Study.of(plain | {"metric": ""})
