"""A study's findings as rows of words, for a terminal and for a page alike, and the answers as sentences."""

from __future__ import annotations

from collections.abc import Iterator
from math import inf, isfinite, log

from segfrontier.market.budget import hours
from segfrontier.report.answers import BreakEven, in_words
from segfrontier.report.findings import FULL, Duel, Finding
from segfrontier.report.points import Entry, budget_words
from segfrontier.report.statistics import Summary

_MOST_TURNS = 8


def columns(finding: Finding) -> list[str]:
    """The names of the columns of `rows`; `caption` explains them."""
    compute = f"{finding.harvest.compute} h"
    return ["", "method", "knobs", "budget", "hours", "mIoU", "% full", "P(on)", compute, "seeds"]


def caption(finding: Finding) -> str:
    """What the columns mean."""
    told = ["* on the frontier: no point costs less and scores as much", "hours: annotation, as bought"]
    if any(percent is not None for percent in finding.percent.values()):
        told.append(f"% full: of {FULL}'s score")
    told += ["P(on): how often a point is on the frontier when seeds are drawn again"]
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
    return f"{summary.mean:.3f} [{summary.interval[0]:.3f}, {summary.interval[1]:.3f}]"


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
    if finding.prices is None:
        bought = any(r.acts for e in finding.entries for r in e.cells)
        return "hours as they were bought, at prices that are not known any more" if bought else "nothing was bought"
    what_if = ", a what-if: cells bought under other prices" if finding.harvest.what_if else ""
    return f"prices: {finding.prices.name} (version {finding.prices.version}){what_if}"


def answers(finding: Finding) -> Iterator[tuple[str, list[str]]]:
    """Headings, each with its sentences; headings without any are left out."""
    yield from ((heading, lines) for heading, lines in _answers(finding) if lines)


def _answers(finding: Finding) -> Iterator[tuple[str, list[str]]]:
    if finding.target is not None:
        target, why = finding.target
        yield f"To reach {target:g}{f' ({why})' if why else ''}", [n.words for n in finding.needs]
        yield "Savings", [s.words for s in finding.savings if s.factor is not None]
    yield "Best at each budget", [_leader(*leader) for leader in finding.leaders()]
    yield "Area under the frontier", _areas(finding)
    yield "Break-even prices", break_evens(finding)
    stars = [f"{s.method}: {s.score:.3f} with {in_words(s.seconds)} ({s.label})" for s in finding.front.stars]
    yield "Printed in papers, not ranked here", stars


def break_evens(finding: Finding) -> list[str]:
    """The prices at which the order of two methods changes, those nearest to today's first."""
    prices, turning = finding.prices, [b for b in finding.break_evens if b.verdict not in ("always", "never")]
    if prices is None or not finding.break_evens:
        return []
    if not turning:
        return ["no price of a single kind of act changes which method needs fewer hours for the target"]
    here = {b: float(prices.price(b.kind).seconds) for b in turning}
    turning.sort(key=lambda b: _far(b, here[b]))
    told = [f"{b.words} (here {here[b]:,.10g} s)" for b in turning[:_MOST_TURNS]]
    more = len(turning) - len(told)
    return told + ([f"and {more} more at prices further from these: see --json"] if more else [])


def _far(b: BreakEven, price: float) -> float:
    """By what factor, either way, a price must change before the order does."""
    return min(abs(log(edge / price)) for stretch in b.wins for edge in stretch if 0 < edge < inf)


def headline(finding: Finding) -> str:
    """The one sentence that a reader in a hurry takes away."""
    if not finding.points:
        return "No cell of this facet has a score yet."
    best = max(finding.points, key=lambda p: (p.score, -p.seconds))
    cost = in_words(best.seconds) if best.seconds else "no annotation"
    told = [f"Best score: {best.score:.3f}, {best.method} with {cost}."]
    if finding.target is not None and (met := [n for n in finding.needs if n.seconds is not None]):
        told += [f"{s.words}." for s in finding.savings if s.need is met[0] and s.factor is not None]
        told.append(f"{met[0].words}{f' ({finding.target[1]})' if finding.target[1] else ''}.")
    return " ".join(reversed(told))


def short(number: float) -> str:
    """Two decimals, and two digits where that would show little."""
    return f"{number:.2f}" if number >= 0.1 or number == 0 else f"{number:.2g}"


def _row(finding: Finding, entry: Entry) -> list[str]:
    point, percent = entry.point, finding.percent.get(entry.point)
    chance = finding.probability.get(point)
    return [
        "*" if point in finding.front.on else "",
        point.method,
        entry.knobs,
        "all" if entry.budget == "all" else budget_words(entry.budget),
        f"{hours(point.seconds):.2f}",
        score_words(finding.reading.summary(point)),
        "" if percent is None else f"{percent:.1f}",
        "" if chance is None else f"{chance:.2f}",
        short(point.gpu) if isfinite(point.gpu) else "",
        entry.seeds,
    ]


def _leader(budget: float, first: str, duels: tuple[Duel, ...]) -> str:
    """ "10 h: points; beats fine, coarse; against boxes: cannot tell"."""
    sure = [d.b for d in duels if d.result.verdict == "yes"]
    unsure = [d.b for d in duels if d.result.verdict != "yes"]
    told = [f"{budget_words(budget)}: {first}"]
    told += [f"beats {'all others' if len(sure) > 2 and not unsure else ', '.join(sure)}"] if sure else []
    told += [f"against {', '.join(unsure)}: cannot tell"] if unsure else []
    return "; ".join(told)


def _areas(finding: Finding) -> list[str]:
    if finding.areas is None:
        return []
    (low, high), areas = finding.areas
    methods = ", ".join(f"{m} {a:.3f}" for m, a in sorted(areas.items(), key=lambda item: -item[1]) if m and a > 0)
    about = f"mean mIoU that {low:.3g} to {high:.3g} h buy, each doubling counting alike, none affordable counting 0"
    return [f"{areas['']:.3f} ({about}); alone: {methods}"]
