"""`segfrontier submit`: a study as a job of a Ray cluster, with the code that is here."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from segfrontier.cluster.jobs import JobRequest

EPILOG = (
    "Examples: segfrontier submit study.yaml --home /shared/runs; "
    "segfrontier submit study.yaml --home /shared/runs --address http://10.0.0.1:8265 --no-wait"
)


def submit(
    file: Annotated[
        str,
        typer.Argument(help="A study file, or a name: coarse_to_fine:table-2, study:camvid-cpu."),
    ],
    home: Annotated[str, typer.Option(help="An absolute path that every node of the cluster sees.")],
    set_: Annotated[
        list[str] | None, typer.Option("--set", help="Change the file's content, e.g. --set recipe.steps=100.")
    ] = None,
    address: Annotated[str, typer.Option(help="The cluster's dashboard.")] = "http://127.0.0.1:8265",
    tracking: Annotated[
        str | None, typer.Option(help="MLflow's URI as the cluster sees it, or `none`; default: what the cluster has.")
    ] = None,
    working_dir: Annotated[Path, typer.Option(help="The folder that is sent, with your own methods.")] = Path(),
    pip: Annotated[
        bool, typer.Option("--pip", help="Have each node install the folder's constraints.txt first; takes minutes.")
    ] = False,
    no_wait: Annotated[bool, typer.Option("--no-wait", help="Do not follow the job.")] = False,
) -> None:
    """Run a study as a job of a Ray cluster, with the code that is here: yours, that of methods, SegFrontier's own.

    The same command again, when the job has ended, resumes; while it runs it is refused. `ray job stop` saves the state
    first. Ctrl-C ends the following alone.

    Exit codes, the job's own: 0 every cell is done; 1 cells failed, or the run ended early; 3 nothing could be run: the
    input, the home or a node was refused before any cell; 130 it was stopped.
    """
    import tempfile

    from segfrontier.cluster.jobs import answering, job_server
    from segfrontier.cluster.jobs import submit as send
    from segfrontier.cluster.package import package, require_there, to_send
    from segfrontier.study.paper_tables import load_study

    study = load_study(file, set_ or [])
    order = _order(study.name, study.to_yaml(), home, tracking)
    sent, left = to_send(working_dir, study.resolved())
    for place, what in left.items():
        typer.echo(f"not sent: {place}, a {what}", err=True)
    require_there(study.resolved(), sent)
    whole = package(working_dir, order.text, sent)
    whole.require_small()
    if pip:
        _require_constraints(sent)
    with job_server(address) as server:
        with answering(address), tempfile.TemporaryDirectory(prefix="segfrontier-job-") as folder:
            whole.write(Path(folder))
            job = send(server, order, whole, folder=Path(folder), pip=pip)
        typer.echo(f"job {job}: {address}/#/jobs/{job}", err=True)
        if not no_wait:
            raise typer.Exit(_followed(server, job))


def _order(study: str, text: str, home: str, tracking: str | None) -> JobRequest:
    from segfrontier.cluster.jobs import JobRequest
    from segfrontier.errors import BadInput
    from segfrontier.study.job import WAY_OUT

    if not home.startswith("/"):
        raise BadInput(f"the home of a job must be an absolute path that every node sees; found {home!r}. {WAY_OUT}")
    return JobRequest(study=study, text=text, home=home, tracking=tracking)


def _require_constraints(sent: dict[Path, int]) -> None:
    from segfrontier.cluster.package import CONSTRAINTS
    from segfrontier.errors import BadInput

    if CONSTRAINTS not in sent:
        raise BadInput(
            f"--pip installs the {CONSTRAINTS} of the folder that is sent; it has none. Copy SegFrontier's there, or "
            f"have the dependencies in the nodes' image."
        )


def _followed(server: Any, job: str) -> int:
    """The exit code of a job that is followed to its end."""
    from segfrontier.cluster.jobs import follow

    try:
        return follow(server, job, lambda text: typer.echo(text, nl=False))
    except KeyboardInterrupt:
        typer.echo(f"the job goes on: `ray job logs --follow {job}` shows it, `ray job stop {job}` ends it", err=True)
        return 0
