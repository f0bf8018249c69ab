"""What the home holds of a study is held against its runs in MLflow, and what these lack is written.

There is no journal: a study's cells, records and progress files are all there is to know. A run names the digest of the
files that it was written from, and gets it last; so a sync that was killed, or that MLflow did not answer, is done by
the next one, and one that finds all in step changes nothing.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from segfrontier.basics.atomic import write_json
from segfrontier.basics.locks import FileLock
from segfrontier.basics.reading import read_json
from segfrontier.home.layout import StudyHome
from segfrontier.home.records import metric_of
from segfrontier.tracking.address import hidden
from segfrontier.tracking.curves import Curves
from segfrontier.tracking.files import CellFiles, StudyFiles
from segfrontier.tracking.payload import STUDY_TAG, RunPayload, Value

if TYPE_CHECKING:
    from segfrontier.tracking.runs import Runs

_KEEP_SECONDS = 1.0
_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Synced:
    """How many runs were written, how many still lack something, and why."""

    written: int
    left: int
    error: str = ""


def sync(study: StudyHome, uri: str) -> Synced | None:
    """Bring a study's runs up to date, once; None where another process is at it."""
    with sole(study) as alone:
        return Sync(study, uri).run() if alone else None


@contextmanager
def sole(study: StudyHome) -> Iterator[bool]:
    """Whether the block alone may write a study's runs."""
    lock = FileLock(study.path / "mlflow.lock")
    taken = lock.take()
    try:
        yield taken
    finally:
        lock.release()


class _Unreadable(Exception):
    """The files of a cell, or of the study, say nothing that could be shown."""


@dataclass
class _Written:
    """A run as it was written last: the files that it follows from and, of a cell that works, its charts so far."""

    run: str = ""
    digest: str = ""
    curves: Curves | None = None


class Sync:
    """Keeps the runs of one study in step, pass after pass; whoever calls is its `sole` one."""

    def __init__(self, study: StudyHome, uri: str) -> None:
        self.study, self.uri = study, uri
        self._files = StudyFiles(study)
        self._runs: Runs | None = None
        self._written: dict[str, _Written] = {}  # by cell key, and the study's own under its name
        self._refused: dict[str, str] = {}  # the digest of what MLflow would not take
        self._note, self._charted = "", frozenset[Value]()
        self._ids, self._kept_at = _ids(study), 0.0

    def run(self, *, going: Callable[[], bool] = lambda: True) -> Synced:
        """Write what is missing, until `going` says no or MLflow does not answer. Safe to kill and to repeat."""
        written, due = 0, list[CellFiles]()
        try:
            files = self._files.look()
            if not files.cells and "state" not in files.facts:
                return Synced(0, 0)
            due = list(files.cells)
            self._open()
            due = sorted((cell for cell in files.cells if self._is_due(cell)), key=lambda cell: cell.state != "running")
            for cell in due:
                if not going():
                    return Synced(written, len(due) - written, "ended before all was written")
                self._guarded(cell.key, cell.digest, partial(self._write_cell, cell))
                written += 1
            if due or self._study_is_due():
                self._guarded(self.study.name, files.digest, self._write_study)
        except Exception as problem:  # MLflow passes on errors of its database and of the network as they are
            self._runs = None
            return Synced(written, max(1, len(due) - written), line_of(problem))
        finally:
            self._keep_ids()
        return Synced(written, 0)

    def _is_due(self, cell: CellFiles) -> bool:
        written = self._written.get(cell.key)
        return self._refused.get(cell.key) != cell.digest and (written is None or written.digest != cell.digest)

    def _study_is_due(self) -> bool:
        name, digest = self.study.name, self._files.digest
        if self._refused.get(name) == digest:
            return False
        return not self._note or self._written.get(name, _Written()).digest != digest

    def _guarded(self, key: str, digest: str, write: Callable[[], object]) -> None:
        """Write one run. What MLflow refuses is tried afresh once: somebody may have deleted the run meanwhile.

        What can never be written must not stop the others.
        """
        try:
            try:
                write()
            except Exception as problem:
                if not _is_refused(problem):
                    raise
                self._runs = None
                write()
        except Exception as problem:
            if not _is_refused(problem) and not isinstance(problem, _Unreadable):
                raise
            self._refused[key] = digest
            _log.error("%s is not shown: %s", key, line_of(problem))

    def _open(self) -> Runs:
        """The study's runs, with what MLflow holds of them by now."""
        from segfrontier.tracking.runs import Runs

        if self._runs is None:
            self._runs = Runs(self.uri, self.study.name, metric_of(self.study))
            self._note, self._charted, self._written = "", frozenset(), {}
            parent = self._runs.found.get((STUDY_TAG, self.study.name))
            for (tag, value), found in self._runs.found.items():
                self._ids[value] = found.run
                whole = tag == STUDY_TAG or (parent is not None and found.parent == parent.run)
                self._written[value] = _Written(found.run, found.digest if whole else "")
        return self._runs

    # ---------------------------------------------------------------------------------------------------------- cells

    def _write_cell(self, cell: CellFiles) -> None:
        runs, written = self._open(), self._written.get(cell.key)
        if cell.state == "running" and written is not None and written.curves is not None:
            runs.log(written.run, written.curves.new())
            written.digest = cell.digest
            return
        parent = self._written.get(self.study.name) or self._write_study()
        with _reading():
            payload, curves = self._files.cell(cell)
        run = runs.write(payload, parent=parent.run)
        self._ids[cell.key] = run
        if time.monotonic() - self._kept_at > _KEEP_SECONDS:
            self._keep_ids()
        if payload.model:
            self._log_model(cell.key, run, payload, runs)
        if cell.state != "running":
            runs.end(run, payload, cell.digest)
        self._written[cell.key] = _Written(run, cell.digest, curves if cell.state == "running" else None)

    def _log_model(self, key: str, run: str, payload: RunPayload, runs: Runs) -> None:
        from mlflow.exceptions import MlflowException

        from segfrontier.tracking.models import log_final

        if not Path(payload.model["folder"]).is_dir() or runs.beside_server:
            why = "its artefacts are a server's" if runs.beside_server else "its stored result is gone"
            _log.warning("the model of cell %s is not logged: %s", key, why)
            return
        try:
            log_final(self.uri, run, payload.model)
        except Exception as problem:
            if isinstance(problem, MlflowException | OSError):  # an outage: it is worth another try
                raise
            _log.error("the model of cell %s is not logged: %s", key, line_of(problem))

    # ---------------------------------------------------------------------------------------------------------- study

    def _write_study(self) -> _Written:
        """The run that holds the others: made first, and brought up to its cells after them."""
        runs, name, digest = self._open(), self.study.name, self._files.digest
        with _reading():
            payload, charted = self._files.whole()
        written = self._written.get(name)
        if written is None or written.digest != digest:
            run = runs.write(payload)
            if payload.status != "RUNNING":
                runs.end(run, payload, digest)
            written = self._written[name] = _Written(run, digest)
            self._ids[name] = run
        if self._note != payload.note:
            runs.note(written.run, payload.note)
        runs.log(written.run, charted - self._charted)
        self._note, self._charted = payload.note, self._charted | charted
        return written

    def _keep_ids(self) -> None:
        """Run ids by cell key, for whoever reports."""
        self._kept_at = time.monotonic()
        if self._ids != _ids(self.study):
            write_json(self.study.path / "runs.json", self._ids)


def _ids(study: StudyHome) -> dict[str, str]:
    found = read_json(study.path / "runs.json")
    return {key: run for key, run in found.items() if isinstance(run, str)} if isinstance(found, dict) else {}


@contextmanager
def _reading() -> Iterator[None]:
    try:
        yield
    except Exception as problem:  # whatever is wrong with the files of one run
        raise _Unreadable(str(problem)) from problem


def line_of(problem: Exception) -> str:
    """An error in one line that a log can hold."""
    return hidden(f"{type(problem).__name__}: {' '.join(str(problem).split())[:300]}")


def _is_refused(problem: Exception) -> bool:
    """Whether MLflow understood what it got and will not take it; anything else is worth another try later."""
    from mlflow.exceptions import MlflowException

    return isinstance(problem, MlflowException) and problem.get_http_status_code() == 400
