"""From what cells left behind to the points of a frontier: one point for a method with its knobs at one budget."""

from __future__ import annotations

import json
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from math import isfinite
from statistics import fmean
from typing import Literal

from segfrontier.home.records import HEADLINE, Record
from segfrontier.market.prices import PriceList
from segfrontier.report.frontier import Facet, Point


@dataclass(frozen=True, kw_only=True, eq=False)
class FrontierPoint:
    """A point and the cells that it stands for, one a seed."""

    point: Point
    knobs: str  # those that are not at their defaults, in words
    budget: float | Literal["all"]
    cells: tuple[Record, ...]
    missing: tuple[int, ...]  # seeds of the study that this point lacks
    also: tuple[float | Literal["all"], ...] = ()  # further budgets that bought and trained just the same

    @property
    def series(self) -> tuple[str, str]:
        """What a curve over budgets joins."""
        return self.point.method, self.knobs

    @property
    def name(self) -> str:
        """ "fine+coarse split=0.3"."""
        return f"{self.point.method} {self.knobs}".strip()

    @property
    def seeds(self) -> str:
        """ "3", or "2 of 3" where some are missing."""
        have = len(self.cells)
        return f"{have} of {have + len(self.missing)}" if self.missing else str(have)


def points(records: Iterable[Record], *, prices: PriceList | None = None) -> tuple[Point, ...]:
    """The points of the cells that are done; see `entries`."""
    return tuple(entry.point for entry in entries(records, prices=prices))


def entries(
    records: Iterable[Record],
    *,
    prices: PriceList | None = None,
    runs: Mapping[str, str] | None = None,
    seeds: Collection[int] = (),
    metric: str = HEADLINE,
) -> tuple[FrontierPoint, ...]:
    """One entry for each method, knobs, budget and facet, over the seeds that are done, in the order of the records.

    Costs are those of the prices that the cells bought under, or of `prices`. `runs` are MLflow's ids by key; a cell
    without one goes by its key. `seeds` are those of the study; whichever a record names are among them. `metric` is
    what their scores are in.
    """
    records = tuple(records)
    expected = {*seeds, *(_seed(r) for r in records)}
    use = compute_unit(records)
    groups: dict[tuple[str, ...], dict[int, Record]] = {}
    for r in sorted((r for r in records if r.state == "done"), key=lambda r: r.ended):
        groups.setdefault(_group(r), {})[_seed(r)] = r
    place = {key: i for i, key in enumerate(dict.fromkeys(map(_group, records)))}
    ordered = sorted(groups.items(), key=lambda item: place[item[0]])
    return _distinct(_entry(dict(sorted(g.items())), prices, runs or {}, expected, use, metric) for _, g in ordered)


def facet_of(record: Record) -> Facet:
    """What makes a record comparable, as points hold it."""
    return (("words", record.facet_words), ("digest", record.facet))


def facet_words(facet: Facet) -> str:
    """The words of a facet that `facet_of` made."""
    return str(dict(facet).get("words", facet))


def knob_words(record: Record) -> str:
    """ "split=0.3": the cell's label without method, budget and seed."""
    settings = str(record.cell.get("label", "")).rpartition(", seed ")[0].rpartition(", ")[0]
    return settings.removeprefix(str(record.cell["method"])).strip()


def compute_unit(records: Iterable[Record]) -> Literal["GPU", "CPU"]:
    """Whose hours are counted as computing: those of GPUs, or of CPU processes where no GPU was used."""
    return "GPU" if any(r.gpu_hours > 0 for r in records) else "CPU"


def _entry(
    group: Mapping[int, Record], prices: PriceList | None, runs: Mapping[str, str], expected: set[int], use: str,
    metric: str,
) -> FrontierPoint:  # fmt: skip
    cells = tuple(group.values())
    first, budget = cells[0], cells[0].cell["hours"]
    costs = [r.seconds if prices is None else prices.bill(r.acts) for r in cells]
    knobs = knob_words(first)
    point = Point(
        method=str(first.cell["method"]),
        label=f"{knobs}, {budget_words(budget)}".removeprefix(", "),
        seconds=fmean(costs),
        facet=facet_of(first),
        scores={seed: r.score(metric) for seed, r in group.items()},
        gpu_hours={seed: r.gpu_hours if use == "GPU" else r.compute_hours for seed, r in group.items()},
        steps={seed: r.steps for seed, r in group.items() if r.steps},
        images={seed: r.images for seed, r in group.items() if r.images},
        runs=tuple(runs.get(r.key, r.key) for r in cells),
        acts={seed: r.acts for seed, r in group.items()},
    )
    return FrontierPoint(
        point=point, knobs=knobs, budget=budget, cells=cells, missing=tuple(sorted(expected - set(group)))
    )


def budget_words(budget: float | str) -> str:
    """ "10 h" or "all labels"."""
    return "all labels" if budget == "all" else f"{budget:g} h"


def _distinct(entries: Iterable[FrontierPoint]) -> tuple[FrontierPoint, ...]:
    """Entries that bought the same labels and trained the same stages are one, told under the least budget."""
    groups: dict[object, list[FrontierPoint]] = {}
    for entry in entries:
        groups.setdefault(_identity(entry), []).append(entry)
    return tuple(_joined(group) for group in groups.values())


def _joined(group: Sequence[FrontierPoint]) -> FrontierPoint:
    first, *others = sorted(group, key=lambda e: (e.budget == "all", 0.0 if e.budget == "all" else e.budget))
    own = (e.budget for e in others if e.knobs == first.knobs)
    return replace(first, also=tuple(own)) if others else first


def _identity(entry: FrontierPoint) -> object:
    """What a point bought and trained; itself where that is not known to be anyone else's, too."""
    cells = entry.cells
    if not all(cell.stages for cell in cells) or not isfinite(entry.point.score):
        return id(entry)
    did = [(_seed(c), tuple((s.kind, s.key) for s in c.stages), tuple(sorted(c.acts)), repr(c.acts)) for c in cells]
    return entry.point.facet, entry.point.method, tuple(did), tuple(entry.point.scores.items())


def _group(record: Record) -> tuple[str, ...]:
    cell = record.cell
    return str(cell["method"]), json.dumps(cell["knobs"], sort_keys=True), str(cell["hours"]), record.facet


def _seed(record: Record) -> int:
    return int(record.cell["seed"])
