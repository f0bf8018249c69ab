"""How much of a cluster a lab takes: how many processes, of what size, on which kind of device."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

import ray

from segfrontier.errors import BadInput
from segfrontier.lab._ray.nodes import Process, free_for
from segfrontier.lab._ray.start import is_ours
from segfrontier.lab.training.loop import Bench

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkerPool:
    """The processes of a stage.

    `cpus` is what each reserves, which is not how many threads it runs (that is `Bench.threads`). Less than one leaves
    room on the same cores for the trials that wait for these processes; with whole cores they would wait for ever.
    With `fewest`, a training begins with as many workers as find room, and goes on with more or fewer as nodes come
    and go: the global batch is the same.
    """

    workers: int = 1  # that train together, at most
    fewest: int | None = None  # default: just as many
    actors: int = 1  # that label or score side by side
    cpus: float = 0.9
    gpus: float = 1.0  # of a GPU, or whole ones, for each process; only where stages run on GPUs
    memory: float = 0.0  # GiB that each process reserves
    labels: Mapping[str, str] = field(default_factory=dict)  # of the nodes that processes may run on
    max_failures: int = 2  # how often lost processes are replaced before a stage gives up

    def __post_init__(self) -> None:
        small = min(self.workers, self.actors, self.workers if self.fewest is None else self.fewest) < 1
        if small or min(self.cpus, self.gpus) <= 0 or min(self.max_failures, self.memory) < 0:
            raise BadInput(
                f"a lab on Ray needs workers >= 1, actors >= 1, cpus_per_worker and gpus_per_worker > 0, max_failures "
                f"and memory_per_worker >= 0; found {self}"
            )
        if self.fewest is not None and self.fewest > self.workers:
            raise BadInput(f"fewest workers must be at most {self.workers}, the most; found {self.fewest}. Swap them.")

    def on_gpus(self, bench: Bench) -> bool:
        """Whether processes get GPUs: as the bench says, and for `auto` where the cluster has any."""
        return ray.cluster_resources().get("GPU", 0) > 0 if bench.device == "auto" else bench.device.startswith("cuda")

    def process(self, *, gpu: bool) -> Process:
        """What each process reserves, and where."""
        return Process(cpus=self.cpus, gpus=self.gpus if gpu else 0.0, memory=self.memory, labels=self.labels)

    def sizes(self, batches: Iterable[int]) -> tuple[int, ...]:
        """How many workers may train together, the fewest first: all numbers over which every batch divides."""
        batches, fewest = tuple(batches), self.workers if self.fewest is None else self.fewest
        if fewest == self.workers:
            return (fewest,)  # the loader tells where that does not divide
        fit = tuple(n for n in range(fewest, self.workers + 1) if not any(batch % n for batch in batches))
        if not fit:
            raise BadInput(
                f"global batches must divide among some number of workers from {fewest} to {self.workers}; found "
                f"{', '.join(map(str, sorted(set(batches))))}. Change a batch or the bounds."
            )
        return fit

    def side_by_side(self, *, gpu: bool) -> int:
        """How many processes label or score, each on its own: as many as find room, where that may differ."""
        if self.fewest is None or self.fewest >= self.actors:
            return self.actors
        return self.size_now(tuple(range(self.fewest, self.actors + 1)), gpu=gpu)

    def size_now(self, sizes: tuple[int, ...], *, gpu: bool, held: int = 0) -> int:
        """The most workers that find room now, where `held` are at work already; the fewest where not even they do."""
        if len(sizes) == 1:
            return sizes[0]
        room = held + free_for(self.process(gpu=gpu))
        return max((n for n in sizes if n <= room), default=sizes[0])

    def muster(self, processes: int, bench: Bench) -> bool:
        """Whether so many processes get GPUs (see `on_gpus`).

        What a Ray of this machine's own can never hold is refused: it would be waited for without a word. Another
        cluster may grow.
        """
        have, gpu = ray.cluster_resources(), self.on_gpus(bench)
        need = {kind: processes * each for kind, each in self.process(gpu=gpu).resources.items()}
        short = [_short(k, need[k], have.get(k, 0)) for k in need if need[k] > have.get(k, 0)]
        if short:
            needs = f"{processes} processes on Ray need {' and '.join(short)}"
            if is_ours():
                raise BadInput(f"{needs}. Ask for fewer workers, or for less of a CPU each (cpus_per_worker).")
            log.warning("%s; waiting for the cluster to grow. Ask for fewer workers if it does not.", needs)
        return gpu


def _short(kind: str, need: float, have: float) -> str:
    if kind == "memory":
        return f"{need / 2**30:g} GiB of memory, there are {have / 2**30:.1f}"
    return f"{need:g} {kind}s, there are {have:g}"
