"""`segfrontier ui`: the MLflow dashboard on 127.0.0.1, over the right store."""

from __future__ import annotations

import signal
from pathlib import Path
from typing import Annotated

import typer

EPILOG = """Examples:

segfrontier ui

segfrontier ui --home runs --port 5010

segfrontier ui --uri http://tracking:5000   (syncs, prints the address)"""


def ui(
    home: Annotated[Path, typer.Option(help="Where studies are kept.")] = Path("runs"),
    port: Annotated[int, typer.Option(min=0, max=65535, help="Where this is taken, the next free one; 0: any.")] = 5000,
    uri: Annotated[
        str | None, typer.Option(help="A tracking server; default: MLFLOW_TRACKING_URI, else the file under HOME.")
    ] = None,
) -> None:
    """Open the dashboard: every cell with its numbers, and score over cost. Ctrl-C ends it.

    What MLflow lacks is written first. With a tracking server nothing is started: its address is printed.
    """
    from segfrontier.home.layout import find_home
    from segfrontier.lab.signals import SIGNALS
    from segfrontier.tracking import hidden, is_server, resolve
    from segfrontier.tracking.runs import prepare
    from segfrontier.tracking.server import Server, free_port

    home = find_home(home).path
    address = resolve(uri, home)
    prepare(address)
    sync_all(home, address)
    if is_server(address):
        show_studies(home, address, hidden(address))
        return
    for number in SIGNALS:  # a script's background job is started with Ctrl-C switched off
        signal.signal(number, signal.default_int_handler)
    try:
        with Server(address, port=free_port(port), log=home / "mlflow-server.log") as server:
            show_studies(home, address, server.address)
            typer.echo("Ctrl-C ends it")
            assert server.process is not None
            server.process.wait()
    except KeyboardInterrupt:
        typer.echo("the dashboard has ended", err=True)


def show_studies(home: Path, uri: str, address: str) -> None:
    """Print the dashboard's address, and that of each study's cells as cost vs score."""
    from segfrontier.home.layout import Home
    from segfrontier.tracking.runs import experiments
    from segfrontier.tracking.views import COSTS, home_link, view_link

    typer.echo(f"dashboard: {address}/{home_link()}")
    known = experiments(uri)
    for name in Home(home).studies():
        if name in known:
            typer.echo(f"  {name}: {address}/{view_link(name, known[name], COSTS)}")


def sync_all(home: Path, address: str) -> None:
    """Bring the runs of all studies of a home up to date; where one is running, its own companion does."""
    from segfrontier.home.layout import Home
    from segfrontier.tracking.legacy import adopt_spool
    from segfrontier.tracking.sync import sync

    for name in Home(home).studies():
        study = Home(home).study(name)
        adopt_spool(study)
        done = sync(study, address)
        if done is not None and (done.written or done.error):
            more = f"; {done.left} are left: {done.error}" if done.error else ""
            typer.echo(f"{name}: {done.written} runs were brought up to date in MLflow{more}", err=True)
