"""A study's state as a table: live while it runs, or once."""

from __future__ import annotations

import time
from types import TracebackType
from typing import TYPE_CHECKING, Any

from segfrontier.commands.console import console
from segfrontier.home.status import Board, CellState, State, best, counts, seconds_left
from segfrontier.study.run import StudyWatcher

if TYPE_CHECKING:
    from rich.console import RenderableType

    from segfrontier.home.records import Record
    from segfrontier.study.cellwork import Outcome

_STYLES: dict[State, str] = {
    "running": "cyan",
    "done": "green",
    "failed": "red",
    "cut": "yellow",
    "stopped": "yellow",
    "waiting": "dim",
}


class LiveBoard(StudyWatcher):
    """On a terminal a table that follows the study; elsewhere a line for each cell that ends."""

    def __init__(self) -> None:
        self._out = console(err=True)
        self._live: Any = None
        self._board: Board | None = None
        self._began, self._before, self._count, self._total = time.monotonic(), 0, 0, 0

    def __enter__(self) -> LiveBoard:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        if self._live is not None:
            self._live.__exit__(kind, error, at)

    def waiting(self, why: str) -> None:
        """See `StudyWatcher`."""
        self._out.print(why, markup=False)

    def began(self, board: Board, *, waiting: int) -> None:
        """See `StudyWatcher`."""
        cells = board.look()
        self._board, self._began, self._total = board, time.monotonic(), waiting
        self._before = sum(counts(cells)[state] for state in ("done", "cut"))
        self._out.print(f"{board.study.name}: {len(cells)} cells, {waiting} to compute", style="dim")
        self._out.print(f"resolved study: {board.study.file}", style="dim", highlight=False)
        if self._out.is_terminal and waiting:
            from rich.live import Live

            self._live = Live(
                get_renderable=self._drawn, console=self._out, refresh_per_second=1, transient=True,
                redirect_stdout=False, redirect_stderr=False,
            )  # fmt: skip
            self._live.__enter__()

    def ended(self, key: str, outcome: Outcome, record: Record | None) -> None:  # noqa: ARG002
        """See `StudyWatcher`."""
        self._count += 1
        if self._live is None and record is not None:
            told = f"mIoU {record.miou:.1%}" if outcome == "done" else record.error[:1000]
            self._out.print(f"[{self._count}/{self._total}] {record.cell['label']}: {outcome} {told}", markup=False)

    def _drawn(self) -> RenderableType:
        assert self._board is not None
        cells = self._board.look()
        return drawn(cells, left=seconds_left(cells, spent=time.monotonic() - self._began, before=self._before))


def drawn(cells: tuple[CellState, ...], *, left: float | None = None) -> RenderableType:
    """Counts and time left, what runs now, the best of each method, and what failed."""
    from rich.console import Group
    from rich.table import Table
    from rich.text import Text

    count = counts(cells)
    head = Text("  ").join(Text(f"{n} {state}", _STYLES[state]) for state in _STYLES if (n := count[state]))
    if left is not None and count["running"] + count["waiting"]:
        head.append(f"   about {_span(left)} left")
    running = Table("running", "stage", "", box=None, header_style="dim")
    for cell in [c for c in cells if c.state == "running"][:12]:
        running.add_row(cell.label, cell.waiting or cell.stage, "" if cell.share is None else f"{cell.share:.0%}")
    leading = Table("best so far", "mIoU", box=None, header_style="dim")
    for cell in best(cells).values():
        leading.add_row(cell.label, f"{cell.miou:.1%}")
    failed = Table("failed", "because", "log", box=None, header_style="red")
    for cell in [c for c in cells if c.state == "failed"][:12]:
        failed.add_row(cell.label, Text(cell.error[:160]), cell.key[:8])
    return Group(head, *(table for table in (running, leading, failed) if table.row_count))


def _span(seconds: float) -> str:
    if seconds < 90:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 5400 else f"{seconds / 3600:.1f} h"
