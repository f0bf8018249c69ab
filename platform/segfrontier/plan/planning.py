"""What a study would take, told before it runs: a rehearsal of all of its cells, in which nothing is bought or stored.

Cells buy in a throw-away ledger and ask for their stages by the real keys (see `dry_lab`), so acts, bills and what is
shared are what they will be. Time is the one estimate: see `probe`.
"""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from segfrontier.basics.atomic import scratch_folder
from segfrontier.basics.wording import one_line
from segfrontier.errors import BadInput, BadStudy, SegFrontierError, UnequalTraining
from segfrontier.home.layout import Home
from segfrontier.home.records import Record
from segfrontier.lab import LabSettings, open_lab
from segfrontier.market import Ledger, PriceList, prices_for
from segfrontier.plan.dry_lab import RehearsalLab, Shadow, StandIns
from segfrontier.plan.dry_market import Memory, Untold
from segfrontier.plan.foreseen import foreseen
from segfrontier.plan.probe import PATIENCE, estimate
from segfrontier.plan.study_plan import CellPlan, StagePlan, StudyPlan
from segfrontier.store import Store, still_sources
from segfrontier.study.cells import Cell
from segfrontier.study.cellwork import perform
from segfrontier.study.config import Study
from segfrontier.study.executing import bench_of
from segfrontier.study.keys import Atlas, keyed, staleness_here
from segfrontier.study.pins import Pins

Progress = Callable[[int, int], None]
_MEMORY_DISK = Path("/dev/shm")


def plan_study(
    study: Study,
    *,
    home: Path = Path("runs"),
    probe: bool = True,
    patience: float = PATIENCE,
    opening: Progress | None = None,
    progress: Progress | None = None,
) -> StudyPlan:
    """Rehearse all cells of a study; with `probe`, a few steps of each kind of training tell how long the rest takes.

    The probe begins with no further kind after `patience` seconds. A world that is not there, but is named after a
    well-known data set, is imagined from what is published of it; a CPU does not try steps of such a size.
    `opening` hears how a built-in world is rendered, `progress` how many cells are rehearsed.
    """
    study.require_device_here()
    place = Home(Path(home).absolute())
    atlas = Atlas(progress=opening, imagine=True, pins=Pins(place.path))
    cells, stand_ins = foreseen(study, place.study(study.name))
    _require_worlds(cells, atlas)
    with _stage(place) as stage, still_sources():  # every one of thousands of keys asks for the code behind it
        planned, is_stale = [], staleness_here()
        for done, (key, cell) in enumerate(keyed(cells, atlas).items(), start=1):
            planned.append(_rehearse(cell, key, atlas, stage, _is_done(place, key, is_stale)))
            if progress is not None:
                progress(done, len(cells))
        stages = _stages(planned, stage.shadow)
        left = {key: work for key, work in stage.stand_ins.work.items() if not stages[key].stored}
        untimed = _untimed(study, tuple(atlas.imagined)) if probe and left else ""
        times = estimate(left, study.executor, patience=patience) if probe and not untimed else None
    return StudyPlan(
        study=study, cells=tuple(planned), stand_ins=stand_ins, imagined=atlas.imagined, stages=stages, times=times,
        untimed=untimed,
    )  # fmt: skip


def _untimed(study: Study, absent: tuple[str, ...]) -> str:
    """Why nothing is tried, if so: a paper's networks on images of its size take a CPU minutes a step."""
    if not absent or bench_of(study.executor).torch_device().type != "cpu":
        return ""
    are = "is" if len(absent) == 1 else "are"
    return f"{' and '.join(absent)} {are} not here, and a CPU takes minutes for a few steps of that size"


@dataclass(frozen=True)
class _Stage:
    """Where the rehearsal takes place."""

    shadow: Shadow
    stand_ins: StandIns
    memory: Memory
    ledger_home: Path
    prices: Callable[[str, str | None], PriceList]


@contextmanager
def _stage(home: Home) -> Iterator[_Stage]:
    """The ledger is kept in memory where that is possible: it waits for the disk at each of its many small writes."""
    fast = _MEMORY_DISK if os.access(_MEMORY_DISK, os.W_OK) else None
    with scratch_folder() as folder, scratch_folder(fast) as quick:
        shadow = Shadow(folder / "store", Store(home.store))
        yield _Stage(shadow, StandIns(), Memory(folder / "labels"), quick, cache(prices_for))


def _require_worlds(cells: tuple[Cell, ...], atlas: Atlas) -> None:
    """Open every world now, and tell of all that do not open."""
    wrong: dict[str, None] = {}
    targets = {cell.world for cell in cells}
    for ref in dict.fromkeys(ref for cell in cells for ref in (cell.world, cell.source) if ref is not None):
        try:
            world = atlas.world(ref)
            if ref in targets:
                world.require_target()
        except BadInput as error:
            wrong[str(error)] = None
    if wrong:
        raise BadStudy("\n".join(wrong))


def _is_done(home: Home, key: str, is_stale: Callable[[Record], bool]) -> bool:
    record = Record.read(home.cell(key))
    return record is not None and record.state == "done" and not is_stale(record)


def _rehearse(cell: Cell, key: str, atlas: Atlas, stage: _Stage, done: bool) -> CellPlan:
    """What a cell would do, as far as it comes."""
    plan = CellPlan(key=key, cell=cell, done=done)
    try:
        settings = LabSettings(
            home=stage.ledger_home, world=atlas.target(cell), source=atlas.source(cell), hours=cell.hours,
            prices=cell.prices, cell=key, seed=cell.seed, noise=cell.noise, recipe=cell.recipe,
        )  # fmt: skip
        lab = open_lab(
            settings, kind=RehearsalLab, store=stage.shadow, answers=stage.memory.answers, stand_ins=stage.stand_ins
        )
    except SegFrontierError as error:
        return dataclasses.replace(plan, refused=one_line(error))
    assert isinstance(lab, RehearsalLab)
    with lab:
        refused, unforeseen = _act(lab, cell)
        plan = dataclasses.replace(
            plan, stages=lab.script.stages, purchases=tuple(lab.purchases), seconds=lab.spent, refused=refused,
            unforeseen=unforeseen, guided=lab.script.guided,
        )  # fmt: skip
    account = Ledger(stage.ledger_home / "ledger").account(key)
    prices = account.prices() or stage.prices(atlas.target(cell).name, cell.prices)
    return dataclasses.replace(plan, acts=account.totals(), prices=prices)


def _act(lab: RehearsalLab, cell: Cell) -> tuple[str, str]:
    """Run the cell's method. What goes wrong is the method's refusal, or due to what was not really computed.

    How many steps are trained does not hang on what models answer, so that is refused after stand-ins, too.
    """
    try:
        perform(lab, cell)
    except Exception as error:
        own = isinstance(error, SegFrontierError) and not (lab.script.guesses or isinstance(error, Untold))
        own |= isinstance(error, UnequalTraining)
        return (one_line(error), "") if own else ("", one_line(error))
    return "", ""


def _stages(cells: list[CellPlan], shadow: Shadow) -> dict[str, StagePlan]:
    """Every stage once, in the order in which cells come to it."""
    users: dict[str, int] = {}
    kinds: dict[str, str] = {}
    for cell in cells:
        for key, kind in cell.stages.items():
            users[key] = users.get(key, 0) + 1
            kinds[key] = kind
    return {key: StagePlan(kind=kinds[key], cells=count, stored=key in shadow.stored) for key, count in users.items()}
