"""What sharing stages saves: one sweep whose cells share a store, and the same cells each with a store of its own.

The scores must be the same to the last bit, and the stages computed must be those that the plan foretold.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from pathlib import Path

from segfrontier.home.records import Record, records
from segfrontier.plan.planning import plan_study
from segfrontier.study.cells import expand
from segfrontier.study.config import Study
from segfrontier.study.run import run_study

STUDY = """
name: sharing
worlds: street:train=32,val=8,synthetic=32,size=64x128
methods:
  - {name: fine+coarse, knobs: {split: [0.4, 0.8]}}
  - {name: coarse_to_fine, knobs: {iterations: [0, 1, 2]}}
  - {name: coarse_to_fine, knobs: {above: [0.5, 0.7, 0.9], iterations: 1}}
budgets: 4
seeds: [0]
recipe: {pretrained: never, steps: STEPS, lr: 0.05}
executor: {kind: local}
"""


def main() -> None:
    """Run both and print them side by side."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--steps", type=int, default=30)
    arguments = parser.parse_args()
    study = Study.parse(STUDY.replace("STEPS", str(arguments.steps)))
    with tempfile.TemporaryDirectory() as scratch:
        home = Path(scratch) / "shared"
        plan = plan_study(study, home=home, probe=False)
        began = time.perf_counter()
        together = records(run_study(study, home=home, tracking="none").study)
        shared = time.perf_counter() - began
        began = time.perf_counter()
        alone: list[Record] = []
        for i, cell in enumerate(expand(study)):
            place = run_study(study, home=Path(scratch) / str(i), tracking="none", cells=[cell]).study
            alone += records(place)
        apart = time.perf_counter() - began
    computed = [sum(not s.found for r in rs for s in r.stages) for rs in (together, alone)]
    print(f"plan:    {' '.join(plan.words[:2])}")
    print(f"shared:  {len(together)} cells, {computed[0]} stages computed, {shared:.1f} s")
    print(f"apart:   {len(alone)} cells, {computed[1]} stages computed, {apart:.1f} s   {apart / shared:.2f}x as long")
    same = [str(r.values) for r in together] == [str(r.values) for r in alone]
    print(f"scores of all cells {'the same to the last bit' if same else 'DIFFER'}")


if __name__ == "__main__":
    main()
