"""All verbs on one Typer app. Each imports what it needs when it runs, so that --help answers at once."""

from __future__ import annotations

from functools import cache
from typing import Annotated, Any

import typer
import typer.main
from typer.core import TyperGroup

import segfrontier
from segfrontier.commands import (
    claims,
    demo,
    doctor,
    export,
    faults,
    frontier,
    ledger,
    plan,
    predict,
    score,
    store,
    study,
    submit,
    train,
    ui,
    world,
)  # fmt: skip


class _Group(TyperGroup):
    """Typer takes every broken pipe for a closed stdout and leaves without a word; here only that one is quiet."""

    def invoke(self, ctx: Any) -> Any:
        try:
            return super().invoke(ctx)
        except BrokenPipeError as error:
            if faults.stdout_is_closed():
                raise
            raise ConnectionError(f"the other side left: {error}") from error


app = typer.Typer(
    cls=_Group,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    add_completion=False,
    help="Which labels should I buy, and which method turns them into the best segmentation?",
    epilog="Exit codes: 0 done; 1 the work failed; 2 the command line was wrong; 3 the input was refused with an "
    "explanation; 130 stopped by Ctrl-C.",
)


def _print_version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"segfrontier {segfrontier.__version__}")
        raise typer.Exit


@app.callback()
def options(
    debug: Annotated[  # taken off the command line, wherever it stands, before it comes here
        bool, typer.Option("--debug", help="Show the traceback of an error; also SEGFRONTIER_DEBUG=1.")
    ] = False,
    version: Annotated[
        bool, typer.Option("--version", help="Print the version.", is_eager=True, callback=_print_version)
    ] = False,
) -> None:
    """Options of all verbs."""


app.command("demo", epilog="Example: segfrontier demo --home runs")(demo.demo)
app.command("plan", epilog=plan.EPILOG)(plan.plan)
app.command("run", epilog="Example: segfrontier run study.yaml --set seeds=[0,1,2]")(study.run)
app.command("submit", epilog=submit.EPILOG)(submit.submit)
app.command("status", epilog="Example: segfrontier status street-baselines --cells")(study.status)
app.command("logs", epilog="Example: segfrontier logs 55faf96e")(study.logs)
app.command("stop", epilog="Example: segfrontier stop street-baselines")(study.stop)
app.command("frontier", epilog=frontier.EPILOG)(frontier.frontier)
app.command("doctor", epilog=doctor.EPILOG)(doctor.doctor)
app.command("ui", epilog=ui.EPILOG)(ui.ui)
app.command("train", epilog="Example: segfrontier train coarse --hours 20 --encoder resnet18 --steps 200")(train.train)
app.command("score", epilog=score.EPILOG)(score.score)
app.command("predict", epilog=predict.EPILOG)(predict.predict)
app.command("export", epilog=export.EPILOG)(export.export)
app.command("methods")(train.methods)
app.command("ledger")(ledger.ledger)
app.add_typer(claims.app, name="claims")
app.add_typer(world.app, name="world")
app.add_typer(store.app, name="store")


@cache
def command() -> Any:
    """The whole command line, ready to be called with words."""
    return typer.main.get_command(app)
