"""How long stages to come would take: a few real steps of each kind of training, a few real images of each pass.

Two trainings are of one kind where they differ in nothing but their data, their number of steps and numbers with a
fraction (rates, weights, thresholds): those change what is computed, not how long it takes. So with passes over images.
"""

from __future__ import annotations

import resource
import sys
import tempfile
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field, fields, is_dataclass, replace
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np
import torch

from segfrontier.errors import Stopped
from segfrontier.lab import Bench, Looking, Predictor, Rule, training
from segfrontier.lab.crew import Crew
from segfrontier.lab.handles import without_pretraining
from segfrontier.lab.labelling import label_scene
from segfrontier.lab.measuring import measure_scene
from segfrontier.lab.scoring import score_image
from segfrontier.lab.store.keys import dumps, plain
from segfrontier.lab.streams import Part
from segfrontier.study.cellwork import one_line
from segfrontier.study.config import Executor
from segfrontier.study.executing import bench_of
from segfrontier.study.plan import Times
from segfrontier.study.rehearsal import Looks, Training, Work, stripes

STEPS, IMAGES, SECONDS = 4, 3, 10.0
"""How much is tried of each kind, and how long; the first step or image is a warm-up and does not count."""
PATIENCE = 90.0
"""Seconds after which no further kind is tried."""


def estimate(work: Mapping[str, Work], executor: Executor, *, patience: float = PATIENCE) -> Times:
    """Seconds of each stage, alone on what a cell of this executor gets."""
    bench, began = replace(bench_of(executor), log_steps=1), time.monotonic()
    pace: dict[str, float] = {}
    failed: dict[str, str] = {}
    for key, kind in (kinds := {key: kind_of(one) for key, one in work.items()}).items():
        if kind in pace or kind in failed:
            continue
        if time.monotonic() - began > patience:
            failed[kind] = f"the probe had its {patience:g} s"
            continue
        try:
            pace[kind] = probe(work[key], bench)
        except Exception as error:  # what stops a probe may well be fine with real weights and labels
            failed[kind] = one_line(error)
    return Times(
        device=str(bench.torch_device()),
        memory=_memory(bench),
        seconds={key: pace[kind] * size_of(work[key]) for key, kind in kinds.items() if kind in pace},
        unknown={key: failed[kind] for key, kind in kinds.items() if kind in failed},
    )


def kind_of(work: Work) -> str:
    """Equal for work that takes equally long a step, or an image."""
    if isinstance(work, Training):
        streams = [(name, s.batch, s.augment, _sizes(s.parts)) for name, s in work.job.streams.items()]
        told: Any = [work.job.objective, streams, work.job.plan.precision, work.job.plan.accumulate]
    else:
        size = work.images.size(work.scenes[0]) if work.scenes else None
        told = [work.task, work.model.network, dict(work.model.blueprints), size]
    return dumps(plain(_coarse(told)))


def size_of(work: Work) -> int:
    """Steps, or images."""
    return work.job.plan.steps if isinstance(work, Training) else len(work.scenes)


def probe(work: Work, bench: Bench) -> float:
    """Seconds a step, or an image."""
    return _seconds_a_step(work, bench) if isinstance(work, Training) else _seconds_an_image(work, bench)


@dataclass
class _Clock:
    """Notes when steps end; asks for the end after enough of them."""

    ticks: list[float] = field(default_factory=list)

    def tick(self, *_: object) -> None:
        self.ticks.append(time.perf_counter())

    def enough(self) -> bool:
        return len(self.ticks) >= (2 if self.ticks and self.ticks[-1] - self.ticks[0] > SECONDS else STEPS)

    def pace(self) -> float:
        """Seconds a step, without the first."""
        return median(np.diff(self.ticks).tolist())


def _seconds_a_step(work: Training, bench: Bench) -> float:
    clock = _Clock()
    job = replace(work.job, start={}, plan=replace(work.job.plan, steps=max(work.job.plan.steps, STEPS), snapshots=0))
    with tempfile.TemporaryDirectory() as folder, suppress(Stopped):
        place = Path(folder)
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
    predictor, clock = Predictor.of(module, work.model.classes, device=device), _Clock()
    clock.tick()
    for i in range(IMAGES):
        look(predictor, work.scenes[i % len(work.scenes)])
        clock.tick()
    return median(np.diff(clock.ticks)[1:].tolist())


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


def _memory(bench: Bench) -> int:
    """The most bytes that this process has held so far, or its tensors on the GPU."""
    device = bench.torch_device()
    if device.type == "cuda":
        return torch.cuda.max_memory_allocated(device)
    most = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return most if sys.platform == "darwin" else 1024 * most


def _sizes(parts: tuple[Part, ...]) -> list[tuple[int, int]]:
    return [part.images.size(part.names()[0]) for part in parts]


def _coarse(value: Any) -> Any:
    """A plain form without what does not change how long work takes."""
    if isinstance(value, float):
        return 0.0
    if is_dataclass(value) and not isinstance(value, type):
        return [type(value).__qualname__, *(_coarse(getattr(value, f.name)) for f in fields(value) if f.compare)]
    if isinstance(value, Mapping):
        return [[_coarse(k), _coarse(v)] for k, v in value.items()]
    return [_coarse(item) for item in value] if isinstance(value, list | tuple) else value
