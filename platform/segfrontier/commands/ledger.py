"""`segfrontier ledger`: what was bought, and what it costs under any price list."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from segfrontier.market.report import CellBill, LedgerTable

_MANY = 50
"""Cells that are printed one by one; of more, what they bought in sum."""


def ledger(
    file: Annotated[Path, typer.Argument(help="A home, or its ledger, e.g. runs.")],
    prices: Annotated[
        str | None, typer.Option(help="A price list by name or YAML file; default: the one each cell bought under.")
    ] = None,
    every: Annotated[bool, typer.Option("--all", help="Print each cell, however many there are.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON for a script.")] = False,
) -> None:
    """Print what each cell bought: acts by kind, units and hours, and the zero-priced lines beside them.

    Of more than 50 cells: what all of them bought, by method and kind of label; `--all` prints each.

    Costs are computed here and now: `--prices other.yaml` shows the same acts at other prices.
    """
    from segfrontier.commands.console import console
    from segfrontier.market import given_ledger, ledger_table, load_prices

    table = ledger_table(given_ledger(file), load_prices(prices) if prices else None)
    names = _names(file, [bill.cell for bill in table.cells])
    if as_json:
        plain = table.to_json() | {"money": {currency: float(amount) for currency, amount in table.money.items()}}
        typer.echo(json.dumps(plain | {"cells": [c | {"label": names[c["cell"]][0]} for c in plain["cells"]]}))
        return
    if len(table.cells) > _MANY and not every:
        _print_summary(table, {cell: method for cell, (_, method) in names.items()})
    else:
        for bill in table.cells:
            _print_bill(bill, names[bill.cell][0])
    for fault in table.faults:
        console().print(f"[yellow]note[/] {_as_it_is(fault)}", highlight=False)
    console().print(f"\n[bold]all cells: {_total(table)}[/] ({table.seconds} s)")


def _total(table: LedgerTable) -> str:
    """Hours, and money where each cell's prices say what an hour is paid."""
    return ", ".join([f"{table.hours:.2f} h", *(_as_it_is(f"{sum_:.2f} {name}") for name, sum_ in table.money.items())])


def _print_summary(table: LedgerTable, methods: Mapping[str, str]) -> None:
    """Totals first, then a row a method and kind of label."""
    from rich.table import Table

    from segfrontier.commands.console import console

    sums: dict[tuple[str, str], list[int]] = {}
    for bill in table.cells:
        for row in bill.rows:
            here = sums.setdefault((methods[bill.cell], row.kind), [0, 0, 0, 0])
            for i, more in enumerate((1, row.acts, row.units, row.milliseconds)):
                here[i] += more
    out = console()
    out.print(f"[bold]{len(table.cells):,} cells: {_total(table)}[/]; `--all` prints each\n", highlight=False)
    shown = Table("method", "kind", "cells", "acts", "units", "hours", box=None)
    for (method, kind), (cells, acts, units, milliseconds) in sorted(sums.items()):
        shown.add_row(_as_it_is(method), kind, *map(str, (cells, acts, units)), f"{milliseconds / 3.6e6:.2f}")
    out.print(shown)


def _names(file: Path, cells: list[str]) -> dict[str, tuple[str, str]]:
    """What people call the cells, and their methods, by key: the key itself where the home does not say."""
    from segfrontier.home.layout import Home, is_key
    from segfrontier.home.status import label_and_method

    place = file.absolute()
    home = Home(place if (place / "cells").is_dir() else place.parent)
    return {cell: label_and_method(home.cell(cell), cell) if is_key(cell) else (cell, cell) for cell in cells}


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
