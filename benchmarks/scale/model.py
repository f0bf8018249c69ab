"""What a study of many cells over many GPUs would take, from the figures that `measure.py` wrote: sums on paper.

Cells that are computed differ in little but their trainings, so what the engine adds is so much a cell; what it adds a
second follows from how many cells run at once. Ray's own scheduler was not measured at such a size.

    python benchmarks/scale/model.py --cells 10000 --gpus 1000 --minutes 30
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any

TOLD, ASKED, FILES_A_STATUS = 0.5, 0.3, 2  # seconds between, of `cellwatch`; a draft is made and renamed


def main() -> None:
    """Print a table in Markdown."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--cells", type=int, default=10_000)
    parser.add_argument("--gpus", type=int, default=1000, help="cells at once")
    parser.add_argument("--minutes", type=float, default=30.0, help="that a cell computes")
    parser.add_argument("--figures", type=Path, default=Path(__file__).with_name("figures.json"))
    given = parser.parse_args()
    figures = json.loads(given.figures.read_text())
    print("| what | figure |\n|---|---|")
    for what, figure in rows(figures, given.cells, given.gpus, given.minutes * 60):
        print(f"| {what} | {figure} |")


def rows(figures: dict[str, Any], cells: int, gpus: int, seconds: float) -> list[tuple[str, str]]:
    """What is asked, and the answer."""
    run, small = figures["run"][most(figures["run"])], figures["run"][least(figures["run"])]
    measured, first = int(most(figures["run"])), int(least(figures["run"]))

    def a_cell(name: str) -> float:
        return (run[name] - small[name]) / (measured - first)

    def left(name: str) -> float:
        return sum(run["left"][place][name] for place in ("cells", "ledger", "labels")) / measured

    looks, looked = figures["read"][most(figures["read"])], int(most(figures["read"]))
    grow = cells / looked
    mlflow = {int(n): found for n, found in figures["mlflow"].items()}
    few, many = min(mlflow), max(mlflow)

    def a_run(name: str) -> float:
        return (mlflow[many][name] - mlflow[few][name]) / (many - few)

    ends = gpus / seconds
    report = [looks[name] for name in ("harvest", "findings", "outputs")]
    resident = run["resident_mb"][1]
    return [
        ("time of the study, GPUs always busy", f"{cells / ends / 3600:.1f} h; {ends:.2f} cells end a second"),
        ("CPU that the engine adds to a cell", f"{1000 * a_cell('cpu_s'):.0f} ms"),
        ("files opened / renamed / synced a cell", f"{a_cell('opens'):.0f} / {a_cell('renames'):.0f} / "
         f"{a_cell('syncs'):.0f}; {ends * a_cell('syncs'):.0f} syncs a second"),
        ("files and bytes that a cell leaves, its stages and curves apart", f"{left('files'):.0f} files, "
         f"{left('bytes') / 1e3:.1f} kB; {cells * left('files'):,.0f} files and {cells * left('bytes') / 1e6:.0f} MB"),
        ("status files written a second, at the most", f"{gpus / TOLD:,.0f} ({FILES_A_STATUS * gpus / TOLD:,.0f} "
         "changes of a folder)"),
        ("looks for a wish to stop a second, at the most", f"{3 * gpus / ASKED:,.0f} look-ups of names"),
        ("one refresh of the board, half of the cells waiting", f"{grow * looks['next board']['cpu_s'] * 1000:.0f} ms "
         "and no file opened beyond those of cells that run"),
        ("`status`", f"{grow * looks['status']['cpu_s']:.1f} s"),
        ("`frontier` with all outputs", f"{grow * sum(part['cpu_s'] for part in report):.0f} s, "
         f"{grow * sum(part['grew_mb'] for part in report):.0f} MB"),
        ("MLflow by SQLite, CPU a run", f"{1000 * a_run('cpu_s'):.0f} ms: {1 / a_run('cpu_s'):.0f} runs a second "
         f"at the most, {cells * a_run('cpu_s') / 60:.0f} min for all"),
        ("MLflow's database and artefacts", f"{cells * a_run('database_bytes') / 1e6:.0f} MB, "
         f"{cells * a_run('artefact_files'):,.0f} files"),
        ("memory of the driver", f"{resident:.0f} MB at {measured:,} cells, torch included, and "
         f"{grow * looks['harvest']['grew_mb']:.0f} MB to report"),
    ]  # fmt: skip


def least(table: dict[str, Any]) -> str:
    """The smallest size that was measured."""
    return min(table, key=int)


def most(table: dict[str, Any]) -> str:
    """The largest."""
    return max(table, key=int)


if __name__ == "__main__":
    main()
