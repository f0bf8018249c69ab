"""Labelling with six views: coarse_to_fine's rule against a plain loop that upsamples every view's logits.

    python benchmarks/labelling_speed.py [--encoder mobilenetv3_small_100] [--head fpn] [--rounds 3]

Targets at 512x1024 and 19 classes: at least twice as fast, at most a third of the peak memory, the same labels. Shown
twice: with a network, and for the labelling alone (the network's answers lie ready). Both ways run the same forward
passes, so these set a bound, which is shown too: what they take by themselves. Times are the thread's own CPU time;
memory is that of all tensors alive at once, counted by torch's profiler.
"""

from __future__ import annotations

import argparse
import copy
import dataclasses
import statistics
import time
from collections.abc import Callable

import numpy as np
import torch
from torch import Tensor, nn

from segfrontier.lab import Predictor, Recipe
from segfrontier.maths import apply_view, six_views, undo_view
from segfrontier.models.model import SegModel, SegOutput
from segfrontier.scenes.builtin import open_world
from segfrontier.scenes.classes import CITYSCAPES
from segfrontier_methods.coarse_to_fine.rule import AgreeAndConfident

SIZE = (512, 1024)
ABOVE = 0.9
Labels = np.ndarray


class Ready(SegModel):
    """A network whose answers for each size of image lie ready, on a grid of stride 4; growing them is still to do."""

    def __init__(self, model: SegModel) -> None:
        nn.Module.__init__(self)
        self.encoder, self.spec, self.answers = model.encoder, model.spec, {}

    def forward(self, images: Tensor) -> SegOutput:
        """The answer for images of this size; its mirror image for mirrored ones is as good as another."""
        height, width = images.shape[-2:]
        if (height, width) not in self.answers:
            smooth = torch.randn(1, len(CITYSCAPES), 6, 12, generator=torch.Generator().manual_seed(3)) * 8
            rough = torch.randn(1, len(CITYSCAPES), height // 4, width // 4) / 8
            size = (height // 4, width // 4)
            self.answers[height, width] = nn.functional.interpolate(smooth, size=size, mode="bilinear") + rough
        return SegOutput((self._to_image(self.answers[height, width], images),), None, ())


@torch.inference_mode()
def plainly(predictor: Predictor, image: Labels) -> Labels:
    """All views' logits at full size, then the rule as the paper words it."""
    pixels = torch.from_numpy(image).permute(2, 0, 1)[None].float().div_(255)
    volumes = []
    for view in six_views():
        logits = predictor.module(apply_view(pixels, view)).mean_logits
        volumes.append(undo_view(logits, view, size=SIZE))
    stacked = torch.cat(volumes)
    classes = stacked.argmax(dim=1)
    agree = (classes == classes[0]).all(dim=0)
    sure, label = stacked.mean(dim=0).softmax(dim=0).max(dim=0)
    return torch.where(agree & (sure > ABOVE), label, 255).to(torch.uint8).numpy()


def ours(predictor: Predictor, image: Labels) -> Labels:
    """The rule that the method uses; no label is known, so every pixel wants one."""
    return AgreeAndConfident(above=ABOVE).label(predictor, image, None)


@torch.inference_mode()
def forwards(predictor: Predictor, image: Labels) -> None:
    """The network's answers to all views, on its own grid, and nothing made of them."""
    pixels = torch.from_numpy(image).permute(2, 0, 1)[None].float().div_(255)
    module = copy.copy(predictor.module)  # shares all parameters
    module.spec = dataclasses.replace(module.spec, upsample=False)
    for view in six_views():
        module(apply_view(pixels, view))


def peak_bytes(work: Callable[[], object]) -> int:
    """The most bytes of tensors alive at once during `work`, beyond those before it."""
    with torch.profiler.profile(activities=[torch.profiler.ProfilerActivity.CPU], profile_memory=True) as profile:
        work()
    alive = most = 0
    for event in sorted(
        (e for e in profile.profiler.kineto_results.events() if e.name() == "[memory]"), key=lambda e: e.start_ns()
    ):
        alive += event.nbytes()
        most = max(most, alive)
    return most


def compare(title: str, predictor: Predictor, image: Labels, rounds: int) -> None:
    """Both in turns, side by side."""
    ways = {"plain loop": plainly, "ours": ours}
    times: dict[str, list[float]] = {name: [] for name in ways}
    found = {name: way(predictor, image) for name, way in ways.items()}
    for _ in range(rounds):
        for name, way in ways.items():
            began = time.thread_time()
            way(predictor, image)
            times[name].append(time.thread_time() - began)
    began = time.thread_time()
    forwards(predictor, image)
    alone, least = time.thread_time() - began, peak_bytes(lambda: forwards(predictor, image))
    peaks = {name: peak_bytes(lambda way=way: way(predictor, image)) for name, way in ways.items()}
    print(f"{title}: {(found['ours'] != 255).mean():.1%} of the pixels get a label")
    for name in ways:
        print(f"  {name:10s} {statistics.median(times[name]):6.2f} s   peak {peaks[name] / 2**20:7.1f} MiB of tensors")
    speed = statistics.median(a / b for a, b in zip(times["plain loop"], times["ours"], strict=True))
    print(f"  {'forwards':10s} {alone:6.2f} s   peak {least / 2**20:7.1f} MiB: at best "
          f"{statistics.median(times['plain loop']) / alone:.1f}x, {least / peaks['plain loop']:.2f}")  # fmt: skip
    print(f"  {speed:.2f}x as fast, {peaks['ours'] / peaks['plain loop']:.3f} of the memory, "
          f"{(found['ours'] != found['plain loop']).sum()} of {found['ours'].size} pixels differ")  # fmt: skip


def main() -> None:
    """Compare with a network, and without."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--encoder", default="mobilenetv3_small_100")
    parser.add_argument("--head", default="fpn")
    parser.add_argument("--rounds", type=int, default=3)
    options = parser.parse_args()
    torch.set_num_threads(1)
    pool = open_world(f"street:train=1,val=1,synthetic=0,size={SIZE[0]}x{SIZE[1]}").pool()
    image = pool.image(pool.scenes()[0])
    recipe = Recipe(encoder=options.encoder, head=options.head, pretrained="never")
    model = recipe.model(len(CITYSCAPES)).build(seed=0).eval()
    for title, module in (("labelling alone", Ready(model)), (f"with {options.encoder} {options.head}", model)):
        compare(title, Predictor.of(module, CITYSCAPES, device=torch.device("cpu")), image, options.rounds)


if __name__ == "__main__":
    main()
