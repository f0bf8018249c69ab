"""Cells on Ray Tune, a trial each. Tune executes; which cells there are, and which have ended, is the study's business.

Two silent hangs of nested trainings are ruled out here by construction. Trials with workers of their own hold next to
no CPU, and never more of them run than the cluster has room for workers (`room`), so no worker waits for a trial that
waits for it. And Tune never ends such a trial from outside, which would leak what its workers reserved: early stopping
writes a wish into the cell's folder, and the cell ends its own training.

On a cluster that others share, cells that hold CPUs of their own have a process each, as one that is used again keeps
its CPUs between cells; and the next one is held back while another study has its turn (`turns`).
"""

from __future__ import annotations

import logging
import math
import os
import shutil
import sys
from collections import Counter, deque
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import Any

import ray
from ray import tune
from ray.exceptions import OutOfMemoryError
from ray.tune.schedulers import AsyncHyperBandScheduler, FIFOScheduler, TrialScheduler
from ray.tune.search import Searcher

from segfrontier.errors import BadStudy
from segfrontier.home.layout import CELL, CUT, LOG, Home
from segfrontier.home.records import Record
from segfrontier.lab._ray import start_ray, stop_ray
from segfrontier.lab._ray.nodes import Process, carries, times
from segfrontier.lab._ray.start import is_ours, what_died
from segfrontier.lab._ray.turns import turns
from segfrontier.study.cellwork import do_cell
from segfrontier.study.config import Asha, Executor
from segfrontier.study.deaths import cause, oom_kills
from segfrontier.study.executing import Work
from segfrontier.study.keys import Atlas, plain_cell, read_cell
from segfrontier.study.preflight import needs_of, require_gpus, require_nodes, unseen

log = logging.getLogger(__name__)
_TRIAL_CPU, _LOST = 0.01, 2
_SCORE, _EPOCH = "score", "epoch"
_UNSEEN = "unseen"
"""The outcome of a trial whose node does not see the home. It is told, not raised: Tune would try it again there."""
_TUNE = {
    "RAY_AIR_NEW_OUTPUT": "0",  # the only output that can be silent
    "TUNE_DISABLE_AUTO_CALLBACK_LOGGERS": "1",
    "TUNE_DISABLE_SIGINT_HANDLER": "1",  # a study heeds signals itself
    "TUNE_PRINT_ALL_TRIAL_ERRORS": "0",  # the cell's log and record have them
    "TUNE_DISABLE_STRICT_METRIC_CHECKING": "1",  # a cell that failed has no score
    "TUNE_WARN_THRESHOLD_S": "60",
}


def run_on_ray(
    work: Work, executor: Executor, *, folder: Path, asha: Asha | None, address: str | None,
    weights: Collection[tuple[str, str]] = (),
) -> None:  # fmt: skip
    """Compute cells as trials until the feed is over; `folder` is Tune's own, and empty afterwards.

    On a cluster that others started each node is looked at first, `weights` by encoder included.
    """
    os.environ |= _TUNE
    mine = not ray.is_initialized()
    start_ray(address)
    for name in ("ray.tune", "ray.train", "ray.data"):
        logging.getLogger(name).setLevel(logging.ERROR)
    try:
        if not is_ours():
            require_nodes(needs_of(work.home.path, work.atlas.opened(), weights))
        if executor.on_gpus:
            require_gpus(worker_of(executor))
        _fit(work, executor, folder, asha)
    except Exception as error:
        raise what_died() or error from None
    finally:
        if mine:
            stop_ray()
        shutil.rmtree(folder, ignore_errors=True)


def _fit(work: Work, executor: Executor, folder: Path, asha: Asha | None) -> None:
    nodes = [node for node in ray.nodes() if node["Alive"] and carries(node, executor.node_labels)]
    parallel = room(executor, [node["Resources"] for node in nodes])
    if parallel == 0:
        if is_ours():
            raise BadStudy(_too_small(executor))
        parallel = 1  # the cluster may grow
    shared = not is_ours() and executor.workers == 0
    cells = _Cells(work, min(parallel, executor.parallel_cells or parallel), _yielding(executor) if shared else None)
    os.environ["TUNE_MAX_PENDING_TRIALS_PG"] = str(parallel)  # by default one process is started after the other
    while True:
        try:
            _tuner(cells, work, executor, folder, asha, reuse=not shared).fit()
            return
        except RuntimeError as error:  # Tune knows no process that Ray ends for want of memory, and gives up
            if not isinstance(error.__cause__, OutOfMemoryError):
                raise
            cells.short_of_memory(error.__cause__)


def _yielding(executor: Executor) -> Callable[[int], bool]:
    """Whether, with so many cells at once, another study must have its turn first."""
    mine, cpus = turns(), reserved(executor)["CPU"]
    return lambda cells: mine.hold_back(cells * cpus)


def _tuner(
    cells: _Cells, work: Work, executor: Executor, folder: Path, asha: Asha | None, *, reuse: bool
) -> tune.Tuner:
    shutil.rmtree(folder, ignore_errors=True)
    order = {"home": str(work.home.path), "means": work.means, "leave": work.leave, "asha": asha}
    return tune.Tuner(
        tune.with_resources(tune.with_parameters(_trial, order=order), _placed(executor)),
        tune_config=tune.TuneConfig(
            search_alg=cells, num_samples=-1, reuse_actors=reuse,
            scheduler=FIFOScheduler() if asha is None else Cutting(work.home, asha),
        ),
        run_config=tune.RunConfig(
            name=folder.name, storage_path=str(folder.parent.absolute()), verbose=0,
            failure_config=tune.FailureConfig(max_failures=_LOST), callbacks=[_Lost(cells)],
        ),
    )  # fmt: skip


def reserved(executor: Executor) -> dict[str, float]:
    """What a trial holds for as long as its cell takes, also while it waits for a stage: never a GPU."""
    if executor.workers:
        return {"CPU": _TRIAL_CPU}
    return Process(cpus=executor.cpus_per_cell, memory=executor.memory_per_cell).resources


def _placed(executor: Executor) -> dict[str, float] | tune.PlacementGroupFactory:
    """What a trial holds, and where: one that computes by itself on nodes with the labels, any other anywhere."""
    if executor.workers or not executor.node_labels:
        return reserved(executor)
    return tune.PlacementGroupFactory([reserved(executor)], bundle_label_selector=[dict(executor.node_labels)])


def room(executor: Executor, nodes: list[dict[str, float]]) -> int:
    """How many cells these nodes can hold at once, with all that each of them will ask for later."""
    if executor.workers == 0:
        return sum(times(reserved(executor), node) for node in nodes)
    worker = worker_of(executor).resources
    trials = sum(node.get("CPU", 0) for node in nodes) / worker["CPU"]  # more than there will ever be
    spare = [node | {"CPU": node.get("CPU", 0) - math.ceil(trials) * _TRIAL_CPU} for node in nodes]
    return sum(times(worker, node) for node in spare) // executor.fewest_workers


def worker_of(executor: Executor) -> Process:
    """What a worker of a cell's stages reserves."""
    return Process(
        cpus=executor.cpus_per_worker, gpus=executor.gpus_per_cell, memory=executor.memory_per_cell,
        labels=executor.node_labels,
    )  # fmt: skip


def _too_small(executor: Executor) -> str:
    workers, have = executor.fewest_workers, ray.cluster_resources()
    what = f"{workers} workers of" if workers else "a cell of"
    labels = "".join(f", {key}={value}" for key, value in executor.node_labels.items())
    return (
        f"executor: this machine must have room for {what} {executor.cpus_per_cell:g} CPUs, {executor.gpus_per_cell:g} "
        f"GPUs and {executor.memory_per_cell:g} GiB{labels}; found {have.get('CPU', 0):g} CPUs, {have.get('GPU', 0):g} "
        f"GPUs and {have.get('memory', 0) / 2**30:.1f} GiB. Ask for less, or give the address of a larger cluster."
    )


class _Cells(Searcher):
    """The study's feed as Tune wants to be fed. Nothing of it is for Tune to keep."""

    def __init__(self, work: Work, parallel: int, yields: Callable[[int], bool] | None = None) -> None:
        super().__init__(metric=_SCORE, mode="max")
        self._work, self._parallel, self._yields = work, parallel, yields
        self._running: dict[str, str] = {}
        self._again: deque[str] = deque()
        self._ended_alone: Counter[str] = Counter()
        self._kills = oom_kills()

    def suggest(self, trial_id: str) -> dict[str, Any] | str | None:
        """The next cell's key."""
        if len(self._running) >= self._parallel:
            return None
        if self._yields is not None and not self._work.feed.over and self._yields(len(self._running) + 1):
            return None
        key = self._again.popleft() if self._again and not self._work.feed.why else self._work.feed.next()
        if key is None:
            return str(Searcher.FINISHED) if self._work.feed.over else None
        self._running[trial_id] = key
        return {"key": key}

    def on_trial_complete(self, trial_id: str, result: dict[str, Any] | None = None, error: bool = False) -> None:
        """A cell has ended; where its process has died once too often, `lost` follows."""
        if not error and result is not None and result.get("outcome") == _UNSEEN:
            self._blind(self._running.pop(trial_id), result["why"])
        elif not error and result is not None and "outcome" in result:
            self._work.settle(self._running.pop(trial_id), result["outcome"])
        elif not error:
            self.lost(trial_id, None)

    def lost(self, trial_id: str, error: BaseException | None) -> None:
        """The process of a cell has died once too often. Where Ray has ended, that says nothing of the cell."""
        if (died := what_died()) is not None:
            raise died
        self._fail(self._running.pop(trial_id), error)

    def short_of_memory(self, error: OutOfMemoryError) -> None:
        """Ray has ended cells because their node ran short of memory; all that ran go on, one fewer at once.

        Which of them took it is not known, so none is given up for it but one that ran alone, as often as any other.
        """
        ran, self._running = list(self._running.values()), {}
        if len(ran) == 1:
            self._ended_alone[ran[0]] += 1
            if self._ended_alone[ran[0]] > _LOST:
                self._fail(ran.pop(), error)
        self._parallel = max(1, min(self._parallel, len(ran)) - 1)
        self._again.extendleft(reversed(ran))
        log.warning("a node ran short of memory, and Ray ended cells there; %d at once from here", self._parallel)

    def _fail(self, key: str, error: BaseException | None) -> None:
        why = cause(error, self._work.home.cell(key) / LOG, kills=oom_kills() - self._kills)
        _write_failure(self._work.home, key, f"the process that computed it died {_LOST + 1} times; {why}")
        self._work.settle(key, "failed")

    def _blind(self, key: str, why: str) -> None:
        """A node does not see the files of its cell. No further cell is begun: it would take them all, one by one."""
        _write_failure(self._work.home, key, why)
        self._work.feed.halt(why)
        self._work.settle(key, "failed")

    def __getstate__(self) -> dict[str, Any]:
        return {}  # Tune pickles what it is given, to restore it later; nothing is restored here

    def save(self, checkpoint_path: str) -> None:
        """See the class."""

    def restore(self, checkpoint_path: str) -> None:
        """See the class."""


class _Lost(tune.Callback):
    """Hands on why a trial's process died for good."""

    def __init__(self, cells: _Cells) -> None:
        self._cells = cells

    def on_trial_error(self, iteration: int, trials: list[Any], trial: Any, **_: Any) -> None:  # noqa: ARG002
        """See `tune.Callback`."""
        self._cells.lost(trial.trial_id, trial.get_pickled_error())


class Cutting(FIFOScheduler):
    """ASHA among cells that differ in knobs alone. Its verdict is a wish, which the cell itself heeds."""

    def __init__(self, home: Home, asha: Asha) -> None:
        super().__init__()
        self._home, self._asha = home, asha
        self._groups: dict[tuple[object, ...], AsyncHyperBandScheduler] = {}

    def on_trial_add(self, tune_controller: Any, trial: Any) -> None:
        """See `TrialScheduler`."""
        self._judge(trial.config["key"]).on_trial_add(tune_controller, trial)

    def on_trial_result(self, tune_controller: Any, trial: Any, result: dict[str, Any]) -> str:
        """See `TrialScheduler`."""
        key, known = trial.config["key"], _EPOCH in result and _SCORE in result
        if known and "outcome" not in result:
            verdict = self._judge(key).on_trial_result(tune_controller, trial, result)
            if verdict == TrialScheduler.STOP:
                (self._home.cell(key) / CUT).touch()
        return str(TrialScheduler.CONTINUE)

    def _judge(self, key: str) -> AsyncHyperBandScheduler:
        cell = read_cell(self._home, key)
        group = (cell.method, cell.hours, cell.facet.digest, cell.seed)
        if group not in self._groups:
            self._groups[group] = AsyncHyperBandScheduler(
                time_attr=_EPOCH, metric=_SCORE, mode="max", max_t=10**9,
                grace_period=self._asha.grace, reduction_factor=self._asha.reduction,
            )  # fmt: skip
        return self._groups[group]


def _trial(config: dict[str, Any], order: dict[str, Any]) -> None:
    """A cell in the process of its trial."""
    home, means, leave, key = Home(Path(order["home"])), order["means"], order["leave"], config["key"]
    latest = [0.0, math.nan]
    if why := unseen(home.cell(key) / CELL):
        tune.report({"outcome": _UNSEEN, "why": why})
        return

    def on_rung(epochs: float, score: float) -> None:
        latest[:] = [epochs, score]
        tune.report({_EPOCH: epochs, _SCORE: score})

    with _into(home.cell(key) / LOG):
        outcome = do_cell(home, key, means, stop=leave, on_rung=on_rung, asha=order["asha"], atlas=_atlas())
    tune.report({"outcome": outcome, _EPOCH: latest[0], _SCORE: latest[1]})


@cache
def _atlas() -> Atlas:
    return Atlas()  # for all cells that this process will compute


@contextmanager
def _into(log: Path) -> Iterator[None]:
    """All that this process prints goes to the end of a file."""
    sys.stdout.flush()
    sys.stderr.flush()
    kept = [os.dup(1), os.dup(2)]
    with log.open("ab") as file:
        os.dup2(file.fileno(), 1)
        os.dup2(file.fileno(), 2)
    try:
        yield
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        for number, before in zip((1, 2), kept, strict=True):
            os.dup2(before, number)
            os.close(before)


def _write_failure(home: Home, key: str, error: str) -> None:
    """The record of a cell whose process could not write one."""
    cell = read_cell(home, key)
    Record(
        key=key, state="failed", cell=plain_cell(cell), facet=cell.facet.digest, facet_words=str(cell.facet),
        error=error,
    ).write(home)  # fmt: skip
