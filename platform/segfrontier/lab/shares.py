"""How a step's batch is cut: one share a worker and accumulated part; their amounts add up to the whole batch's."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from torch import Tensor

from segfrontier.errors import StageError
from segfrontier.lab.worker import Worker


class Shares:
    """Totals over the shares of one step.

    Parts come one after another, and the first one's loss needs the total of all: with several parts, each is computed
    once beforehand, without gradients and inside `counting()`, which costs a forward pass more.
    """

    def __init__(self, worker: Worker, *, parts: int = 1) -> None:
        self.worker, self.parts, self.count = worker, parts, worker.world * parts
        self._counts: list[Tensor] | None = None
        self._totals: list[Tensor] = []
        self._asked = 0

    def total(self, amount: Tensor) -> Tensor:
        """The sum over all shares; while parts are counted, this part's own amount."""
        amount = amount.detach()
        if self.parts == 1:
            return self.worker.total(amount)
        number, self._asked = self._asked, self._asked + 1
        if self._counts is None:
            if number >= len(self._totals):
                raise _unlike()
            return self._totals[number]
        if number == len(self._counts):
            self._counts.append(amount.clone())
        else:
            self._counts[number] += amount
        return amount

    def next_part(self) -> None:
        """Another part begins: its questions are those of the part before."""
        known = self._totals if self._counts is None else self._counts
        if self._asked and self._asked != len(known):
            raise _unlike()
        self._asked = 0

    @contextmanager
    def counting(self) -> Iterator[None]:
        """Parts that are computed inside are added up, and then over the workers."""
        self._counts = []
        yield
        self.next_part()
        self._totals, self._counts = [self.worker.total(count) for count in self._counts], None


def _unlike() -> StageError:
    return StageError(
        "each part of a step must ask for the same totals in the same order; one asked for more or fewer. Ask for them "
        "whatever a share's labels are."
    )
