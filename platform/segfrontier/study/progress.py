"""How far a study is: read from its files, so that the run itself and any onlooker see the same."""

from __future__ import annotations

import math
import os
import platform
import time
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from segfrontier.basics.reading import read_json
from segfrontier.study.cellwatch import STATUS
from segfrontier.study.home import StudyHome
from segfrontier.study.records import Record

State = Literal["waiting", "running", "done", "failed", "cut", "stopped"]
RUN, STOP = "run.json", "stop"
"""Files in a study's folder: who runs it, and the wish that it end."""
BEAT_SECONDS, _SILENT_SECONDS = 2.0, 30.0


@dataclass(frozen=True)
class CellState:
    """A cell as it stands."""

    key: str
    label: str
    method: str
    state: State
    stage: str = ""
    share: float | None = None  # of the running stage
    seconds: float = 0.0
    miou: float = math.nan
    error: str = ""
    waiting: str = ""

    def plain(self) -> dict[str, Any]:
        """JSON form; no score is null."""
        fields = {k: getattr(self, k) for k in self.__dataclass_fields__}
        return fields | {"miou": None if math.isnan(self.miou) else self.miou}


@dataclass
class Board:
    """All cells of a study. `look` reads anew what may have changed; what has ended well is read once."""

    study: StudyHome
    _ended: dict[str, CellState] = field(default_factory=dict)
    _cells: dict[str, Mapping[str, Any]] = field(default_factory=dict)

    def look(self) -> tuple[CellState, ...]:
        """Every cell's state, in the order of the table."""
        alive = self.alive()
        return tuple(self._ended.get(key) or self._read(key, alive=alive) for key in self.study.cell_keys())

    def alive(self) -> bool:
        """Whether a process is at work on the study now."""
        run = read_json(self.study.path / RUN)
        if not run or run["state"] != "running":
            return False
        if run["host"] == platform.node():
            return _exists(run["pid"])
        return bool(time.time() - run["at"] < _SILENT_SECONDS)

    def _read(self, key: str, *, alive: bool) -> CellState:
        folder = self.study.home.cell(key)
        if key not in self._cells:
            self._cells[key] = read_json(folder / "cell.json") or {"label": key, "method": "?"}
        named = {"key": key, "label": self._cells[key]["label"], "method": self._cells[key]["method"]}
        status = read_json(folder / STATUS) or {}
        if alive and status.get("state") == "running" and status["at"] >= self._began():
            total = status.get("total")
            return CellState(
                **named, state="running", stage=status["stage"], waiting=status.get("waiting", ""),
                share=status["done"] / total if total else None,
            )  # fmt: skip
        record = Record.read(folder)
        if record is None:
            return CellState(**named, state="stopped" if status else "waiting", stage=status.get("stage", ""))
        state = CellState(
            **named, state=record.state, seconds=record.ended - record.started, miou=record.miou, error=record.error
        )
        if record.state == "done":
            self._ended[key] = state
        return state

    def _began(self) -> float:
        return float((read_json(self.study.path / RUN) or {}).get("began", 0.0))


def counts(cells: tuple[CellState, ...]) -> Counter[State]:
    """How many cells are in each state."""
    return Counter(cell.state for cell in cells)


def best(cells: tuple[CellState, ...]) -> dict[str, CellState]:
    """Each method's cell with the highest score so far."""
    found: dict[str, CellState] = {}
    for cell in cells:
        if not math.isnan(cell.miou) and (cell.method not in found or cell.miou > found[cell.method].miou):
            found[cell.method] = cell
    return dict(sorted(found.items(), key=lambda item: -item[1].miou))


def seconds_left(cells: tuple[CellState, ...], *, began: float, before: int) -> float | None:
    """Until all cells have ended at the pace of this run so far; `before`: cells that had ended when it began."""
    count = counts(cells)
    ended = count["done"] + count["failed"] + count["cut"] - before
    if ended < 1:
        return None
    return (time.time() - began) / ended * (count["waiting"] + count["running"] + count["stopped"])


def _exists(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True
