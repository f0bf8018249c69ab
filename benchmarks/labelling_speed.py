"""Labelling with six views: coarse_to_fine's rule against a plain loop that upsamples every view's logits.

    python benchmarks/labelling_speed.py [--encoder mobilenetv3_small_100] [--head fpn] [--rounds 3]

Targets at 512x1024 and 19 classes: at least twice as fast, at most a third of the peak memory, the same labels. Shown
twice: for the labelling alone (the network's answers lie ready), and with a network, trained for some steps on the very
image, so that there is something to agree on. Times are the thread's own CPU time; memory is that of all tensors alive
at once, counted by torch's profiler, for ours with the network's lean copy made anew.
"""

from __future__ import annotations

import argparse
import copy
import dataclasses
import statistics
import time
from collections.abc import Callable
from typing import ClassVar

import numpy as np
import torch
from torch import Tensor, nn
from torch.utils.flop_counter import FlopCounterMode

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

    answers: ClassVar[dict[tuple[int, int], Tensor]] = {}

    @classmethod
    def of(cls, model: SegModel) -> Ready:
        """The same network otherwise."""
        ready = copy.copy(model)
        ready.__class__ = cls
        return ready

    def forward(self, images: Tensor) -> SegOutput:
        """The answer for images of this size; its mirror image for mirrored ones is as good as another."""
        height, width = images.shape[-2:]
        if (height, width) not in self.answers:
            dice = torch.Generator().manual_seed(3)
            smooth = torch.randn(1, len(CITYSCAPES), 6, 12, generator=dice) * 8
            rough = torch.randn(1, len(CITYSCAPES), height // 4, width // 4, generator=dice) / 8
            size = (height // 4, width // 4)
            self.answers[height, width] = nn.functional.interpolate(smooth, size=size, mode="bilinear") + rough
        return SegOutput((self._to_image(self.answers[height, width], images),), None, ())


def taught(model: SegModel, image: Labels, truth: Labels, *, steps: int) -> SegModel:
    """The network after some steps on one image at half its size."""
    half = (SIZE[0] // 2, SIZE[1] // 2)
    pixels = nn.functional.interpolate(as_pixels(image), size=half, mode="bilinear", antialias=True)
    labels = torch.from_numpy(truth[::2, ::2].copy()).long()[None]
    optimiser = torch.optim.Adam(model.parameters(), lr=1e-3)
    for _ in range(steps):
        nn.functional.cross_entropy(model(pixels).mean_logits, labels, ignore_index=255).backward()
        optimiser.step()
        optimiser.zero_grad()
    return model.eval()


def as_pixels(image: Labels) -> Tensor:
    """(1, 3, H, W) in [0, 1]."""
    return torch.from_numpy(image).permute(2, 0, 1)[None].float().div_(255)


@torch.inference_mode()
def plainly(predictor: Predictor, image: Labels) -> Labels:
    """All views' logits at full size, then the rule as the paper words it."""
    stacked = volumes(predictor, image)
    classes = stacked.argmax(dim=1)
    agree = (classes == classes[0]).all(dim=0)
    sure, label = stacked.mean(dim=0).softmax(dim=0).max(dim=0)
    return torch.where(agree & (sure > ABOVE), label, 255).to(torch.uint8).numpy()


def volumes(predictor: Predictor, image: Labels) -> Tensor:
    """(views, K, H, W): every view's logits, each at the image's size."""
    pixels = as_pixels(image)
    grown = []
    for view in six_views():
        logits = predictor.module(apply_view(pixels, view)).mean_logits
        grown.append(undo_view(logits, view, size=SIZE))
    return torch.cat(grown)


def ours(predictor: Predictor, image: Labels) -> Labels:
    """The rule that the method uses; no label is known, so every pixel wants one."""
    return AgreeAndConfident(above=ABOVE).label(predictor, image, None)


@torch.no_grad()
def passes(answer: Callable[[Tensor], object], image: Labels) -> None:
    """The network's answers to all views, and nothing made of them."""
    pixels = as_pixels(image)
    for view in six_views():
        answer(apply_view(pixels, view))


def operations(module: SegModel, image: Labels) -> int:
    """Multiplications and additions in the network's answers to all views; no way to label does with fewer."""
    with FlopCounterMode(display=False) as counter:
        passes(without_growing(module), image)
    return counter.get_total_flops()


@torch.inference_mode()
def undecided(predictor: Predictor, image: Labels) -> Labels:
    """How far each pixel is from another label: the least lead of any view's class, or the way to the threshold."""
    stacked = volumes(predictor, image)
    first, second = stacked.topk(2, dim=1).values.unbind(dim=1)
    sure = stacked.mean(dim=0).softmax(dim=0).amax(dim=0)
    return torch.minimum((first - second).amin(dim=0), (sure - ABOVE).abs()).numpy()


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


def compare(title: str, module: SegModel, image: Labels, rounds: int) -> None:
    """Both in turns, side by side."""
    predictor = predictor_of(module)
    ways = {"plain loop": plainly, "ours": ours}
    times: dict[str, list[float]] = {name: [] for name in ways}
    found = {name: way(predictor, image) for name, way in ways.items()}
    for _ in range(rounds):
        for name, way in ways.items():
            times[name].append(seconds(lambda way=way: way(predictor, image)))
    answers = {"plain loop": without_growing(module), "ours": predictor.answer}
    alone = {name: seconds(lambda answer=answer: passes(answer, image)) for name, answer in answers.items()}
    peaks = {name: peak_bytes(lambda way=way: way(predictor_of(module), image)) for name, way in ways.items()}
    print(f"{title}: {(found['ours'] != 255).mean():.1%} of the pixels get a label; "
          f"the network's passes are {operations(module, image) / 1e9:.0f} GFLOP")  # fmt: skip
    for name in ways:
        print(f"  {name:10s} {statistics.median(times[name]):6.2f} s (the network's passes {alone[name]:.2f} s), "
              f"peak {peaks[name] / 2**20:7.1f} MiB of tensors")  # fmt: skip
    speed = statistics.median(a / b for a, b in zip(times["plain loop"], times["ours"], strict=True))
    print(f"  {speed:.2f}x as fast, {peaks['ours'] / peaks['plain loop']:.3f} of the memory")
    differ = found["ours"] != found["plain loop"]
    near = undecided(predictor, image)[differ].max(initial=0)
    print(f"  {differ.sum()} of {differ.size} pixels differ" + (f", at most {near:.0e} from a tie" if near else ""))


def seconds(work: Callable[[], object]) -> float:
    """This thread's CPU time."""
    began = time.thread_time()
    work()
    return time.thread_time() - began


def predictor_of(module: SegModel) -> Predictor:
    """One that has prepared nothing yet."""
    return Predictor.of(module, CITYSCAPES, device=torch.device("cpu"))


def without_growing(module: SegModel) -> SegModel:
    """The same network, with its answers on its own grid."""
    coarse = copy.copy(module)  # shares all parameters
    coarse.spec = dataclasses.replace(module.spec, upsample=False)
    return coarse


def main() -> None:
    """Compare without a network, and with one."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--encoder", default="mobilenetv3_small_100")
    parser.add_argument("--head", default="fpn")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--steps", type=int, default=60, help="of training before; 0: random weights")
    options = parser.parse_args()
    torch.set_num_threads(1)
    world = open_world(f"street:train=1,val=1,synthetic=0,size={SIZE[0]}x{SIZE[1]}")
    (scene,) = world.pool().scenes()
    image, truth = world.pool().image(scene), world.truth().semantic(scene)
    recipe = Recipe(encoder=options.encoder, head=options.head, pretrained="never")
    model = recipe.model(len(CITYSCAPES)).build(seed=0)
    compare("labelling alone", Ready.of(model).eval(), image, options.rounds)
    model = taught(model, image, truth, steps=options.steps)
    compare(f"with {options.encoder} and {options.head}", model, image, options.rounds)


if __name__ == "__main__":
    main()
