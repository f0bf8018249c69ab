"""Where an executor gets its cells from, one at a time: the study's table, or a search that chooses the next ones."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass, field
from time import monotonic
from typing import Protocol

from segfrontier.home.records import Record
from segfrontier.study.cells import Cell
from segfrontier.study.config import Limits

ASKED = "it was asked to stop"


class Feed(Protocol):
    """Cells to compute. `next` is None where there is none now; `over` says that none will come any more."""

    @property
    def over(self) -> bool: ...
    def next(self) -> str | None: ...
    def ended(self, key: str, record: Record | None) -> None: ...


@dataclass
class FixedCells:
    """Cells in a fixed order."""

    keys: Iterable[str]
    _left: deque[str] = field(init=False)

    def __post_init__(self) -> None:
        self._left = deque(self.keys)

    @property
    def over(self) -> bool:
        """Nothing is left."""
        return not self._left

    def next(self) -> str | None:
        """The next one."""
        return self._left.popleft() if self._left else None

    def ended(self, key: str, record: Record | None) -> None:
        """A table does not care."""


@dataclass
class Listed:
    """A feed whose cells are known by `keys`, which grow; they are written before one that was added is given out."""

    feed: Feed
    keys: Collection[str]
    write: Callable[[], object]
    _written: int = field(init=False)

    def __post_init__(self) -> None:
        self._written = len(self.keys)

    @property
    def over(self) -> bool:
        """See `Feed`."""
        return self.feed.over

    def next(self) -> str | None:
        """See `Feed`."""
        key = self.feed.next()
        if len(self.keys) > self._written:
            self.write()
            self._written = len(self.keys)
        return key

    def ended(self, key: str, record: Record | None) -> None:
        """See `Feed`."""
        self.feed.ended(key, record)


@dataclass
class Limited:
    """A feed that runs dry when a limit of the study is reached, or when `stop` says so; running cells are let end."""

    feed: Feed
    limits: Limits
    stop: Callable[[], bool]
    why: str = ""
    _given: int = 0
    _gpu_hours: float = 0.0
    _began: float = field(default_factory=monotonic)

    @property
    def over(self) -> bool:
        """Nothing more will come."""
        return bool(self._reached()) or self.feed.over

    def next(self) -> str | None:
        """The next cell, while there is room."""
        key = None if self._reached() else self.feed.next()
        self._given += key is not None
        return key

    def ended(self, key: str, record: Record | None) -> None:
        """Count what the cell itself computed, and pass it on."""
        if record is not None:
            fresh = [s for s in record.stages if s.gpu and not s.found]
            self._gpu_hours += sum(s.seconds * s.devices for s in fresh) / 3600
        self.feed.ended(key, record)

    def halt(self, why: str) -> None:
        """Give out no more."""
        self.why = self.why or why

    def _reached(self) -> str:
        limits = self.limits
        if not self.why and self.stop():
            self.why = ASKED
        elif not self.why and limits.cells is not None and self._given >= limits.cells and not self.feed.over:
            self.why = f"the limit of {limits.cells} cells is reached"
        elif not self.why and limits.hours is not None and monotonic() - self._began > limits.hours * 3600:
            self.why = f"the limit of {limits.hours:g} h is reached"
        elif not self.why and limits.gpu_hours is not None and self._gpu_hours >= limits.gpu_hours:
            self.why = f"the limit of {limits.gpu_hours:g} GPU hours is reached"
        return self.why


Keyed = Callable[[Iterable[Cell]], Mapping[str, Cell]]
"""Gives cells their keys, and keeps them where whoever computes them finds them."""
