"""Handing a study's results to MLflow: all of it goes through the study's spool, so an outage costs nothing."""

from __future__ import annotations

import time
from collections.abc import Collection, Iterable, Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Literal

from segfrontier.home.layout import StudyHome
from segfrontier.home.records import Record, records
from segfrontier.study.config import ModelLog
from segfrontier.study.environment import commit, environment
from segfrontier.tracking import Spool, Writer, resolve

_PATIENCE = 10.0


NONE = "none"
"""The tracking URI of those who want no MLflow; the spool fills all the same, for a run that does."""


class Publisher:
    """Tells of a study while the block lasts; the talking to MLflow is done by a process of its own."""

    def __init__(
        self,
        study: StudyHome,
        config: str,
        worlds: Mapping[str, str],
        facets: Collection[str],
        *,
        uri: str | None,
        models: ModelLog | None = None,
    ) -> None:
        self._study = study
        self._models = models or ModelLog()
        self._spool = Spool(study.spool)
        wanted = uri != NONE
        self._writer = Writer(self._spool, resolve(uri, study.home.path), study.path / "runs.json") if wanted else None
        self._about = {
            "study": study.name, "config": config, "worlds": dict(worlds), "facets": sorted(facets),
            "environment": environment(), "commit": commit(),
        }  # fmt: skip

    def __enter__(self) -> Publisher:
        self.state("running")
        self._catch_up()
        if self._writer is not None:
            self._writer.__enter__()
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        if self._writer is not None:
            self._writer.close(wait=kind is not KeyboardInterrupt)

    @property
    def left(self) -> int:
        """How many entries MLflow has not taken yet, where it is wanted; the next run goes on with them."""
        return len(self._spool.waiting()) if self._writer is not None else 0

    def state(self, state: Literal["running", "done", "failed", "stopped"]) -> None:
        """How the study stands."""
        self._spool.put("study", self._study.name, self._about | {"state": state})

    def cell(self, record: Record) -> None:
        """A cell has ended."""
        self._spool.put("cell", record.key, record.plain() | {"study": self._study.name})
        self._model(record)

    def _model(self, record: Record) -> None:
        """Its final model, where the study asks for it; the weights are read in the store when MLflow takes it."""
        if not self._models.wanted or record.state != "done" or record.model is None:
            return
        folder = self._study.home.store / "entries" / record.model.stage
        told = {"study": self._study.name, "folder": str(folder), "register": self._models.register_as}
        self._spool.put("model", record.key, told | asdict(record.model))

    def files(self, files: Iterable[Path]) -> None:
        """The study's tables and pictures."""
        self._spool.put("artefacts", self._study.name, {"study": self._study.name, "files": [str(f) for f in files]})

    def settle(self) -> None:
        """Give the writer a moment, so that reports can name the runs."""
        until = time.monotonic() + (_PATIENCE if self._writer is not None else 0)
        while self.left and time.monotonic() < until:
            time.sleep(0.1)

    def _catch_up(self) -> None:
        """Cells that ended while nobody told: those of another study, or of a run that was killed."""
        told = set(self._study.runs()) | {entry.key for entry in self._spool.entries()}
        entries = (*self._spool.entries(), *self._spool.history()) if self._models.wanted else ()
        logged = {entry.key for entry in entries if entry.kind == "model"}
        for record in records(self._study, states=("done", "failed", "cut")):
            if record.key not in told:
                self.cell(record)
            elif record.key not in logged:
                self._model(record)
