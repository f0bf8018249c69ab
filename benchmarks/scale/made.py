"""Studies of as many cells as are asked for that cost next to nothing, and homes where they have ended already."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from types import SimpleNamespace
from unittest.mock import patch

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tests"))

from toystudy import toy_study  # noqa: E402

from segfrontier.basics.atomic import write_json, write_text  # noqa: E402
from segfrontier.basics.installed import entry_points  # noqa: E402
from segfrontier.home.layout import CELLS, StudyHome, open_home  # noqa: E402
from segfrontier.home.records import Record  # noqa: E402
from segfrontier.lab import Fine, Lab, Model, Part, Recipe  # noqa: E402
from segfrontier.study.cells import expand  # noqa: E402
from segfrontier.study.config import Study  # noqa: E402
from segfrontier.study.keys import Atlas, keyed, plain_cell, write_cell  # noqa: E402
from segfrontier.study.run import StudyWatcher  # noqa: E402
from segfrontier_methods.supervised.method import fit  # noqa: E402

SEEDS, BUDGETS = 5, 5


@dataclass(frozen=True, kw_only=True)
class Same:
    """Buys and trains the same whatever its knob says, so that all of its cells of a seed share their stages."""

    number: int = 0

    def run(self, lab: Lab, recipe: Recipe) -> Model:
        """Buy, train."""
        labels = lab.buy(Fine(lab.pool.scenes()[:2]))
        return fit(lab, recipe, Part(images=lab.pool, labels=labels))


class Meter(StudyWatcher):
    """Notes when each cell ends, by a clock, and how large the process is then."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self.times: list[float] = []
        self.sizes: list[float] = []
        self._clock = clock

    def ended(self, key: str, outcome: str, record: Record | None) -> None:
        assert outcome == "done", record
        self.times.append(self._clock())
        self.sizes.append(resident())


def resident() -> float:
    """Megabytes of this process that lie in memory."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * 4096 / 1e6


@contextmanager
def installed_here() -> Iterator[None]:
    """`Same` is a method inside the block."""
    entry = SimpleNamespace(name="same", value="made:Same", load=lambda: Same)
    known = [*entry_points(group="segfrontier.methods"), entry]
    with patch("segfrontier.basics.installed.entry_points", lambda group: known):
        yield


def study_of(folder: Path, cells: int) -> Study:
    """A study of so many cells: of `SEEDS` seeds at `BUDGETS` budgets for each setting where there are enough."""
    seeds, budgets = (SEEDS, BUDGETS) if cells >= 4 * SEEDS * BUDGETS else (1, 1)
    methods = [{"name": "same", "knobs": {"number": list(range(cells // seeds // budgets))}}]
    hours = [(200 + 100 * n) / 3600 for n in range(budgets)]
    return toy_study(folder, methods=methods, budgets=hours, seeds=list(range(seeds)))


def ended(study: Study, like: Record, home: Path, *, done: float = 1.0) -> StudyHome:
    """A home where a share of a study's cells has ended, each with a record like this one, and the rest waits."""
    place = open_home(home).study(study.name)
    cells = keyed(expand(study), Atlas())
    for number, (key, cell) in enumerate(cells.items()):
        write_cell(place.home, key, cell)
        if number < done * len(cells):
            values = {name: value * (0.5 + (number * 7919 % 1000) / 2000) for name, value in like.values.items()}
            record = replace(
                like, key=key, cell=plain_cell(cell), facet=cell.facet.digest, facet_words=str(cell.facet),
                values=values, ended=like.ended + number,
            )  # fmt: skip
            record.write(place.home)
    write_json(place.path / CELLS, list(cells))
    write_text(place.file, study.to_yaml())
    return place
