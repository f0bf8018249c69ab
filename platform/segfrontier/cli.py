"""The `segfrontier` command. Each verb imports what it needs when it runs, so that --help answers at once.

Exit codes: 0 done; 1 the work failed; 2 the command line was wrong; 3 the input was refused with an explanation.
"""

from __future__ import annotations

import sys
import warnings
from functools import cache
from typing import TextIO

import typer

app = typer.Typer(
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    add_completion=False,
    help="Which labels should I buy, and which method turns them into the best segmentation?",
)


def main() -> None:
    """Run the command line; errors raised on purpose print as one paragraph, without a traceback."""
    from segfrontier.errors import BadInput, SegFrontierError

    warnings.showwarning = _show_warning
    try:
        app()
    except SegFrontierError as error:
        typer.secho(f"error: {error}", fg="red", err=True)
        sys.exit(3 if isinstance(error, BadInput) else 1)
    except KeyboardInterrupt:
        typer.secho("stopped", err=True)
        sys.exit(130)


_usual_warning = warnings.showwarning


def _show_warning(
    message: Warning | str, category: type[Warning], filename: str, lineno: int, file: TextIO | None = None,
    line: str | None = None,
) -> None:  # fmt: skip
    """SegFrontier's own warnings are for users: a paragraph each, wherever in the code they were raised, and once."""
    if category.__module__.startswith("segfrontier"):
        _tell_warning(str(message))
    else:
        _usual_warning(message, category, filename, lineno, file, line)


@cache
def _tell_warning(text: str) -> None:
    typer.secho(f"warning: {text}", fg="yellow", err=True)


def _register() -> None:
    from segfrontier.commands import claims, demo, doctor, frontier, ledger, plan, store, study, train, ui, world

    app.command("demo", epilog="Example: segfrontier demo --home runs")(demo.demo)
    app.command("plan", epilog=plan.EPILOG)(plan.plan)
    app.command("run", epilog="Example: segfrontier run study.yaml --set seeds=[0,1,2]")(study.run)
    app.command("status", epilog="Example: segfrontier status street-baselines --cells")(study.status)
    app.command("logs", epilog="Example: segfrontier logs 55faf96e")(study.logs)
    app.command("stop", epilog="Example: segfrontier stop street-baselines")(study.stop)
    app.command("frontier", epilog=frontier.EPILOG)(frontier.frontier)
    app.command("doctor", epilog=doctor.EPILOG)(doctor.doctor)
    app.command("ui", epilog=ui.EPILOG)(ui.ui)
    app.command("train", epilog="Example: segfrontier train coarse --hours 20 --encoder resnet18 --steps 200")(
        train.train
    )
    app.command("methods")(train.methods)
    app.command("ledger")(ledger.ledger)
    app.add_typer(claims.app, name="claims")
    app.add_typer(world.app, name="world")
    app.add_typer(store.app, name="store")


_register()
