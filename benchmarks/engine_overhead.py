"""What the engine adds to a cell whose stages are all stored, and whether its memory grows with the number of cells.

A study of many cells on a toy world that share one training and one score: the first run computes them once and finds
them for all other cells. It is run again, when all of its records are there; and once more after the records were
removed, so that every cell is done anew from stored stages. Time and resident memory are this process's.
"""

from __future__ import annotations

import argparse
import cProfile
import pstats
import sys
import tempfile
import time
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace
from unittest.mock import patch

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "tests"))

from toystudy import toy_study  # noqa: E402

from segfrontier.basics.installed import entry_points  # noqa: E402
from segfrontier.home.records import Record  # noqa: E402
from segfrontier.lab import Fine, Lab, Model, Part, Recipe  # noqa: E402
from segfrontier.study.run import StudyWatcher, run_study  # noqa: E402
from segfrontier_methods.supervised.method import fit  # noqa: E402


@dataclass(frozen=True, kw_only=True)
class Same:
    """Buys and trains the same whatever its knob says, so that all of its cells share their stages."""

    number: int = 0

    def run(self, lab: Lab, recipe: Recipe) -> Model:
        """Buy, train."""
        labels = lab.buy(Fine(lab.pool.scenes()[:2]))
        return fit(lab, recipe, Part(images=lab.pool, labels=labels))


class Meter(StudyWatcher):
    """Notes when each cell ends, and how large the process is then."""

    def __init__(self) -> None:
        self.times: list[float] = []
        self.sizes: list[float] = []

    def ended(self, key: str, outcome: str, record: Record | None) -> None:
        assert outcome == "done", record
        self.times.append(time.perf_counter())
        self.sizes.append(resident())


def main() -> None:
    """Run the study three times."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--cells", type=int, default=1000)
    parser.add_argument("--tracking", default="none", help="an MLflow address, or none")
    parser.add_argument("--profile", action="store_true", help="of the third run")
    given = parser.parse_args()
    entry = SimpleNamespace(name="same", value="benchmarks:Same", load=lambda: Same)
    with ExitStack() as held:
        known = [*entry_points(group="segfrontier.methods"), entry]
        held.enter_context(patch("segfrontier.basics.installed.entry_points", lambda group: known))
        folder = Path(held.enter_context(tempfile.TemporaryDirectory()))
        methods = [{"name": "same", "knobs": {"number": list(range(given.cells))}}]
        study = toy_study(folder, methods=methods, budgets=[200 / 3600], seeds=[0])

        def run(profile: cProfile.Profile | None = None) -> tuple[float, Meter]:
            meter, began = Meter(), time.perf_counter()
            with profile or ExitStack():
                run_study(study, home=folder / "runs", tracking=given.tracking, watcher=meter)
            return time.perf_counter() - began, meter

        tell("first run, all but one found", *run(), given.cells)
        tell("again, all records there", *run(), given.cells)
        for file in (folder / "runs/cells").glob("*/record.json"):
            file.unlink()
        profile = cProfile.Profile() if given.profile else None
        tell("without the records, all stages there", *run(profile), given.cells)
        if profile is not None:
            pstats.Stats(profile).sort_stats("cumulative").print_stats(60)


def tell(name: str, seconds: float, meter: Meter, cells: int) -> None:
    """One line a run."""
    line = f"{name}: {seconds:.1f} s, {1000 * seconds / cells:.1f} ms a cell with all that comes before and after"
    if len(meter.times) > 20:
        steps = [b - a for a, b in zip(meter.times[1:], meter.times[2:], strict=False)]
        tenth = len(steps) // 10
        line += (
            f"; from cell to cell {1000 * median(steps):.1f} ms (first tenth {1000 * median(steps[:tenth]):.1f}, last "
            f"{1000 * median(steps[-tenth:]):.1f}); resident {meter.sizes[tenth]:.0f} MB after a tenth, "
            f"{meter.sizes[-1]:.0f} at the end"
        )
    print(f"{line}; resident now {resident():.0f} MB", flush=True)


def median(values: Sequence[float]) -> float:
    """The middle one."""
    return sorted(values)[len(values) // 2]


def resident() -> float:
    """Megabytes of this process that lie in memory."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * 4096 / 1e6


if __name__ == "__main__":
    main()
