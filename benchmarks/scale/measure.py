"""What a cell costs the engine at 10, 100 and 1,000 tiny cells, and what looking costs at 1,000 to 10,000 ended ones.

All is of one process, and counted besides timed: files opened, renamed and synced, bytes and files left, resident
memory. `model.py` makes of it what a study of 10,000 cells over 1,000 GPUs would take.

    python benchmarks/scale/measure.py --run 10 100 1000 --read 1000 2000 10000 --mlflow 20 100 --out figures.json
"""

from __future__ import annotations

import argparse
import cProfile
import io
import json
import os
import pstats
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parent))

from made import Meter, ended, installed_here, resident, study_of

from segfrontier.home.layout import StudyHome
from segfrontier.home.records import Record, records
from segfrontier.home.status import Board
from segfrontier.study.run import run_study

COUNTED: Counter[str] = Counter()


def main() -> None:
    """Measure what was asked for, and write it."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--run", type=int, nargs="*", default=[10, 100, 1000], help="cells that are computed")
    parser.add_argument("--read", type=int, nargs="*", default=[1000, 2000, 10000], help="cells that have ended")
    parser.add_argument("--mlflow", type=int, nargs="*", default=[20, 100], help="cells that are synced")
    parser.add_argument("--profile", default="", help="one of the looks, of the largest home: its costliest functions")
    parser.add_argument("--out", type=Path)
    given = parser.parse_args()
    count_calls()
    figures: dict[str, Any] = {"machine": f"{os.cpu_count()} cores, shared", "python": sys.version.split()[0]}
    with tempfile.TemporaryDirectory() as scratch, installed_here():
        folder = Path(scratch)
        like = first(folder)
        figures["run"] = {n: tell(f"run of {n}", run(folder, n)) for n in given.run}
        figures["read"] = {}
        for n in given.read:
            place, waits = (ended(study_of(folder, n), like, folder / f"{name}{n}", done=share)
                            for name, share in (("ended", 1.0), ("half", 0.5)))  # fmt: skip
            figures["read"][n] = {
                name: tell(f"{name} of {n}", measured(look)) for name, look in looks(place, waits).items()
            }
            if given.profile and n == max(given.read):
                profiled(looks(place, waits)[given.profile])
        figures["mlflow"] = {n: tell(f"MLflow of {n}", synced(folder, like, n)) for n in given.mlflow}
    if given.out:
        given.out.write_text(json.dumps(figures, indent=1) + "\n")


def first(folder: Path) -> Record:
    """The record of a cell that was computed."""
    finished = run_study(study_of(folder, 1), home=folder / "first", tracking="none")
    return records(finished.study)[0]


def run(folder: Path, cells: int) -> dict[str, Any]:
    """A study is run, and run again when all of its records are there."""
    study, home, meter = study_of(folder, cells), folder / f"run{cells}", Meter(time.process_time)
    took = measured(lambda: run_study(study, home=home, tracking="none", watcher=meter))
    steps = sorted(b - a for a, b in zip(meter.times, meter.times[1:], strict=False))
    left = {}
    for place in ("cells", "ledger", "store", "labels", "studies"):
        files = [p for p in (home / place).rglob("*") if p.is_file()]
        left[place] = {"files": len(files), "bytes": sum(p.stat().st_size for p in files)}
    return {
        **took, "cell_cpu_ms": 1000 * steps[len(steps) // 2], "left": left,
        "resident_mb": [meter.sizes[len(meter.sizes) // 10], meter.sizes[-1]],
        "again": measured(lambda: run_study(study, home=home, tracking="none")),
    }  # fmt: skip


def looks(place: StudyHome, waits: StudyHome) -> dict[str, Callable[[], object]]:
    """What people and processes do with a study that is there; `waits` is one where half of the cells wait."""
    from segfrontier.commands.study import status
    from segfrontier.report.findings import Reading, findings
    from segfrontier.report.load import harvest
    from segfrontier.report.outputs import write_outputs
    from segfrontier.tracking.files import StudyFiles

    board, files = Board(waits), StudyFiles(place)
    kept: dict[str, Any] = {}

    def read() -> None:
        kept["found"] = harvest(place)

    def find() -> None:
        kept["facets"] = findings(kept["found"], Reading())

    return {
        "status": lambda: status(place.name, home=place.home.path, cells=False, as_json=False),
        "first board": lambda: board.look(alive=True),
        "next board": lambda: board.look(alive=True),
        "harvest": read,
        "findings": find,
        "outputs": lambda: write_outputs(kept["found"], kept["facets"], place.report),
        "first sync look": files.look,
        "next sync look": files.look,
        "study payload": files.whole,
    }


def synced(folder: Path, like: Record, cells: int) -> dict[str, Any]:
    """All runs of a study are written to an empty SQLite database."""
    from segfrontier.tracking.sync import sync

    place = ended(study_of(folder, cells), like, folder / f"mlflow{cells}")
    uri = f"sqlite:///{place.home.path}/mlflow.db"
    sync(study_home(folder, like), f"sqlite:///{folder}/warm.db")  # imports, and the tables of a new database
    took = measured(lambda: sync(place, uri))
    artefacts = [p for p in place.home.path.glob("mlartifacts/**/*") if p.is_file()]
    return {
        **took, "database_bytes": (place.home.path / "mlflow.db").stat().st_size, "artefact_files": len(artefacts),
        "artefact_bytes": sum(p.stat().st_size for p in artefacts),
    }  # fmt: skip


def study_home(folder: Path, like: Record) -> StudyHome:
    """A study of one cell."""
    return ended(study_of(folder, 1), like, folder / "warm")


def measured(do: Callable[[], object]) -> dict[str, Any]:
    """Seconds of CPU and by the clock, what was counted, and how much the process grew."""
    before, size = Counter(COUNTED), resident()
    cpu, clock = time.process_time(), time.perf_counter()
    with quiet():
        do()
    cpu, clock = time.process_time() - cpu, time.perf_counter() - clock
    calls = {name: COUNTED[name] - before[name] for name in COUNTED}
    return {"cpu_s": round(cpu, 4), "clock_s": round(clock, 4), **calls, "grew_mb": round(resident() - size, 1)}


def profiled(do: Callable[[], object]) -> None:
    """Do it again under a profiler."""
    profile = cProfile.Profile()
    with quiet(), profile:
        do()
    pstats.Stats(profile).sort_stats("cumulative").print_stats(45)


@contextmanager
def quiet() -> Iterator[None]:
    """What is printed inside the block is not."""
    with redirect_stdout(io.StringIO()), redirect_stderr(io.StringIO()):
        yield


def count_calls() -> None:
    """From here on files that are opened, renamed and synced are counted."""
    names = {"open": "opens", "os.rename": "renames"}
    sys.addaudithook(lambda event, _: COUNTED.update([names[event]]) if event in names else None)
    sync = os.fsync

    def fsync(fd: Any) -> None:
        COUNTED["syncs"] += 1
        sync(fd)

    os.fsync = fsync
    COUNTED.update({"opens": 0, "renames": 0, "syncs": 0})


def tell(name: str, found: dict[str, Any]) -> dict[str, Any]:
    """One line a measurement."""
    print(f"{name}: {json.dumps(found)}", flush=True)
    return found


if __name__ == "__main__":
    main()
