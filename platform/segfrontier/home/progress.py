"""What a cell's trainings log while they run, with the time of the writing: CELL/progress.jsonl, only appended to.

{"at": T, "begins": true}                                                an attempt at the cell begins
{"at": T, "train": 1, "stage": KEY, "step": 20, "values": {"loss": 2.1}}  its first training is so far
{"at": T, "system": {"system/cpu_utilization_percentage": 93.0}}          its machine is this busy, if that is asked for

A training's own log in the store is the same whoever computed it, and so holds no times and no speed; these do, and a
training that is interrupted and goes on may log a step twice. Whoever draws it takes what was written first.
"""

from __future__ import annotations

import json
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from segfrontier.basics.disk import room_at

PROGRESS = "progress.jsonl"
_LINES = 1000  # of a training, at most


class ProgressLog:
    """The file as the cell's process writes it."""

    def __init__(self, folder: Path) -> None:
        self.file = folder / PROGRESS
        self._last: tuple[str, int] = ("", 0)

    def on_begin(self) -> None:
        """An attempt begins; what a killed one left half-written stays a line of its own."""
        self._append({"begins": True}, lead="\n" if _is_cut_off(self.file) else "")

    def on_step(self, number: int, stage: str, done: int, total: int, values: Mapping[str, float]) -> None:
        """The cell's so-manyth training, stored as `stage`, has come so far. Of a long one not every call is kept."""
        before, last = self._last
        if stage == before and 0 < done - last < total / _LINES and done != total:
            return
        self._last = (stage, done)
        self._append({"train": number, "stage": stage, "step": done, "values": dict(values)})

    def on_usage(self, system: Mapping[str, float]) -> None:
        """The machine is this busy."""
        if system:
            self._append({"system": dict(system)})

    def _append(self, line: Mapping[str, Any], *, lead: str = "") -> None:
        with room_at(self.file.parent), self.file.open("a", encoding="utf-8") as file:
            file.write(f"{lead}{json.dumps({'at': time.time(), **line})}\n")


class Progress:
    """The file as others read it: whole lines, each once, from where the last reading ended."""

    def __init__(self, folder: Path) -> None:
        self.file = folder / PROGRESS
        self._read = 0

    def lines(self) -> Iterator[dict[str, Any]]:
        """What was written since the last call; lines that a crash cut off are left out."""
        try:
            with self.file.open("rb") as file:
                file.seek(self._read)
                text = file.read()
        except OSError:
            return
        whole = text.rfind(b"\n") + 1
        self._read += whole
        for raw in text[:whole].splitlines():
            try:
                line = json.loads(raw)
            except ValueError:
                continue
            if isinstance(line, dict) and isinstance(line.get("at"), int | float):
                yield line


def _is_cut_off(file: Path) -> bool:
    try:
        with file.open("rb") as content:
            content.seek(-1, 2)
            return content.read(1) != b"\n"
    except OSError:  # not there, or empty
        return False
