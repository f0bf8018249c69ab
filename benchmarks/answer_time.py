"""How long verbs take that only look, in a home with so many cells: from the call to the last line of the answer and to
its end, in a process of its own. `frontier` answers first and draws its pictures then.

Beside them a bare Python, and one that imports torch, which none of them may do.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
import time
from dataclasses import replace
from pathlib import Path
from statistics import median

ROOT = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(ROOT / "tests"), str(ROOT / "tests/study")]

from madestudy import record, study  # noqa: E402

from segfrontier.market import Ledger, load_prices  # noqa: E402
from segfrontier.market.acts import Acts  # noqa: E402
from segfrontier.market.lines import PurchaseOrder, Terms  # noqa: E402
from segfrontier.store import Store  # noqa: E402

VERBS = (
    ("--help",), ("status",), ("status", "--cells"), ("ledger", "runs"), ("store", "ls", "runs/store"),
    ("frontier", "made"), ("frontier", "made", "--json"), ("claims", "show"),
)  # fmt: skip


def main() -> None:
    """Make the home, call each verb in turn, so many times, and print the medians."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--cells", type=int, default=100)
    parser.add_argument("--rounds", type=int, default=5)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        make(Path(scratch), given.cells)
        calls = {"python": ["-c", "pass"], "import torch": ["-c", "import torch"]}
        calls |= {
            f"segfrontier {' '.join(words)}": ["-c", "from segfrontier.cli import program; program()", *words]
            for words in VERBS
        }
        took: dict[str, list[tuple[float, float]]] = {name: [] for name in calls}
        for _ in range(given.rounds):
            for name, words in calls.items():
                took[name].append(seconds(words, Path(scratch)))
    for name, times in took.items():
        answer, end = (f"{median(t):.2f} s ({min(t):.2f} to {max(t):.2f})" for t in zip(*times, strict=True))
        print(f"{name:34} answered after {answer}, ended after {end}")


def make(folder: Path, cells: int) -> None:
    """Cells of one method with records and accounts, and a store with a stage each."""
    made = [
        record("fine", 1 + i // 10, i % 10, 0.3 + 0.0001 * i, acts={"fine": 2 + i}, code="of another version")
        for i in range(cells)
    ]
    made = [replace(one, cell={**one.cell, "recipe": {"encoder": "resnet18"}}) for one in made]  # as real ones say
    place = study(folder / "runs", made)
    ledger, terms = Ledger(place.home.ledger), Terms(truth="t", annotators="a", prices=load_prices("street"))
    store = Store(place.home.store)
    for i, one in enumerate(made):
        order = PurchaseOrder(one.key, "buy-1", "fine", {"s": Acts.of([7], [1], [1])}, "labels", "d", terms)
        ledger.charge(order, cost=lambda totals: 0, budget=10**9)
        store.once(f"k{i}", lambda out: (out / "x").write_bytes(b"x") and None, about={"kind": "train"}).release()


def seconds(words: list[str], folder: Path) -> tuple[float, float]:
    """One call: until its answer stands, which ends where files that were written are listed, and until it ends."""
    began = answered = time.perf_counter()
    paths = os.pathsep.join([str(ROOT / "platform"), str(ROOT / "methods")])
    with subprocess.Popen(
        [sys.executable, *words], cwd=folder, env=os.environ | {"PYTHONPATH": paths}, stdout=subprocess.PIPE, text=True
    ) as call:
        for line in call.stdout or ():
            answered = answered if "/report/" in line else time.perf_counter()
    if call.returncode:
        raise SystemExit(f"{words} ended with {call.returncode}")
    return answered - began, time.perf_counter() - began


if __name__ == "__main__":
    main()
