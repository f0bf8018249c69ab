"""The lines of a cell's charts: what its trainings logged, each point once, at the time that it was written.

A point that a resumed training logs again is the one that was there first. What no progress file has, because another
cell or an earlier version computed the training, comes from the record and has the time of the cell's end.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

from segfrontier.home.progress import Progress
from segfrontier.tracking.payload import Plain, Value, finite

_NAMES = {"samples_a_second": "images_per_second"}


class Curves:
    """A cell's progress file as far as it was read."""

    def __init__(self, folder: Path) -> None:
        self.began: float | None = None
        self.last: float | None = None
        self._progress = Progress(folder)
        self._looks = 0  # at the machine
        self._known: set[tuple[str, int]] = set()
        self._ranges: dict[str, tuple[int, int]] = {}

    def new(self) -> list[Value]:
        """What was written since the last call."""
        found: list[Value] = []
        for line in self._progress.lines():
            at = float(line["at"])
            self.began, self.last = at if self.began is None else self.began, at
            with suppress(AttributeError, KeyError, TypeError, ValueError):  # a line that somebody wrote into
                found += self._points(line, at) if "values" in line else self._look(line, at)
        return found

    def _look(self, line: dict[str, Any], at: float) -> Iterator[Value]:
        """How busy the machine was."""
        if "system" in line:
            self._looks += 1
            for name, value in line["system"].items():
                yield from finite(name, value, self._looks, at)

    def _points(self, line: dict[str, Any], at: float) -> Iterator[Value]:
        step, point = int(line["step"]), (str(line["stage"]), int(line["step"]))
        if point in self._known:
            return
        self._known.add(point)
        for name, value in line["values"].items():
            chart = f"train{line['train']}/{_NAMES.get(name, name)}"
            first, last = self._ranges.get(chart, (step, step))
            self._ranges[chart] = (min(first, step), max(last, step))
            yield from finite(chart, value, step, at)

    def recorded(self, record: Plain) -> Iterator[Value]:
        """The points of a record that were not read before or after which others were."""
        for chart, curve in record["curves"].items():
            first, last = self._ranges.get(chart, (1, 0))
            for step, value in curve:
                if not first <= step <= last:
                    yield from finite(chart, value, round(step), record["ended"])
