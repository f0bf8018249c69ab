"""The outcome of a plan: what every cell takes, what they share, and how that is told."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

from segfrontier.market import PriceList
from segfrontier.market.ledger import Totals
from segfrontier.study.cells import Cell
from segfrontier.study.config import Study

KINDS = ("train", "label", "measure", "score")
"""Kinds of stages, in the order of the table."""


@dataclass(frozen=True, kw_only=True)
class CellPlan:
    """What one cell would do. `refused` is its error; `unforeseen` what stopped the rehearsal, but need not stop it."""

    key: str
    cell: Cell
    done: bool  # there is a record of it
    stages: Mapping[str, str] = field(default_factory=dict)  # key -> kind, in order of first use
    purchases: tuple[str, ...] = ()  # digests of the label sets it is handed
    acts: Mapping[str, Totals] = field(default_factory=dict)
    seconds: int = 0  # of annotation
    prices: PriceList | None = None
    refused: str = ""
    unforeseen: str = ""

    @property
    def money(self) -> tuple[float, str] | None:
        """Amount and currency, where the price list says what an hour is paid."""
        if self.prices is None or self.prices.money is None:
            return None
        return self.seconds / 3600 * float(self.prices.money.per_hour), self.prices.money.currency


@dataclass(frozen=True, kw_only=True)
class StagePlan:
    """A stage that cells ask for."""

    kind: str
    cells: int  # how many cells stand on it
    stored: bool


@dataclass(frozen=True, kw_only=True)
class Times:
    """Estimated seconds by stage, on one process of the kind that was probed; stages of `unknown` could not be."""

    device: str
    seconds: Mapping[str, float]
    unknown: Mapping[str, str]  # stage -> why


@dataclass(frozen=True, kw_only=True)
class KindPlan:
    """All stages of one kind."""

    asked: int  # summed over cells
    distinct: int
    stored: int
    seconds: float | None  # to compute the others; None where nothing was probed

    @property
    def left(self) -> int:
        """Stages to compute."""
        return self.distinct - self.stored


@dataclass(frozen=True, kw_only=True)
class StudyPlan:
    """What a study would take. Acts, bills and stages are exact where methods do not decide by what models make."""

    study: Study
    cells: tuple[CellPlan, ...]
    stages: Mapping[str, StagePlan]
    times: Times | None

    @property
    def kinds(self) -> dict[str, KindPlan]:
        """Stages by kind."""
        found = [k for k in KINDS if any(s.kind == k for s in self.stages.values())]
        return {kind: self._kind(kind) for kind in found}

    def _kind(self, kind: str) -> KindPlan:
        own = {key: stage for key, stage in self.stages.items() if stage.kind == kind}
        times = self.times
        return KindPlan(
            asked=sum(s.cells for s in own.values()),
            distinct=len(own),
            stored=sum(s.stored for s in own.values()),
            seconds=None if times is None else sum(times.seconds.get(key, 0.0) for key in own),
        )

    @property
    def asked(self) -> int:
        """Stages, were nothing shared."""
        return sum(s.cells for s in self.stages.values())

    @property
    def saved(self) -> int:
        """Stages that sharing saves."""
        return self.asked - len(self.stages)

    @property
    def compute_seconds(self) -> float | None:
        """Of all stages to compute, one after another; None where nothing was probed."""
        return None if self.times is None else sum(self.times.seconds.values())

    @property
    def annotation_seconds(self) -> int:
        """The sum over cells. Each pays for all of its labels itself: they are alternatives, not parts of a whole."""
        return sum(cell.seconds for cell in self.cells)

    @property
    def money(self) -> dict[str, float]:
        """Sums over cells by currency."""
        sums: dict[str, float] = {}
        for amount, currency in filter(None, (cell.money for cell in self.cells)):
            sums[currency] = sums.get(currency, 0.0) + amount
        return sums

    @property
    def refused(self) -> dict[str, list[str]]:
        """Error -> labels of the cells that will end with it."""
        return _grouped((cell.refused, cell.cell.label) for cell in self.cells)

    @property
    def unforeseen(self) -> dict[str, list[str]]:
        """What stopped a rehearsal -> labels of the cells."""
        told = (
            (f"after {len(c.stages)} stages: {c.unforeseen}" if c.unforeseen else "", c.cell.label) for c in self.cells
        )
        return _grouped(told)

    @property
    def words(self) -> tuple[str, ...]:
        """The plan in sentences."""
        return tuple(filter(None, (
            self._cells_words(), self._stage_words(), self._annotation_words(), self._compute_words(),
            *self._limit_words(),
        )))  # fmt: skip

    def plain(self) -> dict[str, Any]:
        """JSON form."""
        return {
            "study": self.study.name,
            "words": list(self.words),
            "cells": [_plain_cell(cell) for cell in self.cells],
            "stages": {
                "asked": self.asked, "distinct": len(self.stages), "saved": self.saved,
                "by_kind": {name: asdict(kind) | {"left": kind.left} for name, kind in self.kinds.items()},
            },
            "annotation": {
                "sum_seconds": self.annotation_seconds,
                "largest_cell_seconds": max((cell.seconds for cell in self.cells), default=0),
                "money": self.money,
            },
            "compute": None if self.times is None else {
                "device": self.times.device, "seconds": self.compute_seconds, "unknown": dict(self.times.unknown),
            },
            "refused": self.refused,
            "unforeseen": self.unforeseen,
        }  # fmt: skip

    def _cells_words(self) -> str:
        done, text = sum(cell.done for cell in self.cells), _many(len(self.cells), "cell")
        if done:
            text += f", {done} of them done already"
        if self.study.search.kind == "optuna":
            text += "; where the search will choose knobs, random ones stand in"
        return f"{text}."

    def _stage_words(self) -> str:
        if not self.stages:
            return ""
        text = f"{_many(len(self.stages), 'stage')} instead of {self.asked}"
        text += f": sharing saves {self.saved} ({self.saved / self.asked:.0%})" if self.saved else ": nothing is shared"
        stored = sum(stage.stored for stage in self.stages.values())
        return f"{text}; {_are(stored)} stored already, {len(self.stages) - stored} to compute."

    def _annotation_words(self) -> str:
        bills = [cell.seconds for cell in self.cells]
        if not any(bills):
            return "No annotation is bought."
        paid = sum(cell.seconds for cell in self.cells if cell.done)
        money = "".join(f", {amount:,.0f} {currency}" for currency, amount in self.money.items())
        largest = max(bills)
        text = (
            f"Annotation: {_hours(min(b for b in bills if b))} to {_hours(largest)} a cell; cells are alternatives, "
            f"each pays for all of its labels: {_hours(sum(bills))}{money} over all cells"
        )
        return f"{text}, {_hours(paid)} of it by cells that are done." if paid else f"{text}."

    def _compute_words(self) -> str:
        times = self.times
        if times is None or not (times.seconds or times.unknown):
            return ""
        total, side_by_side = sum(times.seconds.values()), self.study.executor.parallel_cells or 1
        device = "GPU" if times.device.startswith("cuda") else "CPU"
        text = f"Compute: about {duration(total)} of one {device} process, by a probe on this machine"
        if side_by_side > 1:
            longest = max(sum(times.seconds.get(key, 0.0) for key in cell.stages) for cell in self.cells)
            text += f"; at best {duration(max(longest, total / side_by_side))} with {side_by_side} cells side by side"
        if times.unknown:
            text += f"; {_are(len(times.unknown))} not in it, for the probe of their kind did not succeed"
        return f"{text}."

    def _limit_words(self) -> list[str]:
        limits, new = self.study.limits, sum(not cell.done for cell in self.cells)
        told = []
        if limits.cells is not None and limits.cells < new:
            told.append(f"limits.cells lets {limits.cells} of the {new} cells begin in one run.")
        seconds = self.compute_seconds
        for name, hours in (("hours", limits.hours), ("gpu_hours", limits.gpu_hours)):
            if hours is not None and seconds is not None and seconds > hours * 3600:
                told.append(f"limits.{name} = {hours:g} may end a run early: {duration(seconds)} one after another.")
        return told


def duration(seconds: float) -> str:
    """`5400` as `90 min`; hours from 100 min on."""
    if seconds < 100:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 6000 else f"{seconds / 3600:.1f} h"


def _hours(seconds: int) -> str:
    return f"{seconds / 3600:,.1f} h"


def _many(count: int, noun: str) -> str:
    return f"{count} {noun}{'' if count == 1 else 's'}"


def _are(count: int) -> str:
    return {0: "none is", 1: "1 is"}.get(count, f"{count} are")


def _grouped(told: Iterable[tuple[str, str]]) -> dict[str, list[str]]:
    groups: dict[str, list[str]] = {}
    for text, label in told:
        if text:
            groups.setdefault(text, []).append(label)
    return groups


def _plain_cell(plan: CellPlan) -> dict[str, Any]:
    return {
        "key": plan.key, "label": plan.cell.label, "done": plan.done, "annotation_seconds": plan.seconds,
        "money": plan.money, "acts": {kind: asdict(totals) for kind, totals in plan.acts.items()},
        "purchases": len(plan.purchases), "stages": dict(plan.stages),
        "refused": plan.refused, "unforeseen": plan.unforeseen,
    }  # fmt: skip
