"""What stands in a ledger and what it answers: orders, receipts, totals, and the lines of purchases and of free use."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from segfrontier.market.acts import Acts
from segfrontier.market.prices import PriceList

FREE_KINDS = ("source_labels", "encoder_pretraining", "class_list", "validation", "unlabelled_images", "pseudo_labels")
"""What costs no annotation but belongs on the record."""


@dataclass(frozen=True, slots=True)
class Totals:
    """Counts of the acts of one kind in one cell."""

    scenes: int = 0
    acts: int = 0
    units: int = 0
    asked: int = 0

    def plus(self, *, units: int, asked: int) -> Totals:
        """The totals with so many more units and questions."""
        return Totals(self.scenes, self.acts, self.units + units, self.asked + asked)


Cost = Callable[[Mapping[str, Totals]], int]
"""Totals by kind -> the bill in whole seconds."""


@dataclass(frozen=True, slots=True)
class Terms:
    """What a cell buys from, at which prices, from which annotators: fixed by its first purchase."""

    truth: str
    annotators: str
    prices: PriceList

    def __str__(self) -> str:
        return f"truth {self.truth}, annotators {self.annotators}, prices {self.prices.name} {self.prices.digest}"


@dataclass(frozen=True, slots=True)
class PurchaseOrder:
    """Acts on their way into the ledger, with the labels that they pay for: of one kind, and of it where it exists."""

    cell: str
    stage: str
    kind: str
    acts: Mapping[str, Acts]
    labels_path: str
    labels_digest: str
    terms: Terms
    kinds: Mapping[str, str] = field(default_factory=dict)
    """By scene, the kind of its acts where that is another one than the order's."""

    def by_kind(self) -> dict[str, dict[str, Acts]]:
        """The acts of each kind, by scene; of none, where nothing is ordered, the order's own."""
        parts: dict[str, dict[str, Acts]] = {}
        for scene, acts in self.acts.items():
            parts.setdefault(self.kinds.get(scene, self.kind), {})[scene] = acts
        return parts or {self.kind: {}}


@dataclass(frozen=True, slots=True)
class Receipt:
    """What an order came to. `acts`, `units`, `seconds` count what was new; the bill is the whole cell's."""

    acts: int
    units: int
    seconds: int
    bill: int


@dataclass(frozen=True, slots=True)
class PurchaseLine:
    """One purchase as the ledger keeps it."""

    cell: str
    stage: str
    kind: str
    seconds: int
    labels_path: str
    labels_digest: str
    time: str


@dataclass(frozen=True, slots=True)
class FreeLine:
    """One zero-priced line."""

    cell: str
    stage: str
    what: str
    detail: str
    count: int
    time: str
