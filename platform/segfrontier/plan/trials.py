"""Trying a stage for a moment: a few real steps of a training, a few real images of a pass."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field, replace
from statistics import median

import numpy as np

from segfrontier.basics.atomic import scratch_folder
from segfrontier.errors import Stopped
from segfrontier.lab import Bench, Looking, Predictor, Rule, training
from segfrontier.lab.crew import Crew
from segfrontier.lab.handles import without_pretraining
from segfrontier.lab.labelling import label_scene
from segfrontier.lab.measuring import measure_scene
from segfrontier.lab.scoring import score_image
from segfrontier.lab.streams import Part, Stream
from segfrontier.plan.dry_lab import Looks, Training, Work
from segfrontier.scenes.imagined import stripes

STEPS, IMAGES, SECONDS = 4, 3, 10.0
"""How much is tried of each kind, and how long; the first step or image is a warm-up and does not count.

Unless it takes all of the time: then nothing more is tried, and it counts as it is.
"""
CPU_PIXELS = 2**20
"""A CPU tries larger steps than this by a part of their batches: the whole might take minutes, or all of its memory."""
_SMALLEST = 2  # batch norm needs two samples


def probe(work: Work, bench: Bench) -> float:
    """Seconds a step, or an image."""
    if isinstance(work, Looks):
        return _seconds_an_image(work, bench)
    part, share = part_of(work) if bench.torch_device().type == "cpu" else (work, 1.0)
    return _seconds_a_step(part, bench) / share


def part_of(work: Training) -> tuple[Training, float]:
    """A training with smaller batches where its own are large, and the share of the pixels that it keeps."""
    streams, pixels = work.job.streams, _pixels(work)
    wanted = CPU_PIXELS / pixels
    if wanted >= 1:
        return work, 1.0
    small = {n: replace(s, batch=min(s.batch, max(_SMALLEST, round(s.batch * wanted)))) for n, s in streams.items()}
    plan = replace(work.job.plan, accumulate=1)
    part = Training(replace(work.job, streams=small, plan=plan))
    return part, _pixels(part) / pixels


def _pixels(work: Training) -> int:
    """Of a step, in all of its streams."""
    return sum(stream.batch * math.prod(_size(stream)) for stream in work.job.streams.values())


def _size(stream: Stream) -> tuple[int, int]:
    part = stream.parts[0]
    return stream.augment.crop or part.images.size(part.names()[0])


@dataclass
class _Clock:
    """Notes when the work begins and its steps end; asks for the end after enough of them."""

    enough_steps: int
    ticks: list[float] = field(default_factory=lambda: [time.perf_counter()])

    def tick(self, *_: object) -> None:
        self.ticks.append(time.perf_counter())

    def enough(self) -> bool:
        return len(self.ticks) > self.enough_steps or self.ticks[-1] - self.ticks[0] > SECONDS

    def pace(self) -> float:
        """Seconds a step, without the first where there are others."""
        steps = np.diff(self.ticks).tolist()
        return median(steps[1:] or steps)


def _seconds_a_step(work: Training, bench: Bench) -> float:
    clock = _Clock(STEPS)
    job = replace(work.job, start={}, plan=replace(work.job.plan, steps=max(work.job.plan.steps, STEPS), snapshots=0))
    with scratch_folder() as place, suppress(Stopped):
        training.run(
            job, Crew(device=bench.torch_device()), bench,
            work=place / "work", out=place / "out", watch=clock.tick, stop=clock.enough,
        )  # fmt: skip
    return clock.pace()


def _seconds_an_image(work: Looks, bench: Bench) -> float:
    if not work.scenes:
        return 0.0
    device, look = bench.torch_device(), _look(work)
    blueprint = work.model.blueprints[work.model.network.partition("/")[0]]
    module = without_pretraining(blueprint).build(seed=0).to(device).eval()
    predictor, clock = (
        Predictor.of(module, work.model.classes, device=device, looking=work.model.looking),
        _Clock(IMAGES),
    )
    for i in range(IMAGES):
        look(predictor, work.scenes[i % len(work.scenes)])
        clock.tick()
        if clock.enough():
            break
    return clock.pace()


def _look(work: Looks) -> Callable[[Predictor, str], object]:
    part, task = Part(images=work.images, labels=work.known), work.task
    if isinstance(task, Rule):
        return lambda predictor, scene: label_scene(predictor, task, part, scene)
    if isinstance(task, Looking):
        return lambda predictor, scene: _score(predictor, part, scene, task)
    return lambda predictor, scene: measure_scene(predictor, task, part, scene)


def _score(predictor: Predictor, part: Part, scene: str, looking: Looking) -> object:
    image = part.images.image(scene)
    truth = stripes(image.shape[0], image.shape[1], len(predictor.classes))
    return score_image(predictor, image, truth, looking=looking)
