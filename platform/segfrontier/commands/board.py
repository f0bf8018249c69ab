"""A study's state while it runs: a table that follows it, or lines with the time for a log."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterable
from types import TracebackType
from typing import TYPE_CHECKING, Any

from segfrontier.commands.cells_table import drawn, span
from segfrontier.commands.console import console
from segfrontier.home.records import metric_words
from segfrontier.home.status import Board, CellState, counts, seconds_left
from segfrontier.study.run import StudyWatcher

if TYPE_CHECKING:
    from rich.console import RenderableType

    from segfrontier.home.records import Record
    from segfrontier.study.cellwork import Outcome


_FIRST, _LONGEST = 10.0, 60.0
"""Seconds until a log hears how far the cells are, and between two such lines once they have become fewer."""
_SHARE = 10
"""Looking at the files of many cells may take one part of the time in so many."""


class LiveBoard(StudyWatcher):
    """On a terminal a table that follows the study; elsewhere a line for each cell that ends, and now and then one on
    those that run.
    """

    def __init__(self) -> None:
        self._out = console(err=True)
        self._live: Any = None
        self._over = threading.Event()
        self._board: Board | None = None
        self._began, self._before, self._count, self._total = time.monotonic(), 0, 0, 0
        self._seen: tuple[CellState, ...] = ()
        self._due = 0.0

    def __enter__(self) -> LiveBoard:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._over.set()
        if self._live is not None:
            self._live.__exit__(kind, error, at)

    def waiting(self, why: str) -> None:
        """See `StudyWatcher`."""
        self._out.print(why, markup=False)

    def weights(self, sentences: Iterable[str]) -> None:
        """See `StudyWatcher`."""
        for sentence in sentences:
            self._out.print(sentence, style="dim", markup=False, highlight=False)

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
        elif waiting:
            threading.Thread(target=self._keep_logging, daemon=True).start()

    def ended(self, key: str, outcome: Outcome, record: Record | None) -> None:  # noqa: ARG002
        """See `StudyWatcher`."""
        self._count += 1
        if self._live is None and record is not None:
            assert self._board is not None
            metric = self._board.metric
            score = f"{metric_words(metric)} {record.score(metric):.1%}"
            result = score if outcome == "done" else record.error[:1000]
            self._log(f"[{self._count}/{self._total}] {record.cell['label']}: {outcome} {result}")

    def _drawn(self) -> RenderableType:
        cells, left = self._look()
        assert self._board is not None
        return drawn(cells, metric=self._board.metric, left=left)

    def _look(self) -> tuple[tuple[CellState, ...], float | None]:
        assert self._board is not None
        if (now := time.monotonic()) >= self._due:
            self._seen = self._board.look()
            self._due = now + _SHARE * (time.monotonic() - now)
        return self._seen, seconds_left(self._seen, spent=now - self._began, before=self._before)

    def _keep_logging(self) -> None:
        pause = _FIRST
        while not self._over.wait(pause):
            cells, left = self._look()
            running = [cell for cell in cells if cell.state == "running"]
            now = [f"{cell.label}: {_stage(cell)}" for cell in running[:2]]
            now += [f"{len(running) - 2} more"] if len(running) > 2 else []
            end = "" if left is None else f"; about {span(left)} left"
            self._log(f"{self._count} of {self._total} ended; {'; '.join(now) or 'nothing runs yet'}{end}")
            pause = min(2 * pause, _LONGEST)

    def _log(self, text: str) -> None:
        self._out.print(f"{time.strftime('%H:%M:%S')} {text}", markup=False, highlight=False)


def _stage(cell: CellState) -> str:
    share = "" if cell.share is None else f" {cell.share:.0%}"
    return cell.waiting or f"{cell.stage or 'begins'}{share}" + (f" ({cell.pace})" if cell.pace else "")
