"""RayLab: stages on a Ray cluster, with the results that LocalLab gives."""

from __future__ import annotations

from collections.abc import Callable, Generator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch

from segfrontier.lab._ray.data import outcomes
from segfrontier.lab._ray.fleet import WorkerPool
from segfrontier.lab._ray.start import start_ray
from segfrontier.lab._ray.train import train
from segfrontier.lab.backend import Backend
from segfrontier.lab.lab import Lab
from segfrontier.lab.passes.base import Outcome, Pass
from segfrontier.lab.training.history import Watch
from segfrontier.lab.training.loop import Bench, Job


class RayLab(Lab):
    """The lab on a cluster: `workers` train together; `actors` (default: as many) label and score side by side.

    With `fewest_workers` as many train as find room, from these up to `workers`. `node_labels` are those of the nodes
    that processes may run on, `memory_per_worker` the GiB that each reserves.

    The home, worlds and label sets must lie where every node sees them. Ray is started on this machine where this
    process is not connected to any (see `start_ray`).
    """

    def __init__(
        self, *, bench: Bench, workers: int = 1, actors: int | None = None, cpus_per_worker: float = 0.9,
        gpus_per_worker: float = 1.0, max_failures: int = 2, fewest_workers: int | None = None,
        memory_per_worker: float = 0.0, node_labels: Mapping[str, str] | None = None, **lab: Any,
    ) -> None:  # fmt: skip
        fleet = WorkerPool(
            workers=workers, actors=workers if actors is None else actors, cpus=cpus_per_worker,
            gpus=gpus_per_worker, max_failures=max_failures, fewest=fewest_workers, memory=memory_per_worker,
            labels=dict(node_labels or {}),
        )  # fmt: skip
        super().__init__(backend=RayBackend(bench, fleet), bench=bench, **lab)
        start_ray()


@dataclass(frozen=True)
class RayBackend(Backend):
    """The processes of a fleet."""

    bench: Bench
    fleet: WorkerPool

    def power(self, kind: str) -> tuple[int, bool]:
        """See `Backend.power`."""
        processes = self.fleet.workers if kind in ("train", "renorm") else self.fleet.actors
        return processes, self.fleet.on_gpus(self.bench)

    def train(self, job: Job, *, work: Path, out: Path, watch: Watch, stop: Callable[[], bool]) -> None:
        """See `Backend.train`."""
        gpu = self.fleet.muster(self.fleet.fewest or self.fleet.workers, self.bench)
        train(job, self.bench, self.fleet, gpu=gpu, work=work, out=out, watch=watch, stop=stop)

    def outcomes(self, work: Pass[Any]) -> Generator[Outcome, None, None]:
        """See `Backend.outcomes`; close it, for as long as it is open its actors keep their CPUs."""
        fewest = min(self.fleet.fewest or self.fleet.actors, self.fleet.actors)
        names, gpu = work.names(), self.fleet.muster(fewest, self.bench)
        fleet = replace(self.fleet, actors=self.fleet.side_by_side(gpu=gpu))
        threads = max(1, (self.bench.threads or torch.get_num_threads()) // fleet.actors)
        device = "cuda" if gpu else "cpu"
        together = self.bench.images_together(device)
        settings = {"work": work.light(), "device": device, "threads": threads, "together": together}
        yield from outcomes(settings, names, fleet, gpu=gpu)
