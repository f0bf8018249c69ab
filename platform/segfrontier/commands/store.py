"""`segfrontier store`: list the stored stage results and remove what is not needed any more."""

from __future__ import annotations

import json
from dataclasses import asdict
from typing import Annotated

import typer

app = typer.Typer(no_args_is_help=True, help="Stored stage results: what was computed once and is shared by all cells.")

Root = Annotated[str, typer.Argument(help="The store's folder or URI.")]
DEFAULT_ROOT = "runs/store"


@app.command("ls")
def ls(
    root: Root = DEFAULT_ROOT,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON for a script.")] = False,
) -> None:
    """List stages, last used first."""
    from rich.table import Table
    from rich.text import Text

    from segfrontier.commands.console import console
    from segfrontier.store import Store, human_size

    store = Store(root)
    store.require()
    rows = store.ls()
    if as_json:
        typer.echo(json.dumps([asdict(row) for row in rows]))
        return
    table = Table(box=None)
    for i, row in enumerate(rows):
        cells = row.cells()
        if i == 0:
            for name in cells:
                table.add_column(name)
        table.add_row(*map(Text, cells.values()))  # what a manifest says is no markup
    console().print(table)
    typer.echo(f"{len(rows)} stages, {human_size(sum(row.size for row in rows))}")


@app.command("gc", epilog="Example: segfrontier store gc runs/store --older-than 30d --under 50GiB --dry-run")
def gc(
    root: Root = DEFAULT_ROOT,
    older_than: Annotated[str | None, typer.Option(help="Remove what was last used longer ago: 12h, 30d.")] = None,
    under: Annotated[str | None, typer.Option(help="Remove what was used longest ago until the rest fits.")] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only say what would go.")] = False,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
) -> None:
    """Remove what killed writers left, and stored stages by age or size. Nothing in use is removed."""
    from segfrontier.commands.console import confirm
    from segfrontier.store import Store, human_size, parse_age, parse_size

    store = Store(root)
    seen = store.gc(
        older_than=None if older_than is None else parse_age(older_than),
        under=None if under is None else parse_size(under),
        dry_run=True,
    )
    swept = seen
    if not dry_run and (seen.removed or seen.leftovers):
        for row in seen.removed:
            typer.echo(f"would remove {row.key} ({row.kind}, {human_size(row.size)})", err=True)
        confirm(
            f"{len(seen.removed)} stages ({human_size(seen.freed)}) and {seen.leftovers} leftovers of killed writers "
            f"will be removed from {store.root}.",
            yes=yes,
        )
        swept = store.gc(rows=seen.removed)
    would = "would remove" if dry_run else "removed"
    for row in swept.removed:
        typer.echo(f"{would} {row.key} ({row.kind}, {human_size(row.size)})")
    typer.echo(
        f"{would} {len(swept.removed)} stages ({human_size(swept.freed)}) and {swept.leftovers} leftovers; "
        f"{len(swept.busy)} in use stay; {human_size(swept.left)} remain"
    )
