"""With which of full supervision's points another method is compared: that of the same budget, where there is one."""

import pytest

from segfrontier.report.contenders import Contender
from segfrontier.report.findings import findings
from segfrontier.report.frontier import Point
from segfrontier.report.points import FrontierPoint
from segfrontier.report.scores import Score, from_scores
from segfrontier.report.statements import sentences


def entry(seconds, score, budget, *also):
    point = Point(method="m", label="", seconds=seconds, facet=(), scores={0: score})
    return FrontierPoint(point=point, knobs="", budget=budget, cells=(), missing=(), also=also)


def contender(name, *entries):
    at = {level: one for one in entries for level in (one.budget, *one.also)}
    return Contender("facet", name, name, at, called=name)


CHEAP, DEAR = entry(10, 0.4, 4.0), entry(30, 0.5, 12.0)
FULL = entry(900, 0.9, "all")


@pytest.mark.parametrize(
    ("own", "full", "wanted"),
    [
        ((CHEAP, DEAR), (entry(30, 0.6, 12.0), FULL), 0.6),
        ((CHEAP, DEAR), (entry(10, 0.55, 4.0), FULL), 0.9),  # nothing at the dearest budget: its own dearest
        ((CHEAP, entry(30, 0.5, 12.0, 24.0)), (entry(60, 0.7, 24.0), FULL), 0.7),  # which bought no more than that
        ((CHEAP, entry(30, 0.5, 12.0, "all")), (FULL,), 0.9),
        ((CHEAP,), (FULL,), 0.9),
    ],
)
def test_full_supervision_stands_beside_the_dearest_budget(own, full, wanted):
    assert contender("a", *own).beside(contender("oracle", *full)).point.score == wanted


def test_sentences_name_the_knobs_that_tell_contenders_apart_and_no_others():
    means = {("fine", ""): 0.2, ("points", "lr=1"): 0.4, ("mix", "split=0.2"): 0.6, ("mix", "split=0.8"): 0.8}
    scores = [
        Score(method=m, knobs=knobs, hours=4.0, score=mean + seed / 100, seed=seed)
        for (m, knobs), mean in means.items()
        for seed in range(4)
    ]
    (finding,) = findings(from_scores(scores))
    (leads,) = [s for s in sentences(finding) if s.kind == "leader"]
    assert leads.text.startswith("4 h: mix split=0.8 leads with 0.8")
    assert leads.text.endswith("ahead of mix split=0.2, points, fine")
    assert leads.methods == ("mix split=0.8", "mix split=0.2", "points lr=1", "fine"), "a program reads all of it"
