"""The training loop: everything around `Objective.step` that is the same for every method."""

from __future__ import annotations

import math
import shutil
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import Any, Literal, NoReturn

import torch
from torch import Tensor

from segfrontier.basics.atomic import sweep, write_json, write_text
from segfrontier.basics.disk import room_at
from segfrontier.errors import BadInput, Diverged, Stopped
from segfrontier.lab.leftout import LeftOut
from segfrontier.lab.looking import Looking
from segfrontier.lab.objective import Batch, Moment, Objective
from segfrontier.lab.shares import Shares
from segfrontier.lab.streams import Stream, stable_seed
from segfrontier.lab.training import checkpoints
from segfrontier.lab.training.history import History, Watch
from segfrontier.lab.training.learners import Learners
from segfrontier.lab.training.loader import Raw, StepDataset, batches, to_device
from segfrontier.lab.training.memory import keep_freed_memory
from segfrontier.lab.worker import Worker

CHECKPOINTS, SNAPSHOTS, PEEKS, LOG = "checkpoints", "snapshots", "peeks", "log.jsonl"
LEFT_OUT = "left_out.json"


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """What decides the outcome of a training stage beside its objective and its data; part of the stage's key."""

    steps: int
    seed: int = 0
    precision: Literal["fp32", "bf16", "fp16"] = "fp32"
    accumulate: int = 1
    snapshots: int = 0  # weights kept on the way, evenly spaced, for `oracle_best`

    def __post_init__(self) -> None:
        if self.steps < 1 or self.accumulate < 1 or self.snapshots < 0:
            raise BadInput(f"a plan needs steps >= 1, accumulate >= 1 and snapshots >= 0; found {self}")

    def snapshot_steps(self) -> tuple[int, ...]:
        """After which steps weights are kept; the end is kept anyway."""
        return tuple(sorted({round(self.steps * i / (self.snapshots + 1)) for i in range(1, self.snapshots + 1)} - {0}))


@dataclass(frozen=True, slots=True, kw_only=True)
class Bench:
    """Where and how a stage runs; changes speed, not results beyond rounding, so it is no part of any key."""

    device: str = "auto"
    threads: int | None = None
    loader_workers: int = 0
    channels_last: bool = False
    fused: bool = False
    compile: bool = False
    checkpoint_seconds: float = 60.0
    log_steps: int = 20
    look_batch: int | None = None
    """Images that a model looks at together in passes; default: one on CPUs, which is exact, and eight on GPUs."""

    def torch_device(self) -> torch.device:
        """The device that is meant here."""
        if self.device != "auto":
            return torch.device(self.device)
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")

    def images_together(self, device: str) -> int:
        """How many images a model looks at together in passes, on such a device."""
        return self.look_batch or (8 if device == "cuda" else 1)


@dataclass(frozen=True, kw_only=True)
class Job:
    """A training stage: what to compute, on what, for how long, and from which weights."""

    objective: Objective
    streams: Mapping[str, Stream]
    plan: Plan
    start: Mapping[str, str] = field(default_factory=dict)  # network name -> weights file to begin with
    peeks: tuple[int, ...] = ()  # after which steps weights are laid out for early stopping; no part of any key
    looking: Looking = field(default_factory=Looking)  # how they are looked at there; no part of the key either

    @cached_property
    def steps_an_epoch(self) -> int:
        """Steps that show the first stream's scenes once; every step asks for it, and a pool may be large."""
        first = next(iter(self.streams.values()))
        return max(1, -(-first.scenes // first.batch))

    @property
    def images(self) -> int:
        """How many its steps see: those of the streams that each step asks for."""
        names, every = tuple(self.streams), sum(stream.batch for stream in self.streams.values())
        if type(self.objective).streams is Objective.streams:
            return self.plan.steps * every
        asked = (self.objective.streams(self.moment(step), names) for step in range(self.plan.steps))
        return sum(self.streams[name].batch for wanted in asked for name in wanted)

    def moment(self, step: int) -> Moment:
        """A step's place in the run, as one process sees it."""
        plan, an_epoch = self.plan, self.steps_an_epoch
        return Moment(step=step, steps=plan.steps, epoch=step // an_epoch, steps_an_epoch=an_epoch, seed=plan.seed)


def run(
    job: Job,
    worker: Worker,
    bench: Bench,
    *,
    work: Path,
    out: Path,
    watch: Watch | None = None,
    stop: Callable[[], bool] = lambda: False,
) -> None:
    """Train to the end of the plan, continuing from what `work` holds; the leader writes the weights into `out`.

    When `stop` answers True the state is saved in `work` and `Stopped` is raised: the same call goes on from there.
    """
    if not job.streams:
        raise BadInput("training needs at least one stream of samples; none was given")
    if bench.threads:
        torch.set_num_threads(bench.threads)
    if worker.device.type == "cpu":
        keep_freed_memory()
    if worker.leads:
        _tidy(work)
    learners, history, first = _begun(job, worker, bench, work)
    _Loop(job, worker, bench, learners, history, work).go(first, watch, stop)
    if worker.leads:
        _write(learners, history, work, out)
    worker.wait()


def _tidy(work: Path) -> None:
    """Remove the drafts of killed writers, and what lies in a folder's place."""
    sweep(work)
    for folder in (work / CHECKPOINTS, work / SNAPSHOTS):
        if not folder.is_dir():
            folder.unlink(missing_ok=True)
        sweep(folder)


def _begun(job: Job, worker: Worker, bench: Bench, work: Path) -> tuple[Learners, History, int]:
    """Networks, log and first step, as the newest checkpoint that will do has them; else from the beginning."""

    def anew() -> tuple[Learners, History]:
        learners = Learners(
            job.objective, worker, seed=job.plan.seed, precision=job.plan.precision,
            compiled=bench.compile, channels_last=bench.channels_last, fused=bench.fused,
        )  # fmt: skip
        return learners, History(work / LOG, worker, bench.log_steps)

    for path in checkpoints.newest_first(work / CHECKPOINTS):
        learners, history = anew()
        try:
            with checkpoints.opened(path, device=worker.device) as state:
                first = int(state["step"])
                learners.load(state["learners"])
                history.load(state["history"], first)
            return learners, history, first
        except checkpoints.Unusable as why:
            checkpoints.set_aside(path, why)
    learners, history = anew()
    learners.begin_with(job.start)
    return learners, history, 0


def _write(learners: Learners, history: History, work: Path, out: Path) -> None:
    """What a training comes to."""
    checkpoints.write_tensors(out / "weights.pt", learners.weights())
    write_text(out / LOG, history.text(), sync=False)
    if left_out := LeftOut.of_all(work):
        write_json(out / LEFT_OUT, left_out, sync=False)
    with room_at(out):
        for snapshot in sorted((work / SNAPSHOTS).glob("*.pt")):
            shutil.copy(snapshot, out / snapshot.name)


_SAME_WITHIN = 1e-5
"""Of a gradient's size. Workers' are the same bits; devices of several kinds may add them up in another order."""


class _Loop:
    """One run's loop, its parts in hand."""

    def __init__(
        self, job: Job, worker: Worker, bench: Bench, learners: Learners, history: History, work: Path
    ) -> None:
        self.job, self.worker, self.bench, self.learners, self.history = job, worker, bench, learners, history
        self.work, self.left_out = work, LeftOut(work, worker.rank)
        self.names = tuple(job.streams)
        self.saved_at = time.monotonic()

    def go(self, first: int, watch: Watch | None, stop: Callable[[], bool]) -> None:
        """Do the steps from `first` to the plan's end."""
        plan, snapshots = self.job.plan, set(self.job.plan.snapshot_steps())
        feed = self._feed(first)
        self.history.start_clock()
        for step in range(first, plan.steps):
            self.history.waiting()
            raw = next(feed)
            self.left_out.take({name: each.left_out for name, each in raw.items()})
            self.history.working()
            self._step(step, raw)
            done = step + 1
            if self.worker.leads and done in snapshots and done < plan.steps:
                self._keep(done, SNAPSHOTS)
            if self.worker.leads and done in self.job.peeks:
                self._keep(done, PEEKS)
            self.history.end_of_step(done, plan.steps, watch, last=done == plan.steps)
            if done < plan.steps:
                self._save_or_stop(done, stop)

    def _keep(self, done: int, folder: str) -> None:
        """Keep the weights as they are now, whole or not at all: others look while training goes on."""
        path = self.work / folder / f"weights-{done:09d}.pt"
        checkpoints.write_tensors(path, self.learners.weights(), sync=True)

    def _feed(self, first: int) -> Iterator[dict[str, Raw]]:
        dataset = StepDataset(self.job.streams, seed=self.job.plan.seed, rank=self.worker.rank, world=self.worker.world)
        wants = [
            (s, tuple(self.job.objective.streams(self._moment(s), self.names)))
            for s in range(first, self.job.plan.steps)
        ]
        return batches(dataset, wants, workers=self.bench.loader_workers, pin=self.worker.device.type == "cuda")

    def _moment(self, step: int) -> Moment:
        return replace(self.job.moment(step), cut=Shares(self.worker, parts=self.job.plan.accumulate))

    def _step(self, step: int, raw: dict[str, Raw]) -> None:
        at, parts = self._moment(step), self.job.plan.accumulate
        whole = {n: to_device(r, self.worker.device, channels_last=self.bench.channels_last) for n, r in raw.items()}
        pieces, losses, told = list(_split(whole, parts)), dict[str, Any](), dict[str, list[Any]]()
        if parts > 1:
            with at.cut.counting():
                for number, batch in enumerate(pieces):
                    self._draw_for(step, number)
                    self.learners.count(self.job.objective, batch, at.next_part())
        for number, batch in enumerate(pieces):
            self._draw_for(step, number)
            at.next_part().logged.clear()
            for loss in self.learners.losses(self.job.objective, batch, at, share=1 / parts, hold=number < parts - 1):
                losses[loss.name] = losses.get(loss.name, 0.0) + loss.value.detach() / parts
                at.log(**{loss.name: losses[loss.name]})
            for name, value in at.logged.items():
                told.setdefault(name, []).append(value)
        logged = {name: sum(values) / len(values) for name, values in told.items()}
        if losses:
            logged |= self._sound(step + 1, losses)
        rates = self.learners.update(step=step, steps=self.job.plan.steps, steps_an_epoch=self.job.steps_an_epoch)
        self.history.take(logged, rates, sum(len(b.scene) for b in whole.values()))

    def _sound(self, step: int, losses: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """The losses of the whole batch, the same on every worker, once they and the gradients are fit to be taken.

        Before any state takes what came of them, and on all workers at once: the last checkpoint is as sound as it was.
        The device is waited for once.
        """
        found = dict(losses) | {f"a gradient of {name}": size for name, size in self.learners.gradient_sizes().items()}
        own = torch.stack([value.double() for value in found.values()])
        means, squares = self.worker.mean(torch.stack([own, own**2]))
        apart = (squares - means**2).clamp_min(0).sqrt() > _SAME_WITHIN * means.abs()
        apart[: len(losses)] = False  # each worker's are those of its share
        if not torch.isfinite(means).all() & ~apart.any():
            self._refuse(step, dict(zip(found, means.tolist(), strict=True)), dict(zip(found, apart, strict=True)))
        return dict(losses) if self.worker.world == 1 else dict(zip(losses, means.float(), strict=False))

    def _refuse(self, step: int, values: Mapping[str, float], apart: Mapping[str, Tensor]) -> NoReturn:
        for name, value in values.items():
            if not math.isfinite(value):
                raise Diverged(
                    f"every loss and gradient must stay finite; {name} became {value} at step {step}, which was not "
                    f"taken. Lower the learning rate, clip gradients (Network(clip=1.0)), or train in fp32."
                )
        name = next(name for name, differs in apart.items() if differs)
        raise BadInput(
            f"every worker must come to the same gradients; {name} differs among {self.worker.world} at step {step}. "
            f"Yield what a pass gives before the network's next pass, and let no loss go through nets.bare."
        )

    def _draw_for(self, step: int, part: int) -> None:
        """Draw anew for each (seed, step, rank, part): a run that continues needs no stored random state, anywhere."""
        more = (part,) if part else ()
        torch.manual_seed(stable_seed(self.job.plan.seed, step, self.worker.rank, *more))

    def _save_or_stop(self, done: int, stop: Callable[[], bool]) -> None:
        asking = done % self.history.every == 0 or self.worker.world == 1
        if not asking:
            return
        stopping = self.worker.from_leader(stop())
        due = time.monotonic() - self.saved_at >= self.bench.checkpoint_seconds
        if stopping or self.worker.from_leader(due):
            self.save(done)
        if stopping:
            raise Stopped(
                f"training was asked to stop and did, after step {done} of {self.job.plan.steps}; run it again to go on"
            )

    def save(self, done: int) -> None:
        """Store the exact state after `done` steps."""
        if self.worker.leads:
            state = {"step": done, "learners": self.learners.state(), "history": self.history.state()}
            checkpoints.save(self.work / CHECKPOINTS, done, state)
        self.saved_at = time.monotonic()


def _split(whole: dict[str, Batch], parts: int) -> Iterator[dict[str, Batch]]:
    if parts == 1:
        yield whole
        return
    for name, batch in whole.items():
        if len(batch.scene) % parts:
            raise BadInput(
                f"stream {name!r}: the {len(batch.scene)} samples of a worker must divide into {parts} parts"
            )
    for i in range(parts):
        yield {name: _piece(batch, i, parts) for name, batch in whole.items()}


def _piece(batch: Batch, i: int, parts: int) -> Batch:
    size = len(batch.scene) // parts
    cut = slice(i * size, (i + 1) * size)
    instance = None if batch.instance is None else batch.instance[cut]
    return Batch(
        batch.image[cut], batch.label[cut], instance, batch.scene[cut],
        views={name: image[cut] for name, image in batch.views.items()},
        labels={name: known[cut] for name, known in batch.labels.items()},
    )  # fmt: skip
