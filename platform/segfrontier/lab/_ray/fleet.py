"""How much of a cluster a lab takes: how many processes, of what size, on which kind of device."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from typing import Any

import ray

from segfrontier.errors import BadInput
from segfrontier.lab.training import Bench

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Fleet:
    """The processes of a stage.

    `cpus` is what each reserves, which is not how many threads it runs (that is `Bench.threads`). Less than one leaves
    room on the same cores for the trials that wait for these processes: whole cores would make them wait for ever.
    """

    workers: int = 1  # that train together
    actors: int = 1  # that label or score side by side
    cpus: float = 0.9
    max_failures: int = 2  # how often lost workers are replaced before training gives up

    def __post_init__(self) -> None:
        if self.workers < 1 or self.actors < 1 or self.cpus <= 0 or self.max_failures < 0:
            raise BadInput(
                f"a lab on Ray needs workers >= 1, actors >= 1, cpus_per_worker > 0 and max_failures >= 0; found {self}"
            )


def wants_gpu(bench: Bench) -> bool:
    """Whether processes get a GPU each: as the bench says, and for `auto` where the cluster has any."""
    if bench.device == "auto":
        return ray.cluster_resources().get("GPU", 0) >= 1
    return bench.device.startswith("cuda")


def require(fleet: Fleet, processes: int, *, gpu: bool, local: bool) -> None:
    """Refuse what this cluster can never hold, and would wait for without a word."""
    have = ray.cluster_resources()
    need = {"CPU": processes * fleet.cpus} | ({"GPU": float(processes)} if gpu else {})
    short = [f"{need[k]:g} {k}s, there are {have.get(k, 0):g}" for k in need if need[k] > have.get(k, 0)]
    if not short:
        return
    told = f"{processes} processes on Ray need {'; '.join(short)}"
    if local:
        raise BadInput(f"{told}. Ask for fewer workers, or for less of a CPU each (cpus_per_worker).")
    log.warning("%s now; waiting until the cluster has grown. Ask for fewer workers if it does not grow.", told)


def resources(fleet: Fleet, *, gpu: bool) -> dict[str, Any]:
    """What one process reserves, in the words of Ray's remote functions."""
    return {"num_cpus": fleet.cpus} | ({"num_gpus": 1} if gpu else {})
