"""A table of scores as a study: what it must hold, what is one budget, what is one point; and through the command."""

import json

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import typer
from typer.testing import CliRunner

from segfrontier.commands.frontier import frontier
from segfrontier.errors import BadInput
from segfrontier.report.findings import findings
from segfrontier.report.scores import Score, from_scores, read_scores
from segfrontier.report.statements import sentences

ROWS = [
    (m, h, 0.3 + d + h / 100 + s / 1000, s) for m, d in (("a", 0.2), ("b", 0.0)) for h in (4, 12) for s in (0, 1, 2)
]


def table(folder, rows=ROWS, names="method,hours,score,seed", name="points.csv"):
    file = folder / name
    file.write_text("\n".join([names, *(",".join(map(str, row)) for row in rows)]) + "\n")
    return file


def run(*words):
    app = typer.Typer()
    app.command()(frontier)
    result = CliRunner().invoke(app, list(map(str, words)), catch_exceptions=False)
    assert result.exit_code == 0, result.output
    return result.output


def test_a_table_gets_the_sentences_of_a_study(tmp_path):
    plain = json.loads(run("--from", table(tmp_path), "--json"))
    assert plain["files"] == [] and plain["study"] == "points" and plain["cells"] == "12 scores"
    assert [(p["method"], p["hours"], p["seeds"]) for p in plain["points"]][:2] == [
        ("a", 4, "0 1 2"),
        ("b", 4, "0 1 2"),
    ]
    kinds = {s["kind"] for s in plain["sentences"]}
    assert kinds == {"leader", "beats", "area", "need", "saving"}
    leader = next(s for s in plain["sentences"] if s["kind"] == "leader" and s["hours"] == 12)
    assert leader["decided"] is True and leader["methods"] == ["a", "b"]
    assert set(leader) == {"kind", "text", "decided", "methods", "hours", "interval", "facet"}
    assert leader["interval"] == pytest.approx([0.2, 0.2], abs=1e-3)
    assert not list(tmp_path.glob("*.png")), "nothing is written unasked"


def test_a_table_in_percent_takes_a_target_in_percent(tmp_path):
    file = table(tmp_path, [(m, h, 100 * x, s) for m, h, x, s in ROWS])
    plain = json.loads(run("--from", file, "--target", 45, "--json"))
    needs = {s["methods"][0]: s["text"] for s in plain["sentences"] if s["kind"] == "need"}
    assert needs["a"].startswith("a: 45 needs at most") and needs["b"] == "b: 45 is not reached with 12 h"


def test_the_words_and_the_pages_of_a_table(tmp_path):
    out = run("--from", table(tmp_path), "--out", tmp_path / "out")
    assert "12 h: a leads with" in out and (tmp_path / "out" / "report.html").exists()
    assert "a beats b" in (tmp_path / "out" / "report.html").read_text()


def test_parquet_holds_the_same(tmp_path):
    columns = dict(zip(("method", "hours", "score", "seed"), map(list, zip(*ROWS, strict=True)), strict=True))
    pq.write_table(pa.table(columns), tmp_path / "points.parquet")
    told = [json.loads(run("--from", file, "--json")) for file in (tmp_path / "points.parquet", table(tmp_path))]
    assert told[0]["sentences"] == told[1]["sentences"]


@pytest.mark.parametrize(
    ("names", "rows", "error"),
    [
        ("method,hours,score", [("a", 1, 0.5)], "needs the columns seed; found method, hours, score"),
        ("method,hours,score,seed,knob", [("a", 1, 0.5, 0, 1)], r"no others; found 'knob' \(did you mean 'knobs'"),
        ("method,hours,score,seed", [], "needs a row a score; found none"),
        (
            "method,hours,score,seed",
            [("a", 1, "nan", 0)],
            "row 2: a score must be a finite number .* found 'nan'",
        ),
        ("method,hours,score,seed", [("a", 1, 0.5, 0), ("a", 1, "x", 1)], "row 3: a score must be a finite number"),
        ("method,hours,score,seed", [("a", -1, 0.5, 0)], "hours must be a finite number, 0 or more; found '-1'"),
        ("method,hours,score,seed", [("a", "inf", 0.5, 0)], "hours must be a finite number"),
        ("method,hours,score,seed", [("a", 1, 0.5, 0.5)], "a seed must be a whole number; found '0.5'"),
        ("method,hours,score,seed", [("", 1, 0.5, 0)], "a method must have a name"),
        (
            "method,hours,score,seed",
            [("a", 1, 0.5, 0), ("a", 1, 0.6, 0)],
            "rows 2 and 3: .* found a, 1 h, seed 0 twice",
        ),
        ("method,hours,score,seed", [("a", 1, 0.5, 0, 9)], "a value a column; found more"),
        ("method,hours,score,seed,seed", [("a", 1, 0.5, 0, 0)], "a column must stand in a table once"),
    ],
)
def test_a_bad_table_is_refused_with_what_is_wrong(tmp_path, names, rows, error):
    with pytest.raises(BadInput, match=error):
        read_scores(table(tmp_path, rows, names))


def test_a_file_that_is_not_there_and_one_that_is_no_parquet(tmp_path):
    with pytest.raises(BadInput):
        read_scores(tmp_path / "gone.csv")
    (tmp_path / "x.parquet").write_text("method")
    with pytest.raises(BadInput, match="must be a Parquet file that can be read"):
        read_scores(tmp_path / "x.parquet")


def test_a_frontier_is_of_a_study_or_of_a_table(tmp_path):
    with pytest.raises(BadInput, match="found neither"):
        run("--json")
    with pytest.raises(BadInput, match="found both"):
        run("made", "--from", table(tmp_path))
    with pytest.raises(BadInput, match="--prices must go with a study"):
        run("--from", table(tmp_path), "--prices", "street")


def score(method, hours, seed, value, **more):
    return Score(method=method, hours=hours, seed=seed, score=value, **more)


def test_hours_that_differ_a_little_are_one_budget_and_a_methods_own_budgets_stay_apart():
    near = [score("a", 4 + 0.1 * s, s, 0.5) for s in range(3)] + [score("b", 3.8, s, 0.5) for s in range(3)]
    found = from_scores(near).entries
    assert [(e.name, e.budget, len(e.cells)) for e in found] == [("a", 4.05, 3), ("b", 4.05, 3)]
    assert found[0].point.seconds == pytest.approx(4.1 * 3600), "its hours stay its own"
    apart = [score("a", h, s, 0.5) for h in (10, 11, 12) for s in range(3)]
    assert [e.budget for e in from_scores(apart).entries] == [10, 11, 12]


def test_like_is_compared_with_like():
    """A method with 4 h alone is no rival of those with 12 h."""
    scores = [score("a", h, s, 0.1 * h + 0.01 * s) for h in (4.0, 12.0) for s in range(3)]
    scores += [score("b", 4.0, s, 0.4 + 0.011 * s) for s in range(3)]
    scores += [score("free", 0.0, s, 0.01 * s) for s in range(3)]
    (finding,) = findings(from_scores(scores))
    pairs = {(frozenset(s.methods), s.hours) for s in sentences(finding) if s.kind == "beats"}
    assert pairs == {
        (frozenset("ab"), 4), (frozenset(["a", "free"]), 4), (frozenset(["b", "free"]), 4),
        (frozenset(["a", "free"]), 12),
    }  # fmt: skip


def test_what_also_buys_labels_does_not_stand_at_budgets_with_its_free_point():
    scores = [score("a", 4.0, s, 0.4 + 0.01 * s) for s in range(3)]
    scores += [score("b", h, s, 0.2 + 0.011 * s) for h in (0.0, 12.0) for s in range(3)]
    (finding,) = findings(from_scores(scores))
    assert not [s for s in sentences(finding) if s.kind in ("beats", "leader")], "nothing was measured beside anything"


def test_scores_that_are_no_numbers_are_compared_with_nothing():
    """As in records of a study; a table with them is refused."""
    scores = [score(m, 4.0, s, float("nan") if m == "lost" else x + 0.01 * s) for m, x in (("a", 0.4), ("b", 0.2),
              ("lost", 0.0)) for s in range(3)]  # fmt: skip
    (finding,) = findings(from_scores(scores))
    said = sentences(finding)
    assert [s.methods for s in said if s.kind == "beats" and s.decided] == [("a", "b")]
    assert not any("lost" in s.methods for s in said)


def test_the_same_labels_bought_twice_are_one_point():
    bought = [score("a", h, s, 0.5 + 0.01 * s, acts="48 coarse masks") for h in (4, 12) for s in range(3)]
    other = [score("a", h, s, 0.5 + 0.01 * s, acts="") for h in (4, 12) for s in range(3)]
    assert len(from_scores(bought).entries) == 1 and len(from_scores(other).entries) == 2
    hours = [e.point.seconds / 3600 for e in from_scores(bought[::-1]).entries]
    assert hours == [4], "at the least that they cost, in whatever order the rows stand"
    noisy = [score("a", h, s, 0.5 + 0.01 * s * h, acts="coarse masks") for h in (4, 12) for s in range(1, 4)]
    assert len(from_scores(noisy).entries) == 2, "other scores: not the same after all"


def test_facets_are_judged_together_and_never_compared(tmp_path):
    rows = [(*row, facet) for row in ROWS for facet in ("small", "large")]
    plain = json.loads(run("--from", table(tmp_path, rows, "method,hours,score,seed,facet"), "--json"))
    assert {s["facet"] for s in plain["sentences"]} == {"small", "large"} == {f["facet"] for f in plain["facets"]}


def test_odd_scores_bring_no_report_down():
    def said(*rows):
        return [s for f in findings(from_scores([Score(**r) for r in rows])) for s in sentences(f)]

    def rows(value, methods="ab", hours=(4.0, 12.0), seeds=(0, 1, 2)):
        return [
            {"method": m, "hours": h, "seed": s, "score": value(m, h, s)} for m in methods for h in hours for s in seeds
        ]

    assert not any(s.decided for s in said(*rows(lambda m, h, s: 0.0)))
    assert not any(s.decided for s in said(*rows(lambda m, h, s: -5.0 + s)))
    assert any(s.decided for s in said(*rows(lambda m, h, s: 0.6 if m == "a" else 0.5)))
    assert said(*rows(lambda m, h, s: 0.5, "a", (4.0,), (0,))) == []
    alone = said(*rows(lambda m, h, s: 0.5 + s / 100 + h / 100, "a"))
    assert {s.kind for s in alone} == {"need", "area"} and not any(s.decided for s in alone)
    few = [*rows(lambda m, h, s: 0.5 + s / 100, "a"), *rows(lambda m, h, s: 0.1, "b", seeds=(0, 1))]
    assert not any(s.decided for s in said(*few)), "two seeds are none to be compared with"
