"""The work of one cell, in whatever process it is done: open the lab, run the method, score the model, keep the record.

A cell never raises: what goes wrong becomes its record, and the others go on. A cell that is asked to stop, or that
finds the disk full, leaves no record; its stages and checkpoints are stored, and the next run goes on from there.
"""

from __future__ import annotations

import time
import traceback
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field
from typing import Any, Literal

from segfrontier.basics.disk import is_full
from segfrontier.basics.wording import one_line
from segfrontier.errors import BadInput, LedgerError, Stopped
from segfrontier.home.layout import Home
from segfrontier.home.records import Counted, Record, State
from segfrontier.lab import Bench, Lab, LabSettings, Model, Scores, judge, make_method, open_lab
from segfrontier.lab.card import noted
from segfrontier.market import Ledger
from segfrontier.study.cells import Cell
from segfrontier.study.cellwatch import CellWatch
from segfrontier.study.config import Asha
from segfrontier.study.environment import commit, environment
from segfrontier.study.keys import Atlas, code_of, plain_cell, read_cell
from segfrontier.study.sampling import sampled

Outcome = Literal["done", "failed", "cut", "stopped", "full"]
"""`full`: the disk is, so no other cell would do better."""


@dataclass(frozen=True, kw_only=True)
class Means:
    """What a cell has to work with. None of it changes results beyond rounding."""

    bench: Bench
    workers: int = 0  # at most; 0: stages run in the cell's own process
    fewest_workers: int = 0
    cpus_per_worker: float = 0.9
    gpus_per_worker: float = 1.0  # where there are GPUs
    memory_per_worker: float = 0.0  # GiB
    node_labels: Mapping[str, str] = field(default_factory=dict)
    system: bool = False  # how busy the machine is, is logged


def do_cell(
    home: Home,
    key: str,
    means: Means,
    *,
    stop: Callable[[], bool] = lambda: False,
    on_rung: Callable[[float, float], None] | None = None,
    asha: Asha | None = None,
    atlas: Atlas | None = None,
) -> Outcome:
    """Compute a cell whose `cell.json` is in place. `on_rung` hears of (epochs, score) at the rungs of `asha`."""
    watch = CellWatch(home.cell(key), stop=stop, on_rung=on_rung, asha=asha)
    try:
        return watch.left(_attempt(home, key, means, watch, atlas or Atlas()))
    except Exception as error:
        if not is_full(error):
            raise
        return watch.left("full")


def _attempt(home: Home, key: str, means: Means, watch: CellWatch, atlas: Atlas) -> Outcome:
    began, clock = time.time(), time.monotonic()
    cell = read_cell(home, key)
    try:
        with watch, _sampled(means, watch), _open(cell, key, home, means, atlas, watch) as lab:
            done = perform(lab, cell)
        more = _scored(done.scores) | _best(done.best) | {"model": noted(done.model)}
        more |= {"steps": lab.trained.steps, "images": lab.trained.images}
        state: State = "done"
    except Stopped:
        if not watch.is_cut:
            return "stopped"
        state, more = "cut", {}
    except Exception as error:
        if is_full(error):
            raise
        watch.log(traceback.format_exc())
        state, more = "failed", {"error": one_line(error), "refused": isinstance(error, BadInput)}
    record = Record(
        key=key, state=state, cell=plain_cell(cell), facet=cell.facet.digest, facet_words=str(cell.facet),
        notes=watch.notes, pictures=tuple(watch.pictures), curves=watch.curves(), stages=watch.stages(),
        left_out=watch.left_out,
        started=began, ended=began + time.monotonic() - clock,
        code=code_of(cell.method, (stage.kind for stage in watch.stages())), commit=commit(), environment=environment(),
        worlds={ref: digest for ref, digest in atlas.digests().items() if ref in (cell.world, cell.source)},
        **_bought(home, key), **more,
    )  # fmt: skip
    record.write(home)
    return state


@dataclass(frozen=True)
class Performed:
    """What a cell comes to; `best` is `oracle_best`, where there is anything to choose from."""

    model: Model
    scores: Scores
    best: tuple[int, Scores] | None


def perform(lab: Lab, cell: Cell) -> Performed:
    """All that a cell does in its lab."""
    made = make_method(cell.method, dict(cell.knobs)).run(lab, cell.recipe)
    lab.trained.require_whole()
    model, scores = judge(lab, made)
    best = lab.oracle_best(model) if cell.recipe.snapshots and lab.snapshots(model) else None
    return Performed(model, scores, best)


def _open(cell: Cell, key: str, home: Home, means: Means, atlas: Atlas, watch: CellWatch) -> Lab:
    settings = LabSettings(
        home=home.path, world=atlas.target(cell), source=atlas.source(cell), hours=cell.hours, prices=cell.prices,
        cell=key, seed=cell.seed, noise=cell.noise, bench=means.bench, watcher=watch, recipe=cell.recipe,
    )  # fmt: skip
    if means.workers == 0:
        return open_lab(settings)
    from segfrontier.lab._ray import RayLab

    return open_lab(
        settings, kind=RayLab, workers=means.workers, fewest_workers=means.fewest_workers,
        cpus_per_worker=means.cpus_per_worker, gpus_per_worker=means.gpus_per_worker,
        memory_per_worker=means.memory_per_worker, node_labels=means.node_labels,
    )  # fmt: skip


def _sampled(means: Means, watch: CellWatch) -> AbstractContextManager[None]:
    """The machine is looked at while the block lasts, if that is wanted; its GPUs unless all is done on CPUs."""
    return sampled(watch.progress, gpus=means.bench.device != "cpu") if means.system else nullcontext()


def _scored(scores: Scores) -> dict[str, Any]:
    return {"values": scores.values, "iou": scores.iou, "scenes": scores.scenes, "score_folder": scores.folder}


def _best(best: tuple[int, Scores] | None) -> dict[str, Any]:
    return {} if best is None else {"oracle_best": {"step": best[0], "miou": best[1].miou}}


def _bought(home: Home, key: str) -> dict[str, Any]:
    """What the cell has bought so far; nothing where it failed before its first purchase, or buys nothing."""
    try:
        ledger = Ledger.find(home.ledger)
        totals = ledger.totals(key).get(key, {}) if ledger is not None else {}
        if ledger is None or not totals:
            return {}
        prices = ledger.prices_of(key)
    except LedgerError:  # a damaged account, which is why the cell failed
        return {}
    counted = {k: Counted(scenes=t.scenes, acts=t.acts, units=t.units, asked=t.asked) for k, t in totals.items()}
    return {"acts": counted, "seconds": prices.bill(totals), "prices": f"{prices.name} {prices.digest}"}
