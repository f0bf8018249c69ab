"""How much of a cluster a lab takes: how many processes, of what size, on which kind of device."""

from __future__ import annotations

import logging
from dataclasses import dataclass

import ray

from segfrontier.errors import BadInput
from segfrontier.lab._ray.start import is_ours
from segfrontier.lab.training.loop import Bench

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkerPool:
    """The processes of a stage.

    `cpus` is what each reserves, which is not how many threads it runs (that is `Bench.threads`). Less than one leaves
    room on the same cores for the trials that wait for these processes; with whole cores they would wait for ever.
    """

    workers: int = 1  # that train together
    actors: int = 1  # that label or score side by side
    cpus: float = 0.9
    gpus: float = 1.0  # of a GPU, or whole ones, for each process; only where stages run on GPUs
    max_failures: int = 2  # how often lost processes are replaced before a stage gives up

    def __post_init__(self) -> None:
        if self.workers < 1 or self.actors < 1 or min(self.cpus, self.gpus) <= 0 or self.max_failures < 0:
            raise BadInput(
                f"a lab on Ray needs workers >= 1, actors >= 1, cpus_per_worker and gpus_per_worker > 0 and "
                f"max_failures >= 0; found {self}"
            )

    def on_gpus(self, bench: Bench) -> bool:
        """Whether processes get GPUs: as the bench says, and for `auto` where the cluster has any."""
        return ray.cluster_resources().get("GPU", 0) > 0 if bench.device == "auto" else bench.device.startswith("cuda")

    def muster(self, processes: int, bench: Bench) -> bool:
        """Whether so many processes get GPUs (see `on_gpus`).

        What a Ray of this machine's own can never hold is refused: it would be waited for without a word. Another
        cluster may grow.
        """
        have, gpu = ray.cluster_resources(), self.on_gpus(bench)
        need = {"CPU": processes * self.cpus} | ({"GPU": processes * self.gpus} if gpu else {})
        short = [f"{need[k]:g} {k}s, there are {have.get(k, 0):g}" for k in need if need[k] > have.get(k, 0)]
        if short:
            needs = f"{processes} processes on Ray need {' and '.join(short)}"
            if is_ours():
                raise BadInput(f"{needs}. Ask for fewer workers, or for less of a CPU each (cpus_per_worker).")
            log.warning("%s; waiting for the cluster to grow. Ask for fewer workers if it does not.", needs)
        return gpu
