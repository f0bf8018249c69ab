"""Where studies and their cells are kept on disk. Stages, labels, ledger and cells are shared by all studies of a home.

HOME/ledger.sqlite  HOME/labels/  HOME/store/      what the lab keeps
HOME/cells/KEY/     cell.json  status.json  log.txt  record.json
HOME/studies/NAME/  study.yaml  cells.json  run.json  runs.json  spool/  report/
HOME/mlflow.db      HOME/mlartifacts/              the embedded tracking store
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from segfrontier.basics.reading import read_json
from segfrontier.errors import BadStudy
from segfrontier.market.acts import nearest


@dataclass(frozen=True)
class Home:
    """The folder that everything of a user's studies lies in."""

    path: Path

    @property
    def ledger(self) -> Path:
        """The record of all acts."""
        return self.path / "ledger.sqlite"

    @property
    def store(self) -> Path:
        """Results of stages."""
        return self.path / "store"

    def cell(self, key: str) -> Path:
        """The folder of a cell."""
        return self.path / "cells" / key

    def study(self, name: str) -> StudyHome:
        """The place of a study, whether it exists or not."""
        return StudyHome(self, name)

    def studies(self) -> list[str]:
        """Names of the studies that were started here."""
        return sorted(p.parent.name for p in self.path.glob("studies/*/study.yaml"))

    def find(self, name: str) -> StudyHome:
        """The place of a study that was started here."""
        known = self.studies()
        if name not in known:
            raise BadStudy(
                f"{self.path} must hold the study; found no {name!r} there: {nearest(name, known) if known else 'none'}"
            )
        return self.study(name)


@dataclass(frozen=True)
class StudyHome:
    """The folder of one study."""

    home: Home
    name: str

    @property
    def path(self) -> Path:
        """The folder itself."""
        return self.home.path / "studies" / self.name

    @property
    def file(self) -> Path:
        """The study as it was resolved when it last ran."""
        return self.path / "study.yaml"

    @property
    def spool(self) -> Path:
        """What waits to be told to MLflow."""
        return self.path / "spool"

    @property
    def report(self) -> Path:
        """Tables, pictures and pages."""
        return self.path / "report"

    def cell_keys(self) -> list[str]:
        """Keys of the study's cells, in the order of its table."""
        return list(read_json(self.path / "cells.json") or [])

    def runs(self) -> dict[str, str]:
        """MLflow's run id of each cell by its key, and of the study under its name; empty before any is known."""
        return dict(read_json(self.path / "runs.json") or {})
