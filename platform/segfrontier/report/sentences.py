"""A study's findings as rows of words, for a terminal and for a page alike, and the answers as sentences."""

from __future__ import annotations

from collections.abc import Iterator
from math import isfinite

from segfrontier.market.budget import hours
from segfrontier.report.answers import in_words
from segfrontier.report.contenders import FULL
from segfrontier.report.digits import rounded
from segfrontier.report.findings import Finding
from segfrontier.report.points import FrontierPoint, budget_words
from segfrontier.report.statements import Sentence, sentences
from segfrontier.report.statistics import Summary
from segfrontier.report.training import unequal_training

_HEADINGS: tuple[tuple[str, tuple[str, ...]], ...] = (
    ("Savings", ("saving",)),
    ("Best at each budget", ("leader",)),
    ("Differences", ("beats",)),
    ("Over all budgets", ("area",)),
    ("To reach {target}", ("need",)),
    ("Percent of full supervision", ("percent",)),
    ("Break-even prices", ("break_even",)),
)


def columns(finding: Finding) -> list[str]:
    """The names of the columns of `rows`; `caption` explains them."""
    compute = f"{finding.harvest.compute} h"
    money = [] if finding.money is None else [finding.money.currency]
    measured = [finding.harvest.measure, "% full", "P(on)", "steps"]
    return ["", "method", "knobs", "budget", "hours", *money, *measured, compute, "seeds"]


def caption(finding: Finding) -> str:
    """What the columns mean."""
    told = ["* on the frontier: no point costs less and scores as much", "hours: annotation, as bought"]
    if finding.money is not None:
        told.append(f"{finding.money.currency}: at {finding.money.per_hour:f} an hour")
    if any(percent is not None for percent in finding.percent.values()):
        told.append(f"% full: of {FULL}'s score")
    told += ["P(on): how often a point is on the frontier when seeds are drawn again"]
    if any(isfinite(p.trained) for p in finding.points):
        told.append("steps: of the optimiser, in all of a cell's trainings")
    told.append(f"{finding.harvest.compute} h: computing, shared stages in full")
    return "; ".join(told)


def rows(finding: Finding) -> list[list[str]]:
    """A row a point, cheapest first; those without a score last."""
    return [_row(finding, entry) for entry in finding.entries]


def score_words(summary: Summary) -> str:
    """ "0.612 [0.598, 0.626]", "0.612" where there is no interval, "no score"."""
    if not isfinite(summary.mean):
        return "no score"
    if summary.interval is None:
        return f"{summary.mean:.3f}"
    low, high = summary.interval
    mean, bottom, top = (rounded(x, (high - low) / 2) for x in (summary.mean, low, high))
    return f"{mean} [{bottom}, {top}]"


def interval_words(finding: Finding) -> str:
    """How the intervals were made, from what the points say of theirs."""
    summaries = [finding.reading.summary(p) for p in finding.points]
    made = [s for s in summaries if s.interval is not None]
    if not made:
        return "no intervals: every point has one seed"
    counts = sorted({s.count for s in made})
    seeds = f"{counts[0]}" if len(counts) == 1 else f"{counts[0]} to {counts[-1]}"
    return f"{made[0].level * 100:g} % {made[0].how} intervals over {seeds} seeds"


def prices_words(finding: Finding) -> str:
    """ "prices: street (version 1)"; says so where they are not those that the cells bought under."""
    if finding.harvest.study is None:
        return "hours as the table gives them"
    if finding.prices is None:
        bought = any(r.acts for e in finding.entries for r in e.cells)
        return "hours as they were bought, at prices that are not known any more" if bought else "nothing was bought"
    what_if = ", a what-if: cells bought under other prices" if finding.harvest.what_if else ""
    return f"prices: {finding.prices.name} (version {finding.prices.version}){what_if}"


def answers(finding: Finding) -> Iterator[tuple[str, list[str]]]:
    """Headings, each with its sentences; headings without any are left out."""
    yield from ((heading, lines) for heading, lines in _answers(finding) if lines)


def _answers(finding: Finding) -> Iterator[tuple[str, list[str]]]:
    yield "Unequal training", unequal_training(finding)
    said = sentences(finding)
    for heading, kinds in _HEADINGS:
        own = [s for s in said if s.kind in kinds]
        decided = [s.text for s in own if s.decided]
        # What cannot be told of a pair stands with the leaders.
        pairs = "beats" in kinds or "area" in kinds
        others = [s.text for s in own if not s.decided and not (pairs and s.text.startswith("cannot tell"))]
        yield heading.format(target=_target(finding)), decided + others
    stars = [f"{s.method}: {s.score:.3f} with {in_words(s.seconds)} ({s.label})" for s in finding.front.stars]
    yield "Printed in papers, not ranked here", stars


def _target(finding: Finding) -> str:
    target, why = finding.target or (0.0, "")
    return f"{target:g} ({why})" if why else f"{target:g}"


def headline(finding: Finding) -> str:
    """What a reader in a hurry takes away: the first savings that are sure, else who leads, else that none can tell."""
    if not finding.points:
        return "No cell of this facet has a score yet."
    decided = [s for s in sentences(finding) if s.decided]
    for kind in ("saving", "leader", "area", "beats"):
        if own := [s for s in decided if s.kind == kind]:
            first = {"saving": own[:2], "leader": own[-1:]}.get(kind, [max(reversed(own), key=_surely)])
            return " ".join(_sentence(s.text) for s in first)
    leaders = [s for s in sentences(finding) if s.kind == "leader"]
    if leaders:
        return _sentence(leaders[-1].text)
    best = max(finding.points, key=lambda p: (p.score, -p.seconds))
    cost = in_words(best.seconds) if best.seconds else "no annotation"
    return f"Best mean score: {best.score:.3f}, {best.method} with {cost}; there is nothing to compare it with."


def _surely(sentence: Sentence) -> float:
    """By how much at least, where a sentence says so."""
    return sentence.interval[0] if sentence.interval is not None else 0.0


def _sentence(text: str) -> str:
    return f"{text[:1].upper() if text.startswith('cannot') else text[:1]}{text[1:]}."


def short(number: float) -> str:
    """Two decimals, and two digits where that would show little."""
    return f"{number:.2f}" if number >= 0.1 or number == 0 else f"{number:.2g}"


def _row(finding: Finding, entry: FrontierPoint) -> list[str]:
    point, percent = entry.point, finding.percent.get(entry.point)
    chance = finding.probability.get(point)
    return [
        "*" if point in finding.front.on else "",
        point.method,
        entry.knobs,
        "all" if entry.budget == "all" else budget_words(entry.budget),
        f"{hours(point.seconds):.2f}",
        *([] if finding.money is None else [f"{finding.money.of(point.seconds):,.2f}"]),
        score_words(finding.reading.summary(point)),
        "" if percent is None else f"{percent:.0f}",
        "" if chance is None else f"{chance:.2f}",
        f"{point.trained:,.0f}" if isfinite(point.trained) else "",
        short(point.gpu) if isfinite(point.gpu) else "",
        entry.seeds,
    ]
