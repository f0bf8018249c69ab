"""The training loop against a hand-written one: same network, same data, same order of samples, in turns.

    python benchmarks/loop_speed.py [--rounds 5] [--steps 30] [--encoder resnet18] [--ray]

Each round times both loops, first one first, then the other first; the ratio of medians is what counts (target: the
engine reaches at least 0.97 of the hand-written loop's samples a second with `loader_workers=0`; with --ray, RayLab
with one worker at least 0.95 after start-up). `last` is the engine with images channels last, which no target binds.
"""

from __future__ import annotations

import argparse
import statistics
import tempfile
import time
from pathlib import Path

import cv2
import numpy as np
import torch
from torch.nn import functional

from segfrontier.lab import Bench, LabSettings, Part, Recipe, open_lab
from segfrontier.lab.training.loop import Job, run
from segfrontier.lab.worker import Worker
from segfrontier.scenes.builtin import open_world
from segfrontier.scenes.labels import LabelRow, write_labels
from segfrontier_methods.supervised.objective import CrossEntropy

WORLD = "street:train=64,val=2,synthetic=0,size=96x192"


def by_hand(world, labels, recipe: Recipe, classes: int, steps: int) -> float:
    """What one would write for one network and one data set; returns seconds."""
    pool, names = world.pool(), labels.scenes()
    model = recipe.model(classes).build(seed=0).train()
    optimiser = torch.optim.SGD(model.parameters(), lr=recipe.lr, momentum=0.9, weight_decay=recipe.weight_decay)
    rng = np.random.default_rng(0)
    order = rng.permutation(np.tile(np.arange(len(names)), steps * recipe.batch // len(names) + 1))
    began = time.perf_counter()
    for step in range(steps):
        for group in optimiser.param_groups:
            group["lr"] = recipe.lr * (1 - step / steps) ** recipe.power
        images, maps = [], []
        for i in order[step * recipe.batch : (step + 1) * recipe.batch]:
            image, label = pool.image(names[i]), labels.map(names[i])
            factor = rng.uniform(*recipe.scale)
            size = (round(image.shape[1] * factor), round(image.shape[0] * factor))
            image = cv2.resize(image, size, interpolation=cv2.INTER_AREA if factor < 1 else cv2.INTER_LINEAR)
            label = cv2.resize(label, size, interpolation=cv2.INTER_NEAREST_EXACT)
            height, width = recipe.crop
            down, right = max(0, height - image.shape[0]), max(0, width - image.shape[1])
            if down or right:
                image = cv2.copyMakeBorder(image, 0, down, 0, right, cv2.BORDER_CONSTANT, value=(124, 116, 104))
                label = cv2.copyMakeBorder(label, 0, down, 0, right, cv2.BORDER_CONSTANT, value=255)
            top, left = rng.integers(image.shape[0] - height + 1), rng.integers(image.shape[1] - width + 1)
            image, label = (
                image[top : top + height, left : left + width],
                label[top : top + height, left : left + width],
            )
            if rng.random() < 0.5:
                image, label = image[:, ::-1], label[:, ::-1]
            images.append(image)
            maps.append(label)
        x = torch.from_numpy(np.stack(images)).permute(0, 3, 1, 2).float().div_(255).contiguous()
        y = torch.from_numpy(np.stack(maps)).long()
        loss = functional.cross_entropy(model(x).logits[0], y, ignore_index=255)
        optimiser.zero_grad(set_to_none=True)
        loss.backward()
        optimiser.step()
    return time.perf_counter() - began


def by_engine(part: Part, recipe: Recipe, classes: int, folder: Path, *, channels_last: bool = False) -> float:
    """The same through `training.run`; the clock starts at the first step and stops after the last one."""
    marks: list[float] = []
    job = Job(
        objective=CrossEntropy(network=recipe.network(classes)),
        streams={"labelled": recipe.stream(part)},
        plan=recipe.plan(),
    )
    bench = Bench(device="cpu", log_steps=recipe.steps, checkpoint_seconds=1e9, channels_last=channels_last)
    original = torch.manual_seed

    def first_step(seed: int) -> torch.Generator:
        if not marks:
            marks.append(time.perf_counter())
        return original(seed)

    torch.manual_seed = first_step
    try:
        ends: list[float] = []
        run(job, Worker(torch.device("cpu")), bench, work=folder / "work", out=folder / "out",
            watch=lambda *_: ends.append(time.perf_counter()))  # fmt: skip
    finally:
        torch.manual_seed = original
    return ends[-1] - marks[0]


def on_ray(world, recipe: Recipe, home: Path) -> float:
    """Seconds at the pace that RayLab's one worker tells of the second half of its steps: start-up is left out."""
    from segfrontier.lab import Fine, Watcher
    from segfrontier.lab._ray import RayLab

    class Pace(Watcher):
        rates: list[float] = []  # noqa: RUF012

        def step(self, done, total, values):
            if "samples_a_second" in values:
                self.rates.append(values["samples_a_second"])

    settings = LabSettings(
        home=home, world=world, hours="all", watcher=Pace(), bench=Bench(device="cpu", log_steps=recipe.steps)
    )
    with open_lab(settings, kind=RayLab, workers=1) as lab:
        labels = lab.buy(Fine(lab.pool.scenes()))
        stream = recipe.stream(Part(images=lab.pool, labels=labels))
        lab.train(CrossEntropy(network=recipe.network(len(lab.classes))), {"labelled": stream}, recipe.plan())
    return recipe.steps * recipe.batch / Pace.rates[-1]


def main() -> None:
    """Time both, in turns."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--steps", type=int, default=30)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--encoder", default="resnet18")
    parser.add_argument("--ray", action="store_true", help="time RayLab with one worker too")
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    cv2.setNumThreads(0)
    recipe = Recipe(
        encoder=options.encoder, head="fpn", pretrained="never", steps=options.steps, crop=(96, 96), batch=8
    )
    world = open_world(WORLD)
    truth = world.truth()
    with tempfile.TemporaryDirectory() as folder:
        rows = [LabelRow(s, *truth.size(s), map=truth.semantic(s)) for s in truth.scenes()]
        labels = write_labels(folder, kind="fine", classes=world.classes, rows=rows)
        part = Part(images=world.pool(), labels=labels)
        classes, times = len(world.classes), {"by hand": [], "engine": [], "last": [], "ray": []}
        by_hand(world, labels, recipe, classes, 3)
        for r in range(options.rounds):
            turns = [
                ("by hand", lambda: by_hand(world, labels, recipe, classes, options.steps)),
                ("engine", lambda r=r: by_engine(part, recipe, classes, Path(folder) / f"e{r}")),
                ("last", lambda r=r: by_engine(part, recipe, classes, Path(folder) / f"l{r}", channels_last=True)),
            ]
            if options.ray:
                turns.append(("ray", lambda r=r: on_ray(world, recipe, Path(folder) / f"r{r}")))
            for name, turn in turns if r % 2 else turns[::-1]:
                times[name].append(turn())
    samples = options.steps * recipe.batch
    for name, seconds in times.items():
        if seconds:
            rates = [samples / s for s in seconds]
            ratios = [h / s for h, s in zip(times["by hand"], seconds, strict=True)]
            print(f"{name:8s} {statistics.median(rates):7.1f} samples/s (min {min(rates):.1f}, max {max(rates):.1f})"
                  f"   ratio to by hand, pair by pair: median {statistics.median(ratios):.3f}"
                  f" (min {min(ratios):.3f}, max {max(ratios):.3f})")  # fmt: skip


if __name__ == "__main__":
    main()
