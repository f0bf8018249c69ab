"""`segfrontier frontier` as a user types it."""

import json

import pytest
import typer
from madestudy import baselines, record, study
from typer.testing import CliRunner

from segfrontier.commands.frontier import frontier
from segfrontier.errors import BadInput, BadStudy

CHEAP = """
format: 1
name: cheap
version: 2
acts:
  fine: {seconds: 600, per: image, source: me}
  coarse: {seconds: 300, per: image, source: me}
"""


def run(folder, *words):
    app = typer.Typer()
    app.command()(frontier)
    result = CliRunner().invoke(app, ["made", "--home", str(folder), *map(str, words)], catch_exceptions=False)
    assert result.exit_code == 0, result.output
    return result.output


def test_the_table_the_answers_and_the_paths(tmp_path):
    study(tmp_path, [*baselines(), record("bad", 6, 0, 0.0, state="failed", error="no memory")])
    out = run(tmp_path, "--target", 0.55)
    lines = [line.split() for line in out.splitlines()]
    assert ["*", "coarse", "6", "h", "5.60", "0.510", "[0.485,", "0.535]", "63", "1.00", "1.00", "3"] in lines
    assert ["fine", "6", "h", "6.00", "0.410", "[0.385,", "0.435]", "51", "0.00", "1.00", "3"] in lines
    assert "coarse needs 2.000 times fewer hours than fine for 0.55" in out
    assert "failed bad, 6 h, seed 0: no memory" in out
    report = tmp_path / "studies" / "made" / "report"
    assert {p.name for p in report.iterdir()} == {
        "report.html", "frontier.png", "frontier.html", "points.csv", "points.parquet", "cells.csv", "cells.parquet",
        "plotly.min.js"
    }  # fmt: skip
    assert str(report / "frontier.png") in out.replace("\n", "")


def test_what_if_prices_leave_the_report_alone(tmp_path):
    study(tmp_path, baselines())
    (tmp_path / "cheap.yaml").write_text(CHEAP)
    run(tmp_path)
    own = json.loads(run(tmp_path, "--json"))
    assert own["files"] == [], "who reads JSON waits for no pictures"
    before = (tmp_path / "studies/made/report/points.csv").read_bytes()
    other = json.loads(run(tmp_path, "--json", "--prices", tmp_path / "cheap.yaml"))
    assert (tmp_path / "studies/made/report/points.csv").read_bytes() == before
    run(tmp_path, "--prices", tmp_path / "cheap.yaml")
    assert (tmp_path / "studies/made/report/points.csv").read_bytes() == before
    assert (tmp_path / "studies/made/report/what-if/points.csv").exists()
    by_name = {(p["method"], p["budget"]): p for p in other["points"]}
    for point in own["points"]:
        changed = by_name[point["method"], point["budget"]]
        moving = {"seconds", "hours", "on_frontier", "p_frontier"}
        assert {k: v for k, v in changed.items() if k not in moving} == {
            k: v for k, v in point.items() if k not in moving
        }
    assert by_name["fine", "24 h"]["seconds"] == 16 * 600
    assert other["facets"][0]["prices"] == "cheap (version 2)"


def test_another_folder_and_compute_as_a_cost(tmp_path):
    study(tmp_path, baselines()[:6])
    plain = json.loads(run(tmp_path, "--json", "--gpu", "--out", tmp_path / "x", "--how", "bootstrap", "--level", 0.9))
    assert (tmp_path / "x" / "report.html").exists() and plain["points"][0]["interval"] == "90 % percentile bootstrap"


def test_a_study_without_ended_cells_and_one_that_is_not_there(tmp_path):
    study(tmp_path, [], waiting=["0" * 32])
    with pytest.raises(
        BadStudy, match="must have a cell that has ended before it has a frontier; found 1 cell: 0 done"
    ):
        run(tmp_path)
    with pytest.raises(BadStudy, match="found no 'made' there"):
        run(tmp_path / "elsewhere")


def test_wrong_numbers_are_refused_before_any_work(tmp_path):
    with pytest.raises(BadInput, match=r"Write 0\.6 for 60 %"):
        run(tmp_path, "--target", 60)


def test_a_folder_that_cannot_be_written_is_told(tmp_path):
    study(tmp_path, baselines()[:3])
    (tmp_path / "file").write_text("")
    with pytest.raises(BadStudy, match="a report needs a folder that can be written"):
        run(tmp_path, "--out", tmp_path / "file")
