"""What a study's cells bought: acts by kind, hours and money, each cell paying for itself."""

from __future__ import annotations

from collections import Counter
from decimal import Decimal

from segfrontier.market.budget import SECONDS_PER_HOUR, hours
from segfrontier.market.prices import PriceList, whole
from segfrontier.report.load import Harvest
from segfrontier.report.points import facet_of

_COLUMNS = ["prices", "kind", "acts", "units", "price", "hours", "money"]


def spending(harvest: Harvest) -> tuple[list[str], list[list[str]]]:
    """Columns, and a row for each price list and kind of act, then the list's sum. Failed cells have bought, too."""
    rows: list[list[str]] = []
    for prices in {p.digest: p for p in harvest.prices.values()}.values():
        bought = _bought(harvest, prices)
        costs = {kind: prices.milliseconds(kind, units=c["units"], asked=c["asked"]) for kind, c in bought.items()}
        name = f"{prices.name} (version {prices.version})"
        for kind, counts in bought.items():
            per = f"{prices.price(kind).seconds.normalize():,f} s per {prices.price(kind).per}"
            told = [name, kind, f"{counts['acts']:,}", f"{counts[prices.counter(kind)]:,}", per]
            rows.append([*told, *_cost(costs[kind], prices)])
        rows.append([name, "all", "", "", "", *_cost(sum(costs.values()), prices)])
    paid = any(row[-1] for row in rows)
    return _COLUMNS[: None if paid else -1], [row[: None if paid else -1] for row in rows]


def _bought(harvest: Harvest, prices: PriceList) -> dict[str, Counter[str]]:
    """Sums over the cells of the facets that these prices are for."""
    found: dict[str, Counter[str]] = {}
    for record in harvest.records:
        own = harvest.prices.get(facet_of(record))
        if own is not None and own.digest == prices.digest:
            for kind, c in record.acts.items():
                found.setdefault(kind, Counter()).update(acts=c.acts, units=c.units, asked=c.asked)
    return found


def _cost(milliseconds: int, prices: PriceList) -> list[str]:
    told = f"{hours(Decimal(milliseconds) / 1000):,.2f}"
    if prices.money is None:
        return [told, ""]
    amount = prices.money.per_hour * whole(milliseconds) / SECONDS_PER_HOUR
    return [told, f"{amount:,.2f} {prices.money.currency}"]
