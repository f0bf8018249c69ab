"""What the boundary loss of paper 000 adds to a training step (target: less than 10 %).

    python benchmarks/boundary_speed.py [--encoder mobilenetv3_small_100] [--head fpn] [--size 96x192] [--rounds 15]

Both steps in turns, as coarse_to_fine takes them: half of the batch is synthetic. Times are the thread's own CPU time,
so that other work on the machine counts less.
"""

from __future__ import annotations

import argparse
import statistics
import time
from dataclasses import replace

import torch

from segfrontier.lab import Batch, Moment, Nets, Recipe
from segfrontier.lab.training.memory import keep_freed_memory
from segfrontier_methods.coarse_to_fine.knobs import Knobs
from segfrontier_methods.coarse_to_fine.objective import HybridSupervision

CLASSES = 19


def batch_of(count: int, size: tuple[int, int]) -> Batch:
    """Random images; labels in patches, so that there are boundaries and areas."""
    patches = torch.randint(0, CLASSES, (count, size[0] // 16, size[1] // 16))
    label = patches.repeat_interleave(16, 1).repeat_interleave(16, 2)
    return Batch(torch.rand(count, 3, *label.shape[1:]), label, None, [str(i) for i in range(count)])


def seconds_of(objective: HybridSupervision, nets: Nets, batch: dict[str, Batch], optimiser: torch.optim.SGD) -> float:
    """One step's CPU time: losses, gradients, update."""
    began = time.thread_time()
    for loss in objective.step(nets, batch, Moment(step=0, steps=1, epoch=0, steps_an_epoch=1)):
        loss.value.backward()
    optimiser.step()
    optimiser.zero_grad()
    return time.thread_time() - began


def main() -> None:
    """Time steps with and without it, in turns."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--encoder", default="mobilenetv3_small_100")
    parser.add_argument("--head", default="fpn")
    parser.add_argument("--size", default="96x192")
    parser.add_argument("--batch", type=int, default=8)
    parser.add_argument("--rounds", type=int, default=15)
    options = parser.parse_args()
    torch.set_num_threads(1)
    keep_freed_memory()  # as every training on a CPU does
    height, _, width = options.size.partition("x")
    recipe = Recipe(encoder=options.encoder, head=options.head, pretrained="never", batch=options.batch)
    names = [f for f in HybridSupervision.__dataclass_fields__ if hasattr(Knobs(), f)]
    on = HybridSupervision(
        network=recipe.network(CLASSES), num_classes=CLASSES, **{name: getattr(Knobs(), name) for name in names}
    )
    module = recipe.model(CLASSES).build(seed=0).train()
    nets, optimiser = Nets({"segmenter": module}, {}, {}), torch.optim.SGD(module.parameters(), lr=1e-4)
    half = options.batch // 2
    batch = {name: batch_of(half, (int(height), int(width))) for name in ("real", "partner", "synthetic")}
    times: dict[str, list[float]] = {"without": [], "with": []}
    turns = {"without": replace(on, boundary=0.0), "with": on}
    for _ in range(options.rounds + 2):
        for name, objective in turns.items():
            times[name].append(seconds_of(objective, nets, batch, optimiser))
    plain, full = (times[name][2:] for name in ("without", "with"))
    shares = [b / a - 1 for a, b in zip(plain, full, strict=True)]
    print(f"{options.encoder} {options.head} {options.size} batch {options.batch}: "
          f"without {statistics.median(plain) * 1e3:.1f} ms, with {statistics.median(full) * 1e3:.1f} ms; "
          f"medians: +{statistics.median(full) / statistics.median(plain) - 1:.1%}, "
          f"pair by pair: median +{statistics.median(shares):.1%}")  # fmt: skip


if __name__ == "__main__":
    main()
