"""`segfrontier run`, `status`, `logs` and `stop`: a study from its file to its frontier."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from segfrontier.study.run import Finished

HOME = typer.Option(help="Where studies, stages, labels and the ledger are kept.")
SIGNALLED = 130
"""The exit code of a run that a signal ended, its state saved."""
NAME = typer.Argument(help="The study's name, as its file says.", show_default=False)


def run(
    file: Annotated[
        str,
        typer.Argument(help="A study file, or a name: coarse_to_fine:table-2, study:camvid-cpu."),
    ],
    set_: Annotated[
        list[str] | None, typer.Option("--set", help="Change the file's content, e.g. --set recipe.steps=100.")
    ] = None,
    home: Annotated[Path, HOME] = Path("runs"),
    address: Annotated[
        str | None, typer.Option(help="Address of a Ray cluster; default: RAY_ADDRESS, or this machine alone.")
    ] = None,
    tracking: Annotated[
        str | None,
        typer.Option(help="MLflow's URI, or `none`; default: MLFLOW_TRACKING_URI, or a database in the home."),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON for a script.")] = False,
) -> None:
    """Compute the cells of a study that have no result yet, then draw the frontier.

    The same command again resumes; a seed, a budget or a knob value that is added computes only the new cells.

    Ctrl-C, SIGTERM and SIGHUP save the state first; a second one does not wait. One process at a time may run a study;
    one that was killed frees it at once, or, on a machine that shares no file locks, 30 s after its last sign of life.

    Exit codes: 0 every cell is done; 1 cells failed, or the run ended early (a limit, `segfrontier stop`, a full disk);
    3 the input was refused, or another process runs the study; 130 a signal ended it.
    """
    from segfrontier.commands.board import LiveBoard
    from segfrontier.study.paper_tables import load_study
    from segfrontier.study.run import run_study

    study = load_study(file, set_ or [])
    with LiveBoard() as board:
        finished = run_study(study, home=home, address=address, tracking=tracking, watcher=board)
    _report(finished, as_json=as_json)


def status(
    study: Annotated[str | None, typer.Argument(help="A study's name; default: all of the home.")] = None,
    home: Annotated[Path, HOME] = Path("runs"),
    cells: Annotated[bool, typer.Option("--cells", help="List every cell.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON for a script.")] = False,
) -> None:
    """Show how far a study is: cells done, running and failed, and the best so far of each method."""
    from segfrontier.commands.cells_table import drawn
    from segfrontier.commands.console import console
    from segfrontier.home.layout import find_home
    from segfrontier.home.status import Board
    from segfrontier.study.stale import staleness

    place = find_home(home)
    found = [place.find(study)] if study else [place.study(name) for name in place.studies()]
    is_stale = staleness()
    boards = {one.name: Board(one, is_stale) for one in found}
    if as_json:
        plain = {
            n: {"running": b.alive(), "metric": b.metric, "cells": [c.plain() for c in b.look()]}
            for n, b in boards.items()
        }
        typer.echo(json.dumps(plain))
        return
    for name, board in boards.items():
        states = board.look()
        console().print(f"[bold]{name}[/]{' (running)' if board.alive() else ''}")
        if states:
            console().print(drawn(states, metric=board.metric))
        elif not board.alive():
            console().print("  no cell of it was begun; `segfrontier run` goes on, or says what must be corrected")
        if stale := sum(cell.stale for cell in states):
            console().print(f"  {stale} are stale: other code computed them; `segfrontier run` renews them")
        for cell in states if cells else ():
            score = "" if cell.score != cell.score else f"{cell.score:.1%}"
            word = "stale" if cell.stale else cell.state
            console().print(f"  {cell.key[:8]}  {word:<8} {score:>6}  {cell.label}", markup=False)
    if not boards:
        console().print(f"no study was started in {home}; try `segfrontier demo`")


def logs(
    cell: Annotated[str, typer.Argument(help="The beginning of a cell's key, as `status --cells` shows it.")],
    home: Annotated[Path, HOME] = Path("runs"),
    tail: Annotated[int, typer.Option(help="How many lines of its end; 0: all.")] = 60,
) -> None:
    """Print the log of a cell."""
    from glob import escape

    from segfrontier.errors import BadInput
    from segfrontier.home.layout import LOG, find_home, is_key

    place = find_home(home)
    found = sorted(p.parent for p in place.path.glob(f"cells/{escape(cell)}*/{LOG}")) if is_key(cell) else []
    if len(found) != 1:
        known = ", ".join(p.name[:12] for p in found[:8]) or "none"
        raise BadInput(
            f"{cell!r} must be the beginning of one cell's key in {home}; found {known}. "
            f"See `segfrontier status --cells`."
        )
    if tail < 0:
        raise BadInput(f"--tail must be a number of lines, or 0 for all; found {tail}. Correct it.")
    try:
        lines = (found[0] / LOG).read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError as error:
        raise BadInput(f"{found[0] / LOG} must be a readable file; it is not ({error}).") from None
    typer.echo("\n".join(lines[-tail:]))


def stop(study: Annotated[str, NAME], home: Annotated[Path, HOME] = Path("runs")) -> None:
    """Ask a running study to save its state and end, with exit code 1; `segfrontier run` goes on from there."""
    from segfrontier.commands.console import console
    from segfrontier.errors import BadInput
    from segfrontier.home.claiming import STOP
    from segfrontier.home.layout import find_home
    from segfrontier.home.status import Board

    place = find_home(home).find(study)
    if not Board(place).alive():
        console().print(f"{study} is not running; nothing keeps the next `segfrontier run` from it")
        return
    try:
        (place.path / STOP).touch()
    except OSError as error:
        raise BadInput(f"the folder of a study must be writable to stop it; {place.path} is not ({error}).") from None
    console().print(f"{study} was asked to stop; its cells save their state and leave, and `run` ends with 1")


def _report(finished: Finished, *, as_json: bool) -> None:
    from segfrontier.commands.cells_table import drawn
    from segfrontier.commands.console import console
    from segfrontier.home.status import Board, counts

    board = Board(finished.study)
    states = board.look()
    if as_json:
        plain = {"study": finished.study.name, "why": finished.why, "cells": [c.plain() for c in states]}
        typer.echo(json.dumps(plain | {"report": [str(p) for p in finished.report]}))
    else:
        console().print(drawn(states, metric=board.metric))
        _next_steps(finished)
    if finished.signalled:
        raise typer.Exit(SIGNALLED)
    if counts(states)["failed"] or finished.why:
        raise typer.Exit(1)


def _next_steps(finished: Finished) -> None:
    from segfrontier.commands.console import console

    out, name = console(), finished.study.name
    if finished.why:
        out.print(f"[yellow]not all cells were computed: {finished.why}; the same command goes on[/]")
    if finished.unsynced:
        out.print(f"[yellow]MLflow lacks {finished.unsynced} runs yet; the next run, or `ui`, brings them[/]")
    for path in finished.report:
        out.print(f"  {_near(path)}")
    home = "" if finished.study.home.path == Path("runs").absolute() else f" --home {_near(finished.study.home.path)}"
    out.print(f"next: segfrontier frontier {name}{home}    or, in the browser: segfrontier ui{home}")


def _near(path: Path) -> Path:
    return path.relative_to(Path.cwd()) if path.is_relative_to(Path.cwd()) else path
