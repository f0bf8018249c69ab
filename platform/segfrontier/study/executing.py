"""What both executors need: whom they serve, with what, and the plain one that computes cells one after another."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from segfrontier.basics.disk import disk_full
from segfrontier.home.claiming import Leave
from segfrontier.home.layout import Home
from segfrontier.home.records import Record
from segfrontier.lab import Bench
from segfrontier.study.cellwork import Means, Outcome, do_cell
from segfrontier.study.config import Executor
from segfrontier.study.keys import Atlas
from segfrontier.study.queue import ASKED, Limited


def bench_of(executor: Executor) -> Bench:
    """How a cell's stages run."""
    device = executor.device
    if device == "auto" and executor.kind == "ray" and not executor.workers:
        device = "cpu"  # Ray shows no GPU to a process that has not asked for one
    return Bench(
        device=device, threads=max(1, int(executor.cpus_per_cell)), loader_workers=executor.loaders,
        look_batch=executor.look_batch, channels_last=executor.channels_last, fused=executor.fused,
    )  # fmt: skip


@dataclass(frozen=True, kw_only=True)
class Work:
    """An executor's order: cells come from `feed`; each end is told to `ended`; when `leave` says so, all leave."""

    home: Home
    feed: Limited
    means: Means
    leave: Leave
    ended: Callable[[str, Outcome, Record | None], None]
    atlas: Atlas

    def settle(self, key: str, outcome: Outcome) -> None:
        """A cell has ended: tell the feed and the listener. On a full disk no further one is begun."""
        if outcome == "full":
            self.feed.halt(str(disk_full(self.home.path)))
        if outcome == "stopped":
            self.feed.halt(ASKED)  # also where no further cell was to come
        record = None if outcome in ("stopped", "full") else Record.read(self.home.cell(key))
        self.feed.ended(key, record)
        self.ended(key, outcome, record)


def run_here(work: Work) -> None:
    """Compute cells in this process. A debugger works, and Ray is not imported."""
    while not work.feed.over:
        key = work.feed.next()
        if key is None:
            return
        outcome = do_cell(work.home, key, work.means, stop=work.leave, atlas=work.atlas)
        work.settle(key, outcome)
