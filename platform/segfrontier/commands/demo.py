"""`segfrontier demo`: from nothing to a frontier in minutes."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer


def demo(
    home: Annotated[Path, typer.Option(help="Where studies, stages, labels and the ledger are kept.")] = Path("runs"),
    set_: Annotated[
        list[str] | None, typer.Option("--set", help="Change the study, e.g. --set seeds=[0,1,2,3].")
    ] = None,
) -> None:
    """Run the installed methods on the built-in street world, at two budgets, on all cores; show the frontier.

    About five minutes on two quiet cores, without a GPU, a download or an account. Started again it goes on where it
    was.
    """
    from importlib.resources import files

    from segfrontier.commands.board import LiveBoard
    from segfrontier.commands.console import console
    from segfrontier.commands.frontier import frontier
    from segfrontier.commands.study import SIGNALLED
    from segfrontier.home.status import Board, counts
    from segfrontier.lab.methods import demo_methods
    from segfrontier.study.config import Study
    from segfrontier.study.run import run_study

    text = files("segfrontier.study").joinpath("examples/demo.yaml").read_text(encoding="utf-8")
    study = Study.parse(text, [f"methods={json.dumps(demo_methods())}", *(set_ or [])], where="demo")
    with LiveBoard() as board:
        finished = run_study(study, home=home, watcher=board)
    if finished.why:
        console().print(f"[yellow]not all cells were computed: {finished.why}; `segfrontier demo` goes on[/]")
        raise typer.Exit(SIGNALLED if finished.signalled else 1)
    frontier(study=study.name, home=home)
    where = "" if home == Path("runs") else f" --home {home}"
    steps = {
        f"segfrontier ui{where}": "the same in the MLflow dashboard",
        f"segfrontier frontier {study.name}{where} --prices my-prices.yaml": "the same acts at other prices",
        f"segfrontier demo{where} --set seeds=[0,1,2,3,4]": "two more seeds: only their cells are computed",
        "segfrontier plan study.yaml": "what a study of your own would cost",
    }
    width = max(map(len, steps))
    for command, about in steps.items():
        console().print(f"[bold]next[/]  {command:<{width}}  [dim]{about}[/]", highlight=False)
    if counts(Board(finished.study).look())["failed"]:
        raise typer.Exit(1)
