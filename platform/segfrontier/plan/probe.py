"""How long stages to come would take: a few real steps of each kind of training, a few real images of each pass.

Two trainings are of one kind where they differ in nothing but their data, their number of steps and numbers with a
fraction (rates, weights, thresholds): those change what is computed, not how long it takes. So with passes over images.
"""

from __future__ import annotations

import resource
import sys
import time
from collections.abc import Mapping
from dataclasses import fields, is_dataclass, replace
from typing import Any

import torch

from segfrontier.basics.wording import one_line
from segfrontier.lab import Bench
from segfrontier.lab.streams import Part
from segfrontier.plan.dry_lab import Training, Work
from segfrontier.plan.study_plan import Times
from segfrontier.plan.trials import part_of, probe
from segfrontier.store.keys import dumps, plain
from segfrontier.study.config import Executor
from segfrontier.study.executing import bench_of

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
    device = bench.torch_device()
    return Times(
        device=str(device),
        memory=_memory(bench),
        seconds={key: pace[kind] * size_of(work[key]) for key, kind in kinds.items() if kind in pace},
        unknown={key: failed[kind] for key, kind in kinds.items() if kind in failed},
        by_parts=device.type == "cpu" and any(_is_large(work[key]) for key, kind in kinds.items() if kind in pace),
    )


def _is_large(work: Work) -> bool:
    return isinstance(work, Training) and part_of(work)[1] < 1


def kind_of(work: Work) -> str:
    """Equal for work that takes equally long a step, or an image."""
    if isinstance(work, Training):
        streams = [(name, s.batch, s.augment, _sizes(s.parts)) for name, s in work.job.streams.items()]
        payload: Any = [work.job.objective, streams, work.job.plan.precision, work.job.plan.accumulate]
    else:
        size = work.images.size(work.names()[0]) if work.names() else None
        models = {name: [one.network, dict(one.blueprints), one.looking] for name, one in work.models.items()}
        payload = [type(work).__qualname__, work.task, models, size]
    return dumps(plain(_coarse(payload)))


def size_of(work: Work) -> int:
    """Steps, or images."""
    return work.job.plan.steps if isinstance(work, Training) else len(work.names())


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
