"""Replay: what waits in a study's spool is told to MLflow, oldest first, and is done only after MLflow took it."""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from segfrontier.basics.atomic import write_json
from segfrontier.basics.reading import read_json
from segfrontier.tracking.address import hidden
from segfrontier.tracking.points import Point, points
from segfrontier.tracking.spool import Entry, Spool
from segfrontier.tracking.studies import study_payload
from segfrontier.tracking.payload import CELL_TAG, STUDY_TAG, Plain, RunPayload, cell_payload

if TYPE_CHECKING:
    from segfrontier.tracking.runs import Runs

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Replayed:
    """How many entries MLflow took, how many still wait, and why."""

    sent: int
    left: int
    error: str = ""


def replay(spool: Spool, uri: str, *, runs_file: Path) -> Replayed:
    """Tell MLflow all that waits. Safe to kill and to repeat: runs are found again by their keys.

    `runs_file` gets the run id of each cell by its key, and the study's under its name.
    """
    with spool.held():
        return Replayer(spool, uri, runs_file).run()


@dataclass(frozen=True, kw_only=True)
class _Work:
    """What an entry comes to."""

    study: RunPayload
    cell: RunPayload | None
    files: tuple[Path, ...]
    points: frozenset[Point]


class Replayer:
    """Replays the spool of one study, again and again; the caller holds the spool."""

    def __init__(self, spool: Spool, uri: str, runs_file: Path) -> None:
        self.spool, self.uri, self.runs_file = spool, uri, runs_file
        self._study: Plain = {}
        self._records: dict[str, Plain] = {}
        self._runs: Runs | None = None
        self._parent = ""
        self._plotted: frozenset[Point] = frozenset()
        for entry in spool.history():
            self._study, self._records = self._with(entry)

    def run(self, *, going: Callable[[], bool] = lambda: True) -> Replayed:
        """Tell what waits, until `going` says no or MLflow does not answer."""
        sent = 0
        for entry in self.spool.entries():
            if not going():
                return Replayed(sent, len(self.spool.waiting()), "stopped before all was told")
            try:
                work = self._understand(entry)
            except Exception as problem:  # whatever is wrong with one entry must not stop the others
                self._set_aside(entry, problem)
                continue
            try:
                self._send(entry, work)
                self.spool.done(entry)
            except Exception as problem:  # MLflow passes on errors of its database and of the network as they are
                self._runs = None
                if not _refused(problem):
                    return Replayed(sent, len(self.spool.waiting()), _line(problem))
                self._set_aside(entry, problem)
            else:
                sent += 1
        return Replayed(sent, len(self.spool.waiting()))

    def _understand(self, entry: Entry) -> _Work:
        name, known = entry.content["study"], self._study.get("study")
        if known not in (None, name):
            raise ValueError(f"a spool must hold one study; this one holds {known!r} and {name!r}")
        if entry.kind not in ("study", "cell", "artefacts", "model"):
            raise ValueError(f"an entry must be of kind study, cell, artefacts or model; found {entry.kind!r}")
        study, records = self._with(entry)
        cell = cell_payload(entry.content, study) if entry.kind == "cell" else None
        files = tuple(map(Path, entry.content["files"])) if entry.kind == "artefacts" else ()
        plotted = frozenset(points(records.values(), study, early=entry.kind == "artefacts"))
        told = study_payload(study, records.values(), entry.at)
        self._study, self._records = study, records
        return _Work(study=told, cell=cell, files=files, points=plotted)

    def _send(self, entry: Entry, work: _Work) -> None:
        """Tell MLflow. What it refuses is tried afresh once: somebody may have deleted the study's run meanwhile."""
        try:
            self._deliver(entry, work)
        except Exception as problem:
            if not _refused(problem):
                raise
            self._runs = None
            self._deliver(entry, work)

    def _deliver(self, entry: Entry, work: _Work) -> None:
        runs = self._open(work.study.name)
        if entry.kind == "study" or not self._parent:
            self._parent = runs.tell(work.study, STUDY_TAG)
            self._keep_run(work.study.name, self._parent)
        if work.cell is not None:
            self._keep_run(entry.key, runs.tell(work.cell, CELL_TAG, parent=self._parent))
            runs.note(self._parent, work.study.note)
        if entry.kind == "model":
            self._deliver_model(entry, runs)
        for path in work.files:
            if path.exists():
                runs.upload(self._parent, path)
            else:
                _log.warning("%s is gone; it is not among the study's artefacts", path)
        runs.plot(self._parent, work.points - self._plotted)
        self._plotted |= work.points

    def _deliver_model(self, entry: Entry, runs: Runs) -> None:
        from mlflow.exceptions import MlflowException

        from segfrontier.tracking.models import log_final

        run = runs.find(CELL_TAG, entry.key)
        if run is None or not Path(entry.content["folder"]).is_dir() or runs.beside_server:
            why = "its artefacts are a server's" if runs.beside_server else "its run, or its stored result, is gone"
            _log.warning("the model of cell %s is not logged: %s", entry.key, why)
            return
        try:
            log_final(self.uri, run, entry.content)
        except Exception as problem:
            if isinstance(problem, MlflowException | OSError):  # an outage: it is worth another try
                raise
            _log.error("the model of cell %s is not logged: %s", entry.key, _line(problem))

    def _open(self, study: str) -> Runs:
        """The study's place in MLflow."""
        from segfrontier.tracking.runs import Runs

        if self._runs is None:
            self._runs = Runs(self.uri, study)
            self._parent, self._plotted = self._runs.find(STUDY_TAG, study) or "", frozenset()
        return self._runs

    def _with(self, entry: Entry) -> tuple[Plain, dict[str, Plain]]:
        """What is known of the study and its cells once an entry is."""
        study = entry.content if entry.kind == "study" else self._study or {"study": entry.content["study"]}
        return study, self._records | ({entry.key: entry.content} if entry.kind == "cell" else {})

    def _keep_run(self, key: str, run: str) -> None:
        found = read_json(self.runs_file)
        known = found if isinstance(found, dict) else {}
        if known.get(key) != run:
            write_json(self.runs_file, known | {key: run})

    def _set_aside(self, entry: Entry, problem: Exception) -> None:
        """An entry that can never be told must not stop the others."""
        _log.error("set aside as %s: %s", self.spool.set_aside(entry.path), _line(problem))


def _line(problem: Exception) -> str:
    """An error in one line that a log can hold."""
    return hidden(f"{type(problem).__name__}: {' '.join(str(problem).split())[:300]}")


def _refused(problem: Exception) -> bool:
    """Whether MLflow understood what it was told and will not take it; anything else is worth another try later."""
    from mlflow.exceptions import MlflowException

    return isinstance(problem, MlflowException) and problem.get_http_status_code() == 400
