"""The ledger as a table: acts by kind, units and time, cell by cell, under the prices of the day or any others."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import asdict, dataclass
from decimal import Decimal
from typing import Any

from segfrontier.errors import BadPrices
from segfrontier.market._account import Account
from segfrontier.market.budget import SECONDS_PER_HOUR, hours
from segfrontier.market.ledger import Ledger
from segfrontier.market.lines import FreeLine, Totals
from segfrontier.market.prices import PriceList, whole


@dataclass(frozen=True, slots=True)
class KindRow:
    """Acts of one kind. `milliseconds` is exact: rows add up to the bill, which is then rounded up once a cell."""

    kind: str
    scenes: int
    acts: int
    units: int
    milliseconds: int

    @property
    def hours(self) -> float:
        """For display."""
        return hours(Decimal(self.milliseconds) / 1000)


@dataclass(frozen=True, slots=True)
class CellBill:
    """One cell's rows, its zero-priced lines, and its bill in whole seconds."""

    cell: str
    prices: str
    rows: tuple[KindRow, ...]
    free: tuple[FreeLine, ...]
    seconds: int
    money: str | None

    @property
    def hours(self) -> float:
        """For display."""
        return hours(self.seconds)


@dataclass(frozen=True, slots=True)
class LedgerTable:
    """Every cell's bill, and the same acts summed over the cells."""

    cells: tuple[CellBill, ...]
    rows: tuple[KindRow, ...]
    seconds: int
    faults: tuple[str, ...] = ()
    """Accounts that cannot be read, and so are in no sum."""

    @property
    def hours(self) -> float:
        """For display."""
        return hours(self.seconds)

    @property
    def money(self) -> dict[str, Decimal]:
        """Sums over the cells by currency, of those whose prices say what an hour is paid."""
        sums: dict[str, Decimal] = {}
        for amount, currency in (bill.money.split(" ", 1) for bill in self.cells if bill.money):
            sums[currency] = sums.get(currency, Decimal(0)) + Decimal(amount)
        return sums

    def to_json(self) -> dict[str, Any]:
        """Plain numbers, strings, lists and dictionaries; hours stand beside what they are made from."""
        return {
            "cells": [
                {**asdict(c), "rows": _plain(c.rows), "free": [asdict(f) for f in c.free], "hours": c.hours}
                for c in self.cells
            ],
            "rows": _plain(self.rows),
            "seconds": self.seconds,
            "hours": self.hours,
            "faults": list(self.faults),
        }


def ledger_table(ledger: Ledger, prices: PriceList | None = None) -> LedgerTable:
    """All bills under `prices`, or each cell's under the list that it bought under."""
    faults: list[str] = []
    found = {}
    for account in ledger.accounts(faults):
        try:
            found[_place(account)] = _bill(account, prices)
        except BadPrices as error:
            if prices is not None:
                raise
            faults.append(str(error))  # its own list is damaged
    bills = [found[place] for place in sorted(found)]
    return LedgerTable(
        cells=tuple(bills),
        rows=_summed(row for bill in bills for row in bill.rows),
        seconds=sum(b.seconds for b in bills),
        faults=tuple(faults),
    )


def _place(account: Account) -> tuple[bool, str, str]:
    """Cells in order of their first purchase, then those that used free things alone."""
    opening = account.opening
    return opening is None, account.entries[0][0].time if opening is None else opening[0], account.cell


def _bill(account: Account, prices: PriceList | None) -> CellBill:
    totals = account.totals()
    if prices is None and totals:
        prices = account.prices()
    rows = tuple(_row(kind, counts, prices) for kind, counts in totals.items() if prices is not None)
    seconds = whole(sum(row.milliseconds for row in rows))
    return CellBill(
        cell=account.cell,
        prices="" if prices is None else f"{prices.name} (version {prices.version})",
        rows=rows,
        free=tuple(account.free_lines()),
        seconds=seconds,
        money=None if prices is None else _money(prices, seconds),
    )


def _row(kind: str, counts: Totals, prices: PriceList) -> KindRow:
    units = counts.units if prices.counter(kind) == "units" else counts.asked
    milliseconds = prices.milliseconds(kind, units=counts.units, asked=counts.asked)
    return KindRow(kind, counts.scenes, counts.acts, units, milliseconds)


def _money(prices: PriceList, seconds: int) -> str | None:
    if prices.money is None:
        return None
    amount = prices.money.per_hour * seconds / SECONDS_PER_HOUR
    return f"{amount:.2f} {prices.money.currency}"


def _summed(rows: Iterable[KindRow]) -> tuple[KindRow, ...]:
    sums: dict[str, KindRow] = {}
    for row in rows:
        old = sums.get(row.kind, KindRow(row.kind, 0, 0, 0, 0))
        sums[row.kind] = KindRow(
            row.kind,
            old.scenes + row.scenes,
            old.acts + row.acts,
            old.units + row.units,
            old.milliseconds + row.milliseconds,
        )
    return tuple(sums.values())


def _plain(rows: Iterable[KindRow]) -> list[dict[str, Any]]:
    return [{**asdict(row), "hours": row.hours} for row in rows]
