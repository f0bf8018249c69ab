"""`segfrontier ledger`: what was bought, and what it costs under any price list."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from segfrontier.market.report import CellBill


def ledger(
    file: Annotated[Path, typer.Argument(help="A home, or its ledger, e.g. runs.")],
    prices: Annotated[
        str | None, typer.Option(help="A price list by name or YAML file; default: the one each cell bought under.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON for a script.")] = False,
) -> None:
    """Print what each cell bought: acts by kind, units and hours, and the zero-priced lines beside them.

    Costs are computed here and now: `--prices other.yaml` shows the same acts at other prices.
    """
    from segfrontier.commands.console import console
    from segfrontier.market import given_ledger, ledger_table, load_prices

    table = ledger_table(given_ledger(file), load_prices(prices) if prices else None)
    if as_json:
        typer.echo(json.dumps(table.to_json()))
        return
    for bill in table.cells:
        _print_bill(bill)
    for fault in table.faults:
        console().print(f"[yellow]note[/] {_as_it_is(fault)}", highlight=False)
    console().print(f"\n[bold]all cells: {table.hours:.2f} h[/] ({table.seconds} s)")


def _print_bill(bill: CellBill) -> None:
    from rich.table import Table

    from segfrontier.commands.console import console

    out, table = console(), Table("kind", "scenes", "acts", "units", "hours", box=None)
    for row in bill.rows:
        table.add_row(row.kind, str(row.scenes), str(row.acts), str(row.units), f"{row.hours:.2f}")
    for line in bill.free:
        table.add_row(_as_it_is(line.what), "", "", str(line.count), "free", style="dim")
    money = f", {bill.money}" if bill.money else ""
    prices = _as_it_is(bill.prices) or "no prices"
    out.print(f"\n[bold]{_as_it_is(bill.cell)}[/]  {bill.hours:.2f} h{money}  at {prices}")
    out.print(table)
    for line in bill.free:
        if line.what == "encoder_pretraining":  # whose weights, and under which licence
            out.print(f"   {_as_it_is(line.detail)}", style="dim", highlight=False, soft_wrap=True)


def _as_it_is(text: str) -> str:
    """A name from a file that may come from anywhere: no markup, nothing that moves a terminal's cursor."""
    from rich.markup import escape

    return escape("".join(c if c.isprintable() else "\N{REPLACEMENT CHARACTER}" for c in text))
