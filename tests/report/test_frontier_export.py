"""CSV, Parquet and JSON of a study: the same numbers in each, and nothing lost where cells differ."""

import json
from math import nan

import numpy as np
import pyarrow.csv as pc
import pyarrow.parquet as pq
import pytest
from madestudy import baselines, record, study
from test_frontier_findings import OTHER

from segfrontier.basics.atomic import write_json
from segfrontier.report.as_json import to_json
from segfrontier.report.findings import Reading, findings
from segfrontier.report.load import harvest
from segfrontier.report.tables import write_tables


def exported(folder, records, **reading):
    place = study(folder, records)
    write_json(place.path / "runs.json", {records[0].key: "run-of-the-first"})
    found = harvest(place)
    facets = findings(found, Reading(**reading))
    out = folder / "out"
    out.mkdir()
    return found, facets, {p.name: p for p in write_tables(found, facets, out)}


def test_points_by_hand(tmp_path):
    _, _, files = exported(tmp_path, baselines())
    rows = pq.read_table(files["points.parquet"]).to_pylist()
    assert len(rows) == 8
    fine = next(r for r in rows if (r["method"], r["budget"]) == ("fine", "12 h"))
    assert fine["seconds"] == 43_200 and fine["hours"] == 12 and fine["score"] == pytest.approx(0.51)
    assert (fine["low"], fine["high"]) == (pytest.approx(0.485159, abs=1e-6), pytest.approx(0.534841, abs=1e-6))
    assert fine["on_frontier"] is False and fine["p_frontier"] == 0 and fine["compute"] == "CPU"
    assert fine["percent_of_full"] == pytest.approx(100 * 0.51 / 0.81)
    assert fine["seeds"] == "0 1 2" and fine["missing_seeds"] == "" and len(fine["runs"].split()) == 3


def test_csv_and_parquet_hold_the_same(tmp_path):
    made = [
        *baselines(),
        record("lost", 6, 0, nan, acts={"point": 7}),
        record("bad", 6, 0, 0.0, state="failed", error="E"),
    ]
    _, _, files = exported(tmp_path, made)
    for name, count in (("points", 9), ("cells", len(made))):
        parquet = pq.read_table(files[f"{name}.parquet"])
        text = pc.read_csv(files[f"{name}.csv"])
        assert parquet.num_rows == text.num_rows == count
        assert parquet.column_names == text.column_names
        assert parquet["seconds"].to_pylist() == text["seconds"].to_pylist()


def test_cells_keep_what_only_some_of_them_have(tmp_path):
    made = [
        record("synthetic", 0.0, 0, 0.3),
        record(
            "points", 6, 0, 0.5, acts={"point": 9}, oracle_best={"step": 20, "miou": 0.6}, notes={"round_1/miou": 0.4}
        ),
        record("bad", 6, 1, 0.0, state="failed", error="out of memory, twice"),
    ]
    _, _, files = exported(tmp_path, made)
    free, points, bad = pq.read_table(files["cells.parquet"]).to_pylist()
    assert free["run"] == "run-of-the-first" and points["run"] is None
    assert (free["point/units"], points["point/units"], points["point/asked"]) == (None, 9, 18)
    assert points["iou/road"] == 0.5 and points["iou/train"] is None and points["miou_present"] == 0.5
    assert (points["oracle_best/miou"], points["note/round_1/miou"], free["oracle_best/step"]) == (0.6, 0.4, None)
    assert bad["state"] == "failed" and bad["error"] == "out of memory, twice"
    assert json.loads(points["all_knobs"]) == {} and points["compute_hours"] == 1


def test_json_is_strict_and_complete(tmp_path):
    lone = [record("fine", 6, 0, 0.9, acts={"fine": 4}, **OTHER)]
    bad = [record("bad", 6, 0, 0.0, state="failed", error="E"), record("late", 6, 0, 0.0, state="cut")]
    found, facets, _ = exported(tmp_path, [*baselines(), *lone, *bad], target=0.55)
    plain = json.loads(json.dumps(to_json(found, facets), allow_nan=False))
    assert plain["cells"] == "27 cells: 25 done, 1 failed, 1 cut" and len(plain["points"]) == 9
    street, other = plain["facets"]
    assert [(n["method"], n["hours"]) for n in street["needs"]][:2] == [("coarse", 8.4), ("fine", 16.8)]
    assert street["needs"][-1]["hours"] is None
    assert [(s["method"], s["factor"], s["decided"]) for s in street["savings"]] == [
        ("synthetic", None, False), ("coarse", 2.0, True)
    ]  # fmt: skip
    assert {(b["a"], b["kind"]): (b["verdict"], b["seconds"]) for b in street["break_even"]} == {
        ("fine", "fine"): ("under", 2700),
        ("coarse", "coarse"): ("under", 840),
    }
    assert street["prices"] == "street (version 1)" and other["area"] is None
    assert plain["failed"] == [{"key": bad[0].key, "label": "bad, 6 h, seed 0", "error": "E"}]
    assert plain["cut"][0]["label"] == "late, 6 h, seed 0"


def test_json_gives_the_numbers_of_its_sentences_with_their_digits_and_no_others(tmp_path):
    rng = np.random.default_rng(5)
    made = [
        record(m, h, s, mean + rng.normal(0, 0.01), acts={kind: h * n // 3})
        for m, kind, n, means in (("fine", "fine", 2, (0.40, 0.50, 0.60)), ("coarse", "coarse", 24, (0.47, 0.58, 0.59)))
        for h, mean in zip((6, 12, 24), means, strict=True)
        for s in range(4)
    ]
    found, facets, _ = exported(tmp_path, made, target=0.55)
    plain = to_json(found, facets)
    (facet,), texts = plain["facets"], {s["kind"]: s["text"] for s in plain["sentences"] if s["decided"]}
    (saving,) = facet["savings"]
    low, high = saving["interval"]
    assert saving["decided"] and f"{saving['factor']:g} times ({low:g} to {high:g}) fewer hours" in texts["saving"]
    for need in facet["needs"]:
        low, high = need["interval"]
        assert low < need["hours"] < high and len(f"{need['hours']:g}") <= 4, "no digit beyond the interval's"
    flat = [
        record(m, h, s, 0.5 + rng.normal(0, 0.02), acts={m: h})
        for m in ("fine", "coarse")
        for h in (6, 12)
        for s in (0, 1, 2)
    ]
    found, facets, _ = exported(tmp_path / "flat", flat, target=0.5)
    (facet,) = to_json(found, facets)["facets"]
    assert [(s["factor"], s["decided"]) for s in facet["savings"]] == [(None, False)], "means alone give a factor"
    few = [r for r in flat if r.cell["seed"] < 2]
    found, facets, _ = exported(tmp_path / "few", few, target=0.5)
    (facet,) = to_json(found, facets)["facets"]
    assert facet["needs"] == facet["savings"] == facet["break_even"] == [] and facet["area"] is None
