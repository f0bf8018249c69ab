"""Training on Ray Train: each attempt is a run of its own, and the loop's checkpoints carry over from one to the next.

Ray's own retries are not used: they would repeat a run after any exception, a user's mistake included.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import ray.train
import torch
from ray.train import (
    ControllerError,
    FailureConfig,
    LoggingConfig,
    PreemptionError,
    RunConfig,
    ScalingConfig,
    WorkerGroupError,
)
from ray.train.torch import TorchTrainer, get_device

from segfrontier.errors import StageError, Stopped
from segfrontier.lab._libraries import load_compiler
from segfrontier.lab._ray.attempt import Attempt, open_attempt
from segfrontier.lab._ray.fleet import WorkerPool
from segfrontier.lab._ray.joining import joined, own_group
from segfrontier.lab._ray.moves import Moves
from segfrontier.lab._ray.policy import taken_back, verdict
from segfrontier.lab.handles import WEIGHTS
from segfrontier.lab.training import loop as training
from segfrontier.lab.training.history import Watch
from segfrontier.lab.training.loop import Bench, Job
from segfrontier.lab.worker import Worker

log = logging.getLogger(__name__)
_LOOK_SECONDS = 0.1


@dataclass(frozen=True, kw_only=True)
class _Order:
    """What every worker is told."""

    job: Job
    bench: Bench
    work: Path
    out: Path
    attempt: Attempt
    gpu: bool


def train(
    job: Job,
    bench: Bench,
    fleet: WorkerPool,
    *,
    gpu: bool,
    work: Path,
    out: Path,
    watch: Watch,
    stop: Callable[[], bool],
) -> None:
    """Run a job to its end, replacing workers and nodes that are lost; raises what the workers raised."""
    # Ray would give each worker one thread a reserved CPU; the lab's promise is the same work as in one process.
    bench = replace(bench, threads=bench.threads or torch.get_num_threads())
    sizes, retries_left = fleet.sizes(stream.batch for stream in job.streams.values()), fleet.max_failures
    while True:
        with open_attempt(work) as attempt:
            size = fleet.size_now(sizes, gpu=gpu)
            order = _Order(job=job, bench=bench, work=work, out=out, attempt=attempt, gpu=gpu)
            run = _Run(_trainer(order, fleet, size))
            run.watch(attempt, watch, stop, Moves(attempt, fleet, sizes, size, gpu=gpu))
        if run.failures and not taken_back(run.failures):
            final = verdict(run.failures, workers=size, retries_left=retries_left)
            if final is not None:
                raise final
            retries_left -= 1
            log.warning("training lost workers; others go on from the last checkpoint (%d more times)", retries_left)
        elif not run.failures and not (run.stopped and run.moved):
            break
        else:
            log.warning("%s; training goes on from its checkpoint", run.moved or "a node was taken back")
    if run.stopped:
        raise Stopped(run.stopped)
    if not (out / WEIGHTS).is_file():
        raise StageError(
            f"the first worker must write {out / WEIGHTS}; it is not there. All nodes must see the lab's home at the "
            f"same place: put it on a disk that they share."
        )


def _trainer(order: _Order, fleet: WorkerPool, size: int) -> TorchTrainer:
    each = fleet.process(gpu=order.gpu)
    # Bound, not given as `train_loop_config`, which the controller would unpack, too.
    return TorchTrainer(
        lambda: _work(order),
        torch_config=own_group(),
        scaling_config=ScalingConfig(
            num_workers=size,
            use_gpu=order.gpu,
            resources_per_worker=each.resources,
            label_selector=dict(each.labels) or None,
        ),
        run_config=RunConfig(
            name="run",
            storage_path=order.attempt.path,
            logging_config=LoggingConfig(log_level="WARNING"),
            failure_config=FailureConfig(max_preemption_failures=0),
        ),
    )


def _work(order: _Order) -> str:
    """All that one worker does; returns how a run that was asked to stop put it."""
    load_compiler()
    place = ray.train.get_context()
    order.attempt.require_shared()
    order.attempt.enter(ray.get_runtime_context().get_node_id())
    threads = max(1, order.bench.threads // place.get_local_world_size())
    worker = Worker(
        device=get_device() if order.gpu else torch.device("cpu"),
        rank=place.get_world_rank(),
        world=place.get_world_size(),
    )
    with joined(worker):
        try:
            training.run(
                order.job, worker, replace(order.bench, threads=threads), work=order.work, out=order.out,
                watch=order.attempt.report, stop=order.attempt.halted,
            )  # fmt: skip
        except Stopped as stopped:  # not a failure; all workers leave at the same step
            return str(stopped)
    return ""


class _Run:
    """`TorchTrainer.fit` in a thread of its own, so that this one can watch, and keep its signal handlers."""

    def __init__(self, trainer: TorchTrainer) -> None:
        self._trainer = trainer
        self.stopped = self.moved = ""
        self.failures: Mapping[int, BaseException] = {}
        self._thread = threading.Thread(target=self._fit, name="ray-train", daemon=True)

    def watch(self, attempt: Attempt, watch: Watch, stop: Callable[[], bool], moves: Moves) -> None:
        """Return when the run has ended, one way or another; `moved` says why it should go on elsewhere, if so."""
        self._thread.start()
        while self._thread.is_alive():
            self._thread.join(_LOOK_SECONDS)
            if stop():
                self.moved = ""
                attempt.halt()
            elif not self.moved and (why := moves.reason()):
                self.moved = why
                attempt.halt()
            attempt.pass_on(watch)
        attempt.pass_on(watch)  # what was reported last

    def _fit(self) -> None:
        try:
            self.stopped = self._trainer.fit().return_value
        except PreemptionError as error:  # the node went before its workers could
            self.failures = {0: error}
        except WorkerGroupError as error:
            self.failures = error.worker_failures
        except ControllerError as error:
            self.failures = {0: error.controller_failure}
        except Exception as error:
            self.failures = {0: error}
