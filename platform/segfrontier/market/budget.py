"""Budgets: hours as a person writes them in a study file, whole seconds as the market counts them."""

from __future__ import annotations

from decimal import ROUND_HALF_EVEN, Decimal, InvalidOperation
from numbers import Integral

from segfrontier.errors import BadPrices

SECONDS_PER_HOUR = 3600


def seconds_from_hours(hours: float | int | str | Decimal) -> int:
    """A budget in hours as whole seconds, to the nearest one: 58.3333 h is 210,000 s."""
    try:
        exact = Decimal(str(hours))
    except InvalidOperation:
        exact = Decimal("NaN")
    if isinstance(hours, bool) or not exact.is_finite() or exact < 0:
        raise BadPrices(
            f"a budget must be a number of hours, 0 or more and finite; found {hours!r}. Write e.g. 12.5 for twelve "
            f"and a half hours."
        )
    return int((exact * SECONDS_PER_HOUR).to_integral_value(ROUND_HALF_EVEN))


def whole_seconds(seconds: object, *, what: str) -> int:
    """`seconds` itself where it is an amount that the market can count with."""
    if isinstance(seconds, bool) or not isinstance(seconds, Integral) or int(seconds) < 0:
        raise BadPrices(
            f"{what} must be a whole number of seconds, 0 or more; found {seconds!r}. Turn hours into seconds with "
            f"seconds_from_hours()."
        )
    return int(seconds)


def hours(seconds: int | Decimal | float) -> float:
    """Hours for display; bills are kept in whole seconds."""
    return float(seconds) / SECONDS_PER_HOUR
