"""Does data-parallel training follow the one-worker loss curve? Same global batch, one and two workers on Ray.

    python benchmarks/two_workers_curve.py [--steps 60] [--encoder resnet18] [--norm frozen]

Prints both loss curves side by side and the largest relative gap. By default (frozen norms, a head without batch norm,
no dropout) the only differences are the order of sums and the weighting of void pixels: each worker takes the mean over
its own labelled pixels. With `--norm batch` or a head that has batch norm each worker also normalises by its own half
of the batch, and the curves are only alike.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from pathlib import Path

from segfrontier.lab import Bench, Fine, LabSettings, Part, Recipe, open_lab
from segfrontier.lab._ray import RayLab, stop_ray
from segfrontier.scenes.builtin import open_world
from segfrontier_methods.supervised.objective import CrossEntropy

WORLD = "street:train=64,val=2,synthetic=0,size=96x192"


def curve(home: Path, workers: int, recipe: Recipe, every: int) -> tuple[list[float], float]:
    """The logged losses of a run with so many workers, and its seconds."""
    bench = Bench(device="cpu", threads=1, log_steps=every)
    settings = LabSettings(home=home, world=open_world(WORLD), hours="all", bench=bench)
    with open_lab(settings, kind=RayLab, workers=workers) as lab:
        labels = lab.buy(Fine(lab.pool.scenes()))
        stream = recipe.stream(Part(images=lab.pool, labels=labels))
        began = time.perf_counter()
        model = lab.train(CrossEntropy(network=recipe.network(len(lab.classes))), {"labelled": stream}, recipe.plan())
        return [line["cross_entropy"] for line in lab.history(model)], time.perf_counter() - began


def main() -> None:
    """Run both and compare."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--steps", type=int, default=60)
    parser.add_argument("--every", type=int, default=5)
    parser.add_argument("--encoder", default="mobilenetv3_small_100")
    parser.add_argument("--head", default="deeplab_v2")
    parser.add_argument("--norm", default="frozen", choices=["frozen", "frozen_affine", "batch"])
    options = parser.parse_args()
    recipe = Recipe(
        encoder=options.encoder,
        head=options.head,
        norm=options.norm,
        pretrained="never",
        steps=options.steps,
        lr=0.005,
        dropout=0.0,
    )
    with tempfile.TemporaryDirectory() as folder:
        one, seconds_one = curve(Path(folder) / "one", 1, recipe, options.every)
        two, seconds_two = curve(Path(folder) / "two", 2, recipe, options.every)
    stop_ray()
    print("step     one worker   two workers   gap")
    gaps = [abs(b - a) / a for a, b in zip(one, two, strict=True)]
    for i, (a, b, gap) in enumerate(zip(one, two, gaps, strict=True), start=1):
        print(f"{min(i * options.every, options.steps):4d}     {a:10.5f}   {b:11.5f}   {gap:.2%}")
    print(f"largest relative gap {max(gaps):.2%}; seconds with start-up: {seconds_one:.1f} and {seconds_two:.1f}")


if __name__ == "__main__":
    main()
