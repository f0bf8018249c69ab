"""Budgets: hours as a person writes them in a study file, whole seconds as the market counts them."""

from __future__ import annotations

from decimal import ROUND_HALF_EVEN, Decimal, InvalidOperation

from segfrontier.errors import BadPrices
from segfrontier.market.plain import plain_whole

SECONDS_PER_HOUR = 3600
_MOST_SECONDS = 10**12
"""More than anyone has: 30,000 years. The ledger counts in 64 bits."""


def seconds_from_hours(hours: float | int | str | Decimal) -> int:
    """A budget in hours as whole seconds, to the nearest one: 58.3333 h is 210,000 s."""
    try:
        exact = Decimal(str(hours))
    except InvalidOperation:
        exact = Decimal("NaN")
    if isinstance(hours, bool) or not exact.is_finite() or not 0 <= exact * SECONDS_PER_HOUR <= _MOST_SECONDS:
        raise BadPrices(
            f"a budget must be a number of hours, 0 or more and at most {_MOST_SECONDS // SECONDS_PER_HOUR}; found "
            f"{hours!r}. Write e.g. 12.5 for twelve and a half hours."
        )
    return int((exact * SECONDS_PER_HOUR).to_integral_value(ROUND_HALF_EVEN))


def whole_seconds(seconds: object, *, what: str) -> int:
    """`seconds` as a plain number where it is an amount that the market can count with."""
    try:
        amount = plain_whole(seconds)
    except TypeError:
        amount = -1
    if not 0 <= amount <= _MOST_SECONDS:
        raise BadPrices(
            f"{what} must be a whole number of seconds, 0 or more and at most {_MOST_SECONDS}; found {seconds!r}. Turn "
            f"hours into seconds with seconds_from_hours()."
        )
    return amount


def hours(seconds: int | Decimal | float) -> float:
    """Hours for display; bills are kept in whole seconds."""
    return float(seconds) / SECONDS_PER_HOUR
