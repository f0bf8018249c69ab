"""What the home holds of a study, read as MLflow shall show it. Nothing here asks MLflow, or writes."""

from __future__ import annotations

import json
import time
from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace
from hashlib import blake2b
from pathlib import Path
from typing import Any

from segfrontier.basics.reading import read_json, read_text
from segfrontier.home.context import read_context
from segfrontier.home.layout import LOG, StudyHome, within
from segfrontier.home.progress import PROGRESS
from segfrontier.home.records import HEADLINE, RECORD, Record
from segfrontier.home.status import Board
from segfrontier.tracking.curves import Curves
from segfrontier.tracking.payload import Plain, RunPayload, Value, cell_payload, config, ranked_by, unended_payload
from segfrontier.tracking.points import points
from segfrontier.tracking.studies import study_payload

FORM = 1
"""Of payloads: another number has all runs written anew."""
_OF_CHARTS = ("key", "state", "cell", "facet", "seconds", "values", "ended")


@dataclass(frozen=True)
class CellFiles:
    """A cell with something to show; `digest` is that of the files which its run follows from."""

    key: str
    state: str
    digest: str


class StudyFiles:
    """The files of one study and its cells, as they were at the last `look`."""

    def __init__(self, study: StudyHome) -> None:
        self.study = study
        self.facts: Plain = {}
        self.cells: tuple[CellFiles, ...] = ()
        self.digest = ""
        """Of what the study's own run follows from, the scores of its cells apart."""
        self._board = Board(study)
        self._plain: dict[str, Any] = {}
        self._ended: dict[str, tuple[object, Plain]] = {}

    def look(self) -> StudyFiles:
        """See what is there now."""
        self.facts = self._facts()
        states = {cell.key: cell.state for cell in self._board.look(alive=self.is_running)}
        found = []
        for key in dict.fromkeys([*states, *self.facts.get("cells", ())]):  # some may have left the table
            folder = self.study.home.cell(key)
            state = str(states.get(key, "ended" if (folder / RECORD).exists() else "waiting"))
            if state != "waiting" and (state != "stopped" or (folder / PROGRESS).exists()):
                found.append(CellFiles(key, state, self._digest_of(folder, state)))
        self.cells = tuple(found)
        self.digest = _digest(self.facts, [(p.name, stamp(p)) for p in self._report()])
        return self

    @property
    def is_running(self) -> bool:
        """Whether a run is at work on the study."""
        return self.facts.get("state") == "running"

    def cell(self, cell: CellFiles) -> tuple[RunPayload, Curves]:
        """The run of a cell; and its charts, which may grow on."""
        folder = self.study.home.cell(cell.key)
        curves = Curves(folder)
        read = tuple(curves.new())
        if cell.state in ("running", "stopped"):
            plain, began = read_json(folder / "cell.json"), curves.began or time.time()
            ended = curves.last or began
            return unended_payload(cell.key, plain, cell.state, self.facts, read, began, ended, _log(folder)), curves
        record = self._record(folder, curves)
        payload = cell_payload(record, self.facts, (*read, *curves.recorded(record)), curves.began)
        return replace(payload, files=(*payload.files, *_log(folder)), model=self._model(record)), curves

    def whole(self) -> tuple[RunPayload, frozenset[Value]]:
        """The run of the study itself, and the points of its charts."""
        records = self._records()
        for key in set(self.study.cell_keys()) - self._plain.keys():
            self._plain[key] = read_json(self.study.home.cell(key) / "cell.json")
        cells = [plain for plain in self._plain.values() if isinstance(plain, dict)]
        payload = study_payload(self.facts, cells, records, self._report())
        return payload, frozenset(points(records, self.facts, early=not self.is_running))

    def _facts(self) -> dict[str, Any]:
        """The study's file, and its context where a run of this version was."""
        text = read_text(self.study.file, what="a study") if self.study.file.exists() else ""
        context = read_context(self.study)
        if context.get("state") == "running" and not self._board.alive():
            context["state"] = "stopped"  # killed
        return {**context, "study": self.study.name, "config": text}

    def _digest_of(self, folder: Path, state: str) -> str:
        about = [self.facts.get("worlds"), self.facts.get("earlier"), self._asked("methods"), self._asked("models")]
        about.append(len(self.facts.get("facets") or ()) > 1)
        if (metric := ranked_by(self.facts)) != HEADLINE:
            about.append(metric)
        return _digest(state, [stamp(folder / name) for name in (RECORD, PROGRESS, LOG)], about)

    def _asked(self, name: str) -> Any:
        """What the study's file says."""
        return config(self.facts["config"]).get(name)

    def _record(self, folder: Path, curves: Curves) -> Plain:
        record = Record.read(folder)
        if record is None:
            raise ValueError("its record is damaged")
        plain = record.plain()
        if not record.ended:  # the cell's process died, and another one wrote this
            plain |= {"started": curves.began or 0.0, "ended": curves.last or 0.0}
        return plain

    def _model(self, record: Plain) -> Mapping[str, Any]:
        """The cell's final model, where the study asks for it; the weights are read in the store."""
        asked, model = self._asked("models") or {}, record["model"]
        if record["state"] != "done" or model is None or not (asked.get("log") or asked.get("register_as")):
            return {}
        folder = self.study.home.store / "entries" / model["stage"]
        return {**model, "folder": str(folder), "register": asked.get("register_as")}

    def _records(self) -> Collection[Plain]:
        """What charts need of the records of the table's cells; each is read when it has changed."""
        for key in self.study.cell_keys():
            mark = stamp(self.study.home.cell(key) / RECORD)
            if mark != self._ended.get(key, ((0, 0), {}))[0]:
                record = Record.read(self.study.home.cell(key))
                plain = {} if record is None else record.plain()
                self._ended[key] = (mark, {name: plain[name] for name in _OF_CHARTS if name in plain})
        return [found for key in self.study.cell_keys() if (found := self._ended.get(key, (0, {}))[1])]

    def _report(self) -> tuple[Path, ...]:
        """Tables and pictures; while the study runs, what is there is of the time before."""
        folder = self.study.report
        if self.is_running or not folder.is_dir():
            return ()
        found = sorted(p for p in folder.iterdir() if not p.name.startswith("."))
        return tuple(path for path in found if within(self.study.home.path, path))


def stamp(path: Path) -> tuple[int, int]:
    """What changes with a file's content; zeros where there is none."""
    try:
        status = path.stat()
    except OSError:
        return (0, 0)
    return (status.st_size, status.st_mtime_ns)


def _log(folder: Path) -> tuple[Path, ...]:
    log = folder / LOG
    return (log,) if within(folder.absolute().parents[1], log) else ()


def _digest(*parts: object) -> str:
    return blake2b(json.dumps([FORM, *parts], sort_keys=True).encode(), digest_size=12).hexdigest()
