"""The outcome of a plan: what every cell takes, and what they share."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

from segfrontier.basics.wording import many
from segfrontier.market import PriceList
from segfrontier.market.ledger import Totals
from segfrontier.scenes.published import Published
from segfrontier.study.cells import Cell
from segfrontier.study.config import Study

KINDS = ("train", "renorm", "join", "label", "measure", "score", "draw")
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
    guided: bool = False  # stages stand on results that are still to be computed: their number is the most it can be

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
    memory: int  # bytes: what probing took at most, of the GPU or of main memory
    seconds: Mapping[str, float]
    unknown: Mapping[str, str]  # stage -> why
    by_parts: bool = False  # large steps were tried by a part of their batches


@dataclass(frozen=True, kw_only=True)
class KindPlan:
    """All stages of one kind."""

    asked: int  # summed over cells
    distinct: int
    stored: int
    seconds: float | None  # to compute the others, as far as known; None where nothing is

    @property
    def left(self) -> int:
        """Stages to compute."""
        return self.distinct - self.stored


@dataclass(frozen=True, kw_only=True)
class StudyPlan:
    """What a study would take. Acts, bills and stages are exact where methods do not decide by what models make."""

    study: Study
    cells: tuple[CellPlan, ...]
    stand_ins: int = 0  # cells with random knobs, where a search has still to choose
    imagined: Mapping[str, Published] = field(default_factory=dict)  # worlds that are not here, by what they are called
    stages: Mapping[str, StagePlan]
    times: Times | None
    untimed: str = ""  # why none of it was tried

    @property
    def kinds(self) -> dict[str, KindPlan]:
        """Stages by kind."""
        found = [k for k in KINDS if any(s.kind == k for s in self.stages.values())]
        return {kind: self._kind(kind) for kind in found}

    def _kind(self, kind: str) -> KindPlan:
        own = {key: stage for key, stage in self.stages.items() if stage.kind == kind}
        known = {} if self.times is None else self.times.seconds
        kept = [known[key] for key, stage in own.items() if not stage.stored and key in known]
        return KindPlan(
            asked=sum(s.cells for s in own.values()),
            distinct=len(own),
            stored=sum(s.stored for s in own.values()),
            seconds=sum(kept) if kept else None,
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
        kept = (
            (f"after {many(len(c.stages), 'stage')}: {c.unforeseen}" if c.unforeseen else "", c.cell.label)
            for c in self.cells
        )
        return _grouped(kept)

    @property
    def unprobed(self) -> dict[str, list[str]]:
        """Why a probe did not succeed -> how many stages of which kind it was for."""
        unknown = {} if self.times is None else self.times.unknown
        kinds = _grouped((why, self.stages[key].kind) for key, why in unknown.items())
        return {why: [many(n, f"{kind} stage") for kind, n in Counter(k).items()] for why, k in kinds.items()}

    def plain(self) -> dict[str, Any]:
        """JSON form."""
        return {
            "study": self.study.name,
            "stand_ins": self.stand_ins,
            "imagined": {ref: facts.name for ref, facts in self.imagined.items()},
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
                "device": self.times.device, "memory": self.times.memory, "seconds": self.compute_seconds,
                "unknown": dict(self.times.unknown), "by_parts": self.times.by_parts,
            },
            "untimed": self.untimed,
            "refused": self.refused,
            "unforeseen": self.unforeseen,
        }  # fmt: skip


def _grouped(kept: Iterable[tuple[str, str]]) -> dict[str, list[str]]:
    groups: dict[str, list[str]] = {}
    for text, label in kept:
        if text:
            groups.setdefault(text, []).append(label)
    return groups


def _plain_cell(plan: CellPlan) -> dict[str, Any]:
    return {
        "key": plan.key, "label": plan.cell.label, "done": plan.done, "annotation_seconds": plan.seconds,
        "money": list(plan.money or ()), "acts": {kind: asdict(totals) for kind, totals in plan.acts.items()},
        "purchases": len(plan.purchases), "stages": dict(plan.stages),
        "refused": plan.refused, "unforeseen": plan.unforeseen, "guided": plan.guided,
    }  # fmt: skip
