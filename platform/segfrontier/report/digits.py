"""Numbers with the digits that their interval supports: "2.3 (1.4 to 3.9)", never 413.71."""

from __future__ import annotations

from math import floor, isfinite, log10


def estimated(value: float, low: float, high: float, *, unit: str = "") -> str:
    """ "2.3 times (1.4 to 3.9)": a value, its unit, its interval; "at least" and "at most" where a side is open."""
    after = f" {unit}" if unit else ""
    if not (isfinite(low) and isfinite(high)):
        if isfinite(low) and low > 0:
            return f"at least {rounded(low, low / 2)}{after}"
        return f"at most {rounded(high, high / 2)}{after}" if isfinite(high) else f"unknown{after}"
    half = (high - low) / 2
    shown, bottom, top = (rounded(x, half) for x in (value, low, high))
    if low > 0 and not float(bottom.replace(",", "")):  # what excludes 0 must be seen to
        bottom = "above 0"
    if bottom == top:
        return f"{shown}{after}"
    return f"{shown}{after} ({bottom} to {top})"


def rounded(value: float, half: float) -> str:
    """A value whose uncertainty is `half`: its digits end where those of `half` do, at two up to 35 and else at one."""
    places = decimals(value, half)
    number = round(value, places) + 0.0  # no minus zero
    return f"{number:,.{max(0, places)}f}"


def decimals(value: float, half: float) -> int:
    """How many decimals, below 0 for tens and hundreds; three digits where nothing is uncertain."""
    if not half > 1e-9 * abs(value):
        return 2 - floor(log10(abs(value))) if value and isfinite(value) else 2
    power = floor(log10(half))
    most = 3 - floor(log10(abs(value))) if value and isfinite(value) else 9  # four digits are enough of any number
    return min(-power + (1 if half / 10**power < 3.55 else 0), most)
