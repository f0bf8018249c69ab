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
    labels = _labels(file, [bill.cell for bill in table.cells])
    if as_json:
        plain = table.to_json()
        typer.echo(json.dumps(plain | {"cells": [c | {"label": labels[c["cell"]]} for c in plain["cells"]]}))
        return
    for bill in table.cells:
        _print_bill(bill, labels[bill.cell])
    for fault in table.faults:
        console().print(f"[yellow]note[/] {_as_it_is(fault)}", highlight=False)
    console().print(f"\n[bold]all cells: {table.hours:.2f} h[/] ({table.seconds} s)")


def _labels(file: Path, cells: list[str]) -> dict[str, str]:
    """What people call the cells, by key: the key itself where the home does not say."""
    from segfrontier.home.layout import Home, is_key
    from segfrontier.home.status import label_and_method

    place = file.absolute()
    home = Home(place if (place / "cells").is_dir() else place.parent)
    return {cell: label_and_method(home.cell(cell), cell)[0] if is_key(cell) else cell for cell in cells}


def _print_bill(bill: CellBill, label: str) -> None:
    from rich.table import Table

    from segfrontier.commands.console import console

    out, table = console(), Table("kind", "scenes", "acts", "units", "hours", box=None)
    for row in bill.rows:
        table.add_row(row.kind, str(row.scenes), str(row.acts), str(row.units), f"{row.hours:.2f}")
    for line in bill.free:
        table.add_row(_as_it_is(line.what), "", "", str(line.count), "free", style="dim")
    money = f", {bill.money}" if bill.money else ""
    prices = _as_it_is(bill.prices) or "no prices"
    key = "" if label == bill.cell else f"  [dim]{_as_it_is(bill.cell[:8])}[/]"
    out.print(f"\n[bold]{_as_it_is(label)}[/]{key}  {bill.hours:.2f} h{money}  at {prices}")
    out.print(table)
    for line in bill.free:
        if line.what == "encoder_pretraining":  # whose weights, and under which licence
            out.print(f"   {_as_it_is(line.detail)}", style="dim", highlight=False, soft_wrap=True)


def _as_it_is(text: str) -> str:
    """A name from a file that may come from anywhere: no markup, nothing that moves a terminal's cursor."""
    from rich.markup import escape

    return escape("".join(c if c.isprintable() else "\N{REPLACEMENT CHARACTER}" for c in text))
