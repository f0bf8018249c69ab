"""`segfrontier doctor`: is this machine, or cluster, fit to run studies?"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer

EPILOG = (
    "Examples: segfrontier doctor; segfrontier doctor study.yaml --home /shared/runs --address 10.0.0.1:6379; "
    "segfrontier doctor --json | jq '.[] | select(.state != \"ok\")'"
)
_STYLES = {"ok": "green", "warn": "yellow", "fail": "bold red"}


def doctor(
    study: Annotated[str | None, typer.Argument(help="A study file: its worlds, weights and executor, too.")] = None,
    set_: Annotated[
        list[str] | None, typer.Option("--set", help="Change a key of the study, e.g. --set executor.device=cpu.")
    ] = None,
    home: Annotated[Path, typer.Option(help="Where studies would run.")] = Path("runs"),
    address: Annotated[
        str | None, typer.Option(help="Address of a Ray cluster; default: RAY_ADDRESS, or this machine alone.")
    ] = None,
    tracking: Annotated[
        str | None, typer.Option(help="MLflow tracking URI; default: MLFLOW_TRACKING_URI, or a database in the home.")
    ] = None,
    start_ray: Annotated[
        bool, typer.Option("--start-ray", help="Start a Ray on this machine and ask it, which takes seconds.")
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON for a script.")] = False,
) -> None:
    """Check what studies need: storage from every node, disk, GPU memory, cores, Ray, MLflow, worlds, weights.

    Exit code 1: a check failed. Warnings are no obstacle.
    """
    from dataclasses import asdict

    from segfrontier.commands.console import console, given_home

    given_home(home)

    from segfrontier.doctor.examination import examine
    from segfrontier.study.paper_tables import load_study

    subject = None if study is None else load_study(study, set_ or [])
    out, checks = console(), []
    for check in examine(subject, home=home, address=address, tracking=tracking, start_ray=start_ray):
        checks.append(check)
        if as_json:
            continue
        out.print(f"{check.state:<4}", style=_STYLES[check.state], end="  ")
        out.print(f"{check.name:<17}  {check.found}", markup=False, highlight=False)
        if check.advice:
            out.print(f"{'':<25}-> {check.advice}", markup=False, highlight=False)
    if as_json:
        typer.echo(json.dumps([asdict(check) for check in checks]))
    if any(check.state == "fail" for check in checks):
        raise typer.Exit(1)
