"""What a training run logs: mean losses, learning rates, samples a second, the share of time spent waiting for data."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import torch

from segfrontier.basics.atomic import write_text
from segfrontier.errors import StageError
from segfrontier.lab.worker import Worker

DECIDES_NOTHING = True  # no stage's result depends on how this is done, so no key does

Watch = Callable[[int, int, Mapping[str, float]], None]
"""Told (done, in all, values) now and then while a stage runs."""


class History:
    """Sums between two log lines; the lines themselves are the same whether a run was interrupted or not."""

    def __init__(self, path: Path, worker: Worker, every: int) -> None:
        self.path, self.worker, self.every = path, worker, every
        self.lines: list[str] = []
        self._sums: dict[str, Any] = {}
        self._counts: dict[str, int] = {}  # of the steps that logged a name: not all do where domains are drawn
        self._steps = self._samples = 0
        self._waited = 0.0
        self._mark = self._began = time.perf_counter()

    def start_clock(self) -> None:
        """Count time from here."""
        self._mark = self._began = time.perf_counter()

    def waiting(self) -> None:
        """Data is waited for from here."""
        self._mark = time.perf_counter()

    def working(self) -> None:
        """Data is here."""
        self._waited += time.perf_counter() - self._mark

    def take(self, values: Mapping[str, Any], rates: Mapping[str, float], samples: int) -> None:
        """Add one step's values."""
        for name, value in values.items():
            self._sums[name] = self._sums.get(name, 0.0) + (
                value.detach().float() if isinstance(value, torch.Tensor) else value
            )
            self._counts[name] = self._counts.get(name, 0) + 1
        self._rates = rates
        self._steps += 1
        self._samples += samples

    def end_of_step(self, done: int, steps: int, watch: Watch | None, *, last: bool) -> None:
        """Write a line when one is due: finite means over the steps and workers that logged a name."""
        if done % self.every and not last:
            return
        spent = max(time.perf_counter() - self._began, 1e-9)
        values = self._means()
        bad = [name for name, value in values.items() if value != value or abs(value) == float("inf")]
        if bad:
            raise StageError(
                f"every number that is logged must be finite; {', '.join(bad)} became {values[bad[0]]} by step {done}. "
                f"Correct what the objective logs, or lower the learning rate."
            )
        # Speed changes from run to run; it is told, and kept out of the stored log, which is the same every time.
        pace = {"samples_a_second": self._samples * self.worker.world / spent, "data_wait": self._waited / spent}
        if self.worker.leads:
            self.lines.append(json.dumps({"step": done, **values, **self._rates}))
            write_text(self.path, self.text(), sync=False)
            if watch:
                watch(done, steps, {**values, **self._rates, **pace})
        self._sums, self._counts, self._steps, self._samples, self._waited = {}, {}, 0, 0, 0.0
        self._began = time.perf_counter()

    def _means(self) -> dict[str, float]:
        sums, counts = dict[str, float](), dict[str, int]()
        mine = {name: (float(total), self._counts[name]) for name, total in self._sums.items()}
        for named in self.worker.everyones(mine):
            for name, (total, count) in named.items():
                sums[name] = sums.get(name, 0.0) + total
                counts[name] = counts.get(name, 0) + count
        return {name: total / counts[name] for name, total in sums.items()}

    def state(self) -> dict[str, Any]:
        """The lines so far, and the sums since the last one."""
        return {
            "sums": dict(self._sums), "counts": dict(self._counts), "steps": self._steps, "lines": list(self.lines)
        }  # fmt: skip

    def load(self, state: Mapping[str, Any], first: int) -> None:
        """Go on from `state()`, which was taken after `first` steps."""
        self._sums, self._steps = dict(state["sums"]), int(state["steps"])
        self._counts = dict(state.get("counts") or dict.fromkeys(self._sums, self._steps))
        self.lines = list(state["lines"]) if "lines" in state else _lines(self.path, first)

    def text(self) -> str:
        """All lines so far."""
        return "".join(f"{line}\n" for line in self.lines)


def _lines(path: Path, first: int) -> list[str]:
    """The lines up to a step that lie beside a checkpoint of an earlier version, which held none."""
    lines = path.read_text().splitlines() if path.exists() else []
    return [line for line in lines if json.loads(line)["step"] <= first]
