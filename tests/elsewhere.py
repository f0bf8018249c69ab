"""Two processes beside the test's own, and a lab whose stages run there, as those of RayLab do in Ray's workers.

Ray takes half a minute for each stage. What such a process gets was pickled as Ray pickles, and it does what Ray's
would: `Look` for a pass, `training.run` for a training, together with the other workers over gloo.
"""

import multiprocessing
import os
import pickle
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass

import pyarrow as pa
import torch
import torch.distributed as dist
from ray import cloudpickle

from segfrontier.lab._ray.looking import Look
from segfrontier.lab.backend import Backend
from segfrontier.lab.lab import Lab
from segfrontier.lab.passes.base import Outcome
from segfrontier.lab.training import loop as training
from segfrontier.lab.training.loop import Bench
from segfrontier.lab.worker import Worker


@contextmanager
def processes(count):
    """So many processes that live until the end of the block."""
    context = multiprocessing.get_context("spawn")
    pools = [ProcessPoolExecutor(1, mp_context=context, initializer=_begin) for _ in range(count)]
    try:
        yield pools
    finally:
        for pool in pools:
            pool.shutdown()


class ElsewhereLab(Lab):
    """Each of `pools` is a worker, and labels or scores its share of the scenes."""

    def __init__(self, *, pools, bench, **lab):
        super().__init__(backend=ElsewhereBackend(pools, bench), bench=bench, **lab)


@dataclass(frozen=True)
class ElsewhereBackend(Backend):
    pools: list
    bench: Bench

    def power(self, kind):
        return len(self.pools), False

    def train(self, job, *, work, out, watch, stop):
        self._all(_train, lambda rank: (job, self.bench, work, out, rank, len(self.pools)))

    def outcomes(self, work):
        names = work.names()
        share = -(-len(names) // len(self.pools))
        parts = [names[at : at + share] for at in range(0, len(names), share)]
        for rows in self._all(_look, lambda rank: (work.light(), parts[rank] if rank < len(parts) else [])):
            for row in rows:
                if row["error"] is not None:
                    raise pickle.loads(row["error"])
                made = None if row["row"] is None else pickle.loads(row["row"])
                yield Outcome(row["scene"], made, row["fault"] or "")

    def _all(self, do, arguments):
        return on_all(self.pools, do, arguments)


def on_all(pools, do, arguments):
    """What `do(*arguments(rank))` comes to in each of the processes, side by side."""
    futures = [pool.submit(_do, cloudpickle.dumps((do, arguments(rank)))) for rank, pool in enumerate(pools)]
    return [future.result(120) for future in futures]


def together(pools, work, folder, *more):
    """Run `work(worker, *more)` in all of the processes, which meet in a folder."""
    folder.mkdir(parents=True, exist_ok=True)
    on_all(pools, _join, lambda rank: (work, more, folder / "meet", rank, len(pools)))


def _begin():
    os.environ["GLOO_SOCKET_IFNAME"] = "lo"
    torch.set_num_threads(1)


def _do(sent):
    do, arguments = pickle.loads(sent)
    return do(*arguments)


def _train(job, bench, work, out, rank, world):
    def run(worker):
        training.run(job, worker, bench, work=work, out=out)

    _join(run, (), work / "meet", rank, world)


def _join(work, more, file, rank, world):
    worker = Worker(device=torch.device("cpu"), rank=rank, world=world)
    if world == 1:
        work(worker, *more)
        return
    dist.init_process_group("gloo", store=dist.FileStore(str(file), world), rank=rank, world_size=world)
    try:
        work(worker, *more)
        dist.barrier()
    finally:
        dist.destroy_process_group()


def _look(work, names):
    return [
        row for t in Look(work, "cpu", 1)(pa.table({"scene": pa.array(names, pa.string())})) for row in t.to_pylist()
    ]
