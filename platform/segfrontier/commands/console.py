"""What the verbs share: a console, progress quiet when nobody watches, a home that is there, the question to delete."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from rich.console import Console

HOME = Path("runs")
"""Where a user's work lies unless told otherwise."""


def given_home(home: Path) -> Path:
    """Refuse a home that is not there: a mistyped one would look like one in which nothing was done."""
    from segfrontier.errors import BadInput

    if not home.is_dir() and (home != HOME or home.exists()):
        found = "that is no folder" if home.exists() else "there is no such folder"
        raise BadInput(
            f"--home must be a folder; found {home}, and {found}. Correct it, or make it if it is to be new."
        )
    return home


def console(*, err: bool = False) -> Console:
    """A rich console on stdout, or on stderr for what is not the result itself."""
    from rich.console import Console

    return Console(stderr=err, soft_wrap=not err)


@contextmanager
def progress(what: str) -> Iterator[Callable[[int, int], None]]:
    """A bar on stderr with time left; draws nothing when stderr is not a terminal."""
    with progress_bars() as bars:
        task: Any = None

        def step(done: int, total: int) -> None:
            nonlocal task
            if task is None:
                task = bars.add_task(what, total=total, note="")
            bars.update(task, completed=done, total=total)

        yield step


def progress_bars() -> Any:
    """Rich bars on stderr, for use as a context manager; `add_task` takes a `note`."""
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    err = console(err=True)
    columns = (
        TextColumn("{task.description}", markup=False), BarColumn(bar_width=24), MofNCompleteColumn(),
        TimeRemainingColumn(), TextColumn("{task.fields[note]}", markup=False),
    )  # fmt: skip
    return Progress(*columns, console=err, transient=True, disable=not err.is_terminal)


def confirm(what: str, *, yes: bool) -> None:
    """Go on only if the user wants it: `what` is a sentence that says what will be deleted, and how much.

    With `yes` nothing is asked. A terminal is asked; any answer but yes ends the command with exit code 1. Where nobody
    can be asked, the command line must have said `--yes`: exit code 2.
    """
    import typer

    if yes:
        return
    if not someone_is_there():
        raise typer.BadParameter(f"{what} Nobody can be asked here: give --yes to do it, or --dry-run to only look.")
    typer.echo(f"{what} Go on? [y/N] ", nl=False, err=True)
    if sys.stdin.readline().strip().lower() not in ("y", "yes"):
        typer.echo("Nothing was deleted.", err=True)
        raise typer.Exit(1)


def someone_is_there() -> bool:
    """Whether a question would be seen, and can be answered."""
    return sys.stdin is not None and sys.stdin.isatty() and sys.stderr.isatty()
