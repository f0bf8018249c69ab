"""Where studies and their cells are kept on disk. Stages, labels, ledger and cells are shared by all studies of a home.

HOME/ledger/  HOME/labels/  HOME/store/            what the lab keeps
HOME/cells/KEY/     cell.json  status.json  log.txt  progress.jsonl  record.json
HOME/studies/NAME/  study.yaml  cells.json  context.json  run.json  lease.N  runs.json  mlflow.log  report/
HOME/weights.json                                  which weights `pretrained: auto` stands for, by encoder
HOME/.segfrontier.json                             says that it is a home
HOME/mlflow.db      HOME/mlartifacts/              the embedded tracking store
"""

from __future__ import annotations

import os
import re
import warnings
from dataclasses import dataclass
from pathlib import Path

from segfrontier.basics.marks import claim, kind_of
from segfrontier.basics.reading import read_json
from segfrontier.basics.wording import nearest
from segfrontier.errors import BadInput, BadStudy

CELL, STATUS, CUT, LOG = "cell.json", "status.json", "cut", "log.txt"
"""Files in a cell's folder. `cell.json` says what the cell is, before it begins; `cut` is written by the executor when
early stopping ends it."""
CELLS = "cells.json"
"""In a study's folder: the keys of its table."""


@dataclass(frozen=True)
class Home:
    """The folder that everything of a user's studies lies in."""

    path: Path

    @property
    def ledger(self) -> Path:
        """The record of all acts: a folder with an account for each cell."""
        return self.path / "ledger"

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
    def report(self) -> Path:
        """Tables, pictures and pages."""
        return self.path / "report"

    def cell_keys(self) -> list[str]:
        """Keys of the study's cells, in the order of its table; none where their list is not there, or damaged."""
        plain = read_json(file := self.path / CELLS)
        if isinstance(plain, list) and all(isinstance(key, str) and is_key(key) for key in plain):
            return list(dict.fromkeys(plain))
        warn_of_damage(file, "a list of cell keys; run the study again to have it written anew")
        return []

    def runs(self) -> dict[str, str]:
        """MLflow's run id of each cell by its key, and of the study under its name; empty before any is known."""
        plain = read_json(file := self.path / "runs.json")
        if isinstance(plain, dict) and all(isinstance(run, str) for run in plain.values()):
            return plain
        warn_of_damage(file, "run ids by cell key; MLflow's runs are found again by their tags")
        return {}


def within(home: Path, path: Path) -> bool:
    """Whether a path ends in a home, links followed, or in the store that it keeps elsewhere behind a link.

    A home may be a stranger's: what its records name and its files link to is shown, copied and sent on by others.
    """
    store = home / "store"
    roots = [home, store] if kind_of(store) == "store" else [home]
    return any(Path(os.path.realpath(path)).is_relative_to(os.path.realpath(root)) for root in roots)


class DamagedFile(UserWarning):
    """A file of a home does not hold what was written there; it counts as absent."""


def warn_of_damage(file: Path, rule: str) -> None:
    """Say once that a file which is there cannot be used."""
    if os.path.lexists(file):
        warnings.warn(f"{file} must hold {rule}. It does not, and counts as absent.", DamagedFile, stacklevel=3)


def is_key(text: str) -> bool:
    """Whether a text can be the key of a cell, or the beginning of one: a name, and no path."""
    return re.fullmatch(r"[^./\x00-\x1f][^/\x00-\x1f]{0,199}", text) is not None


def open_home(path: Path) -> Home:
    """The home that a run writes to: made where there is none, and marked as one."""
    home = Home(path.absolute())
    claim(home.path, "home")
    return home


def find_home(path: Path) -> Home:
    """The home that is there, for those who look; refused where there is none."""
    home = Home(path.absolute())
    if not home.path.is_dir():
        what = "it is a file" if home.path.exists() else "there is no such folder"
        raise BadInput(
            f"--home must be a folder that studies were run in; found {home.path}: {what}. Correct the path."
        )
    if kind_of(home.path) != "home" and not any((home.path / name).is_dir() for name in ("studies", "cells")):
        raise BadInput(
            f"--home must be a folder that studies were run in; {home.path} has no mark of one and no studies. Correct "
            f"the path, or run a study first: `segfrontier demo`."
        )
    return home
