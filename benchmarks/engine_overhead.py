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
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent / "scale"))

from made import Meter, installed_here, resident
from toystudy import toy_study

from segfrontier.study.run import run_study


def main() -> None:
    """Run the study three times."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--cells", type=int, default=1000)
    parser.add_argument("--tracking", default="none", help="an MLflow address, or none")
    parser.add_argument("--profile", action="store_true", help="of the third run")
    given = parser.parse_args()
    with ExitStack() as held:
        held.enter_context(installed_here())
        folder = Path(held.enter_context(tempfile.TemporaryDirectory()))
        methods = [{"name": "same", "knobs": {"number": list(range(given.cells))}}]
        study = toy_study(folder, methods=methods, budgets=[200 / 3600], seeds=[0])

        def run(profile: cProfile.Profile | None = None) -> tuple[float, Meter]:
            meter, began = Meter(time.perf_counter), time.perf_counter()
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


if __name__ == "__main__":
    main()
