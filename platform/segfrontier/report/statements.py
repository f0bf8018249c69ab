"""The sentences of a report, each with its interval and whether it decides anything.

`decided` is true only where a text asserts a difference or a factor. All of them rest on one family of simultaneous
comparisons (`Comparisons`), so that at most one study of identical methods in twenty holds a false one.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import combinations
from math import ceil, isfinite, log
from statistics import NormalDist, fmean, variance
from typing import Literal

import numpy as np

from segfrontier.market.budget import hours
from segfrontier.report.answers import in_words
from segfrontier.report.breakeven import PriceRange, price_range
from segfrontier.report.contenders import FULL, YARDSTICK, Contender, Level, levels, standing
from segfrontier.report.digits import estimated, rounded
from segfrontier.report.findings import Finding
from segfrontier.report.points import FrontierPoint, budget_words
from segfrontier.report.redrawn import Array, middle, needed, stepped_area
from segfrontier.report.simultaneous import LEAST_SEEDS, Difference

Kind = Literal["beats", "leader", "saving", "need", "break_even", "percent", "area"]
_MANY = 12
_MOST_TURNS = 8
_NOUNS = {"fine": "a fine mask", "coarse": "a coarse mask", "point": "a click", "box": "a box", "tag": "a tag"}


@dataclass(frozen=True, kw_only=True)
class Sentence:
    """One sentence. `methods`: the one that it is about first; `hours` of annotation; `interval` of its number.

    `value` is that number, where the text gives it. `turn`: of a break-even price, the kind of act and its side.
    """

    kind: Kind
    text: str
    decided: bool
    methods: tuple[str, ...]
    hours: float | None = None
    interval: tuple[float, float] | None = None
    value: float | None = None
    turn: tuple[str, str] | None = None


@lru_cache(maxsize=16)
def sentences(finding: Finding) -> tuple[Sentence, ...]:
    """All that a facet's scores say, or the one thing to say where they are too few."""
    members = finding.contenders
    if not any(e.point in finding.comparisons.place for c in members for e in c.curve):
        return tuple(_more_seeds(finding))
    found = [*_savings(finding), *_leaders(finding), *_beats(finding), *_areas(finding), *_needs(finding)]
    return (*found, *_percents(finding), *_break_evens(finding))


def _leaders(finding: Finding) -> Iterator[Sentence]:
    for level in levels(finding.contenders):
        able = _able(finding, level)
        if len(able) < 2:
            continue
        first, *others = able
        duels = {c: finding.comparisons.difference(first, c, level) for c in others}
        open_to = [c for c, d in duels.items() if d is None or d.sign < 1]
        told, score = budget_words(level), _score(finding, _entry(first, level))
        if open_to:
            text = (
                f"{told}: cannot tell who leads; best mean {first.called} with {score}, not told from "
                f"{', '.join(_with_seeds(c, level) for c in open_to)}"
            )
        else:
            text = f"{told}: {first.called} leads with {score}, ahead of {_names(others)}"
        nearest = min((d for d in duels.values() if d is not None), key=lambda d: d.low, default=None)
        yield Sentence(
            kind="leader", text=text, decided=not open_to, hours=_hours(first, level), interval=_interval(nearest),
            methods=(first.name, *(c.name for c in (open_to or others))),
        )  # fmt: skip


def _with_seeds(one: Contender, level: Level) -> str:
    """Its name, and why nothing can be told of it where more seeds are the way out."""
    have = len(_entry(one, level).point.scores)
    return one.called if have >= LEAST_SEEDS else f"{one.called} (seeds: {have}; {LEAST_SEEDS} are the least)"


def _beats(finding: Finding) -> Iterator[Sentence]:
    for level in levels(finding.contenders):
        able = _able(finding, level)
        for a, b in combinations(able, 2):
            d = finding.comparisons.difference(a, b, level)
            if d is None or (not d.sign and len(able) > _MANY and a is not able[0]):
                continue
            yield _compared("beats", a, b, d, f"with {budget_words(level)}", _hours(a, level))


def _areas(finding: Finding) -> Iterator[Sentence]:
    for a, b in combinations(finding.contenders, 2):
        d = finding.comparisons.difference(a, b, None)
        if d is not None and (d.sign or len(finding.contenders) <= _MANY):
            both = levels((a, b))
            where = f"on average from {budget_words(both[0])} to {budget_words(both[-1])}"
            yield _compared("area", a, b, d, where, _hours(a, both[-1]))
    if finding.areas is not None and (interval := _area_interval(finding)) is not None:
        (low, high), areas = finding.areas
        about = (
            f"mean {finding.harvest.measure} that {low:.3g} to {high:.3g} h buy, each doubling counting alike, "
            f"none affordable counting 0"
        )
        text = f"area under the frontier: {estimated(areas[''], *interval)}; {about}"
        yield Sentence(
            kind="area", text=text, decided=False, methods=(), hours=high, interval=interval, value=areas[""]
        )


def _compared(kind: Kind, a: Contender, b: Contender, d: Difference, where: str, at: float | None) -> Sentence:
    if d.value < 0:
        a, b, d = b, a, Difference(-d.value, -d.high, -d.low, -d.sign, d.error, -d.strength)
    by = estimated(d.value, d.low, d.high)
    won, open_ = f"{a.called} beats {b.called} {where} by {by}", f"cannot tell {a.called} from {b.called} {where}: {by}"
    text = won if d.sign else open_
    return Sentence(
        kind=kind, text=text, decided=d.sign > 0, methods=(a.name, b.name), hours=at, interval=(d.low, d.high)
    )


def _needs(finding: Finding) -> Iterator[Sentence]:
    target = finding.target_draws
    if target is None or finding.target is None:
        return
    for one in finding.contenders:
        curve = _curve(finding, one)
        if curve is None:
            continue
        low, likely, high = needed(*curve, target)
        bottom, top = (s / 3600 for s in middle(low, high))
        own = finding.need_of(one.name)
        never = not isfinite(middle(likely, likely)[0]) and (own is None or own.seconds is None)
        text = f"{one.called}: {_need_words(finding, one, bottom, top, never=never and _is_behind(finding, one))}"
        at = None if own is None or own.seconds is None else hours(own.seconds)
        interval = (bottom, top) if isfinite(top) else None
        yield Sentence(
            kind="need", text=text, decided=False, methods=(one.name,), hours=at, interval=interval,
            value=at if interval is not None else None,
        )  # fmt: skip


def _is_behind(finding: Finding, one: Contender) -> bool:
    """Whether any was found better than this one, where the target is the best of all scores: chance made it so."""
    if finding.reading.target is not None or {FULL, YARDSTICK} & set(finding.methods):
        return True
    return any(finding.comparisons.better(other, one) for other in finding.contenders if other is not one)


def _need_words(finding: Finding, one: Contender, bottom: float, top: float, *, never: bool) -> str:
    assert finding.target is not None
    goal, need = f"{finding.target[0]:g}", finding.need_of(one.name)
    last = one.curve[-1].point.seconds
    most = in_words(last) if last else "no annotation"
    if need is None or need.seconds is None or not isfinite(top):
        if never:
            return f"{goal} is not reached with {most}"
        return f"cannot tell whether {most} reaches {goal}"
    if need.seconds == 0 and top == 0:
        return f"{goal} needs no annotation"
    costs = [(1.0, "h")] + ([] if finding.money is None else [(finding.money.of(3600), finding.money.currency)])
    if bottom == 0 and top > 0:
        return f"{goal} needs at most " + ", ".join(f"{rounded(x * top, x * top / 20)} {unit}" for x, unit in costs)
    own = hours(need.seconds)
    return f"{goal} needs " + ", ".join(estimated(x * own, x * bottom, x * top, unit=unit) for x, unit in costs)


def _savings(finding: Finding) -> Iterator[Sentence]:
    """How many times the hours of each contender the yardstick needs, where it was found better or worse at all."""
    target, rule = finding.target_draws, finding.yardstick
    if target is None or finding.target is None or rule is None or (base := _curve(finding, rule)) is None:
        return
    least, _, most = needed(*base, target)
    for one in finding.contenders:
        if one is rule or one.method == FULL or (curve := _curve(finding, one)) is None:
            continue
        low, _, high = needed(*curve, target)
        with np.errstate(divide="ignore", invalid="ignore"):
            bottom, top = middle(_ratio(least, high, 0.0), _ratio(most, low, np.inf))
        yield _saving(finding, one, rule, bottom, top)


def _saving(finding: Finding, one: Contender, rule: Contender, bottom: float, top: float) -> Sentence:
    assert finding.target is not None
    found, goal = finding.comparisons.better, f"{finding.target[0]:g}"
    own, other = finding.need_of(one.name), finding.need_of(rule.name)
    known = own is not None and other is not None and own.seconds is not None and other.seconds is not None
    factor = other.seconds / own.seconds if known and own.seconds else None  # type: ignore[union-attr, operator]
    interval = (bottom, top) if isfinite(top) else None
    at = hours(own.seconds) if own is not None and own.seconds is not None else None
    names = one.name, rule.name
    if bottom > 1 and found(one, rule):
        if own is not None and own.seconds == 0:
            text = f"{one.called} needs no annotation for {goal}, {rule.called} does"
        else:
            text = f"{one.called} needs {_times(factor, bottom, top)} fewer hours than {rule.called} for {goal}"
        return Sentence(
            kind="saving", text=text, decided=True, methods=names, hours=at, interval=interval,
            value=factor if factor is not None and isfinite(top) and bottom <= factor <= top else None,
        )  # fmt: skip
    if top < 1 and found(rule, one):
        fewer = 1 / factor if factor else None
        turned = (1 / top if top > 0 else np.inf, 1 / bottom if bottom > 0 else np.inf)
        text = f"{rule.called} needs {_times(fewer, *turned)} fewer hours than {one.called} for {goal}"
        at = hours(other.seconds) if other is not None and other.seconds is not None else None
        interval = turned if isfinite(turned[1]) else None
        return Sentence(
            kind="saving", text=text, decided=True, methods=names[::-1], hours=at, interval=interval,
            value=fewer if fewer is not None and isfinite(turned[1]) and turned[0] <= fewer <= turned[1] else None,
        )  # fmt: skip
    text = f"cannot tell whether {one.called} or {rule.called} needs fewer hours for {goal}"
    return Sentence(kind="saving", text=text, decided=False, methods=names, hours=at, interval=interval)


def _times(factor: float | None, low: float, high: float) -> str:
    if factor is None or not isfinite(high) or not low <= factor <= high:
        return f"at least {rounded(low, low / 10)} times"
    return estimated(factor, low, high, unit="times")


def _percents(finding: Finding) -> Iterator[Sentence]:
    full = next((c for c in finding.contenders if c.method == FULL), None)
    if full is None:
        return
    for one in finding.contenders:
        d = finding.comparisons.difference(one, full, "all")
        goal = finding.comparisons.redrawn.get(one.beside(full).point)
        if one is full or d is None or goal is None or not bool((goal > 0).all()):
            continue
        last, whole = one.curve[-1].point, full.called
        share = 100 * finding.comparisons.redrawn[last] / goal
        low, high = middle(share, share)
        percent = 100 * last.score / one.beside(full).point.score
        with_hours = f"{one.called} with {in_words(last.seconds) if last.seconds else 'no annotation'}"
        if d.sign:
            text = f"{with_hours} reaches {estimated(percent, low, high, unit='%')} of {whole}'s score"
        else:
            text = f"cannot tell {with_hours} from {whole}: {estimated(percent, low, high, unit='%')} of its score"
        yield Sentence(
            kind="percent", text=text, decided=bool(d.sign), methods=(one.name, full.name), hours=hours(last.seconds),
            interval=(low, high),
        )  # fmt: skip


def _break_evens(finding: Finding) -> Iterator[Sentence]:
    target, prices = finding.target_draws, finding.prices
    if target is None or prices is None:
        return
    turning = [b for b in finding.break_evens if b.verdict in ("under", "over")]
    here = {b: float(prices.price(b.kind).seconds) for b in turning}
    turning.sort(key=lambda b: abs(log((b.seconds or 1) / here[b])))
    for b in turning[:_MOST_TURNS]:
        sides = [[p for p in finding.points if p.method == m] for m in (b.a, b.b)]
        draws = [[finding.comparisons.redrawn.get(p) for p in side] for side in sides]
        if any(d is None for side in draws for d in side):
            continue
        known = [[d for d in side if d is not None] for side in draws]
        found = price_range(b, sides[0], sides[1], known[0], known[1], target=target, prices=prices)
        yield _turn(b.a, b.b, b.kind, f"{b.target:g}", b.verdict, b.seconds or 0.0, here[b], found)


def _turn(
    a: str, b: str, kind: str, goal: str, side: str, price: float, here: float, found: PriceRange | None
) -> Sentence:
    noun = _NOUNS.get(kind, f"a {kind}")
    today = f"here {here:,.10g} s"
    if found is None:
        text = f"cannot tell at which price of {noun} {a} and {b} need the same hours for {goal} ({today})"
        return Sentence(kind="break_even", text=text, decided=False, methods=(a, b), turn=(kind, side))
    text = f"{a} wins over {b} at {goal} while {noun} costs {side} {estimated(price, *found, unit='s')}; {today}"
    return Sentence(
        kind="break_even", text=text, decided=True, methods=(a, b), interval=found, value=price, turn=(kind, side)
    )


def _more_seeds(finding: Finding) -> Iterator[Sentence]:
    """How many more seeds would decide between the best two at the dearest budget that compares any."""
    compared = [(level, able) for level in levels(finding.contenders) if len(able := _able(finding, level)) > 1]
    if not compared:
        return
    level, (a, b, *_) = compared[-1]
    pairs = sum(len(able) * (len(able) - 1) // 2 for _, able in compared)
    entries = [e for c in finding.contenders for e in c.curve]
    have = min(len(e.point.scores) for e in entries)
    few = "1 seed a point decides" if have == 1 else f"{have} seeds a point decide"
    start = f"{few} nothing; {LEAST_SEEDS} are the least"
    spreads = [variance(e.point.scores.values()) for e in entries if len(e.point.scores) > 1]
    apart = _entry(a, level).point.score - _entry(b, level).point.score
    told = f"{start}: run {LEAST_SEEDS - have} more"
    if spreads and fmean(spreads) > 0:
        sd = fmean(spreads) ** 0.5
        reach = NormalDist().inv_cdf(1 - 0.0125 / pairs) + 0.84  # the power of four in five, twenty to one
        count = max(LEAST_SEEDS, ceil(2 * (reach * sd / apart) ** 2)) if apart > 0 else 1000
        about = f"about {count - have}" if count <= 100 else "over 100"
        told = (
            f"{start}: by the spread seen (standard deviation {rounded(sd, sd / 2)}), {about} more would tell "
            f"{a.called} from {b.called} with {budget_words(level)} ({rounded(apart, max(apart, sd) / 2)} apart)"
        )
    yield Sentence(kind="leader", text=told, decided=False, methods=(a.name, b.name), hours=_hours(a, level))


def _able(finding: Finding, level: Level) -> list[Contender]:
    """Those with a score at a budget, best first."""
    have = [c for c in finding.contenders if (e := standing(c, level)) is not None and isfinite(e.point.score)]
    return sorted(have, key=lambda c: -_entry(c, level).point.score)


def _entry(contender: Contender, level: Level) -> FrontierPoint:
    entry = standing(contender, level)
    assert entry is not None, "only those are asked that stand at the budget"
    return entry


def _hours(contender: Contender, level: Level) -> float:
    return hours(_entry(contender, level).point.seconds) if level == "all" else level


def _curve(finding: Finding, one: Contender) -> tuple[list[float], list[Array]] | None:
    """Costs and redrawn scores of all its points; None where one of them has too few seeds."""
    points = [e.point for e in one.curve if isfinite(e.point.score)]
    drawn = [finding.comparisons.redrawn.get(p) for p in points]
    if not points or any(d is None for d in drawn):
        return None
    return [float(p.seconds) for p in points], [d for d in drawn if d is not None]


def _score(finding: Finding, entry: FrontierPoint) -> str:
    drawn = finding.comparisons.redrawn.get(entry.point)
    return f"{entry.point.score:.3f}" if drawn is None else estimated(entry.point.score, *middle(drawn, drawn))


def _area_interval(finding: Finding) -> tuple[float, float] | None:
    assert finding.areas is not None
    points = finding.points
    drawn = [d for p in points if (d := finding.comparisons.redrawn.get(p)) is not None]
    if len(drawn) < len(points):
        return None
    low, high = (3600 * edge for edge in finding.areas[0])
    found = stepped_area([float(p.seconds) for p in points], drawn, low, high)
    return middle(found, found)


def _ratio(over: Array, under: Array, empty: float) -> Array:
    return np.where((over == 0) & (under == 0) | ~np.isfinite(over) & ~np.isfinite(under), empty, over / under)


def _names(contenders: Sequence[Contender]) -> str:
    return ", ".join(c.called for c in contenders)


def _interval(d: Difference | None) -> tuple[float, float] | None:
    return None if d is None else (d.low, d.high)
