"""A labelling pass beside a plain batched loop, in images a second: alone, and with images looked at together.

    python benchmarks/pass_speed.py [--images 64] [--size 128x256] [--rounds 3] [--device auto]

The plain loop decodes the same images, stacks them by eight, asks the network and takes the argmax; it keeps no label,
forgives no image and reads nothing ahead. All ways run in turns; the median over rounds is printed, and what the pass
reaches of the plain loop.
"""

from __future__ import annotations

import argparse
import statistics
import time
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import torch

from segfrontier import open_world
from segfrontier.lab import Argmax, Part, Predictor, Predictors
from segfrontier.lab.passes.label import LabelPass
from segfrontier.lab.recipe import Recipe
from segfrontier.lab.training.loop import Bench
from segfrontier.scenes.world import Pool

TOGETHER = 8


def plain(predictor: Predictor, pool: Pool) -> Iterator[object]:
    """As one would write it in a notebook."""
    names = pool.scenes()
    for at in range(0, len(names), TOGETHER):
        images = np.stack([pool.image(name) for name in names[at : at + TOGETHER]])
        with torch.inference_mode():
            pixels = torch.from_numpy(images).to(predictor.device).permute(0, 3, 1, 2).float().div_(255)
            yield predictor.module(pixels).mean_logits.argmax(1).byte().cpu().numpy()


def passed(predictor: Predictor, pool: Pool, together: int, out: Path) -> Iterator[object]:
    """The pass as a lab runs it, its labels written."""
    work = LabelPass(models={}, classes=predictor.classes, part=Part(images=pool), rule=Argmax())
    outcomes = work.outcomes(Predictors({"model": predictor}), work.names(), together=together)
    with TemporaryDirectory(dir=out) as folder:
        yield work.write(Path(folder), (outcome.row for outcome in outcomes), [])


def main() -> None:
    """All ways in turns."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--images", type=int, default=64)
    parser.add_argument("--size", default="128x256")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--device", default="auto")
    options = parser.parse_args()
    device = Bench(device=options.device).torch_device()
    world = open_world(f"street:train={options.images},val=1,synthetic=0,size={options.size}")
    recipe = Recipe(encoder="tf_efficientnet_lite0", head="fpn", head_knobs={"channels": 64}, pretrained="never")
    network = recipe.model(len(world.classes)).build(seed=0).to(device).eval()
    predictor, pool = Predictor.of(network, world.classes, device=device), world.pool()
    with TemporaryDirectory() as out:
        ways: dict[str, Callable[[], Iterator[object]]] = {
            "plain batched loop": partial(plain, predictor, pool),
            "pass, one by one": partial(passed, predictor, pool, 1, Path(out)),
            f"pass, {TOGETHER} together": partial(passed, predictor, pool, TOGETHER, Path(out)),
        }
        speeds: dict[str, list[float]] = {name: [] for name in ways}
        for _ in range(options.rounds + 1):  # the first warms up
            for name, way in ways.items():
                began = time.perf_counter()
                for _ in way():
                    pass
                speeds[name].append(options.images / (time.perf_counter() - began))
    best = statistics.median(speeds["plain batched loop"][1:])
    print(f"{options.images} images of {options.size} on {device}, {torch.get_num_threads()} threads")
    for name, found in speeds.items():
        speed = statistics.median(found[1:])
        print(f"{name:20s} {speed:7.1f} images/s, {speed / best:.2f} of the plain loop")


if __name__ == "__main__":
    main()
