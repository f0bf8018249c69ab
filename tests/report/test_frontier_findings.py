"""A study's answers and its table, checked by hand on three methods with simple scores."""

import math
from decimal import Decimal
from math import nan

import numpy as np
import pytest
from madestudy import baselines, record, study
from test_frontier_points import CHEAP

from segfrontier.errors import BadInput
from segfrontier.market.prices import Money
from segfrontier.report.findings import Reading, findings
from segfrontier.report.load import harvest
from segfrontier.report.sentences import answers, caption, columns, headline, interval_words, prices_words, rows
from segfrontier.report.statements import sentences
from segfrontier.report.tables import point_rows

OTHER = {"facet": "bbbb2222", "words": "street:train=48 convnext/fpn #bbbb2222"}


def only(folder, records=None, *, prices=None, **reading):
    (found,) = findings(harvest(study(folder, records or baselines()), prices=prices), Reading(**reading))
    return found


def told(finding, heading):
    return {h.split(" (")[0]: lines for h, lines in answers(finding)}.get(heading)


def test_the_table_by_hand(tmp_path):
    finding = only(tmp_path)
    names = ["", "method", "knobs", "budget", "hours", "mIoU", "% full", "P(on)", "steps", "CPU h", "seeds"]
    assert columns(finding) == names
    assert rows(finding) == [
        ["*", "synthetic", "", "0 h", "0.00", "0.310 [0.285, 0.335]", "38", "1.00", "", "1.00", "3"],
        ["*", "coarse", "", "6 h", "5.60", "0.510 [0.485, 0.535]", "63", "1.00", "", "1.00", "3"],
        ["", "fine", "", "6 h", "6.00", "0.410 [0.385, 0.435]", "51", "0.00", "", "1.00", "3"],
        ["*", "coarse", "", "12 h", "11.20", "0.590 [0.565, 0.615]", "73", "1.00", "", "1.00", "3"],
        ["", "fine", "", "12 h", "12.00", "0.510 [0.485, 0.535]", "63", "0.00", "", "1.00", "3"],
        ["*", "coarse", "", "24 h", "22.40", "0.600 [0.575, 0.625]", "74", "1.00", "", "1.00", "3"],
        ["*", "fine", "", "24 h", "24.00", "0.610 [0.585, 0.635]", "75", "1.00", "", "1.00", "3"],
        ["*", "oracle", "", "all", "72.00", "0.810 [0.785, 0.835]", "100", "1.00", "", "1.00", "3"],
    ]
    assert "% full: of oracle's score" in caption(finding)
    assert interval_words(finding) == "95 % Student t intervals over 3 seeds"
    assert prices_words(finding) == "prices: street (version 1)"


def test_money_stands_beside_hours_where_the_prices_say_what_an_hour_is_paid(tmp_path):
    paid = CHEAP.model_copy(update={"money": Money(per_hour=Decimal("12.5"), currency="EUR")})
    dear, free = only(tmp_path / "a", prices=paid), only(tmp_path / "b", prices=CHEAP)
    assert columns(dear)[4:6] == ["hours", "EUR"] and "EUR: at 12.5 an hour" in caption(dear)
    assert "EUR" not in columns(free) and "EUR" not in caption(free)
    for row, plain, point in zip(rows(dear), rows(free), point_rows([dear]), strict=True):
        assert row[:5] + row[6:] == plain and row[5] == f"{point['hours'] * 12.5:,.2f}"
        assert point["currency"] == "EUR" and point["money"] == pytest.approx(point["hours"] * 12.5)
    assert {(p["money"], p["currency"]) for p in point_rows([free])} == {(None, "")}
    needs = told(only(tmp_path / "c", prices=paid, target=0.55), "To reach 0.55")
    assert "oracle: 0.55 needs at most 8.0 h, 100 EUR" in needs
    assert any(line.startswith("coarse: 0.55 needs 6.010 h (") and ", 75.13 EUR (" in line for line in needs)


def test_the_target_is_nine_tenths_of_the_oracle_or_the_best_of_fine_or_the_best(tmp_path):
    made = baselines()
    assert only(tmp_path / "a", made).target == (0.729, "90 % of oracle's 0.810")
    assert only(tmp_path / "b", [r for r in made if r.cell["method"] != "oracle"]).target == (0.61, "the best of fine")
    coarse = [r for r in made if r.cell["method"] == "coarse"]
    assert only(tmp_path / "c", coarse).target == (0.6, "the best score measured")
    assert only(tmp_path / "d", made, target=0.55).target == (0.55, "")
    with pytest.raises(BadInput, match=r"found 55\. Write 0\.6 for 60 %"):
        Reading(target=55)
    with pytest.raises(BadInput, match="level of an interval"):
        Reading(level=95)


def test_needs_savings_and_break_even_prices_by_hand(tmp_path):
    """The seeds of `baselines` differ by what they add to every score alike: paired, nothing is uncertain."""
    finding = only(tmp_path, target=0.55)
    assert told(finding, "To reach 0.55") == [
        "synthetic: 0.55 is not reached with no annotation",
        "fine: 0.55 needs 16.80 h",
        "coarse: 0.55 needs 8.400 h (8.399 to 8.401)",
        "oracle: 0.55 needs at most 72 h",
    ]
    assert told(finding, "Savings")[0] == "coarse needs 2.000 times fewer hours than fine for 0.55"
    # 16.8 h are 11.2 fine masks, 8.4 h are 72 coarse ones.
    assert told(finding, "Break-even prices") == [
        "fine wins over coarse at 0.55 while a fine mask costs under 2,700 s (2,550 to 2,860); here 5,400 s",
        "coarse wins over fine at 0.55 while a coarse mask costs under 840 s (790 to 890); here 420 s",
    ]
    assert headline(finding) == "coarse needs 2.000 times fewer hours than fine for 0.55."


def test_who_beats_whom(tmp_path):
    finding = only(tmp_path)
    assert told(finding, "Best at each budget") == [
        "6 h: coarse leads with 0.5100, ahead of fine, synthetic",
        "12 h: coarse leads with 0.5900, ahead of fine, synthetic",
        "24 h: fine leads with 0.6100, ahead of coarse, synthetic",
    ]
    beats = [s for s in sentences(finding) if s.kind == "beats"]
    assert len(beats) == 9 and all(s.decided for s in beats)
    first = next(s for s in beats if s.methods == ("coarse", "fine") and s.hours == 6)
    assert first.interval == pytest.approx((0.1, 0.1), abs=1e-4)
    percent = next(s for s in sentences(finding) if s.kind == "percent" and s.methods[0] == "coarse")
    assert percent.decided and percent.interval == pytest.approx((100 * 0.6 / 0.81,) * 2, abs=0.02)


def test_a_wide_spread_cannot_tell(tmp_path):
    made = [record("a", 5, s, x, acts={"coarse": 9}) for s, x in enumerate((0.5, 0.6, 0.4))]
    made += [record("b", 5, s, x, acts={"coarse": 9}) for s, x in enumerate((0.5, 0.4, 0.55))]
    finding = only(tmp_path, made)
    assert not any(s.decided for s in sentences(finding))
    (line,) = told(finding, "Best at each budget")
    assert line.startswith("5 h: cannot tell who leads; best mean a with 0.5") and line.endswith("not told from b")
    assert headline(finding) == f"{line}."


def test_the_area_agrees_with_a_slow_sum(tmp_path):
    finding = only(tmp_path)
    (low, high), areas = finding.areas
    assert (low, high) == (5.6, 24)
    grid = np.geomspace(low * 3600, high * 3600, 20_001)
    grid = np.sqrt(grid[1:] * grid[:-1])
    best = [max(p.score for p in finding.points if p.seconds <= budget) for budget in grid]
    assert areas[""] == pytest.approx(np.mean(best), abs=1e-4)
    assert areas["synthetic"] == pytest.approx(0.31) and areas["oracle"] == 0


def test_other_prices_change_hours_and_nothing_else(tmp_path):
    own, other = only(tmp_path / "a"), only(tmp_path / "b", prices=CHEAP)
    scores = {(e.name, e.budget): (e.point.scores, e.point.acts, e.point.gpu_hours) for e in own.entries}
    assert {(e.name, e.budget): (e.point.scores, e.point.acts, e.point.gpu_hours) for e in other.entries} == scores
    cost = {(e.name, e.budget): e.point.seconds for e in other.entries}
    assert cost["fine", 24] == 16 * 600 and cost["coarse", 6] == math.ceil(48 * 300.5) and cost["synthetic", 0] == 0
    assert {p.method for p in other.front.on} == {"synthetic", "fine", "oracle"}, "masks at 600 s leave coarse no place"
    assert prices_words(other) == "prices: cheap (version 3), a what-if: cells bought under other prices"


def test_facets_are_never_joined(tmp_path):
    lone = [record("fine", 6, s, 0.99, acts={"fine": 4}, **OTHER) for s in (0, 1, 2)]
    first, second = findings(harvest(study(tmp_path, baselines() + lone)))
    assert len(first.entries) == 8 and len(second.entries) == 1
    assert {p.facet for p in first.front.on} == {first.front.facet} != {second.front.facet}
    assert second.target == (0.99, "the best of fine"), "no oracle of another facet is a yardstick"
    assert rows(second)[0][6] == "" and told(first, "Best at each budget")[0].startswith("6 h: coarse")


def test_compute_as_a_second_cost_brings_more_points_to_the_frontier(tmp_path):
    dear, cheap = ({"stages": (n,)} for n in notes(7200, 60))
    made = [record("a", 5, 0, 0.6, acts={"coarse": 1}, **dear), record("b", 5, 0, 0.5, acts={"coarse": 2}, **cheap)]
    assert {p.method for p in only(tmp_path / "x", made).front.on} == {"a"}
    assert {p.method for p in only(tmp_path / "y", made, gpu=True).front.on} == {"a", "b"}


def notes(*seconds):
    stage = record("x", 1, 0, 0.1).stages[0]
    return [type(stage)(kind="train", key="k", seconds=s, devices=1, gpu=False, found=False) for s in seconds]


def test_no_score_is_listed_last_and_ranked_nowhere(tmp_path):
    made = [*baselines(), record("lost", 1, 0, nan, acts={"coarse": 1})]
    finding = only(tmp_path, made)
    assert rows(finding)[-1] == ["", "lost", "", "1 h", "0.12", "no score", "", "", "", "1.00", "1 of 3"]
    assert "lost" not in finding.methods and not any("lost" in line for _, lines in answers(finding) for line in lines)


def test_one_point_alone_says_what_it_can(tmp_path):
    finding = only(tmp_path, [record("fine", 6, 0, 0.5, acts={"fine": 4})])
    assert rows(finding) == [["*", "fine", "", "6 h", "6.00", "0.500", "", "1.00", "", "1.00", "1 of 3"]]
    assert interval_words(finding) == "no intervals: every point has one seed"
    assert list(answers(finding)) == [] and sentences(finding) == () and finding.areas is None


def test_what_costs_nothing_is_said_to(tmp_path):
    finding = only(tmp_path, [record("synthetic", 0.0, 0, 0.3)])
    assert headline(finding) == (
        "Best mean score: 0.300, synthetic with no annotation; there is nothing to compare it with."
    )
    assert prices_words(finding) == "nothing was bought"


def test_bootstrap_intervals_say_so_and_are_the_same_every_time(tmp_path):
    finding = only(tmp_path, how="bootstrap", level=0.8)
    assert interval_words(finding) == "80 % percentile bootstrap intervals over 3 seeds"
    again = Reading(how="bootstrap", level=0.8).summary(finding.points[0])
    assert again == finding.reading.summary(finding.points[0])


def test_of_many_differences_the_headline_is_the_surest(tmp_path):
    """`a` and `b` both beat `z`, `a` by more: whichever pair was looked at last."""
    scores = {"b": 0.40, "a": 0.41, "z": 0.20}
    made = [
        record(method, hours, seed, score + 0.02 * (seed - 1) * (1 if method == "a" else -1), acts={"fine": 4})
        for method, score in scores.items() for hours in (4, 12) for seed in (0, 1, 2)
    ]  # fmt: skip
    assert headline(only(tmp_path, made)).startswith("a beats z with 12 h by 0.2")


@pytest.mark.parametrize(("many", "all_pairs"), [(12, True), (13, False)])
def test_of_many_methods_what_cannot_be_told_is_told_of_the_best_alone(tmp_path, many, all_pairs):
    """Twelve methods have 66 pairs; of more, each that is decided stands there, and who is not told from the leader."""
    means = [*(0.5 - 0.001 * n for n in range(many - 1)), 0.2]
    made = [
        record(f"m{n:02}", 4, seed, mean + (-0.02, 0.0, 0.02)[(seed + n) % 3], acts={"fine": 4})
        for n, mean in enumerate(means)
        for seed in (0, 1, 2)
    ]
    said = [s for s in sentences(only(tmp_path, made)) if s.kind == "beats"]
    worst = f"m{many - 1:02}"
    decided = {s.methods for s in said if s.decided}
    assert decided == {(f"m{n:02}", worst) for n in range(many - 1)}
    undecided = {frozenset(s.methods) for s in said if not s.decided}
    better = [f"m{n:02}" for n in range(many - 1)]
    pairs = {frozenset((a, b)) for a in (better if all_pairs else better[:1]) for b in better if a != b}
    assert undecided == pairs
