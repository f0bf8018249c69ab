"""What stands behind a lab and must not be reached from it: the world with its truth, and the ledger."""

from __future__ import annotations

from dataclasses import dataclass

from segfrontier.market import Ledger
from segfrontier.scenes.classes import ClassTable
from segfrontier.scenes.world import Truth, World

FOR_SALE = "train"
"""The split of the target domain whose labels the market sells; no evaluation may look at it."""


@dataclass(frozen=True)
class Places:
    """The engine's side of a lab."""

    world: World
    ledger: Ledger
    cell: str

    @property
    def classes(self) -> ClassTable:
        """The world's class table."""
        return self.world.classes

    def truth(self, split: str) -> Truth:
        """The target truth of a split, for the evaluator."""
        return self.world.truth(split=split)

    def count(self, split: str) -> int:
        """Scenes in a split."""
        return len(self.truth(split))

    def digest(self, split: str) -> str:
        """Identity of a split's images and truth."""
        return f"{self.world.pool(split=split).digest}:{self.truth(split).digest}"

    def note_free(self, what: str, *, detail: str, count: int) -> None:
        """A zero-priced line in the ledger."""
        self.ledger.note_free(cell=self.cell, stage=what, what=what, detail=detail, count=count)
