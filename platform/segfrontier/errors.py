"""The errors a user may meet. Each message says what must hold, what was found and what to do.

SegFrontierError
+-- BadInput          a file, a setting or a request that cannot be used as it is (also a ValueError)
|   +-- BadWorld      a world on disk, or a dataset on its way into one
|   +-- BadPrices     a price list or a budget
|   +-- BadStudy      a study file
|   +-- UnequalTraining  a method trains more or less than a recipe's sum over its trainings
+-- BudgetExceeded    a purchase that the budget does not cover; nothing was charged
+-- LedgerError       the ledger could not be read or written; what was in it is still in it
+-- StageError        a stage failed or its stored result is damaged
|   +-- Diverged      a network answers NaN or infinity
+-- DiskFull          a disk has no room left; nothing half-written stays
+-- Stopped           work was asked to stop and saved its state; the same call goes on
"""

from __future__ import annotations

DECIDES_NOTHING = True  # no stage's result depends on how this is done, so no key does


class SegFrontierError(Exception):
    """The root: catch this to catch everything that SegFrontier raises on purpose.

    Every error is built from one string, so that it survives the pickling between Ray processes.
    """

    def __init__(self, message: str) -> None:
        super().__init__(message)


class BadInput(SegFrontierError, ValueError):
    """Something the user gave cannot be used as it is."""


class BadWorld(BadInput):
    """A world on disk, or a dataset on its way into one, breaks the format's rules."""


class BadPrices(BadInput):
    """A price list or a budget cannot be used."""


class BadStudy(BadInput):
    """A study file cannot be used."""


class UnequalTraining(BadInput):
    """The trainings of a cell do not come to the steps that its recipe gives them in all."""


class BudgetExceeded(SegFrontierError):
    """A purchase costs more than is left; nothing was charged and nothing was delivered."""


class LedgerError(SegFrontierError):
    """The ledger could not be read or written."""


class StageError(SegFrontierError):
    """A stage of the lab failed, or its stored result is damaged."""


class Diverged(StageError):
    """A network's answers are not finite numbers: its training has diverged. No rule makes labels of them."""


class DiskFull(SegFrontierError):
    """A disk has no room left for what is written; nothing half-written stays."""


class Stopped(SegFrontierError):
    """Work was asked to stop, saved its state and left; the same call goes on from there."""
