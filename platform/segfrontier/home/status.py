"""How far a study is: read from its files, so that the run itself and any onlooker see the same."""

from __future__ import annotations

import math
import os
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any, Literal, TypedDict

from segfrontier.basics.reading import read_json
from segfrontier.home.claiming import RUN, is_running
from segfrontier.home.layout import CELLS, STATUS, StudyHome
from segfrontier.home.records import RECORD, Record, metric_of

_RATES = _SPEED, _WAIT = ("samples_a_second", "data_wait")

State = Literal["waiting", "running", "done", "failed", "cut", "stopped"]


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
    score: float = math.nan  # in the metric that the study ranks by
    error: str = ""
    waiting: str = ""
    pace: str = ""  # of the running stage: its latest loss, and images a second
    stale: bool = False
    """Other code than today's computed it: the next run renews it."""

    def plain(self) -> dict[str, Any]:
        """JSON form; no score is null."""
        fields = {k: getattr(self, k) for k in self.__dataclass_fields__}
        scores = {"miou": self.miou, "score": self.score}
        return fields | {name: None if math.isnan(value) else value for name, value in scores.items()}


@dataclass
class Board:
    """All cells of a study. `look` opens the files that were written since the last one, and of what has ended well not
    even those: a study of 10,000 cells is looked at each second, and most of them wait.

    `is_stale` says of a record whether other code than today's computed it, where anybody wants to know.
    """

    study: StudyHome
    is_stale: Callable[[Record], bool] = lambda _: False
    _ended: dict[str, CellState] = field(default_factory=dict)
    _cells: dict[str, tuple[str, str]] = field(default_factory=dict)
    _seen: dict[str, tuple[object, CellState]] = field(default_factory=dict)
    """What was read last of each cell, and the marks of the files that it was read from."""
    _table: tuple[object, tuple[str, ...]] = ((), ())

    def look(self, *, alive: bool | None = None) -> tuple[CellState, ...]:
        """Every cell's state, in the order of the table. `alive`: whoever asks knows whether the study runs."""
        alive = self.alive() if alive is None else alive
        began = _written(self.study.path / RUN)
        return tuple(self._ended.get(key) or self._state(key, alive=alive, began=began) for key in self._keys())

    @cached_property
    def metric(self) -> str:
        """What the study ranks by."""
        return metric_of(self.study)

    def alive(self) -> bool:
        """Whether a process is at work on the study now."""
        return is_running(self.study.path)

    def _keys(self) -> tuple[str, ...]:
        """The table's, read anew when it was written."""
        mark = _written(self.study.path / CELLS)
        if mark is None or mark != self._table[0]:
            self._table = mark, tuple(self.study.cell_keys())
        return self._table[1]

    def _state(self, key: str, *, alive: bool, began: _Mark) -> CellState:
        folder = os.fspath(self.study.home.cell(key))
        mark = alive, began, _written(f"{folder}/{STATUS}"), _written(f"{folder}/{RECORD}")
        before, state = self._seen.get(key, ((), None))
        if state is None or before != mark:
            state = self._read(key, alive=alive, began=began)
            self._seen[key] = mark, state
        return state

    def _read(self, key: str, *, alive: bool, began: _Mark) -> CellState:
        folder = self.study.home.cell(key)
        if key not in self._cells:
            self._cells[key] = label_and_method(folder, key)
        (label, method), status = self._cells[key], _Status.read(folder)
        named: _Named = {"key": key, "label": label, "method": method}
        since = max(_seconds(began), _seconds(_written(folder / RECORD)))  # another process may write the record
        if alive and status.state == "running" and status.at >= since:
            return CellState(
                **named, state="running", stage=status.stage, waiting=status.waiting, share=status.share,
                pace=status.pace,
            )  # fmt: skip
        record = Record.read(folder)
        if record is None:
            return CellState(**named, state="stopped" if status.at else "waiting", stage=status.stage)
        state = CellState(
            **named, state=record.state, seconds=record.ended - record.started, miou=record.miou, error=record.error,
            score=record.score(self.metric), stale=self.is_stale(record),
        )  # fmt: skip
        if record.state == "done" and not state.stale:
            self._ended[key] = state
        return state


@dataclass(frozen=True)
class _Status:
    """What a cell's status file says; nothing where it cannot be read. `at` is when it was written, by the disk."""

    state: str = ""
    stage: str = ""
    waiting: str = ""
    share: float | None = None
    pace: str = ""
    at: float = 0.0

    @classmethod
    def read(cls, folder: Path) -> _Status:
        plain = read_json(folder / STATUS)
        if not isinstance(plain, dict):
            return cls()
        words = {name: text for name in ("state", "stage", "waiting") if isinstance(text := plain.get(name), str)}
        done, total = plain.get("done"), plain.get("total")
        share = done / total if type(done) is int and type(total) is int and 0 <= done <= total and total else None
        return cls(**words, share=share, pace=_pace(plain.get("values")), at=_seconds(_written(folder / STATUS)))


def _pace(values: Any) -> str:
    """The first losses of a step, its images a second, and how much of the time it waits for them."""
    if not isinstance(values, dict):
        return ""
    found = {name: value for name, value in values.items() if isinstance(value, int | float)}
    losses = [f"{name} {value:.3g}" for name, value in found.items() if name not in _RATES and "/" not in name]
    rate = [f"{found[_SPEED]:.3g} img/s"] if _SPEED in found else []
    wait = [f"data wait {found[_WAIT]:.0%}"] if found.get(_WAIT, 0) > 0.05 else []
    return ", ".join(losses[:2] + rate + wait)


class _Named(TypedDict):
    key: str
    label: str
    method: str


def label_and_method(folder: Path, key: str) -> tuple[str, str]:
    """A cell's label and method; its key where they cannot be read."""
    plain = read_json(folder / "cell.json")
    label, method = (plain.get("label"), plain.get("method")) if isinstance(plain, dict) else (None, None)
    return label if isinstance(label, str) else key, method if isinstance(method, str) else "?"


_Mark = tuple[int, int, int] | None


def _written(file: str | Path) -> _Mark:
    """What changes with every writing of a file that is written whole under a new name; None where it is not there.

    Its time is by the clock of its disk, which all machines see alike.
    """
    try:
        status = os.stat(file)  # noqa: PTH116 - a path object for each of 20,000 files takes longer than their look-up
    except OSError:
        return None
    return status.st_mtime_ns, status.st_ino, status.st_size


def _seconds(mark: _Mark) -> float:
    """When a file was written; 0 where it is not there."""
    return 0.0 if mark is None else mark[0] / 1e9


def counts(cells: tuple[CellState, ...]) -> Counter[State]:
    """How many cells are in each state."""
    return Counter(cell.state for cell in cells)


@dataclass(frozen=True)
class Mean:
    """What cells that differ in their seed alone scored so far."""

    label: str  # method, knobs and budget
    score: float
    seeds: int


def best(cells: tuple[CellState, ...]) -> dict[str, Mean]:
    """Each method's highest mean so far, of those over the most seeds: a lucky seed is no better method or budget."""
    scores: dict[tuple[str, str], list[float]] = {}
    for cell in cells:
        if not math.isnan(cell.score):
            scores.setdefault((cell.method, cell.label.rpartition(", seed ")[0] or cell.label), []).append(cell.score)
    means = [(method, Mean(label, sum(own) / len(own), len(own))) for (method, label), own in scores.items()]
    found: dict[str, Mean] = {}
    for method, mean in sorted(means, key=lambda item: (-item[1].seeds, -item[1].score)):
        found.setdefault(method, mean)
    return dict(sorted(found.items(), key=lambda item: -item[1].score))


def seconds_left(cells: tuple[CellState, ...], *, spent: float, before: int) -> float | None:
    """Until all cells have ended at the pace of this run, which took `spent` seconds so far.

    `before`: cells that had ended when it began.
    """
    count = counts(cells)
    ended = count["done"] + count["failed"] + count["cut"] - before
    if ended < 1:
        return None
    return spent / ended * (count["waiting"] + count["running"] + count["stopped"])
