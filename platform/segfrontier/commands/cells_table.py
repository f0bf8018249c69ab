"""A study's state as a table."""

from __future__ import annotations

from typing import TYPE_CHECKING

from segfrontier.home.records import metric_words
from segfrontier.home.status import CellState, State, best, counts

if TYPE_CHECKING:
    from rich.console import RenderableType

_STYLES: dict[State, str] = {
    "running": "cyan",
    "done": "green",
    "failed": "red",
    "cut": "yellow",
    "stopped": "yellow",
    "waiting": "dim",
}


def drawn(cells: tuple[CellState, ...], *, metric: str, left: float | None = None) -> RenderableType:
    """Counts and time left, what runs now, the best of each method, and what failed."""
    from rich.console import Group
    from rich.table import Table
    from rich.text import Text

    count = counts(cells)
    head = Text("  ").join(Text(f"{n} {state}", _STYLES[state]) for state in _STYLES if (n := count[state]))
    if left is not None and count["running"] + count["waiting"]:
        head.append(f"   about {span(left)} left")
    running = Table("running", "stage", "", "", box=None, header_style="dim")
    for cell in [c for c in cells if c.state == "running"][:12]:
        running.add_row(
            cell.label, cell.waiting or cell.stage, "" if cell.share is None else f"{cell.share:.0%}", cell.pace
        )
    leading = Table("best mean so far", metric_words(metric), "seeds", box=None, header_style="dim")
    for mean in best(cells).values():
        leading.add_row(mean.label, f"{mean.score:.1%}", str(mean.seeds))
    failed = Table("failed", "because", "log", box=None, header_style="red")
    for cell in [c for c in cells if c.state == "failed"][:12]:
        failed.add_row(cell.label, Text(cell.error[:160]), cell.key[:8])
    return Group(head, *(table for table in (running, leading, failed) if table.row_count))


def span(seconds: float) -> str:
    """A time as people say it."""
    if seconds < 90:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 5400 else f"{seconds / 3600:.1f} h"
