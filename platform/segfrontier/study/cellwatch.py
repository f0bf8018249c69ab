"""What a cell tells while it works: a status file for onlookers, and the notes that its record is made of."""

from __future__ import annotations

import json
import math
import os
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Literal

from segfrontier.basics.atomic import write_json
from segfrontier.basics.disk import is_full
from segfrontier.home.layout import CUT, LOG, STATUS
from segfrontier.home.progress import ProgressLog
from segfrontier.home.records import WARNING, StageNote
from segfrontier.lab.measures import ABOUT as MEASURED
from segfrontier.lab.passes.label import ABOUT as LABELLED
from segfrontier.lab.training.loop import LEFT_OUT
from segfrontier.lab.watching import Watcher
from segfrontier.store.entry import EntryManifest
from segfrontier.study.config import Asha

_Lines = list[tuple[int, dict[str, float]]]
_TRAIN_LOG = "log.jsonl"  # in a training's entry
_PACE = ("samples_a_second", "data_wait")  # differ from run to run, and are in no log
_FAULTS = {"label": (LABELLED, "faults"), "measure": (MEASURED, "faults"), "score": ("scores.json", "left_out")}
_TELL_SECONDS, _ASK_SECONDS, _POINTS = 0.5, 0.3, 200
_SHARE, _LONGEST = 20, 10.0
"""Of its time a cell spends one part in so many on telling, and so many on asking; seconds between two of them at most.
A thousand cells that share a slow file system then write as often as it can take, and no more."""


_ROUNDING = 1e-6  # of epochs and steps that are sums of fractions


_End = Literal["done", "failed", "cut", "stopped", "full"]


class _Pace:
    """When something that takes its time is due again."""

    def __init__(self, least: float) -> None:
        self._least, self._due = least, -math.inf

    @property
    def is_due(self) -> bool:
        """Whether it may be done now."""
        return time.monotonic() > self._due

    def hurry(self) -> None:
        """It is due at once."""
        self._due = -math.inf

    @contextmanager
    def done(self) -> Iterator[None]:
        """It is done inside the block."""
        began = time.monotonic()
        yield
        took = time.monotonic() - began
        self._due = began + max(self._least, min(_SHARE * took, _LONGEST))


class CellWatch(Watcher):
    """Hears all that a cell's lab tells. `on_rung` hears of (epochs, score) at the rungs of early stopping."""

    def __init__(
        self, folder: Path, *, stop: Callable[[], bool], on_rung: Callable[[float, float], None] | None = None,
        asha: Asha | None = None,
    ) -> None:  # fmt: skip
        self._asha = asha
        self.notes: dict[str, float] = {}
        self.pictures: list[str] = []
        self.left_out: dict[str, tuple[str, ...]] = {}  # "kind key" of a stage -> the scenes that it lacks, and why
        self._folder, self._stop, self._on_rung = folder, stop, on_rung
        self._found: set[str] = set()
        self._used: dict[str, EntryManifest] = {}
        self._logs: list[_Lines] = []  # of the trainings that are stored, in the order of their first use
        self._log_lines: _Lines = []  # of the one that runs
        self._stage, self._training, self._epochs = "", "", 0.0
        self.progress = ProgressLog(folder)
        self._asks, self._tells = _Pace(_ASK_SECONDS), _Pace(_TELL_SECONDS)
        self._asked = False

    def __enter__(self) -> CellWatch:
        (self._folder / CUT).unlink(missing_ok=True)
        self.log(f"begins in process {os.getpid()}")
        self.progress.on_begin()
        self._status("running", force=True)
        return self

    def __exit__(self, *_: object) -> None:
        return None

    @property
    def is_cut(self) -> bool:
        """Whether early stopping ended the cell."""
        return (self._folder / CUT).exists()

    def left(self, state: _End) -> _End:
        """The cell has ended like this."""
        try:
            self.log("stopped: the disk is full" if state == "full" else state)
            self._status("stopped" if state == "full" else state, force=True)
        except Exception as error:
            if not is_full(error):
                raise
        return state

    def stages(self) -> tuple[StageNote, ...]:
        """The stages that the cell stands on, in the order of their first use."""
        return tuple(
            StageNote(
                kind=m.kind, key=key, seconds=m.seconds, devices=int(m.about.get("devices", 1)),
                gpu=bool(m.about.get("gpu", False)), found=key in self._found,
            )
            for key, m in self._used.items()
        )  # fmt: skip

    def curves(self) -> dict[str, list[tuple[float, float]]]:
        """What trainings logged, by name, thinned to a length that a plot can show.

        Each training that is stored tells by its log, whoever computed it and however often that was interrupted; one
        that has not ended, by what was heard of it.
        """
        curves: dict[str, list[tuple[float, float]]] = {}
        for number, lines in enumerate([*self._logs, self._log_lines], start=1):
            for step, values in lines:
                for name, value in values.items():
                    curves.setdefault(f"train{number}/{name}", []).append((step, value))
        return {name: points[:: max(1, len(points) // _POINTS)] for name, points in curves.items()}

    # ------------------------------------------------------------------------------------------------ what it hears

    def stop(self) -> bool:
        """See `Watcher`. Files are looked at a few times a second, whatever the pace of the work."""
        if not self._asked and self._asks.is_due:
            with self._asks.done():
                self._asked = self.is_cut or self._stop()
        return self._asked

    def begin(self, kind: str, key: str) -> None:
        """See `Watcher`."""
        self._stage, self._log_lines = f"{kind} {key[:8]}", []
        self._training = key if kind == "train" else ""
        self._status("running", force=True)

    def end(self, kind: str, key: str, *, seconds: float) -> None:
        """See `Watcher`."""
        self.log(f"{kind} {key}: done in {seconds:.1f} s")

    def step(self, done: int, total: int, values: Mapping[str, float]) -> None:
        """See `Watcher`."""
        if logged := {name: float(value) for name, value in values.items() if name not in _PACE}:
            self._warn(done, logged)
            self._log_lines.append((done, logged))
        if self._training and values:
            self.progress.on_step(len(self._logs) + 1, self._training, done, total, values)
        self._status("running", done=done, total=total, values=dict(values))

    def _warn(self, done: int, logged: Mapping[str, float]) -> None:
        """Write of each `warning/...` when it has come to 1, so that it held at every step that logged it."""
        for name, value in logged.items():
            before = next((line[name] for _, line in reversed(self._log_lines) if name in line), 1.0)
            if name.startswith(WARNING) and value == 1 > before:
                self.log(f"warning: {name.removeprefix(WARNING)}, by step {done}")

    def waiting(self, seconds: float, owner: str) -> None:
        """See `Watcher`."""
        self._status("running", waiting=f"{owner} computes this stage ({seconds:.0f} s)")

    def found(self, kind: str, key: str) -> None:
        """See `Watcher`."""
        if key not in self._used:
            self._found.add(key)
            self.log(f"{kind} {key}: found in the store")

    def used(self, manifest: EntryManifest, folder: Path) -> None:
        """See `Watcher`."""
        if manifest.key not in self._used:
            if manifest.kind == "train":
                self._logs.append(_lines(folder / _TRAIN_LOG))
            if lines := _left_out(manifest.kind, folder):
                self.left_out[f"{manifest.kind} {manifest.key}"] = lines
                self.log(f"{manifest.kind} {manifest.key}: left out {' | '.join(lines)}")
        self._used.setdefault(manifest.key, manifest)
        self._log_lines = []

    def peeks_at(self, steps: int, steps_an_epoch: int) -> list[int]:
        """See `Watcher`. The rungs count the epochs of all of the cell's trainings."""
        if self._asha is None:
            return []
        rungs = self._asha.rungs(after=self._epochs, until=self._epochs + steps / steps_an_epoch)
        return [min(steps, math.ceil((rung - self._epochs) * steps_an_epoch - _ROUNDING)) for rung in rungs]

    def trained(self, epochs: float) -> None:
        """See `Watcher`."""
        self._epochs += epochs

    def peeked(self, epochs: float, miou: float) -> None:
        """See `Watcher`."""
        if self._on_rung is not None and not math.isnan(miou):
            self._on_rung(round(self._epochs + epochs, 6), miou)
            self._asks.hurry()  # the verdict is there by now

    def noted(self, name: str, value: float) -> None:
        """See `Watcher`."""
        self.notes[name] = value
        self.log(f"{name} {value:.6g}")

    def drawn(self, picture: Path) -> None:
        """See `Watcher`."""
        self.pictures.append(str(picture))

    def log(self, text: str) -> None:
        """Write to the cell's log."""
        with (self._folder / LOG).open("a", encoding="utf-8") as log:
            log.write(f"{time.strftime('%Y-%m-%d %H:%M:%S')} {text.rstrip()}\n")

    def _status(self, state: str, *, force: bool = False, **more: Any) -> None:
        if force or self._tells.is_due:
            payload = {"state": state, "stage": self._stage, "pid": os.getpid(), "at": time.time()}
            with self._tells.done():
                write_json(self._folder / STATUS, payload | more, sync=False)


def _lines(log: Path) -> _Lines:
    plain = (json.loads(line) for line in log.read_text(encoding="utf-8").splitlines())
    return [(int(line.pop("step")), {name: float(value) for name, value in line.items()}) for line in plain]


def _left_out(kind: str, folder: Path) -> tuple[str, ...]:
    """The scenes that a stored stage lacks because their images are at fault, one line each."""
    name, key = _FAULTS.get(kind, (LEFT_OUT, ""))
    if not (folder / name).exists():
        return ()
    plain = json.loads((folder / name).read_text(encoding="utf-8"))
    lines = plain.get(key, []) if key else [f"{stream}: {line}" for stream, some in plain.items() for line in some]
    return tuple(map(str, lines))
