"""Running a study: from its file to a record of every cell. The same call again computes only what is missing."""

from __future__ import annotations

import shutil
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Literal

from segfrontier.basics.addresses import ray_host
from segfrontier.basics.atomic import sweep, write_json, write_text
from segfrontier.basics.disk import room_at
from segfrontier.home.claiming import Leave, claimed
from segfrontier.home.layout import CELLS, Home, StudyHome, open_home
from segfrontier.home.records import Record
from segfrontier.home.status import Board, counts
from segfrontier.lab.signals import heeding_signals
from segfrontier.report.outputs import write_report
from segfrontier.study.cells import Cell, expand
from segfrontier.study.cellwork import Means, Outcome
from segfrontier.study.config import Executor, Study
from segfrontier.study.executing import Work, bench_of, run_here
from segfrontier.study.job import require_lasting
from segfrontier.study.keys import Atlas, keyed, staleness_here, write_cell
from segfrontier.study.pins import Pins, weights_sentences
from segfrontier.study.publishing import Publisher
from segfrontier.study.queue import Feed, FixedCells, Limited, Listed


class StudyWatcher:
    """Hears how a study goes. This one keeps quiet; override what is wanted."""

    def waiting(self, why: str) -> None:
        """Another machine's run may still be at the study."""

    def opening(self, done: int, total: int) -> None:
        """A built-in world is rendered."""

    def weights(self, sentences: Iterable[str]) -> None:
        """Which weights encoders start from, where the study leaves that open."""

    def began(self, board: Board, *, waiting: int) -> None:
        """The cells are known; so many have to be computed, as far as that can be told now."""

    def ended(self, key: str, outcome: Outcome, record: Record | None) -> None:
        """A cell has ended."""


@dataclass(frozen=True)
class Finished:
    """How a run ended. `why` is empty where every cell was computed or found; `signalled`: a signal ended it."""

    study: StudyHome
    outcomes: Mapping[str, Outcome]  # of the cells that this run computed
    why: str = ""
    report: tuple[Path, ...] = ()  # tables, pictures and pages
    unsynced: int = 0  # runs that MLflow does not have in full yet
    signalled: bool = False


@dataclass
class _Ended:
    """Collects outcomes, and passes them on."""

    watcher: StudyWatcher
    outcomes: dict[str, Outcome] = field(default_factory=dict)

    def __call__(self, key: str, outcome: Outcome, record: Record | None) -> None:
        self.outcomes[key] = outcome
        self.watcher.ended(key, outcome, record)


def run_study(
    study: Study, *, home: Path = Path("runs"), address: str | None = None, tracking: str | None = None,
    watcher: StudyWatcher | None = None, cells: Iterable[Cell] | None = None,
) -> Finished:  # fmt: skip
    """Compute the cells of a study that have no result yet, and report; those that failed before are tried again.

    `cells` stand in for those that the study's lists multiply to, as claims need it.

    `address` is that of a Ray cluster, `tracking` that of an MLflow server, or "none"; without them both live on this
    machine.
    """
    study.require_device_here()
    if address is not None and study.executor.kind == "ray":
        ray_host(address)  # before a home, a database or a record is made
    require_lasting(Path(home))
    watcher = watcher or StudyWatcher()
    place = open_home(Path(home)).study(study.name)
    with (
        room_at(place.home.path),
        claimed(place.path, study.name, watcher.waiting) as leave,
        heeding_signals(leave.ask) as signalled,
    ):
        finished = _run(study, place, leave, watcher, cells, address, tracking)
        return replace(finished, signalled=bool(finished.why) and signalled())


def _run(
    study: Study, place: StudyHome, leave: Leave, watcher: StudyWatcher, cells: Iterable[Cell] | None,
    address: str | None, tracking: str | None,
) -> Finished:  # fmt: skip
    atlas = Atlas(progress=watcher.opening, pins=Pins(place.home.path, keep=True))
    sweep(place.path)
    write_text(place.file, study.to_yaml())
    table = tuple(cells) if cells is not None else expand(study)
    named, is_stale = keyed(table, atlas), staleness_here()
    feed, waiting = _feed(study, place, atlas, named, is_stale)
    facets = {cell.facet.digest for cell in named.values()}
    asked = {(cell.recipe.encoder, cell.recipe.pretrained) for cell in table}
    watcher.weights(weights_sentences(asked, (cell.recipe for cell in named.values())))
    limited = Limited(feed, study.limits, leave)
    board = Board(place, is_stale)
    watcher.began(board, waiting=waiting)
    with Publisher(place, atlas.digests(), facets, uri=tracking) as publisher:
        ended = _Ended(watcher)
        work = Work(
            home=place.home, feed=limited, means=_means(study.executor, system=study.track.system), leave=leave,
            ended=ended, atlas=atlas,
        )  # fmt: skip
        weights = {(cell.recipe.encoder, cell.recipe.pretrained) for cell in named.values()}
        _execute(work, study, place, address, weights)
        publisher.settle()
        report = write_report(place)
        publisher.state(_state(board, limited.why))
    return Finished(place, ended.outcomes, limited.why, tuple(report), publisher.left)


def _state(board: Board, why: str) -> Literal["done", "failed", "stopped"]:
    if why:
        return "stopped"
    return "failed" if counts(board.look())["failed"] else "done"


def _execute(
    work: Work, study: Study, place: StudyHome, address: str | None, weights: Collection[tuple[str, str]]
) -> None:
    folder = place.path / "tune"
    shutil.rmtree(folder, ignore_errors=True)  # a killed run's: nothing goes on from it, and there may be nothing to do
    if study.executor.kind == "local":
        run_here(work)
        return
    if work.feed.over:
        return  # Ray takes seconds to start
    from segfrontier.study.ray_tune import run_on_ray

    run_on_ray(work, study.executor, folder=folder, asha=study.search.asha, address=address, weights=weights)


def _feed(
    study: Study, place: StudyHome, atlas: Atlas, cells: Mapping[str, Cell], is_stale: Callable[[Record], bool]
) -> tuple[Feed, int]:
    """The study's table as far as it is known, and a search for the rest; and how many of the table's cells wait.

    `cells.json` grows with a search's proposals before any cell of theirs is given out. A search that goes on makes all
    that it had proposed anew: what has ended is given out no more, so that the list is written once for all of it.
    """
    keys: dict[str, None] = {}

    def keep(cells: Mapping[str, Cell]) -> None:
        for key in cells.keys() - keys.keys():
            write_cell(place.home, key, cells[key])
        keys.update(dict.fromkeys(cells))

    def proposed(cells: Iterable[Cell]) -> Mapping[str, Cell]:
        keep(found := keyed(cells, atlas))
        return found

    def write() -> None:
        write_json(place.path / CELLS, list(keys))

    keep(cells)
    write()
    waiting = set(_waiting(study, place.home, cells, is_stale))
    table = FixedCells([key for key in spread_out(cells) if key in waiting])
    if study.search.kind != "optuna":
        return table, len(waiting)
    from segfrontier.study.search import Several, Suggestions, space

    feeds: list[Feed] = [table, *(
        Suggestions(study, entry, place.home, place.path / "search.json", proposed)
        for entry in study.methods if space(entry)
    )]  # fmt: skip
    return Listed(Several(feeds), keys, write), len(waiting)


def spread_out(cells: Mapping[str, Cell]) -> list[str]:
    """The keys so that neighbours are of different methods: cells of one method wait for each other's stages.

    Seeds come first, as ever.
    """
    seeds = {seed: i for i, seed in enumerate(dict.fromkeys(cell.seed for cell in cells.values()))}
    seen: Counter[tuple[int, str]] = Counter()
    turns: dict[str, tuple[int, int]] = {}
    for key, cell in cells.items():
        turns[key] = (seeds[cell.seed], seen[cell.seed, cell.method])
        seen[cell.seed, cell.method] += 1
    return sorted(turns, key=turns.__getitem__)


def _waiting(study: Study, home: Home, keys: Iterable[str], is_stale: Callable[[Record], bool]) -> list[str]:
    """Those without a result of today's code. One that early stopping cut has none where nothing is stopped early."""
    ends = ("done",) if study.search.asha is None else ("done", "cut")
    found = ((key, Record.read(home.cell(key))) for key in keys)
    return [key for key, record in found if record is None or record.state not in ends or is_stale(record)]


def _means(executor: Executor, *, system: bool = False) -> Means:
    return Means(
        bench=bench_of(executor), workers=executor.workers, fewest_workers=executor.fewest_workers,
        cpus_per_worker=executor.cpus_per_worker, gpus_per_worker=executor.gpus_per_cell or 1.0,
        memory_per_worker=executor.memory_per_cell, node_labels=executor.node_labels, system=system,
    )  # fmt: skip
