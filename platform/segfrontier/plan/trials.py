"""Trying a stage for a moment: a few real steps of a training, a few real images of a pass."""

from __future__ import annotations

import math
import time
from contextlib import closing, suppress
from dataclasses import dataclass, field, fields, replace
from statistics import median
from typing import Any

import numpy as np
import torch

from segfrontier.basics.atomic import scratch_folder
from segfrontier.errors import Stopped
from segfrontier.lab import Bench, Model, Predictor, Predictors
from segfrontier.lab.handles import without_pretraining
from segfrontier.lab.passes.base import Pass, Picture
from segfrontier.lab.passes.score import ScorePass
from segfrontier.lab.passes.scores import counted
from segfrontier.lab.streams import Stream
from segfrontier.lab.training import loop as training
from segfrontier.lab.worker import Worker
from segfrontier.plan.dry_lab import Training, Work, middling

STEPS, IMAGES, SECONDS = 4, 3, 10.0
"""How much is tried of each kind, and how long; the first step or image is a warm-up and does not count.

Unless it takes all of the time: then nothing more is tried, and it counts as it is.
"""
CPU_PIXELS = 2**20
"""A CPU tries larger steps than this by a part of their batches: the whole might take minutes, or all of its memory."""
_SMALLEST = 2  # batch norm needs two samples


def probe(work: Work, bench: Bench) -> float:
    """Seconds a step, or an image."""
    if isinstance(work, Pass):
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
            job, Worker(device=bench.torch_device()), bench,
            work=place / "work", out=place / "out", watch=clock.tick, stop=clock.enough,
        )  # fmt: skip
    return clock.pace()


def _seconds_an_image(work: Pass[Any], bench: Bench) -> float:
    names, device = work.names(), bench.torch_device()
    if not names:
        return 0.0
    models = Predictors({name: _untrained(model, device) for name, model in work.models.items()})
    looked = _striped(work) if isinstance(work, ScorePass) else work
    some = [names[i % len(names)] for i in range(IMAGES)]
    clock = _Clock(IMAGES)
    with closing(looked.outcomes(models, some)) as outcomes:
        for _ in outcomes:
            clock.tick()
            if clock.enough():
                break
    return clock.pace()


def _untrained(model: Model, device: torch.device) -> Predictor:
    blueprint = model.blueprints[model.network.partition("/")[0]]
    module = without_pretraining(blueprint).build(seed=0).to(device).eval()
    return Predictor.of(module, model.classes, device=device, looking=model.looking)


@dataclass(frozen=True, kw_only=True)
class _Striped(ScorePass):
    """A score without truth: none may be read for a plan, and stripes take as long."""

    def look(self, models: Predictors, scene: str, image: Picture) -> Any:  # noqa: ARG002
        found = self.rule.label(models, image, None)
        return counted(self.tasks, middling(*found.size, len(self.classes)), found, self.classes)


def _striped(work: ScorePass) -> _Striped:
    return _Striped(**{field.name: getattr(work, field.name) for field in fields(work)})
